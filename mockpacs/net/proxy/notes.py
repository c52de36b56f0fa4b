"""What is told of a proxied pair: records to whoever observes, and comments in the recordings of both connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from mockpacs.net.proxy.ear import Ear, Heard
from mockpacs.net.proxy.leg import Leg
from mockpacs.traffic.capture.event import Flow
from mockpacs.traffic.comment import message, titles
from mockpacs.traffic.exchange import Association, Notice, Record
from mockpacs.wire import Role
from mockpacs.wire.text import printable

_ENDINGS: Final = ("released", "rejected", "aborted", "closed")


class Notes:
    """Of one pair."""

    def __init__(
        self, flow: Flow, client: Leg, ear: Ear, observe: Callable[[Record], None], *, is_secure: bool
    ) -> None:
        """``is_secure``: whether TLS is spoken with the client."""
        self._flow = flow
        self._client = client
        self.server: Leg | None = None
        """The other leg, as soon as there is one."""
        self._ear = ear
        self._observe = observe
        self._titles = ""
        self.association = Association(flow.number, flow.requestor, secure=is_secure, server=flow.acceptor)
        """Who is at both ends, as far as is known."""
        self.is_associated = False
        """Whether there is an association to be aborted."""

    def hear(self, sender: Role, data: bytes | memoryview, comments: Sequence[str] = ()) -> Heard:
        """Bytes pass; ``comments`` are said of them."""
        return self._ear.hear(self._flow, sender, data, comments)

    def ended(self, sender: Role | None, how: str) -> None:
        """A side ended the connection: ``fin`` or ``reset``."""
        self._ear.ended(self._flow, sender, how)

    def note(self, heard: Heard, sender: Role, *legs: Leg) -> None:
        """Comments in the recordings of these legs: on the bytes that came, and on the same bytes when they leave."""
        for request in heard.requests:
            self._titles = titles(request.association.calling, request.association.called)
            for leg in legs:
                self.say(leg, request.number, f"{request.service}-RQ", has_come=leg.sender is sender)
        for record in heard.records:
            if isinstance(record, Notice):
                self._learn(record, sender)
            elif record.status is not None and not record.rule:  # of a rule the comment is there already
                result = f"{record.status:04X} {record.status_name}"
                for leg in legs:
                    self.say(leg, record.number, f"{record.service}-RSP", result, has_come=leg.sender is sender)

    def say(self, leg: Leg, number: int, name: str, result: str = "", *, has_come: bool = False) -> None:
        """A comment on a message: what came last, or what leaves next."""
        if (track := leg.link.track) is not None:
            tell = track.about_received if has_come else track.about_sending
            tell(message(f"{leg.number}.{number}", name, self._titles, result))

    def tell(self, kind: str, text: str) -> None:
        """Something about the pair."""
        self._comment(kind, text)
        self._observe(Notice(time.time(), kind, text, self.association))

    def tell_end(self, kind: str, text: str) -> None:
        """How it ended: what still passes means nothing."""
        comment = self._comment(kind, text)
        if not self._ear.ended(self._flow, None, "reset", (comment,)):
            self._observe(Notice(time.time(), kind, text, self.association))

    def _learn(self, notice: Notice, sender: Role) -> None:
        if notice.association is not None:
            self.association = notice.association
        if notice.kind == "opened" or notice.kind in _ENDINGS:
            self.is_associated = notice.kind == "opened"
            self._comment(notice.kind, notice.text, has_come=sender is self._client.sender)
            if self.server is not None:
                _write(self.server, notice.kind, notice.text, has_come=sender is self.server.sender)

    def _comment(self, kind: str, text: str, *, has_come: bool = False) -> str:
        return _write(self._client, kind, text, has_come=has_come)


def _write(leg: Leg, kind: str, text: str, *, has_come: bool) -> str:
    """A comment in the recording of a leg: on what came last, or on what leaves next."""
    comment = f"{leg.number} {kind}: {printable(text)}"
    if (track := leg.link.track) is not None:
        (track.about_received if has_come else track.about_sending)(comment)
    return comment
