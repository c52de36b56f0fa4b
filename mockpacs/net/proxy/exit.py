"""How a rule ends a proxied pair: what the client meets, and what becomes of the connection to the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mockpacs.net.performer import Performer
from mockpacs.net.proxy.leg import Leg
from mockpacs.net.proxy.notes import Notes
from mockpacs.scenario.decision import Act
from mockpacs.wire import Abort, AssociateRJ, encode_pdu
from mockpacs.wire.operation import Deafen, Finish, HalfClose, Mute, Write


class Pair(Protocol):
    """What a scenario does with a pair."""

    client: Leg
    server: Leg | None
    notes: Notes

    def reject(self, answer: AssociateRJ, why: str) -> None:
        """Reject the association that the client has asked for; the server is let go."""

    def leaving(self, data: bytes, comments: Sequence[str]) -> None:
        """Bytes leave to the client, with these comments."""

    def passing(self, number: int, name: str) -> None:
        """A message leaves to the server."""

    def let_be(self) -> None:
        """Silence does not end it any more."""


def depart(act: Act, rule: str, pair: Pair, client: Performer, refuse: Callable[[float], None]) -> bool:
    """End both connections, or fall silent, as the act says. Whether nothing is passed on any more."""
    step = act.step
    if step.stop_reading and not step.silence:
        client.perform([Deafen()])
        pair.let_be()
        return False
    if step.abort is not None:
        source, reason = step.abort.source, step.abort.reason
        pair.notes.tell_end("aborted", f'aborted by us: rule "{rule}" (source {source}, reason {reason})')
        pdu = encode_pdu(Abort(source, reason))
        client.perform([Write(pdu), Finish()])
        _leave_server(pair, pdu)
    elif step.close is not None and step.close.how == "half":
        pair.notes.tell("scenario", f'half-closed by us: rule "{rule}"')
        client.perform([HalfClose()])
        _leave_server(pair)
        pair.let_be()
    elif step.close is not None:
        pair.notes.tell_end("closed", f'closed by us: rule "{rule}"')
        client.perform([Finish()])
        _leave_server(pair)
    elif step.reset or step.refuse is not None:
        pair.notes.tell_end("closed", f'reset by us: rule "{rule}"')
        client.reset()
        if pair.server is not None:
            pair.server.link.reset()
        if step.refuse is not None:
            refuse(step.refuse.seconds)
    else:
        client.perform([*([Deafen()] if step.stop_reading else []), Mute()])
        pair.let_be()
    return True


def _leave_server(pair: Pair, abort: bytes = b"") -> None:
    server = pair.server
    if server is None or server.is_gone:
        return
    if abort and not (pair.notes.is_associated and server.is_between_pdus):
        server.link.reset()
        return
    if abort:
        server.write(abort)
    server.link.close()
