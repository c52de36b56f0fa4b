"""A client that takes what comes as it is: PDUs of any type, lengths that lie, the end of a connection and its kind."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.net.wire_client import WireClient, element

P_DATA = 4
ABORT = 7
STUDIES = element(0x00080052, "CS", b"STUDY") + element(0x00100020, "LO", b"") + element(0x0020000D, "UI", b"")
"""An identifier that every study matches."""


class RawPdu(NamedTuple):
    """A PDU as its header says; nothing in it is checked."""

    kind: int
    body: bytes

    @property
    def pdvs(self) -> list[RawPdv]:
        return list(pdvs_of(self.body))


class RawPdv(NamedTuple):
    """A presentation data value; ``said`` is the length that it claims."""

    said: int
    context_id: int
    header: int
    data: bytes

    @property
    def is_command(self) -> bool:
        return bool(self.header & 1)

    @property
    def is_last(self) -> bool:
        return bool(self.header & 2)


class Visitor(WireClient):
    """Reads without expectations."""

    def pdu(self) -> RawPdu:
        """The next PDU, which must come."""
        kind, reserved, length = struct.unpack(">BBI", self.exactly(6))
        assert reserved == 0
        return RawPdu(kind, self.exactly(length))

    def exactly(self, count: int) -> bytes:
        data = self._exactly(count)
        assert data is not None, "the connection ended"
        return data

    def command_set(self) -> dict[int, bytes]:
        """The elements of the next PDU, which is a command set that is whole."""
        pdu = self.pdu()
        (pdv,) = pdu.pdvs
        assert (pdu.kind, pdv.is_command, pdv.is_last) == (P_DATA, True, True)
        return elements_of(pdv.data)

    def rest(self) -> tuple[bytes, str]:
        """All that still comes, and whether it ends with FIN or RST."""
        data = bytearray()
        try:
            while piece := self.socket.recv(1 << 20):
                data += piece
        except ConnectionResetError:
            return bytes(data), "RST"
        return bytes(data), "FIN"

    def nothing_came(self) -> None:
        """Nothing is here, and the connection stands. What proves that nothing is under way comes before."""
        self.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            self.socket.recv(1)
        self.socket.settimeout(20)

    def take_what_came(self) -> bytes:
        """All that is here."""
        data = bytearray()
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while piece := self.socket.recv(1 << 20):
                data += piece
        self.socket.settimeout(20)
        return bytes(data)

    def finish(self) -> None:
        """FIN, our half."""
        self.socket.shutdown(socket.SHUT_WR)

    def send_as_far_as_taken(self, data: bytes) -> None:
        """Send, also to somebody who ends the connection meanwhile."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def send_what_is_taken(self, data: bytes) -> int:
        """Send until nobody takes more at the moment; how much that was."""
        view, sent = memoryview(data), 0
        self.socket.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            while sent < len(data):
                sent += self.socket.send(view[sent:])
        self.socket.settimeout(20)
        return sent


def pdvs_of(body: bytes) -> Iterator[RawPdv]:
    """The PDVs of a P-DATA-TF; one that claims more than there is has what there is."""
    at = 0
    while at < len(body):
        said, context_id, header = struct.unpack_from(">IBB", body, at)
        yield RawPdv(said, context_id, header, body[at + 6 : at + 4 + said])
        at += 4 + said


def elements_of(data: bytes) -> dict[int, bytes]:
    """The elements of a command set (implicit little endian), in the order in which they must be."""
    found, at = {}, 0
    while at < len(data):
        group, number, length = struct.unpack_from("<HHI", data, at)
        found[group << 16 | number] = data[at + 8 : at + 8 + length]
        at += 8 + length
    assert at == len(data)
    assert list(found) == sorted(found)
    return found


def number(value: int) -> bytes:
    """A value of VR US."""
    return struct.pack("<H", value)


def length(value: int) -> bytes:
    """A value of VR UL."""
    return struct.pack("<I", value)
