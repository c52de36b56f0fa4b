"""Bytes that are no DICOM, or nearly: a defined A-ABORT (PS3.8 9.3.8), then the end; the next client is served."""

from __future__ import annotations

import random
import struct
import tracemalloc
from collections.abc import Callable

import pytest

from mockpacs.wire import Abort, AssociateRQ, ReleaseRP, ReleaseRQ, encode_pdu
from tests.net.conftest import Served
from tests.net.wire_client import CONTEXTS, associate_request

UNRECOGNIZED_PDU = (2, 1)
UNEXPECTED_PDU = (2, 2)
INVALID_PARAMETER = (2, 6)

CLIENT_HELLO = bytes.fromhex("16030102000100 01fc0303".replace(" ", "")) + bytes(range(64))


def pdu(kind: int, body: bytes, *, claims: int | None = None) -> bytes:
    """A PDU whose length field may lie."""
    return struct.pack(">BxI", kind, len(body) if claims is None else claims) + body


def item(kind: int, value: bytes, *, claims: int | None = None) -> bytes:
    return struct.pack(">BxH", kind, len(value) if claims is None else claims) + value


def request_of(*items: bytes, fixed: bytes | None = None) -> bytes:
    """An A-ASSOCIATE-RQ of these items."""
    head = struct.pack(">Hxx16s16s32x", 1, b"MOCKPACS".ljust(16), b"RAW".ljust(16)) if fixed is None else fixed
    return pdu(1, head + b"".join(items))


APPLICATION = item(0x10, b"1.2.840.10008.3.1.1.1")
ECHO_CONTEXT = item(0x20, bytes((1, 0, 0, 0)) + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2"))
USER = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
WHOLE = associate_request()

STRANGERS: dict[str, bytes] = {
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n",
    "an HTTP post": b"POST /instances HTTP/1.1\r\n\r\n" + bytes(5000),
    "a TLS hello": CLIENT_HELLO,
    "an SSH banner": b"SSH-2.0-OpenSSH_9.2\r\n",
    "nothing but zeros": bytes(100),
    "nothing but ones": b"\xff" * 70_000,
    "a type of the far end": b"\x80\x00\x00\x00\x00\x01A",
    "a type just beyond": b"\x08\x00\x00\x00\x00\x04\x00\x00\x00\x00",
    "an unknown type of 4 GiB": b"\x42\x00\xff\xff\xff\xff",
}

UNEXPECTED: dict[str, bytes] = {
    "data before there is an association": pdu(4, struct.pack(">IBB", 4, 1, 3) + b"ab"),
    "a release of nothing": encode_pdu(ReleaseRQ()),
    "an answer to a release": encode_pdu(ReleaseRP()),
    "a rejection": pdu(3, bytes((0, 1, 1, 1))),
    "an acceptance": pdu(2, WHOLE[6:]),
}

MALFORMED: dict[str, bytes] = {
    "4 GiB of A-ASSOCIATE-RQ": b"\x01\x00\xff\xff\xff\xff",
    "4 GiB of data": b"\x04\x00\xff\xff\xff\xff" + bytes(1000),
    "4 GiB of release": b"\x05\x00\xff\xff\xff\xff",
    "an A-ASSOCIATE-RQ over 1 MiB": struct.pack(">BxI", 1, (1 << 20) + 1),
    "a release of five bytes": pdu(5, bytes(5)),
    "a release of three bytes": pdu(5, bytes(3)),
    "an abort without a body": pdu(7, b""),
    "an A-ASSOCIATE-RQ without a body": pdu(1, b""),
    "an A-ASSOCIATE-RQ one byte too short for its fixed part": pdu(1, bytes(67)),
    "a PDU shorter than its items": pdu(1, WHOLE[6:-3]),
    "a PDU longer than its items": pdu(1, WHOLE[6:] + b"\0\0"),
    "an item that claims more than there is": request_of(APPLICATION, ECHO_CONTEXT, item(0x50, b"abc", claims=4)),
    "an item that claims 64 kB": request_of(item(0x10, b"1.2", claims=0xFFFF)),
    "an item that claims less than it has": request_of(item(0x10, b"1.2.840.10008.3.1.1.1", claims=4), USER),
    "half an item header": request_of(APPLICATION, b"\x20\x00"),
    "a context too short for its identifier": request_of(APPLICATION, item(0x20, b"\1\0"), USER),
    "a context whose syntax lies": request_of(APPLICATION, item(0x20, bytes(4) + item(0x30, b"1.2", claims=99)), USER),
    "user information that lies": request_of(APPLICATION, ECHO_CONTEXT, item(0x50, item(0x51, b"\0\0", claims=8))),
    "129 contexts": request_of(APPLICATION, *[ECHO_CONTEXT] * 129, USER),
}


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        *(pytest.param(sent, UNRECOGNIZED_PDU, id=name) for name, sent in STRANGERS.items()),
        *(pytest.param(sent, UNEXPECTED_PDU, id=name) for name, sent in UNEXPECTED.items()),
        *(pytest.param(sent, INVALID_PARAMETER, id=name) for name, sent in MALFORMED.items()),
    ],
)
def test_what_is_no_request_for_an_association_is_aborted_and_recorded(
    server: Served, sent: bytes, answer: tuple[int, int]
) -> None:
    client = server.connect()
    client.send(sent)
    assert client.read_abort() == answer
    (notice,) = server.notices("aborted")
    assert f"(source {answer[0]}, reason {answer[1]})" in notice.text


def test_a_stranger_is_recognized_in_the_notice(server: Served) -> None:
    for sent, guess in ((STRANGERS["an HTTP request"], "HTTP request"), (CLIENT_HELLO, "TLS handshake")):
        with server.connect() as client:
            client.send(sent)
            assert client.read_abort() == UNRECOGNIZED_PDU
        assert guess in server.notices("aborted")[-1].text


def test_an_abort_as_the_first_word_is_the_last(server: Served) -> None:
    client = server.connect()
    client.send(encode_pdu(Abort(0, 0)))
    client.read_end()


IN_AN_ASSOCIATION: dict[str, tuple[bytes, tuple[int, int]]] = {
    "HTTP": (STRANGERS["an HTTP request"], UNRECOGNIZED_PDU),
    "a PDU of type 00": (pdu(0, bytes(4)), UNRECOGNIZED_PDU),
    "a second request": (WHOLE, UNEXPECTED_PDU),
    "an acceptance": (pdu(2, WHOLE[6:]), UNEXPECTED_PDU),
    "a rejection": (pdu(3, bytes((0, 1, 1, 1))), UNEXPECTED_PDU),
    "an answer to no release": (encode_pdu(ReleaseRP()), UNEXPECTED_PDU),
    "4 GiB of data": (b"\x04\x00\xff\xff\xff\xff" + bytes(100_000), INVALID_PARAMETER),
    "data over the limit": (struct.pack(">BxI", 4, 132_097), INVALID_PARAMETER),
    "data without a PDV": (pdu(4, b""), INVALID_PARAMETER),
    "a PDV without a context": (pdu(4, struct.pack(">I", 0)), INVALID_PARAMETER),
    "a PDV of no length": (pdu(4, struct.pack(">IBB", 0, 1, 3)), INVALID_PARAMETER),
    "a PDV of one byte": (pdu(4, struct.pack(">IBB", 1, 1, 3)), INVALID_PARAMETER),
    "a PDV longer than its PDU": (pdu(4, struct.pack(">IBB", 100, 1, 3) + bytes(10)), INVALID_PARAMETER),
    "a PDV of 4 GiB": (pdu(4, struct.pack(">IBB", 0xFFFFFFFF, 1, 3) + bytes(10)), INVALID_PARAMETER),
    "bytes after the last PDV": (pdu(4, struct.pack(">IBB", 4, 1, 0) + b"ab" + b"\0\0\0"), INVALID_PARAMETER),
}


@pytest.mark.parametrize(("sent", "answer"), IN_AN_ASSOCIATION.values(), ids=IN_AN_ASSOCIATION)
def test_nonsense_in_an_association_ends_it(serve: Callable[..., Served], sent: bytes, answer: tuple[int, int]) -> None:
    server = serve(max_pdu=16384)
    client = server.associate()
    assert client.echo() == 0
    client.send(sent)
    assert client.read_abort() == answer
    server.still_serves()


def test_a_length_is_no_reason_to_allocate(server: Served) -> None:
    client = server.associate()
    tracemalloc.start()
    try:
        client.send(b"\x04\x00\xff\xff\xff\xff")
        assert client.read_abort() == INVALID_PARAMETER
        with server.connect() as other:
            other.send(b"\x01\x00\x00\x0f\xff\xff")  # 1 MiB, which would be allowed
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_are_aborted_or_waited_for_but_never_answered_otherwise(server: Served, seed: int) -> None:
    noise = random.Random(seed)
    client = server.associate() if seed % 2 else server.connect()
    # the first byte is no PDU type, or the server would be right to wait for 4 GiB of it
    client.send(bytes((noise.randrange(8, 256),)), noise.randbytes(noise.randrange(6, 100_000)))
    assert client.read_abort() == UNRECOGNIZED_PDU


def test_what_follows_an_abort_is_not_listened_to(server: Served) -> None:
    client = server.associate()
    client.send(b"HELO", client.echo_request() * 1000, WHOLE)
    assert client.read_abort() == UNRECOGNIZED_PDU
    client.hear_nothing_more()
    assert server.exchanges == []


def test_a_session_in_single_bytes_is_a_session(server: Served) -> None:
    client = server.connect()
    for byte in associate_request():
        client.send(bytes((byte,)))
    assert client.read() is not None
    client.max_pdu = 16384
    for byte in client.echo_request():
        client.send(bytes((byte,)))
    assert client.status() == 0
    client.release()


def test_a_whole_session_in_one_piece_is_aborted_because_it_does_not_wait_for_the_answer(server: Served) -> None:
    client = server.connect()
    client.send(encode_pdu(AssociateRQ("MOCKPACS", "RAW", CONTEXTS)), client.echo_request(), encode_pdu(ReleaseRQ()))
    assert client.read_abort() == UNEXPECTED_PDU  # PS3.8 table 9-10: P-DATA-TF in Sta3 is AA-8
