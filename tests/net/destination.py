"""A destination of a C-MOVE as a raw listening socket: a test plays it by hand, one step after the other.

It accepts, rejects, answers, says what nobody may say, or nothing; each only when the test says so.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from mockpacs.wire import (
    AssociateAC,
    AssociateRQ,
    Command,
    CommandField,
    ContextAnswer,
    PDataTF,
    ReleaseRP,
    ReleaseRQ,
    Tag,
    UserInformation,
    decode_command,
    decode_pdu,
    encode_pdu,
    request,
    response_to,
)
from mockpacs.wire.command import Value
from tests.net.wire_client import WireClient

PATIENCE_SECONDS = 20.0
Choose = Callable[[str, tuple[str, ...]], str | None]
"""Abstract syntax and transfer syntaxes of a context: the one accepted, None to refuse."""


def first(_abstract: str, syntaxes: tuple[str, ...]) -> str | None:
    """Whatever was proposed."""
    return syntaxes[0]


class Destination:
    """``aet`` on a free port of this machine. Nobody is let in before the test does so; the system's door is open."""

    def __init__(self, aet: str = "DESTINATION", *, receive_buffer: int = 0) -> None:
        """``receive_buffer``: bytes that the system takes for a connection that is not read, as far as it obeys."""
        self.aet = aet
        self._door = socket.socket()
        if receive_buffer:
            self._door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._door.bind(("127.0.0.1", 0))
        self._door.listen(64)
        self._door.settimeout(PATIENCE_SECONDS)
        self.legs: list[Leg] = []

    @property
    def port(self) -> int:
        port: int = self._door.getsockname()[1]
        return port

    @property
    def option(self) -> str:
        """As ``peer`` takes it."""
        return f"{self.aet}=127.0.0.1:{self.port}"

    def connected(self, tls: ssl.SSLContext | None = None) -> Leg:
        """The next connection, of which nothing was read."""
        sock, _ = self._door.accept()
        sock.settimeout(PATIENCE_SECONDS)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_side=True)
        self.legs.append(Leg(sock))
        return self.legs[-1]

    def asked(self, tls: ssl.SSLContext | None = None) -> Leg:
        """The next connection, its association request read."""
        leg = self.connected(tls)
        leg.read_request()
        return leg

    def associated(self, **how: Any) -> Leg:
        """The next connection, its association accepted."""
        leg = self.asked()
        leg.accept(**how)
        return leg

    def nobody_came(self) -> None:
        """No connection waits at the door."""
        self._door.setblocking(False)
        try:
            self._door.accept()[0].close()
        except BlockingIOError:
            return
        finally:
            self._door.settimeout(PATIENCE_SECONDS)
        raise AssertionError("somebody connected")

    def close_door(self) -> None:
        """Who connects is refused."""
        self._door.close()

    def close(self) -> None:
        self._door.close()
        for leg in self.legs:
            leg.socket.close()


class Leg(WireClient):
    """The accepted end of one connection."""

    def __init__(self, sock: socket.socket) -> None:  # it did not connect: it was connected to
        self.socket = sock
        self.max_pdu = 0
        self.lengths = []
        self._message_id = 0
        self.request_bytes = b""
        self.request: AssociateRQ

    @property
    def address(self) -> str:
        """host:port of who called."""
        host, port = self.socket.getpeername()[:2]
        return f"{host}:{port}"

    def read_request(self) -> AssociateRQ:
        """The A-ASSOCIATE-RQ, which must come first; its bytes are kept as well."""
        head = self.exactly(6)
        assert head[0] == 1, head
        self.request_bytes = head + self.exactly(int.from_bytes(head[2:6], "big"))
        self.request = decode_request(self.request_bytes)
        self.max_pdu = self.request.user.max_pdu_length
        return self.request

    def accept(self, choose: Choose = first, *, max_pdu: int = 16384, **user: Any) -> None:
        """Accept the association; ``choose`` decides about each context."""
        self.send(encode_pdu(self.answer_to_request(choose, max_pdu=max_pdu, **user)))

    def answer_to_request(self, choose: Choose = first, *, max_pdu: int = 16384, **user: Any) -> AssociateAC:
        answers = []
        for context in self.request.contexts:
            chosen = choose(context.abstract_syntax, context.transfer_syntaxes)
            answers.append(ContextAnswer(context.context_id, 3 if chosen is None else 0, chosen or ""))
        information = UserInformation(**{"max_pdu_length": max_pdu, "implementation_class_uid": "1.2.4", **user})
        return AssociateAC(self.request.called, self.request.calling, tuple(answers), information)

    def message_in(self) -> tuple[int, Command, bytes | None]:
        """The next message: its context, its command set, its data set."""
        return read_message(self)

    def command_in(self) -> Command:
        """The command set of the next message, of which no more is read."""
        _, encoded = self._fragments(is_command=True)
        command = decode_command(encoded)
        assert isinstance(command, Command), command
        return command

    def data_in(self) -> bytes:
        """The data set that follows."""
        return self._fragments(is_command=False)[1]

    def read_or_release(self) -> Command | None:
        """The command set of the next message, its data set dropped; or agree to the release, and None."""
        pdu = self.read()
        if isinstance(pdu, ReleaseRQ):
            self.send(encode_pdu(ReleaseRP()))
            return None
        assert isinstance(pdu, PDataTF), pdu
        (pdv,) = pdu.pdvs
        assert (pdv.is_command, pdv.is_last) == (True, True)
        command = decode_command(pdv.data)
        assert isinstance(command, Command), command
        if command.has_dataset:
            self.data_in()
        return command

    def answer(
        self,
        command: Command,
        status: int = 0,
        *,
        context_id: int = 0,
        data: bytes | None = None,
        elements: Mapping[int, Value] | None = None,
    ) -> None:
        """Answer a request; ``elements`` replace what it would say. On the first context of the request, or another."""
        self.send(self.answer_bytes(command, status, context_id=context_id, data=data, elements=elements))

    def answer_bytes(
        self,
        command: Command,
        status: int = 0,
        *,
        context_id: int = 0,
        data: bytes | None = None,
        elements: Mapping[int, Value] | None = None,
    ) -> bytes:
        context_id = context_id or self.context_of(command)
        response = response_to(command, status, has_dataset=data is not None, elements=elements or {})
        return self.message(context_id, response, data)

    def context_of(self, command: Command) -> int:
        """The first context of the SOP class of a request."""
        wanted = command.affected_sop_class
        return next(one.context_id for one in self.request.contexts if one.abstract_syntax == wanted)

    def take(self, *statuses: int) -> list[tuple[int, Command, bytes | None]]:
        """So many C-STORE requests, each answered with its status."""
        taken = []
        for status in statuses:
            context_id, command, data = self.message_in()
            assert command.field is CommandField.C_STORE_RQ, command
            self.answer(command, status, context_id=context_id)
            taken.append((context_id, command, data))
        return taken

    def take_all(self) -> bytes:
        """What comes up to the end of the connection."""
        data = bytearray()
        try:
            while piece := self.socket.recv(1 << 16):
                data += piece
        except ConnectionResetError:
            pass
        return bytes(data)

    def leave_with(self, data: bytes) -> None:
        """Say this, and FIN."""
        self.send(data)
        self.socket.close()

    def drip(self, data: bytes) -> None:
        """Say this byte by byte."""
        for byte in data:
            self.send(bytes((byte,)))

    def released(self) -> None:
        """See the release request come, agree, see the connection end."""
        assert isinstance(pdu := self.read(), ReleaseRQ), pdu
        self.send(encode_pdu(ReleaseRP()))
        self.read_end()

    def store_command(self, message_id: int, sop_class: str, instance: str) -> Command:
        """A C-STORE-RQ of the destination's own, which it has no right to send."""
        elements: dict[int, Value] = {
            Tag.AFFECTED_SOP_CLASS: sop_class,
            Tag.AFFECTED_SOP_INSTANCE: instance,
            Tag.PRIORITY: 0,
        }
        return request(CommandField.C_STORE_RQ, message_id, has_dataset=True, elements=elements)

    def exactly(self, count: int) -> bytes:
        data = self._exactly(count)
        assert data is not None, "the connection ended"
        return data


def decode_request(data: bytes) -> AssociateRQ:
    """An A-ASSOCIATE-RQ from its bytes."""
    pdu = decode_pdu(data[0], data[6:])
    assert isinstance(pdu, AssociateRQ), pdu
    return pdu


def read_message(client: WireClient) -> tuple[int, Command, bytes | None]:
    """The next message that a connection brings, and the context it came on."""
    context_id, encoded = client._fragments(is_command=True)
    command = decode_command(encoded)
    assert isinstance(command, Command), command
    if not command.has_dataset:
        return context_id, command, None
    other, data = client._fragments(is_command=False)
    assert other == context_id
    return context_id, command, data
