"""A proxy forwards bytes as they came, in both directions, with all the ways in which a connection can end."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.errors import StartError
from mockpacs.proxying import Proxying, ProxyOptions
from mockpacs.traffic.capture.event import Chunk
from mockpacs.traffic.capture.reader import events
from mockpacs.traffic.exchange import Exchange, Notice
from mockpacs.wire import AssociateRJ, ReleaseRQ, encode_pdu
from mockpacs.written.address import Address
from tests.net.proxied import (
    PATIENCE_SECONDS,
    Between,
    Host,
    between,
    free_port,
    is_reset,
    read_all,
    read_exactly,
    reset,
)
from tests.net.wire_client import WireClient, associate_request

ASKED = associate_request()


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


@pytest.fixture
def proxy(host: Host, tmp_path: Path) -> Iterator[Between]:
    with between(host.address, tmp_path) as made:
        yield made


# bytes


def test_what_one_side_says_the_other_hears_byte_by_byte(host: Host, proxy: Between) -> None:
    client, server = proxy.connect().socket, host.accept()
    for said in (ASKED, b"\x99\x00garbage", b"\x04\x00\x00\x00\xff\xff half a PDU", bytes(70_000)):
        client.sendall(said)
        assert read_exactly(server, len(said)) == said
        server.sendall(said[::-1])
        assert read_exactly(client, len(said)) == said[::-1]


def test_a_server_may_speak_first(host: Host, proxy: Between) -> None:
    client, server = proxy.connect().socket, host.accept()
    server.sendall(b"SSH-2.0-not DICOM\r\n")
    assert read_exactly(client, 19) == b"SSH-2.0-not DICOM\r\n"


def test_a_lot_passes_in_both_directions_at_once(host: Host, proxy: Between) -> None:
    client, server = proxy.connect().socket, host.accept()
    up, down = random.Random(1).randbytes(24 << 20), random.Random(2).randbytes(24 << 20)
    senders = [threading.Thread(target=sock.sendall, args=(data,)) for sock, data in ((client, up), (server, down))]
    heard: dict[str, bytes] = {}
    readers = [
        threading.Thread(target=lambda: heard.update(up=read_exactly(server, len(up)))),
        threading.Thread(target=lambda: heard.update(down=read_exactly(client, len(down)))),
    ]
    for one in (*senders, *readers):
        one.start()
    for one in (*senders, *readers):
        one.join(PATIENCE_SECONDS)
    assert heard == {"up": up, "down": down}


def test_who_takes_nothing_makes_the_other_wait(host: Host, proxy: Between) -> None:
    client, server = proxy.connect().socket, host.accept()
    server.sendall(b"x")
    assert client.recv(1) == b"x"
    client.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < 64 << 20:
            sent += client.send(bytes(1 << 16))
    assert sent < 64 << 20
    assert read_exactly(server, sent) == bytes(sent)


# ends


def test_a_half_close_is_passed_on_and_the_other_half_goes_on(host: Host, proxy: Between) -> None:
    client, server = proxy.connect().socket, host.accept()
    client.sendall(b"the last word")
    client.shutdown(socket.SHUT_WR)
    assert read_all(server) == b"the last word"
    server.sendall(b"but I have one")
    assert read_exactly(client, 14) == b"but I have one"
    server.shutdown(socket.SHUT_WR)
    assert read_all(client) == b""


def test_a_server_may_half_close_as_well(host: Host, proxy: Between) -> None:
    client, server = proxy.connect().socket, host.accept()
    server.sendall(b"bye")
    server.shutdown(socket.SHUT_WR)
    assert read_all(client) == b"bye"
    client.sendall(b"wait")
    assert read_exactly(server, 4) == b"wait"
    client.close()
    assert read_all(server) == b""


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_is_passed_on(host: Host, proxy: Between, who: str) -> None:
    client, server = proxy.connect().socket, host.accept()
    client.sendall(ASKED)
    read_exactly(server, len(ASKED))
    first, other = (client, server) if who == "client" else (server, client)
    reset(first)
    assert is_reset(other)


def test_all_that_was_said_arrives_before_the_end(host: Host, proxy: Between) -> None:
    client, server = proxy.connect().socket, host.accept()
    data = random.Random(3).randbytes(8 << 20)
    client.settimeout(PATIENCE_SECONDS)

    def say() -> None:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)

    saying = threading.Thread(target=say)
    saying.start()
    assert read_all(server) == data
    saying.join()


# servers that are not there


def test_without_a_server_the_association_is_rejected_for_now(tmp_path: Path) -> None:
    port = free_port()
    with between(("127.0.0.1", port), tmp_path) as proxy:
        client = proxy.connect()
        answer = client.associate()
        assert answer == AssociateRJ(2, 3, 1)
        client.socket.close()
        proxy.wait_for(lambda: len(proxy.notices) == 2)
        assert proxy.notices[0] == f"127.0.0.1:{port} cannot be reached: Connection refused"
        assert proxy.notices[1].startswith("association rejected: the server cannot be reached (result 2, source 3")
    assert sorted(one.text for one in proxy.recorded()) == sorted(proxy.notices)  # type: ignore[union-attr]


@pytest.mark.parametrize("said", [encode_pdu(ReleaseRQ()), b"GET / HTTP/1.1\r\n\r\n"])
def test_without_a_server_anything_but_a_request_is_answered_with_the_end(said: bytes) -> None:
    with between(("127.0.0.1", free_port())) as proxy:
        client = proxy.connect()
        client.send(said)
        assert read_all(client.socket) == b""


def test_who_says_nothing_to_a_proxy_without_a_server_is_let_go() -> None:
    with between(("127.0.0.1", free_port()), artim_timeout=0.3) as proxy:
        assert read_all(proxy.connect().socket) == b""


def test_one_association_too_many_is_rejected(host: Host) -> None:
    with between(host.address, max_associations=1) as proxy:
        first = proxy.connect()
        server = host.accept()
        first.send(ASKED)
        read_exactly(server, len(ASKED))
        assert proxy.connect().associate() == AssociateRJ(2, 3, 2)


def test_a_port_that_is_taken_is_said_with_the_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = ProxyOptions(to=Address("127.0.0.1", 1), listen=Address("127.0.0.1", port), record=False)
        with pytest.raises(StartError, match=f"port {port} of 127.0.0.1 is in use.*--listen"):
            Proxying(options).start()


# idle and stop


def test_silence_on_both_sides_ends_both(host: Host) -> None:
    with between(host.address, network_timeout=0.3) as proxy:
        client, server = proxy.connect().socket, host.accept()
        assert read_all(server) == b""
        assert read_all(client) == b""
        proxy.wait_for(lambda: any("nothing was heard for 0.3 s" in text for text in proxy.notices))


def test_stopping_aborts_an_association_on_both_sides(tmp_path: Path) -> None:
    with MockPACS() as pacs:
        proxy = Between((pacs.host, pacs.port), tmp_path)
        client = proxy.connect()
        client.associate()
        proxy.wait_for(lambda: proxy.notices)
        proxy.proxying.stop()
        assert client.read_abort() == (0, 0)
        proxy.end()
    assert "aborted by us: the proxy stops" in proxy.notices
    assert "aborted by us: the proxy stops" in [getattr(one, "text", "") for one in proxy.recorded()]


def test_stopping_in_the_middle_of_a_pdu_resets(host: Host) -> None:
    with between(host.address) as proxy:
        client, server = proxy.connect().socket, host.accept()
        client.sendall(ASKED[:50])
        read_exactly(server, 50)
        proxy.proxying.stop()
        assert is_reset(server)


# what is told


def test_what_passes_is_told_as_it_is_read_back(tmp_path: Path) -> None:
    with MockPACS() as pacs, between(address := (pacs.host, pacs.port), tmp_path) as proxy:
        client = WireClient(proxy.host, proxy.port)
        client.associate(calling="CT1")
        assert client.echo() == 0
        assert client.store() == 0
        client.release()
        client.socket.close()
        proxy.wait_for(lambda: len(proxy.records) >= 4)
    told = [one for one in proxy.records if isinstance(one, Exchange)]
    assert [(one.id, one.service, one.status) for one in told] == [("1.1", "C-ECHO", 0), ("1.2", "C-STORE", 0)]
    assert proxy.notices == ["associated with MOCKPACS, 3 of 3 contexts accepted", "released"]
    assert told[0].association.server == f"{address[0]}:{address[1]}"
    recorded = proxy.recorded()
    said = [(one.association.number, one.text) for one in recorded if isinstance(one, Notice) and one.association]
    assert sorted(said) == sorted((leg, text) for leg in (1, 2) for text in proxy.notices)
    read = [one for one in recorded if isinstance(one, Exchange)]
    read.sort(key=lambda one: one.id)
    assert [(one.id, one.status, one.asked_by_us, one.cause, one.size) for one in read] == [
        ("1.1", 0, False, "", 0),
        ("1.2", 0, False, "", told[1].size),
        ("2.1", 0, True, "1.0", 0),
        ("2.2", 0, True, "1.0", told[1].size),
    ]
    assert read[3].association.server == f"{address[0]}:{address[1]}"


def test_both_connections_are_in_the_recording_byte_by_byte(host: Host, tmp_path: Path) -> None:
    said = [ASKED, b"\x07\x00\x00\x00\x00\x04\x00\x00\x00\x00"]
    with between(host.address, tmp_path) as proxy:
        client, server = proxy.connect().socket, host.accept()
        client.sendall(said[0])
        assert read_exactly(server, len(said[0])) == said[0]
        server.sendall(said[1])
        assert read_exactly(client, len(said[1])) == said[1]
        client.close()
        assert read_all(server) == b""
    found: dict[tuple[int, str], bytes] = {}
    for event in events(proxy.proxying.recording):
        if isinstance(event, Chunk):
            key = event.flow.number, event.sender.value
            found[key] = found.get(key, b"") + bytes(event.data)
    assert found == {
        (1, "requestor"): said[0],
        (1, "acceptor"): said[1],
        (2, "requestor"): said[0],
        (2, "acceptor"): said[1],
    }


def test_stopping_does_not_wait_for_a_server_that_does_not_answer() -> None:
    with socket.socket() as deaf, contextlib.ExitStack() as undo:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(2):  # now its queue is full, and who connects next hears nothing
            sock = undo.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(deaf.getsockname())
        with between(deaf.getsockname()) as proxy:
            client = proxy.connect()
            client.send(ASKED)
            proxy.proxying.stop()
            assert is_reset(client.socket)


@pytest.mark.parametrize("with_rule", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_said_arrives_whole_and_in_order(host: Host, tmp_path: Path, seed: int, with_rule: bool) -> None:
    """Both sides say anything, in pieces of any size, and close when they like."""
    rules = tmp_path / "faults.yaml"
    rules.write_text("mockpacs: 1\nrules:\n- {when: {service: any, calling: NOBODY, at: response}, then: reset}\n")
    random_ = random.Random(seed)
    pieces = [ASKED, encode_pdu(ReleaseRQ()), b"\x04\x00\x00\x00\x00\x00", b"\x04\x00\x00\x01\x00\x00" + bytes(65536)]
    said = [
        b"".join(random_.choices(pieces, k=random_.randrange(9))) + random_.randbytes(random_.randrange(40))
        for _ in "ab"
    ]
    with between(host.address, tmp_path / "recordings", scenario=(rules,) if with_rule else ()) as proxy:
        ends = proxy.connect().socket, host.accept()
        heard: dict[int, bytes] = {}

        def say(which: int) -> None:
            at = 0
            while at < len(said[which]):
                size = random_.choice((1, 7, 1000, 70_000))
                ends[which].sendall(said[which][at : at + size])
                at += size
            ends[which].shutdown(socket.SHUT_WR)

        def hear(which: int) -> None:
            heard[which] = read_all(ends[which])

        works = [threading.Thread(target=work, args=(which,)) for work in (say, hear) for which in (0, 1)]
        for work in works:
            work.start()
        for work in works:
            work.join(PATIENCE_SECONDS)
    assert [heard[0], heard[1]] == said[::-1]
