"""Peers that stop in the middle of something: closed when their time is over, and nobody else waits for them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mockpacs.wire import Abort, CommandField, PDataTF, Tag, encode_pdu, request
from tests.net.conftest import Served, stored
from tests.net.test_hostile_associations import last_pdu
from tests.net.test_hostile_messages import fill, query_for
from tests.net.wire_client import WireClient, associate_request, ct_image, element

SHORT = {"artim_timeout": "300ms", "network_timeout": "300ms"}


@pytest.mark.parametrize(
    "sent",
    [b"", b"\1", b"\1\0\0\0\0", associate_request()[:-1], b"\1\0\0\x0f\xff\xff" + bytes(100_000)],
    ids=["nothing", "one byte", "most of a header", "all but one byte", "the beginning of a megabyte"],
)
def test_silence_before_the_request_is_complete_is_closed(serve: Callable[..., Served], sent: bytes) -> None:
    server = serve(artim_timeout="300ms")
    client, other = server.connect(), server.associate()
    client.send(sent)
    client.read_end()  # PS3.8 table 9-10: AA-2, no A-ABORT in Sta2
    (notice,) = server.notices("closed")
    assert "artim_timeout" in notice.text
    assert other.echo() == 0
    server.still_serves()


@pytest.mark.parametrize("length", [0, 1, 5, 100, 20_000])
def test_silence_in_the_middle_of_a_message_is_aborted(
    serve: Callable[..., Served], tmp_path: Path, length: int
) -> None:
    server = serve(storage=tmp_path / "storage", network_timeout="300ms")
    client = server.associate()
    client.send(client.store_request(ct_image(pixels=100_000))[:length])
    assert client.read_abort() == (2, 0)
    client.hear_nothing_more()
    assert [notice.text for notice in server.notices("aborted")] == [
        "aborted by us: nothing was heard for 0.3 s (network_timeout)"
    ]
    server.still_serves()
    assert len(stored(server.storage)) >= 1
    server.wait_until_nothing_is_incoming()


def test_silence_in_the_middle_of_a_spilled_store_leaves_no_file(serve: Callable[..., Served], tmp_path: Path) -> None:
    server = serve(storage=tmp_path / "storage", network_timeout="300ms")
    client = server.associate()
    message = client.store_request(ct_image(pixels=6_000_000))
    client.send(message[: last_pdu(message)])
    assert client.read_abort() == (2, 0)
    client.hear_nothing_more()
    server.wait_until_nothing_is_incoming()
    server.still_serves()


def test_a_byte_now_and_then_does_not_extend_the_time_for_the_request(serve: Callable[..., Served]) -> None:
    server = serve(artim_timeout="300ms")
    client = server.connect()
    ended = False
    for byte in associate_request()[:-1] * 1000:
        try:
            client.send(bytes((byte,)))
            client.socket.settimeout(0.01)
            ended = client.socket.recv(1) == b""
        except TimeoutError:
            continue
        except OSError:
            ended = True
        if ended:
            break
    assert ended
    server.still_serves()


def test_a_peer_that_does_not_close_after_an_abort_or_a_release_is_closed(serve: Callable[..., Served]) -> None:
    server = serve(artim_timeout="300ms")
    released, aborted = server.associate(), server.associate()
    released.release()
    aborted.send(b"HELLO!")
    assert aborted.read_abort() == (2, 1)
    released.read_end()
    aborted.read_end()
    server.still_serves()


def test_nobody_is_closed_who_is_waiting_for_us(serve: Callable[..., Served]) -> None:
    """Idle for longer than the time, but with the answer outstanding all along."""
    server = serve(network_timeout="300ms")
    fill(server, 50)
    with server.pacs.archive.index.lock:  # nothing can be stored meanwhile
        client = server.associate()
        client.send(client.store_request(ct_image()))
        bystander = server.associate()
        assert bystander.read_abort() == (2, 0)  # its time is over, though it came later
    assert client.status() == 0
    server.still_serves()


def deaf(server: Served) -> WireClient:
    """An associated client whose side of TCP takes as little as possible."""
    client = server.connect()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.associate(calling="DEAF")
    return client


ENDINGS = {
    "nothing": b"",
    "an abort": encode_pdu(Abort(0, 0)),
    "garbage": b"GET / HTTP/1.0\r\n\r\n",
    "a release": bytes((5, 0, 0, 0, 0, 4, 0, 0, 0, 0)),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("half_closed", [False, True])
@pytest.mark.parametrize("count", [10, 100], ids=["some queries", "more than are read ahead"])
def test_a_peer_that_never_reads_a_big_answer_is_closed(
    serve: Callable[..., Served], ending: bytes, half_closed: bool, count: int
) -> None:
    server = serve(**SHORT)
    fill(server, 100, filler="x" * 20_000)
    client = deaf(server)
    identifiers = query_for("STUDY") + element(0x00100020, "LO", b"")
    client.send(client.find_request(identifiers) * count, ending)
    if half_closed:
        client.socket.shutdown(socket.SHUT_WR)
    server.wait_for(lambda: [notice for notice in server.notices("aborted") if "DEAF" in str(notice.association)])
    server.wait_until_nobody_is_connected()
    server.still_serves()


def test_a_peer_that_takes_no_answers_is_not_asked_for_more(server: Served) -> None:
    """What is read ahead is bounded: sending stands still long before the memory of anybody is full."""
    client = deaf(server)
    client.socket.settimeout(0.5)
    name = "1." * 5000  # it comes back in the answer
    message = client.message(1, request(CommandField.C_ECHO_RQ, 1, elements={Tag.AFFECTED_SOP_INSTANCE: name})) * 10
    sent = 0
    with suppress(TimeoutError):
        while sent < 100 << 20:
            sent += client.socket.send(message)
    assert sent < 100 << 20
    server.still_serves()
    client.reset()


@pytest.mark.parametrize("field", [CommandField.C_ECHO_RQ, CommandField.C_STORE_RQ, CommandField.N_EVENT_REPORT_RQ])
def test_a_peer_that_asks_for_ever_and_never_reads_is_not_listened_to_for_ever(
    serve: Callable[..., Served], field: CommandField
) -> None:
    """What waits to be sent is bounded: TCP stops the peer, then its time is over."""
    server = serve(**SHORT)
    client = deaf(server)
    data = ct_image() if field is CommandField.C_STORE_RQ else None
    name = "1." * 5000  # it comes back in the answer
    command = request(field, 1, has_dataset=data is not None, elements={Tag.AFFECTED_SOP_INSTANCE: name})
    message = client.message(3 if data else 1, command, data) * 20
    sent = talk_until_reset(client, message)
    assert sent < 100 << 20
    assert "the peer takes nothing of what we send" in server.notices("aborted")[0].text
    server.wait_until_nobody_is_connected()
    server.still_serves()


def talk_until_reset(client: WireClient, message: bytes) -> int:
    """Send one thing over and over until the server has enough; how many bytes that took."""
    sent = 0
    while sent < 1 << 30:
        try:
            client.send(message)
        except (ConnectionResetError, BrokenPipeError):
            break
        sent += len(message)
    return sent


def test_a_slow_reader_is_not_closed_however_long_it_takes(serve: Callable[..., Served]) -> None:
    server = serve(network_timeout="300ms")
    fill(server, 300)
    client = server.associate(calling="SLOW")
    client.send(*[client.find_request(query_for("STUDY")) for _ in range(1000)])
    for _ in range(4):  # several times as long as would be allowed for taking nothing at all
        bystander = server.associate(calling="SILENT")
        while not ended(bystander):
            for _ in range(100):
                assert client.response()[0].status in (0xFF00, 0)
    assert {notice.association.calling for notice in server.notices("aborted") if notice.association} == {"SILENT"}
    client.reset()
    server.still_serves()


def ended(client: WireClient) -> bool:
    """Whether its time was over by now."""
    client.socket.settimeout(0.005)
    try:
        return client.socket.recv(1, socket.MSG_PEEK) is not None
    except TimeoutError:
        return False


def test_two_queries_at_once_are_not_held_up_by_deaf_neighbours(serve: Callable[..., Served]) -> None:
    server = serve(network_timeout="30s")
    fill(server, 300)
    neighbours = [deaf(server) for _ in range(8)]  # twice as many as there are threads that read
    for neighbour in neighbours:
        neighbour.send(*[neighbour.find_request(query_for("STUDY")) for _ in range(50)])
    client = server.associate()
    one = query_for("STUDY") + element(0x00100020, "LO", b"P7")
    assert [status for status, _ in client.find(one)][-1] == 0
    server.still_serves()
    assert all(neighbour.socket.fileno() >= 0 for neighbour in neighbours)


def test_a_query_half_read_and_dropped_frees_its_thread(serve: Callable[..., Served]) -> None:
    server = serve(network_timeout="30s")
    fill(server, 300)
    for _ in range(30):
        client = deaf(server)
        client.send(*[client.find_request(query_for("STUDY")) for _ in range(20)])
        assert isinstance(client.read(), PDataTF)
        client.reset()
    server.wait_until_nobody_is_connected()
    client = server.associate()
    assert [status for status, _ in client.find(query_for("STUDY"))][-1] == 0
    server.still_serves()
