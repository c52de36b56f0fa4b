"""Seeded damage to a valid session: whatever comes of it, the answer is a PDU or the end, and the next is served."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mockpacs.wire import Abort, Malformed, ReleaseRQ, decode_pdu, encode_pdu
from tests.net.conftest import Served, stored
from tests.net.test_hostile_messages import query_for
from tests.net.wire_client import WireClient, associate_request, ct_image

ROUNDS = 200


def session(client: WireClient) -> list[bytes]:
    """A request for an association, and what follows the answer to it."""
    client.max_pdu = 4096
    return [
        associate_request(),
        client.echo_request(),
        client.store_request(ct_image("1.2.42", pixels=10_000), "1.2.42"),
        client.find_request(query_for("STUDY")),
        client.cancel_request(),
        client.store_request(ct_image("1.2.43"), "1.2.43"),
        encode_pdu(ReleaseRQ()),
    ]


def damage(noise: random.Random, data: bytes) -> bytes:
    """One thing goes wrong with some bytes."""
    damaged = bytearray(data)
    at = noise.randrange(len(damaged))
    match noise.randrange(7):
        case 0:
            damaged[at] = noise.randrange(256)
        case 1:
            damaged[at] ^= 1 << noise.randrange(8)
        case 2:
            del damaged[at : at + noise.choice((1, 2, 4, 100))]
        case 3:
            damaged[at:at] = noise.randbytes(noise.choice((1, 2, 6, 300)))
        case 4:
            damaged[at : at + 4] = noise.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1"))
        case 5:
            damaged += damaged[at:]
        case 6:
            del damaged[at:]
    return bytes(damaged)


def play(client: WireClient, pieces: list[bytes]) -> None:
    """Say everything, then see that what comes back is made of PDUs up to the end of the connection."""
    request, *rest = pieces
    with suppress(BrokenPipeError, ConnectionResetError):  # closed while we were talking
        client.send(request)
        if request == associate_request() and client.read() is not None:
            client.send(*rest)
    with suppress(OSError):  # not connected any more
        client.socket.shutdown(socket.SHUT_WR)
    while client.read() is not None:  # asserts that it can be decoded
        pass


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_session_ends_and_the_next_one_is_served(
    serve: Callable[..., Served], tmp_path: Path, seed: int
) -> None:
    noise = random.Random(seed)
    server = serve(storage=tmp_path / "storage")
    for n in range(ROUNDS):
        with server.connect() as client:
            pieces = session(client)
            for _ in range(noise.choice((1, 1, 1, 2, 5))):
                which = noise.randrange(len(pieces)) if n % 3 else 0
                pieces[which] = damage(noise, pieces[which]) or b"\0"
            play(client, pieces)
    server.wait_until_nobody_is_connected()
    server.still_serves()
    assert server.notices("trouble") == [notice for notice in server.notices("trouble") if "ignored" in notice.text]
    server.wait_until_nothing_is_incoming()
    assert all(path.count("/") == 2 for path in stored(server.storage))
    assert {path.name for path in tmp_path.iterdir()} == {"storage"}


@pytest.mark.parametrize("seed", range(4))
def test_pdus_in_any_order_are_answered_or_aborted(server: Served, seed: int) -> None:
    noise = random.Random(seed)
    for _ in range(40):
        with server.connect() as client:
            pieces = [*session(client), encode_pdu(Abort(0, 0)), bytes((6, 0, 0, 0, 0, 4, 0, 0, 0, 0))]
            play(client, [pieces[0], *noise.choices(pieces, k=noise.randrange(1, 12))])
    assert isinstance(decode_pdu(9, b""), Malformed)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 11, 1000])
def test_a_session_cut_into_pieces_of_any_size_is_the_same_session(archive: Served, size: int) -> None:
    client = archive.associate(max_pdu_length=4096)
    data = ct_image("1.2.44", pixels=3000)
    message = client.store_request(data, "1.2.44") + client.echo_request()
    for at in range(0, len(message), size):
        client.send(message[at : at + size])
    assert [client.response()[0].status for _ in range(2)] == [0, 0]
    (file,) = stored(archive.storage).values()
    assert file.endswith(data)
    client.release()
