"""One incoming association after the other: greeting, serving, waiting, ending, and what is reported of it."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mockpacs.archive import Archive, Match, Spool
from mockpacs.net import watch
from mockpacs.net.link import Link
from mockpacs.net.listener import Listener
from mockpacs.wire import Abort, AssociateRJ, PduType, ReleaseRP, ReleaseRQ, encode_pdu
from tests.net.conftest import PATIENCE_SECONDS, Served
from tests.net.wire_client import CONTEXTS, accepted, associate_request, ct_image

SERVICE_PROVIDER = 2
KEYS = b"\x08\x00\x52\x00CS\x06\x00STUDY "


class Gate:
    """Something of the archive that a test lets through when it likes."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self.open.wait(PATIENCE_SECONDS)

    def is_reached(self) -> None:
        assert self.reached.wait(PATIENCE_SECONDS)


@pytest.fixture
def query(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Queries find one match before the gate and one behind it."""
    gate = Gate()

    def find(*_: Any) -> Iterator[Match]:
        yield Match(b"before", True)
        gate.wait()
        yield Match(b"behind", True)

    monkeypatch.setattr(Archive, "find", find)
    return gate


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Every transaction waits at the gate."""
    gate = Gate()
    really_store = Archive.store

    def store(archive: Archive, batch: Sequence[Spool]) -> Any:
        gate.wait()
        return really_store(archive, batch)

    monkeypatch.setattr(Archive, "store", store)
    return gate


def numbered(served: Served, kind: str, number: int) -> bool:
    return any(
        notice.association is not None and notice.association.number == number for notice in served.notices(kind)
    )


def test_an_association_from_greeting_to_farewell(server: Served) -> None:
    client = server.connect()
    answer = client.associate(calling="RAW", called="ANY")

    assert accepted(answer) == {context.context_id: context.transfer_syntaxes[0] for context in CONTEXTS}
    assert client.echo() == 0
    client.release()
    client.socket.close()
    server.wait_for(lambda: server.notices("released"))

    (opened,), (echo,) = server.notices("opened"), server.exchanges
    assert opened.text == "associated with ANY, 3 of 3 contexts accepted"
    assert opened.association == echo.association
    assert echo.association.calling == "RAW"
    assert echo.association.address == f"127.0.0.1:{client_port(echo.association.address)}"
    assert server.notices("aborted") == []


def client_port(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_after_a_release_we_wait_for_the_peer_to_close(serve: Callable[..., Served]) -> None:
    server = serve(artim_timeout=0.3)
    client = server.associate()
    client.release()

    client.read_end()


@pytest.mark.parametrize(
    ("options", "greeting", "answer"),
    [
        ({"called_aets": ["PACS"]}, {"called": "OTHER"}, AssociateRJ(1, 1, 7)),
        ({"calling_aets": ["RAW*"]}, {"calling": "OTHER"}, AssociateRJ(1, 1, 3)),
    ],
)
def test_who_may_not_come_in_is_rejected_told_and_closed(
    serve: Callable[..., Served], options: dict[str, Any], greeting: dict[str, str], answer: AssociateRJ
) -> None:
    server = serve(artim_timeout=0.3, **options)
    client = server.connect()

    assert client.associate(**greeting) == answer
    client.read_end()
    server.wait_for(lambda: server.notices("rejected"))
    assert "OTHER" in server.lines


def test_a_greeting_and_more_in_one_piece_is_aborted_and_nobody_else_concerned(server: Served) -> None:
    for more in (encode_pdu(ReleaseRQ()), associate_request(), encode_pdu(Abort(0, 0))):
        client = server.connect()
        client.send(associate_request() + more)
        if more[0] == PduType.ABORT:
            client.read_end()
        else:
            assert client.read_abort()[0] == SERVICE_PROVIDER
    assert server.notices("opened") == []


# one association does not wait for another


def test_an_echo_is_answered_while_a_query_of_another_association_runs(server: Served, query: Gate) -> None:
    busy, other = server.associate(), server.associate()
    busy.send(busy.find_request(KEYS))
    query.is_reached()

    assert other.echo() == 0
    query.open.set()
    assert [response.status for response, _ in busy.responses()] == [0xFF00, 0xFF00, 0]


@pytest.mark.parametrize(("durability", "pixels"), [("full", 64), ("normal", 2 << 20)])
def test_an_echo_is_answered_while_a_store_of_another_association_is_written(
    serve: Callable[..., Served], tmp_path: Path, writing: Gate, durability: str, pixels: int
) -> None:
    archive = serve(storage=tmp_path / "storage", durability=durability)
    busy, other = archive.associate(), archive.associate()
    busy.send(busy.store_request(ct_image(pixels=pixels)))
    writing.is_reached()

    assert other.echo() == 0
    writing.open.set()
    assert busy.status() == 0


def test_an_echo_is_answered_while_another_process_writes_the_index(archive: Served) -> None:
    busy, other = archive.associate(), archive.associate()
    with closing(sqlite3.connect(archive.pacs.options.storage / "index.sqlite", isolation_level=None)) as process:
        process.execute("BEGIN IMMEDIATE")
        busy.send(busy.store_request(ct_image()))
        for _ in range(100):
            assert other.echo() == 0
        process.execute("ROLLBACK")
    # had the event loop waited, the store would have been given up before the first echo
    assert busy.status() == 0


def test_an_echo_is_answered_while_a_large_data_set_of_another_association_is_spilled(
    archive: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    really_spill = Spool.spill
    monkeypatch.setattr(Spool, "spill", lambda spool: (gate.wait(), really_spill(spool)))
    paused = threading.Event()
    really_pause = Link.pause
    monkeypatch.setattr(Link, "pause", lambda link: (really_pause(link), paused.set()))
    data = ct_image(pixels=12 << 20)
    busy, other = archive.associate(), archive.associate()
    sending = threading.Thread(target=busy.send, args=[busy.store_request(data)])
    sending.start()
    gate.is_reached()

    assert paused.wait(PATIENCE_SECONDS), "the peer must wait for the disk"
    assert other.echo() == 0
    gate.open.set()
    sending.join()
    assert busy.status() == 0
    stored = archive.pacs.archive.instance("1.2.3.4.5")
    assert stored is not None
    assert stored.read() == data


# in the middle of something


def test_a_release_in_mid_query_is_answered_after_the_responses(server: Served, query: Gate) -> None:
    client = server.associate()
    client.send(client.find_request(KEYS), client.echo_request(), encode_pdu(ReleaseRQ()))
    query.is_reached()
    query.open.set()

    assert [response.status for response, _ in client.responses()] == [0xFF00, 0xFF00, 0]
    assert client.status() == 0
    assert isinstance(client.read(), ReleaseRP)


def test_a_cancel_ends_the_running_query(server: Served, query: Gate) -> None:
    client = server.associate()
    client.send(client.find_request(KEYS))
    query.is_reached()
    # one piece: when the echo is answered, the cancel before it was heard
    client.send(client.cancel_request(), client.echo_request())
    other = server.associate()
    assert other.echo() == 0
    query.open.set()

    assert [response.status for response, _ in client.responses()][-1] == 0xFE00
    assert client.status() == 0


@pytest.mark.parametrize("end", ["close", "reset", "abort"])
def test_a_peer_that_leaves_in_mid_query_ends_it(server: Served, query: Gate, end: str) -> None:
    client = server.associate()
    client.send(client.find_request(KEYS))
    query.is_reached()
    if end == "abort":
        client.send(encode_pdu(Abort(0, 0)))
    elif end == "reset":
        client.reset()
    else:
        client.socket.close()
    server.wait_for(lambda: server.notices("aborted"))
    query.open.set()
    server.wait_for(lambda: server.exchanges)

    (exchange,) = server.exchanges
    assert exchange.status is None
    assert "ended before the answer" in exchange.comment


def test_a_peer_that_leaves_in_mid_store_changes_nothing_about_what_is_stored(durable: Served, writing: Gate) -> None:
    archive, client = durable, durable.associate()
    client.send(client.store_request(ct_image()))
    writing.is_reached()
    client.socket.close()
    archive.wait_for(lambda: archive.notices("aborted"))
    writing.open.set()
    archive.wait_for(lambda: archive.exchanges)

    assert archive.exchanges[0].status is None
    assert archive.pacs.archive.counts().instances == 1


# timers


def test_who_is_idle_is_aborted_and_reported(serve: Callable[..., Served]) -> None:
    server = serve(network_timeout=0.05, artim_timeout=0.3)
    client = server.associate()

    assert client.read_abort() == (SERVICE_PROVIDER, 0)
    client.read_end()
    assert "nothing was heard for 0.05 s (network_timeout)" in server.lines


def test_zero_waits_for_ever(serve: Callable[..., Served]) -> None:
    server = serve(network_timeout=0)
    client = server.associate()

    assert client.echo() == 0


def test_the_time_of_a_peer_begins_anew_when_we_have_answered(
    serve: Callable[..., Served], query: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the answer took, the peer may then think as long as everybody else."""
    monkeypatch.setattr(watch, "_WHILE_BUSY_SECONDS", 0.001)
    server = serve(network_timeout=0.4)
    patient = server.associate()
    patient.send(patient.find_request(KEYS))
    query.is_reached()
    first = server.associate()
    first.read_abort()  # so patient has been silent for longer than that
    second = server.associate()
    query.open.set()
    assert [response.status for response, _ in patient.responses()][-1] == 0
    second.read_abort()
    patient.read_abort()

    aborted = [notice.association.number for notice in server.notices("aborted") if notice.association]
    assert aborted == [2, 3, 1]


def test_what_a_peer_has_not_read_does_not_keep_its_connection(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The A-ABORT waits behind answers nobody takes; when ARTIM is out, so is the peer."""
    gone = threading.Event()
    really_left = Listener.left
    monkeypatch.setattr(Listener, "left", lambda listener, who: (really_left(listener, who), gone.set()))
    server = serve(network_timeout=0, artim_timeout=0.3)
    assert server.pacs._serving is not None
    for listening in server.pacs._serving.listener._door._listening:  # what is accepted inherits it
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    client = server.associate()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.send(client.echo_request() * 6000, b"\xff\0\0\0\0\0")
    server.wait_for(lambda: server.notices("aborted"))

    assert gone.wait(PATIENCE_SECONDS)
    assert len(server.exchanges) == 6000


def test_a_store_too_large_is_read_refused_and_forgotten(serve: Callable[..., Served]) -> None:
    server = serve(max_instance_size=100_000)
    client = server.associate()

    assert client.store(ct_image(pixels=3 << 20)) == 0xA700
    assert client.store(ct_image("1.2.3.4.6"), "1.2.3.4.6") == 0
    assert server.pacs.archive.counts().instances == 1
