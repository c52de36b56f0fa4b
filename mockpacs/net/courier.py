"""The couriers of a retrieve: back on the association that asked (C-GET), or on one opened to a destination (C-MOVE).

Their methods are called in the thread of the retrieve and wait there for what the event loop does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any, Final, NamedTuple, TypeVar

from mockpacs.net.asking import Asking, Unanswered
from mockpacs.net.dialer import MOST_CONTEXTS, Dialer
from mockpacs.net.environment import Environment
from mockpacs.net.incoming import Incoming
from mockpacs.net.peer import Peer
from mockpacs.net.requestor import NotAssociated, Requestor
from mockpacs.services.courier import Awaited, Courier, Couriers, Delivery, Kind, SubOperation, Undeliverable
from mockpacs.traffic.exchange import Association
from mockpacs.wire import AcceptedContext, Command, CommandField, Tag, Value, can_carry_data
from mockpacs.wire.dictionary import uid_name
from mockpacs.wire.transfer_syntaxes import DEFLATED, EXPLICIT_LITTLE, IMPLICIT_LITTLE

T = TypeVar("T")

_NATIVE: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
"""What instances can be converted to: explicit and implicit VR little endian."""

Lose = Callable[[str, str], None]
"""Loses the association to the destination, in the event loop: how, and by which rule."""


Meet = Callable[[SubOperation, Lose], Coroutine[Any, Any, Delivery | None]]
"""Asks a scenario about a sub-operation whose turn has come: what has become of it, None when it is to be done."""


class Errand(NamedTuple):
    """What a courier is sent for."""

    loop: asyncio.AbstractEventLoop
    command: Command
    """The request for the retrieve."""
    cause: str
    """Which exchange that is: ``3.1``."""
    meet: Meet | None


class Way(NamedTuple):
    """The way back on an association."""

    asking: Asking
    accepted: Mapping[int, AcceptedContext]
    providers: frozenset[str]
    """The SOP classes for which the requestor has the SCP role."""


def couriers(
    environment: Environment, association: Association, incoming: Incoming, way: Way, meet: Meet | None
) -> Couriers:
    """Who brings the instances of a retrieve. To be called in the event loop; the couriers are made in any thread.

    ``meet``: asks a scenario about each sub-operation, in the event loop; None without one.
    """
    errand = Errand(asyncio.get_running_loop(), incoming.command, f"{association.number}.{incoming.number}", meet)

    def courier(destination: str) -> Courier | None:
        if incoming.command.service == "C-GET":
            return None if destination else GetCourier(errand, way)
        dialer = environment.dialer
        peer = dialer.peers.get(destination) if dialer is not None else None
        if dialer is None or peer is None:
            return None
        return MoveCourier(errand, dialer, peer, association.calling)

    return courier


class _Courier:
    """What both have in common."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._why_lost = ""

    def decide(self, sub: SubOperation) -> Delivery | None:
        """What a scenario says has become of it; None without one."""
        return None if self._errand.meet is None else self._wait(self._errand.meet(sub, self.lose))

    def lose(self, how: str, rule: str) -> None:
        """A scenario wants the destination lost; there is one for a C-MOVE only."""

    def _store(
        self,
        asking: Asking,
        context: AcceptedContext,
        sub: SubOperation,
        blocks: Iterable[bytes],
        origin: Mapping[int, Value],
    ) -> Awaited:
        elements: dict[int, Value] = {
            Tag.AFFECTED_SOP_CLASS: sub.kind.sop_class,
            Tag.AFFECTED_SOP_INSTANCE: sub.sop_instance,
            Tag.PRIORITY: self._errand.command.priority or 0,
            **origin,
        }
        try:
            sent = asking.begin(context, CommandField.C_STORE_RQ, elements, blocks, cause=self._errand.cause)
        except Unanswered as lost:
            why = str(lost)
            return lambda: self._lost(why)

        def wait() -> Delivery:
            try:
                *_, final = sent.result()
            except Unanswered as lost:
                return self._lost(str(lost))
            return Delivery(final.command.status, final.command.error_comment or "")

        return wait

    def _lost(self, why: str) -> Delivery:
        """There is no response, nor will there be any: the association is gone, and is not opened again."""
        self._why_lost = why
        return Delivery(None, why)

    def _refuse_lost(self) -> None:
        if self._why_lost:
            raise Undeliverable(self._why_lost)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the event loop do something. Raises `Undeliverable` when the server has stopped."""
        try:
            done = asyncio.run_coroutine_threadsafe(work, self._errand.loop)
        except RuntimeError as error:
            work.close()
            raise Undeliverable("the server stopped") from error
        try:
            return done.result()
        except CancelledError as error:
            raise Undeliverable("the server stopped") from error


class GetCourier(_Courier):
    """Sends on the association of the C-GET, on contexts for which the requestor has the SCP role (PS3.4 C.4.3)."""

    def __init__(self, errand: Errand, way: Way) -> None:
        super().__init__(errand)
        self._asking = way.asking
        self._contexts = _by_class(way.accepted.values())
        self._providers = way.providers

    def open(self, kinds: Sequence[Kind]) -> None:
        """Nothing has to be negotiated."""

    def accepts(self, kind: Kind) -> Sequence[str]:
        """The transfer syntaxes of the contexts of a SOP class."""
        self._refuse_lost()
        contexts = self._contexts.get(kind.sop_class)
        if not contexts:
            raise Undeliverable(f"no context for {uid_name(kind.sop_class)}")
        if kind.sop_class not in self._providers:
            raise Undeliverable(f"no SCP role for {uid_name(kind.sop_class)}")
        return tuple(contexts)

    def send(self, sub: SubOperation, transfer_syntax: str, blocks: Iterable[bytes]) -> Awaited:
        """C-STORE a data set."""
        return self._store(self._asking, self._contexts[sub.kind.sop_class][transfer_syntax], sub, blocks, {})

    def close(self) -> None:
        """The association goes on."""


class MoveCourier(_Courier):
    """Sends on an association of its own to a destination, opened with the first instance and kept for all."""

    def __init__(self, errand: Errand, dialer: Dialer, peer: Peer, calling: str) -> None:
        """``calling``: who asked for the move; the sub-operations name it as their origin (PS3.7 9.1.1.1.6)."""
        super().__init__(errand)
        self._dialer = dialer
        self._peer = peer
        self._origin: dict[int, Value] = {
            Tag.MOVE_ORIGINATOR_AET: calling,
            Tag.MOVE_ORIGINATOR_MESSAGE_ID: errand.command.message_id or 0,
        }
        self._kinds: list[Kind] = []
        self._leg: Requestor | None = None
        self._proposed: frozenset[tuple[str, str]] = frozenset()
        self._contexts: dict[str, dict[str, AcceptedContext]] = {}

    def open(self, kinds: Sequence[Kind]) -> None:
        """What will be sent: all of it is proposed together."""
        self._kinds = list(kinds)

    def accepts(self, kind: Kind) -> Sequence[str]:
        """The transfer syntaxes that the destination accepts for a SOP class; opens the association if need be."""
        self._refuse_lost()
        wanted = _wanted(kind, self._peer)
        if not wanted:
            raise Undeliverable(f"{self._peer.aet} takes no transfer syntax that would do (transfer_syntaxes)")
        if self._leg is None or (kind.sop_class, wanted[0]) not in self._proposed:
            self._associate(kind)
        contexts = self._contexts.get(kind.sop_class)
        if not contexts:
            raise Undeliverable(f"{self._peer.aet} accepts no context for {uid_name(kind.sop_class)}")
        return tuple(contexts)

    def send(self, sub: SubOperation, transfer_syntax: str, blocks: Iterable[bytes]) -> Awaited:
        """C-STORE a data set."""
        leg = self._leg
        assert leg is not None
        context = self._contexts[sub.kind.sop_class][transfer_syntax]
        try:
            return self._store(leg.asking, context, sub, blocks, self._origin)
        except Exception:  # it cannot be read: when a part has left, the association had to be aborted
            if not self._wait(_is_there(leg)):
                self._leg = None  # the destination did nothing wrong: the next instance gets another one
            raise

    def close(self) -> None:
        """Release the association, if it is still there."""
        leg, self._leg = self._leg, None
        if leg is not None:
            with contextlib.suppress(Undeliverable):
                self._wait(leg.release())

    # asked for by a scenario, in the event loop

    def lose(self, how: str, rule: str) -> None:
        """The destination is lost: ``refuse``, ``abort`` or ``reset``. What is still to be sent fails."""
        why = f'rule "{rule}"'
        self._why_lost = "the destination refused" if how == "refuse" else f"the association was lost: {why}"
        leg = self._leg
        if leg is not None and how == "reset":
            leg.reset(why)
        elif leg is not None:
            leg.break_off(why)

    def _associate(self, first: Kind) -> None:
        """An association that proposes ``first`` and as much of all else as fits, what comes next before the rest."""
        self.close()
        at = self._kinds.index(first) if first in self._kinds else 0
        pairs = _proposal([first, *self._kinds[at:], *self._kinds[:at]], self._peer)
        contexts = [(sop_class, (syntax,)) for sop_class, syntax in pairs]
        try:
            self._leg = leg = self._wait(self._dialer.associate(self._peer, contexts, cause=self._errand.cause))
        except NotAssociated as no:
            self._why_lost = str(no)
            raise Undeliverable(self._why_lost) from no
        if not can_carry_data(leg.peer_max_pdu_length):
            self._why_lost = (
                f"{self._peer.aet} takes PDUs of {leg.peer_max_pdu_length} bytes, too short for any message"
            )
            raise Undeliverable(self._why_lost)
        self._proposed = frozenset(pairs)
        self._contexts = _by_class(self._leg.accepted.values())


async def _is_there(leg: Requestor) -> bool:
    return leg.can_send


def _by_class(contexts: Iterable[AcceptedContext]) -> dict[str, dict[str, AcceptedContext]]:
    """Contexts by abstract syntax, then by transfer syntax; of equal ones the first."""
    found: dict[str, dict[str, AcceptedContext]] = {}
    for context in contexts:
        found.setdefault(context.abstract_syntax, {}).setdefault(context.transfer_syntax, context)
    return found


def _wanted(kind: Kind, peer: Peer) -> tuple[str, ...]:
    """The transfer syntaxes to propose for a kind, its own first."""
    deflated = (DEFLATED,) if DEFLATED in peer.transfer_syntaxes else ()  # few understand it, so only who asks for it
    wanted = dict.fromkeys((kind.transfer_syntax, *_NATIVE, *deflated))
    return tuple(uid for uid in wanted if not peer.transfer_syntaxes or uid in peer.transfer_syntaxes)


def _proposal(kinds: Sequence[Kind], peer: Peer) -> list[tuple[str, str]]:
    """Abstract and transfer syntax of each context: one each, so that the destination cannot choose for us.

    What instances are stored in comes before what they could be converted to, as there is not room for everything.
    """
    stored: dict[tuple[str, str], None] = dict.fromkeys((kinds[0].sop_class, uid) for uid in _wanted(kinds[0], peer))
    others: dict[tuple[str, str], None] = {}
    for kind in kinds:
        for syntax in _wanted(kind, peer):
            (stored if syntax == kind.transfer_syntax else others)[kind.sop_class, syntax] = None
    return list({**stored, **others})[:MOST_CONTEXTS]
