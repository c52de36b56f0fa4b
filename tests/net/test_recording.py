"""Every byte that crosses the sockets of a real server is in its recording, before the peer can know of it."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from mockpacs.errors import RecordingError
from mockpacs.net.link import RECEIVE_BUFFER_SIZE, Link
from mockpacs.traffic.recorder import Recorder
from mockpacs.wire import Abort, AssociateRJ, PDataTF, ReleaseRP, ReleaseRQ, decode_command, decode_pdu, encode_pdu
from tests.net.certificates import Authority
from tests.net.conftest import Served
from tests.net.surroundings import until
from tests.net.test_hostile_bytes import CLIENT_HELLO
from tests.net.test_hostile_messages import fill, query_for
from tests.net.test_hostile_stop import Spawn, spawn
from tests.net.wire_client import WireClient, associate_request, ct_image, element
from tests.traffic.pcapng_reader import ACK, FIN, SYN, Connection, connections, cut_blocks, in_file, packet_of, pdus

__all__ = ["spawn"]

Serve = Callable[..., Served]


class Tap:
    """A socket that remembers what went through it."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.said, self.heard = bytearray(), bytearray()
        self.port: int = sock.getsockname()[1]

    def sendall(self, data: bytes) -> None:
        self.said += data
        self._socket.sendall(data)

    def recv(self, size: int) -> bytes:
        data = self._socket.recv(size)
        self.heard += data
        return data

    def recv_rest(self) -> None:
        """All that comes up to the end."""
        with suppress(ConnectionResetError):
            while self.recv(1 << 20):
                pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class Tapped:
    """A server with a recording, and clients whose bytes are known."""

    def __init__(self, served: Served) -> None:
        self.served = served
        path = served.pacs.recording
        assert path is not None
        self.path = path

    def connect(self) -> tuple[WireClient, Tap]:
        client = self.served.connect()
        return client, tap(client)

    def associate(self, **how: Any) -> tuple[WireClient, Tap]:
        client, tapped = self.connect()
        client.associate(**how)
        return client, tapped

    def now(self, tapped: Tap) -> Connection:
        """What the file has at this moment of a connection; the file is read as anybody else would."""
        blocks, _ = cut_blocks(self.path.read_bytes())
        return only(connections(map(packet_of, blocks[2:])), tapped.port)

    def at_end(self, tapped: Tap) -> Connection:
        """The same when the connection is over, and that is recorded."""
        self.served.wait_until(lambda: self._is_over(tapped))
        return self.now(tapped)

    def _is_over(self, tapped: Tap) -> bool:
        with suppress(LookupError):
            return bool(self.now(tapped).acceptor.closed or self.now(tapped).requestor.closed == "reset")
        return False


def tap(client: WireClient) -> Tap:
    tapped = Tap(client.socket)
    client.socket = tapped  # type: ignore[assignment]
    return tapped


def only(found: list[Connection], port: int) -> Connection:
    """The connection with this port of the client. Raises LookupError."""
    return {each.first.source[1]: each for each in found}[port]


@pytest.fixture
def recorded(serve: Serve, tmp_path: Path) -> Tapped:
    return Tapped(serve(storage=tmp_path / "storage"))


def assert_same(connection: Connection, tapped: Tap) -> None:
    """All that was said and all that was heard, no byte more."""
    assert bytes(connection.requestor.data) == bytes(tapped.said)
    assert bytes(connection.acceptor.data[: len(connection.acceptor.data) - connection.unsent]) == bytes(tapped.heard)


# sessions


def session(client: WireClient, tapped: Tap) -> None:
    client.associate()
    assert client.echo() == 0
    assert client.store(ct_image(pixels=400_000)) == 0
    assert client.find(query_for("STUDY"))[-1][0] == 0
    client.release()


def session_in_small_pieces(client: WireClient, tapped: Tap) -> None:
    for byte in associate_request():
        client.send(bytes([byte]))
    client.read()
    message = client.echo_request()
    for byte in message:
        client.send(bytes([byte]))
    assert client.status() == 0


def refused(client: WireClient, tapped: Tap) -> None:
    assert isinstance(client.associate(called="SOMEBODY ELSE"), AssociateRJ)


def garbage(client: WireClient, tapped: Tap) -> None:
    client.send(bytes(range(200)))
    assert client.read_abort() == (2, 1)


def http(client: WireClient, tapped: Tap) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.read_abort() == (2, 1)


def tls_where_none_is_spoken(client: WireClient, tapped: Tap) -> None:
    client.send(CLIENT_HELLO)
    assert client.read_abort() == (2, 1)


def garbage_inside(client: WireClient, tapped: Tap) -> None:
    client.associate()
    assert client.echo() == 0
    client.send(b"\xff" * 100_000)
    assert client.read_abort() == (2, 1)
    client.send(b"and more, after the abort")


def silence(client: WireClient, tapped: Tap) -> None:
    client.read_end()


def silence_in_the_request(client: WireClient, tapped: Tap) -> None:
    client.send(associate_request()[:50])
    client.read_end()


def silence_in_a_message(client: WireClient, tapped: Tap) -> None:
    client.associate()
    client.send(client.store_request(ct_image(pixels=50_000))[:20_000])
    assert client.read_abort() == (2, 0)


def abort(client: WireClient, tapped: Tap) -> None:
    client.associate()
    assert client.echo() == 0
    client.send(encode_pdu(Abort(0, 0)))
    client.read_end()


def release_at_once(client: WireClient, tapped: Tap) -> None:
    client.associate()
    client.send(client.echo_request(), client.echo_request(), encode_pdu(ReleaseRQ()))
    assert {client.response()[0].status for _ in range(2)} == {0}
    assert isinstance(client.read(), ReleaseRP)


def a_thousand_echoes_at_once(client: WireClient, tapped: Tap) -> None:
    client.associate()
    client.send(*(client.echo_request() for _ in range(1000)))
    assert {client.response()[0].status for _ in range(1000)} == {0}
    client.release()


def a_large_answer(client: WireClient, tapped: Tap) -> None:
    client.associate()
    found = client.find(query_for("STUDY") + element(0x00100020, "LO", b""))
    assert len(found) == 101
    client.release()


SESSIONS = {
    function.__name__.replace("_", " "): function
    for function in (
        session,
        session_in_small_pieces,
        refused,
        garbage,
        http,
        tls_where_none_is_spoken,
        garbage_inside,
        silence,
        silence_in_the_request,
        silence_in_a_message,
        abort,
        release_at_once,
        a_thousand_echoes_at_once,
        a_large_answer,
    )
}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", SESSIONS)
def test_every_byte_said_and_heard_is_in_the_recording(serve: Serve, tmp_path: Path, name: str, host: str) -> None:
    if host == "::1" and not has_ip6():
        pytest.skip("this machine has no IPv6")
    timeouts = {"artim_timeout": "300ms", "network_timeout": "300ms"} if "silence" in name else {}
    server = Tapped(serve(storage=tmp_path / "storage", host=host, called_aets=["MOCKPACS"], **timeouts))
    if name == "a large answer":
        fill(server.served, 100, filler="x" * 20_000)
    client, tapped = server.connect()
    SESSIONS[name](client, tapped)
    with suppress(OSError):
        client.socket.shutdown(socket.SHUT_WR)  # an A-ABORT of ours may still be on its way
    tapped.recv_rest()
    client.socket.close()

    connection = server.at_end(tapped)
    assert_same(connection, tapped)
    assert connection.first.source[0] == connection.packets[1].target[0] == host
    assert connection.unsent == 0


def has_ip6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_question_and_answer_alternate_in_the_file_as_they_did(recorded: Tapped) -> None:
    client, tapped = recorded.associate()
    for _ in range(20):
        assert client.echo() == 0
    client.socket.close()

    turns = [is_inbound for is_inbound, _ in recorded.at_end(tapped).chunks]
    assert turns == [True, False] * 21


def test_connections_at_once_are_told_apart(recorded: Tapped) -> None:
    clients = [recorded.associate(calling=f"SCU{number}") for number in range(20)]
    for _ in range(5):
        for client, _ in clients:
            client.send(client.echo_request())
        for client, _ in clients:
            assert client.status() == 0
    for client, _ in clients:
        client.socket.close()

    for _, tapped in clients:
        assert_same(recorded.at_end(tapped), tapped)
    assert sorted(each.number for each in in_file(recorded.path)) == list(range(1, 21))


def test_who_has_a_response_finds_it_in_the_file(recorded: Tapped) -> None:
    """Read by another process, at once: a kill would leave the same."""
    client, tapped = recorded.associate()
    for number in range(1, 11):
        assert client.store(instance=f"1.2.{number}") == 0
        shown = subprocess.run(["cat", str(recorded.path)], capture_output=True, check=True).stdout
        connection = only(connections(map(packet_of, cut_blocks(shown)[0][2:])), tapped.port)
        assert_same(connection, tapped)
        assert sum(f".{number} C-STORE-RSP 0000" in text for text in connection.comments) == 1


def test_a_connection_without_a_word_is_recorded(recorded: Tapped) -> None:
    client, tapped = recorded.connect()
    client.socket.close()

    flags = [packet.flags for packet in recorded.at_end(tapped).packets]
    assert flags[:3] == [SYN, SYN | ACK, ACK]
    assert len(flags) == 7


# ends


@pytest.mark.parametrize("count", [3, 70, 70_000])
def test_half_a_pdu_and_then_a_reset(recorded: Tapped, count: int) -> None:
    client, tapped = recorded.associate()
    client.send(client.store_request(ct_image(pixels=200_000))[:count])
    recorded.served.wait_until(lambda: len(recorded.now(tapped).requestor.data) == len(tapped.said))
    client.reset()

    connection = recorded.at_end(tapped)
    assert_same(connection, tapped)
    assert (connection.requestor.closed, connection.acceptor.closed) == ("reset", "")


def test_who_closed_first_is_told(serve: Serve, tmp_path: Path) -> None:
    server = Tapped(serve(storage=tmp_path / "storage", artim_timeout="200ms"))
    (by_peer, first), (by_us, second) = server.connect(), server.connect()
    by_peer.socket.close()
    by_us.read_end()

    ends = [packet.is_inbound for packet in server.at_end(first).packets if packet.flags & 1]
    assert ends == [True, False]
    late = server.at_end(second)
    assert next(packet for packet in late.packets if packet.flags & 1).is_inbound is False
    assert any("artim_timeout" in text for text in late.comments)


def test_a_peer_that_never_reads_has_no_more_than_the_recording_says(serve: Serve, tmp_path: Path) -> None:
    server = Tapped(serve(storage=tmp_path / "storage", network_timeout="500ms"))
    fill(server.served, 100, filler="x" * 20_000)
    client, tapped = server.connect()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.associate(calling="DEAF")
    client.send(client.find_request(query_for("STUDY") + element(0x00100020, "LO", b"")) * 10)
    server.served.wait_for(lambda: [each for each in server.served.notices("aborted") if "takes nothing" in each.text])

    connection = server.at_end(tapped)
    tapped.recv_rest()
    left = len(connection.acceptor.data) - connection.unsent
    assert 0 < connection.unsent <= 256 * 1024
    assert len(tapped.heard) <= left
    assert bytes(connection.acceptor.data).startswith(bytes(tapped.heard))
    assert bytes(connection.requestor.data) == bytes(tapped.said)[: len(connection.requestor.data)]
    assert connection.acceptor.closed == "reset"


def test_a_stop_with_associations_open_is_recorded(serve: Serve, tmp_path: Path) -> None:
    server = Tapped(serve(storage=tmp_path / "storage"))
    clients = [server.associate() for _ in range(5)]
    busy, half = clients[0][0], clients[1][0]
    assert busy.store() == 0
    half.send(half.store_request(ct_image())[:30])
    server.served.wait_until(lambda: len(server.now(clients[1][1]).requestor.data) == len(clients[1][1].said))
    server.served.pacs.stop()
    for client, _ in clients:
        assert client.read_abort() == (0, 0)

    whole = in_file(server.path)  # ends with a whole block, without waiting for anything
    for _, tapped in clients:
        connection = only(whole, tapped.port)
        assert_same(connection, tapped)
        assert connection.acceptor.closed == "fin"


def test_bytes_that_come_after_our_goodbye_are_recorded(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0")

    class Deaf:
        def opened(self) -> None:
            pass

        def received(self, data: memoryview | bytes) -> None:
            raise AssertionError(bytes(data))

        def closed(self, error: Exception | None) -> None:
            self.error = error

    async def scene() -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as door:
            peer = socket.create_connection(door.getsockname(), 20)
            ours, address = door.accept()
        ours.setblocking(False)
        track = recorder.track(1, address, ours.getsockname())
        receiver = Deaf()
        link = Link(ours, receiver, memoryview(bytearray(RECEIVE_BUFFER_SIZE)), None, track)
        link.open()
        link.write([b"goodbye"])
        peer.sendall(b"one more thing")
        link.close()
        await until(lambda: hasattr(receiver, "error"))
        assert peer.recv(100) == b"goodbye"
        peer.close()

    asyncio.run(scene())
    recorder.close()
    (connection,) = in_file(recorder.path)
    assert (connection.chunks, connection.acceptor.closed) == (
        [(False, b"goodbye"), (True, b"one more thing")],
        "fin",
    )
    goodbye = next(number for number, packet in enumerate(connection.packets) if packet.flags & 1)
    assert connection.packets[-1].payload == b"one more thing"
    assert goodbye < len(connection.packets) - 1


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(serve: Serve, tmp_path: Path, authority: Authority) -> Tapped:
    certificate, key = authority.sign("server")
    return Tapped(serve(storage=tmp_path / "storage", tls_cert=certificate, tls_key=key, artim_timeout="300ms"))


def test_what_is_said_in_tls_is_recorded_in_clear(secure: Tapped, authority: Authority) -> None:
    client = secure.served.connect()
    client.socket = authority.client().wrap_socket(client.socket, server_hostname="127.0.0.1")
    tapped = tap(client)
    session(client, tapped)
    client.socket.close()

    connection = secure.at_end(tapped)
    assert_same(connection, tapped)
    assert " TLS" in connection.comments[0]


def test_a_failed_handshake_is_told_with_its_reason(secure: Tapped, authority: Authority) -> None:
    client = secure.served.connect()
    port = client.socket.getsockname()[1]
    with pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(client.socket, server_hostname="127.0.0.1")
    secure.served.wait_for(lambda: secure.served.notices("closed"))
    secure.served.wait_until_nobody_is_connected()

    connection = only(connections(map(packet_of, cut_blocks(secure.path.read_bytes())[0][2:])), port)
    assert any("closed: TLS failed" in text for text in connection.comments)
    assert bytes(connection.acceptor.data) == b""


def test_what_is_no_tls_is_recorded_as_it_came(secure: Tapped) -> None:
    client, tapped = secure.connect()
    client.send(associate_request())
    tapped.recv_rest()

    connection = secure.at_end(tapped)
    assert bytes(connection.requestor.data) == bytes(tapped.said)
    (ending,) = [
        packet for packet in connection.packets if any("closed: TLS failed" in text for text in packet.comments)
    ]
    assert ending.flags & FIN, "who reads the end has read what is said about it"


# places


def test_the_place_of_an_exchange_leads_to_its_bytes(recorded: Tapped) -> None:
    client, _ = recorded.associate()
    other, _ = recorded.associate()
    for number in range(3):
        assert client.echo() == other.store(ct_image(f"1.2.{number}", pixels=300_000), f"1.2.{number}") == 0
    client.send(*(client.echo_request() for _ in range(5)))
    assert {client.response()[0].status for _ in range(5)} == {0}
    assert client.find(query_for("STUDY"))[-1][0] == 0
    for each in (client, other):
        each.release()
        each.socket.close()
    recorded.served.wait_until_nobody_is_connected()

    exchanges = recorded.served.exchanges
    assert len(exchanges) == 12
    blocks, _ = cut_blocks(recorded.path.read_bytes())
    every = [packet_of(block) for block in blocks[2:]]
    sizes = []
    for exchange in exchanges:
        place, command = exchange.place, exchange.command
        assert place is not None
        assert command is not None
        assert (place.path, place.last) == (recorded.path, None)
        port = int(exchange.association.address.rpartition(":")[2])
        inside = [each for each in every if place.offset <= each.offset < place.end]
        assert inside[0].offset == place.offset
        assert inside[-1].end == place.end
        asked = spoken(inside, port, place.requestor, is_inbound=True)
        answered = spoken(inside, port, place.acceptor, is_inbound=False)
        assert commands(asked)[0].message_id == command.message_id
        assert commands(answered)[-1].message_id_responded_to == command.message_id
        sizes.append(place.end - place.offset)
    assert max(sizes) < 700_000, "a place is about one exchange, not about all"


def spoken(inside: list[Any], port: int, begin: int, *, is_inbound: bool) -> bytes:
    """What one side said from a sequence number on."""
    said = bytearray()
    for packet in inside:
        ours = packet.source if is_inbound else packet.target
        if packet.is_inbound == is_inbound and ours[1] == port and packet.payload:
            skip = max(begin - packet.sequence, 0)
            said += packet.payload[skip:]
    return bytes(said)


def commands(said: bytes) -> list[Any]:
    """Of all messages; the first thing said must be one."""
    found = []
    for kind, body in pdus(said)[0]:
        pdu = decode_pdu(kind, body)
        assert isinstance(pdu, PDataTF)
        found += [decode_command(bytes(pdv.data)) for pdv in pdu.pdvs if pdv.is_command]
        assert found
    return found


def test_a_place_across_parts_names_both(serve: Serve, tmp_path: Path) -> None:
    server = Tapped(serve(storage=tmp_path / "storage", recording_size="64 KiB"))
    client, _ = server.associate()
    for number in range(4):
        assert client.store(ct_image(f"1.2.{number}", pixels=100_000), f"1.2.{number}") == 0
    client.release()

    places = [exchange.place for exchange in server.served.exchanges]
    for place in places:
        assert place is not None
        end = (place.last or place.path).stat().st_size
        assert place.offset < place.path.stat().st_size
        assert 0 < place.end <= end
    assert any(place is not None and place.last is not None for place in places)
    assert server.served.pacs.recording != server.path


# options


@pytest.mark.parametrize(
    ("options", "is_recorded"),
    [
        ({"memory": True, "record": False}, False),
        ({"memory": True, "recordings": "here"}, True),
        ({"storage": "there"}, True),
        ({"storage": "there", "recordings": "here"}, True),
        ({"storage": "there", "record": False}, False),
        ({"storage": "there", "recordings": "here", "record": False}, False),
    ],
)
def test_what_is_recorded_is_the_users_choice(
    serve: Serve, tmp_path: Path, options: dict[str, Any], *, is_recorded: bool
) -> None:
    given = {name: tmp_path / value if isinstance(value, str) else value for name, value in options.items()}
    server = serve(**given)
    server.still_serves()

    path = server.pacs.recording
    assert [each.suffix for each in tmp_path.rglob("*.pcapng")] == [".pcapng"] * is_recorded
    if path is not None:
        assert path.parent == (tmp_path / "here" if "recordings" in options else tmp_path / "there" / "recordings")
        assert path.exists()
    assert (path is not None) == is_recorded


# trouble


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, pieces: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", full)


@pytest.mark.parametrize("is_secure", [False, True])
def test_when_it_cannot_be_recorded_traffic_stops(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority, *, is_secure: bool
) -> None:
    certificate, key = authority.sign("server")
    tls = {"tls_cert": certificate, "tls_key": key} if is_secure else {}
    server = Tapped(serve(storage=tmp_path / "storage", **tls))

    def connect() -> tuple[WireClient, Tap]:
        client = server.served.connect()
        if is_secure:
            client.socket = authority.client().wrap_socket(client.socket, server_hostname="127.0.0.1")
        tapped = tap(client)
        client.associate()
        return client, tapped

    (idle, heard), (client, tapped), (third, _) = connect(), connect(), connect()
    assert client.store(instance="1.2.1") == 0
    refuse(monkeypatch)
    client.send(client.echo_request())

    assert client.read() is None
    assert idle.read() is None
    assert third.read() is None
    server.served.wait_until(lambda: not server.served.connections())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.served.host, server.served.port), 20).close()
    (trouble,) = server.served.notices("trouble")
    assert trouble.text == f"the recording cannot be written: No space left on device ({server.path}); " + (
        "traffic is stopped"
    )
    with pytest.raises(RecordingError, match=r"the recording cannot be written: No space left on device"):
        server.served.pacs.stop()
    for each in (tapped, heard):
        assert bytes(only(in_file(server.path), each.port).acceptor.data) == bytes(each.heard)


def test_a_connection_that_comes_when_it_cannot_be_recorded_hears_nothing(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Tapped(serve(storage=tmp_path / "storage"))
    refuse(monkeypatch)
    heard = b""
    with suppress(OSError), WireClient(server.served.host, server.served.port) as client:
        client.send(associate_request())
        heard = client.socket.recv(1000)

    assert heard == b""
    server.served.wait_for(lambda: server.served.notices("trouble"))
    with pytest.raises(RecordingError):
        server.served.pacs.stop()
    assert in_file(server.path) == []


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux sets the limits of another process")
def test_the_program_ends_and_says_why_when_it_cannot_record(spawn: Spawn, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    server = spawn("--memory", "--recordings", str(folder))
    with server.connect() as client:
        client.associate()
        assert client.echo() == 0
        (path,) = folder.iterdir()
        limit = path.stat().st_size + 300
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        with suppress(AssertionError, OSError):
            while client.echo() == 0:
                pass
    status, said, complained = server.ended()

    assert status == 2
    assert complained == f"mockpacs: the recording cannot be written: File too large ({path})\n"
    assert any("traffic is stopped" in str(event) for event in said)
    assert len(in_file(path)) == 1


def test_a_folder_that_cannot_be_is_a_sentence_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "mockpacs", "serve", "--memory", "--port", "0"]
    ran = subprocess.run(
        [*command, "--recordings", str(tmp_path / "file" / "x")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 2
    assert ran.stderr.startswith("mockpacs: the recording cannot be written: ")
    assert "--no-record" in ran.stderr
    assert ran.stdout == ""
