"""The facts that a scenario is asked with: of an association, and of one exchange at one moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from mockpacs.net.incoming import Incoming
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.facts import DataFacts
from mockpacs.scenario.stimulus import Facts, Stimulus
from mockpacs.services.courier import SubOperation
from mockpacs.traffic.exchange import Association
from mockpacs.wire import AssociateRQ, Command
from mockpacs.wire.dataset import Encoding

_TOO_LONG_FOR_A_UID: Final = 65
"""Characters kept of a SOP Instance UID: counters are kept by it, and a command set may have a megabyte of it."""


def event_cue(
    kind: str, association: Association, request: AssociateRQ | None = None, incoming: Incoming | None = None
) -> Stimulus:
    """Something that happened to a connection or an association.

    ``request`` is what was asked for, at associate; ``incoming`` the request a cancel is about.
    """
    contexts = request.contexts if request else ()
    return Stimulus(
        kind,
        association=association.number,
        exchange=incoming.number if incoming else 0,
        calling=association.calling,
        called=association.called,
        peer=association.address.rpartition(":")[0].strip("[]"),
        sop_classes=tuple(dict.fromkeys(context.abstract_syntax for context in contexts))
        or ((incoming.context.abstract_syntax,) if incoming else ()),
        transfer_syntaxes=tuple(dict.fromkeys(uid for context in contexts for uid in context.transfer_syntaxes)),
        when=time.monotonic(),
    )


def exchange_cue(
    incoming: Incoming,
    association: Association,
    moment: Moment,
    tags: frozenset[int],
    *,
    mark: int = 0,
    status: int | None = None,
    sub: SubOperation | None = None,
) -> Stimulus:
    """One moment of an exchange. ``tags``: the attributes that rules look at; ``sub``: whose turn it is."""
    is_whole = moment not in (Moment.RECEIVED, Moment.PDU)
    command, context = incoming.command, incoming.context
    return Stimulus(
        command.service,
        moment,
        sub.number if sub else mark,
        association=association.number,
        exchange=incoming.number,
        calling=association.calling,
        called=association.called,
        peer=association.address.rpartition(":")[0].strip("[]"),
        sop_classes=(command.affected_sop_class or command.requested_sop_class or context.abstract_syntax,),
        transfer_syntaxes=(sub.kind.transfer_syntax if sub else context.transfer_syntax,),
        instance_classes=(sub.kind.sop_class,) if sub else (),
        of=sub.of if sub else 0,
        sop_instance=_instance(command, sub)[:_TOO_LONG_FOR_A_UID],
        status=status,
        when=time.monotonic(),
        dataset=_facts(incoming, tags, is_whole=is_whole) if command.has_dataset else None,
        destination=(command.move_destination or "") if command.service == "C-MOVE" else "",
    )


def _instance(command: Command, sub: SubOperation | None) -> str:
    if sub is not None:
        return sub.sop_instance
    return command.affected_sop_instance or command.requested_sop_instance or ""


def _facts(incoming: Incoming, tags: frozenset[int], *, is_whole: bool) -> Callable[[], Facts | None]:
    """The data set: as it was when its turn came, see `Stage.look`, or as much as has come."""
    encoding = Encoding.of(incoming.context.transfer_syntax)

    def read() -> Facts | None:
        if is_whole and incoming.facts is not None:
            return incoming.facts
        return DataFacts(incoming.head, encoding, tags)  # it is still coming, or was lost on the way

    return read
