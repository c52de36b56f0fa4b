"""A raw client on a blocking socket: it says exactly the bytes it is told, and reads what comes back strictly."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from mockpacs.wire import (
    Abort,
    AcceptedContext,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    Command,
    CommandField,
    Malformed,
    PDataTF,
    Pdu,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    Tag,
    UserInformation,
    cut,
    decode_command,
    decode_pdu,
    encode_command,
    encode_pdu,
    request,
)

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

CONTEXTS = (
    ProposedContext(1, VERIFICATION, (IMPLICIT,)),
    ProposedContext(3, CT, (EXPLICIT,)),
    ProposedContext(5, STUDY_ROOT_FIND, (EXPLICIT,)),
)
RETRIEVE_CONTEXTS = (
    *CONTEXTS,
    ProposedContext(7, STUDY_ROOT_MOVE, (EXPLICIT,)),
    ProposedContext(9, STUDY_ROOT_GET, (EXPLICIT,)),
)


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One explicit little endian element, written by hand and not by what is tested."""
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    if vr in ("OB", "OW", "SQ", "UN"):
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def ct_image(instance: str = "1.2.3.4.5", *, study: str = "1.2.3", patient: str = "P1", pixels: int = 64) -> bytes:
    """The data set of a small CT."""
    return b"".join(
        (
            element(0x00080016, "UI", CT.encode()),
            element(0x00080018, "UI", instance.encode()),
            element(0x00080020, "DA", b"20260112"),
            element(0x00080060, "CS", b"CT"),
            element(0x00100010, "PN", b"DOE^JANE"),
            element(0x00100020, "LO", patient.encode()),
            element(0x0020000D, "UI", study.encode()),
            element(0x0020000E, "UI", f"{study}.1".encode()),
            element(0x00200013, "IS", b"1"),
            element(0x7FE00010, "OW", bytes(pixels)),
        )
    )


class WireClient:
    """One connection. Closes on leaving the block, without ceremony."""

    def __init__(self, host: str, port: int, *, timeout: float = 20.0) -> None:
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.max_pdu = 0
        self.lengths: list[int] = []
        """Of the P-DATA-TF PDUs that were read, as their headers say."""
        self._message_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close without a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        self.socket.sendall(b"".join(pieces))

    def read(self) -> Pdu | None:
        """The next PDU, None at the end of the connection (FIN or RST)."""
        try:
            head = self._exactly(6)
            body = self._exactly(int.from_bytes(head[2:6], "big")) if head else None
        except ConnectionResetError:
            return None
        if head is None or body is None:
            return None
        pdu = decode_pdu(head[0], body)
        assert not isinstance(pdu, Malformed), pdu
        if isinstance(pdu, PDataTF):
            self.lengths.append(len(body))
        return pdu

    def has_heard_all(self) -> None:
        """Nothing has come that was not read. What proves that nothing is under way comes before."""
        self.socket.setblocking(False)
        try:
            data = self.socket.recv(1)
        except BlockingIOError:
            return
        finally:
            self.socket.settimeout(20.0)
        raise AssertionError(f"{data!r} came")

    def associate(
        self, *contexts: ProposedContext, calling: str = "RAW", called: str = "MOCKPACS", **user: Any
    ) -> AssociateAC | AssociateRJ:
        self.send(associate_request(*contexts, calling=calling, called=called, **user))
        answer = self.read()
        assert isinstance(answer, AssociateAC | AssociateRJ), answer
        if isinstance(answer, AssociateAC):
            self.max_pdu = answer.user.max_pdu_length
        return answer

    def read_abort(self) -> tuple[int, int]:
        """Source and reason of the A-ABORT that must come next."""
        pdu = self.read()
        assert isinstance(pdu, Abort), pdu
        return pdu.source, pdu.reason

    def read_end(self) -> None:
        """See the connection end, and nothing before it."""
        assert (pdu := self.read()) is None, pdu

    def hear_nothing_more(self) -> None:
        """Say that we are done talking, and see the connection end without another word."""
        self.socket.shutdown(socket.SHUT_WR)
        self.read_end()

    def message(self, context_id: int, command: Command, data: bytes | None = None) -> bytes:
        """The bytes of a message."""
        return b"".join(cut(context_id, encode_command(command), data, self.max_pdu))

    def echo_request(self, context_id: int = 1) -> bytes:
        return self.message(context_id, self._request(CommandField.C_ECHO_RQ, VERIFICATION))

    def store_request(
        self, data: bytes, instance: str = "1.2.3.4.5", *, context_id: int = 3, sop_class: str = CT
    ) -> bytes:
        elements = {Tag.AFFECTED_SOP_INSTANCE: instance, Tag.PRIORITY: 0}
        return self.message(context_id, self._request(CommandField.C_STORE_RQ, sop_class, True, elements), data)

    def find_request(self, identifier: bytes, *, context_id: int = 5, model: str = STUDY_ROOT_FIND) -> bytes:
        return self.message(
            context_id, self._request(CommandField.C_FIND_RQ, model, True, {Tag.PRIORITY: 0}), identifier
        )

    def move_request(self, identifier: bytes, destination: str, *, priority: int = 0, context_id: int = 7) -> bytes:
        elements = {Tag.PRIORITY: priority, Tag.MOVE_DESTINATION: destination}
        command = self._request(CommandField.C_MOVE_RQ, STUDY_ROOT_MOVE, True, elements)
        return self.message(context_id, command, identifier)

    def get_request(self, identifier: bytes, *, priority: int = 0, context_id: int = 9) -> bytes:
        command = self._request(CommandField.C_GET_RQ, STUDY_ROOT_GET, True, {Tag.PRIORITY: priority})
        return self.message(context_id, command, identifier)

    def cancel_request(self, *, context_id: int = 5) -> bytes:
        """Cancels the last request."""
        return self.message(
            context_id,
            Command(
                {
                    Tag.COMMAND_FIELD: CommandField.C_CANCEL_RQ,
                    Tag.MESSAGE_ID_RESPONDED_TO: self._message_id,
                    Tag.DATA_SET_TYPE: 0x0101,
                }
            ),
        )

    def echo(self) -> int:
        self.send(self.echo_request())
        return self.status()

    def store(self, data: bytes | None = None, instance: str = "1.2.3.4.5") -> int:
        self.send(self.store_request(ct_image(instance) if data is None else data, instance))
        return self.status()

    def find(self, identifier: bytes, **how: Any) -> list[tuple[int, bytes | None]]:
        """All responses: (status, identifier)."""
        self.send(self.find_request(identifier, **how))
        return [(response.status or 0, data) for response, data in self.responses()]

    def store_status(self, context_id: int, sop_class: str, instance: str = "1.2.3.4.5") -> int:
        """Store the small CT on another context."""
        self.send(self.store_request(ct_image(instance), instance, context_id=context_id, sop_class=sop_class))
        return self.status()

    def status(self) -> int:
        """The status of the next response, which must answer the last request."""
        response, _ = self.response()
        assert response.message_id_responded_to == self._message_id
        assert response.status is not None
        return response.status

    def responses(self) -> Iterator[tuple[Command, bytes | None]]:
        """Responses up to the final one."""
        while True:
            response, data = self.response()
            yield response, data
            if response.status not in (0xFF00, 0xFF01):
                return

    def response(self) -> tuple[Command, bytes | None]:
        """The next message."""
        _, command = self._fragments(is_command=True)
        decoded = decode_command(command)
        assert isinstance(decoded, Command), decoded
        return decoded, self._fragments(is_command=False)[1] if decoded.has_dataset else None

    def release(self) -> None:
        """Release, and see the peer agree and wait for us to close."""
        self.send(encode_pdu(ReleaseRQ()))
        assert isinstance(self.read(), ReleaseRP)

    def _request(
        self, field: CommandField, sop_class: str, has_dataset: bool = False, elements: dict[Any, Any] | None = None
    ) -> Command:
        self._message_id += 1
        return request(
            field,
            self._message_id,
            has_dataset=has_dataset,
            elements={Tag.AFFECTED_SOP_CLASS: sop_class, **(elements or {})},
        )

    def _fragments(self, *, is_command: bool) -> tuple[int, bytes]:
        data = bytearray()
        while True:
            pdu = self.read()
            assert isinstance(pdu, PDataTF), pdu
            for pdv in pdu.pdvs:
                assert pdv.is_command == is_command
                data += pdv.data
                if pdv.is_last:
                    return pdv.context_id, bytes(data)

    def _exactly(self, count: int) -> bytes | None:
        data = bytearray()
        while len(data) < count:
            piece = self.socket.recv(min(count - len(data), 1 << 20))
            if not piece:
                return None
            data += piece
        return bytes(data)


def associate_request(*contexts: ProposedContext, calling: str = "RAW", called: str = "MOCKPACS", **user: Any) -> bytes:
    """The bytes of an A-ASSOCIATE-RQ; ``user`` is what its user information says."""
    information = UserInformation(**{"max_pdu_length": 16384, "implementation_class_uid": "1.2.3", **user})
    return encode_pdu(AssociateRQ(called, calling, contexts or CONTEXTS, information))


def accepted(answer: AssociateAC | AssociateRJ) -> dict[int, str]:
    """The accepted contexts of an answer and their transfer syntaxes."""
    assert isinstance(answer, AssociateAC), answer
    return {context.context_id: context.transfer_syntax for context in answer.contexts if context.result == 0}


__all__ = ["CONTEXTS", "CT", "AcceptedContext", "WireClient", "accepted", "associate_request", "ct_image", "element"]
