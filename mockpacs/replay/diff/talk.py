"""The messages of one exchange, sorted by what they are, and what tells them from others."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from mockpacs.replay.diff import signature
from mockpacs.replay.diff.ignore import Ignored
from mockpacs.replay.tape import Said, TapedAssociation
from mockpacs.traffic.exchange import Exchange
from mockpacs.wire.status import PENDING, PENDING_WITH_WARNING


@dataclass(slots=True)
class Talk:
    """A request and everything that was said about it."""

    exchange: Exchange
    request: Said | None = None
    cancels: list[Said] = field(default_factory=list)
    matches: list[Said] = field(default_factory=list)
    """Pending responses with a data set."""
    progress: list[Said] = field(default_factory=list)
    """Pending responses without one."""
    finals: list[Said] = field(default_factory=list)
    """The response; more than one when something is wrong."""

    def add(self, said: Said) -> None:
        """The next message."""
        if said.command.service == "C-CANCEL":
            self.cancels.append(said)
        elif said.command.is_request:
            self.request = said
        elif said.command.status not in (PENDING, PENDING_WITH_WARNING):
            self.finals.append(said)
        else:
            (self.progress if said.data is None else self.matches).append(said)


def talks(one: TapedAssociation) -> list[Talk]:
    """The exchanges that are wanted of an association, in the order they were asked."""
    found = {exchange.number: Talk(exchange) for exchange in one.exchanges if exchange.number in one.chosen}
    for said in one.messages():
        if said.exchange in found:
            found[said.exchange].add(said)
    return list(found.values())


class Recognition:
    """What exchanges and matches are recognised by. What it makes of data sets is kept as long as it is."""

    def __init__(self, ignored: Ignored) -> None:
        self._ignored = ignored
        self._known: dict[int, tuple[Said, Hashable]] = {}

    def exact(self, talk: Talk) -> Hashable:
        """Who asked what of which instance, or with which keys."""
        instance = talk.exchange.sop_instance
        if instance or talk.request is None:
            return (*self.kind(talk), instance)
        return (*self.kind(talk), self.raw(talk.request))

    def content(self, talk: Talk) -> Hashable:
        """The same without the UIDs."""
        return (*self.kind(talk), None if talk.request is None else self.said(talk.request))

    def kind(self, talk: Talk) -> tuple[Hashable, ...]:
        """Who asked for which service of which SOP class."""
        return *self.service(talk), talk.exchange.sop_class

    def question(self, talk: Talk) -> Hashable | None:
        """Who asked for which service, when it was no instance that was sent."""
        return None if talk.exchange.service == "C-STORE" else self.service(talk)

    def are_alike(self, left: Talk, right: Talk) -> bool:
        """Whether the request on the one side may be what became of that on the other."""
        one, other = left.request, right.request
        if left.exchange.service != "C-STORE" or one is None or other is None:
            return True
        return self.have_much_in_common(one, other)

    def have_much_in_common(self, left: Said, right: Said) -> bool:
        """The same for messages."""
        return signature.are_alike(self._elements(left), self._elements(right))

    def names(self, said: Said) -> Hashable | None:
        """Which study, series, instance or patient it is."""
        data = said.data
        return signature.names(data.head(signature.HEAD), said.context.transfer_syntax) if data else None

    def service(self, talk: Talk) -> tuple[Hashable, ...]:
        """Who asked for which service."""
        sender = talk.request.sender if talk.request else None
        return sender, talk.exchange.service

    def raw(self, said: Said) -> Hashable:
        """The data set as it was encoded; only its size when it is large."""
        data = said.data
        return None if data is None else data.read() if data.size <= signature.HEAD else data.size

    def said(self, said: Said) -> Hashable:
        """What is in the data set beside UIDs, and what action or event it belongs to."""
        known = self._known.get(id(said))
        if known is None:
            content = hash(tuple(sorted(self._elements(said).items()))) if said.data else None
            known = said, (said.command.action_type, said.command.event_type, content)
            self._known[id(said)] = known
        return known[1]

    def _elements(self, said: Said) -> dict[int, bytes | int]:
        if said.data is None:
            return {}
        return signature.of_data(said.data.head(signature.HEAD), said.context.transfer_syntax, self._ignored)
