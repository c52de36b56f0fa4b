"""The ways in which half a connection ends: ours, the peer's, in which order; what is recorded of it, each FIN once."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.net.tls import server_context
from mockpacs.traffic.pcapng import ACK, FIN, RST
from mockpacs.traffic.recorder import Recorder
from tests.net.certificates import Authority
from tests.net.connected import MIB, Connected, play
from tests.net.surroundings import until
from tests.traffic.pcapng_reader import in_file, packets

Scene = Callable[[Connected], Awaitable[None]]


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path, "0")
    yield made
    made.close()


def told(recorder: Recorder, scene: Scene) -> list[str]:
    """What the recording says of a scene after the connection was opened: ``> data`` from the peer, ``< FIN`` by us."""
    play(scene, recorder)
    said = []
    for packet in packets(recorder.path)[3:]:
        flag = "RST" if packet.flags & RST else "FIN" if packet.flags & FIN else ""
        if flag or packet.payload:
            said.append(f"{'>' if packet.is_inbound else '<'} {flag or packet.payload.decode()}")
        else:
            assert packet.flags == ACK
    return said


# our half


def test_after_our_fin_the_peer_is_still_heard_until_its_own() -> None:
    async def scene(here: Connected) -> None:
        here.link.write([b"last"])
        here.link.half_close()
        here.link.half_close()
        here.link.write([b"never"])
        assert not here.link.is_open
        assert not here.link.is_gone
        assert await here.hear() == b"last"
        await here.say(b"one more thing")
        here.peer.shutdown(socket.SHUT_WR)
        await until(lambda: here.is_gone)

        assert here.link.is_gone
        assert here.error is None
        assert here.data == b"one more thing"

    play(scene)


def test_our_fin_comes_after_all_that_waits() -> None:
    async def scene(here: Connected) -> None:
        here.link.write([bytes(16 * MIB)])
        here.link.half_close()
        here.link.write([b"never"])
        await here.say(b"meanwhile")
        assert here.link.stalled_since is not None

        assert await here.hear() == bytes(16 * MIB)
        await here.say(b" and then")
        assert here.data == b"meanwhile and then"

    play(scene)


def test_half_a_close_can_be_paused_resumed_and_closed_whole() -> None:
    async def scene(here: Connected) -> None:
        here.link.half_close()
        here.link.pause()
        here.link.resume()
        await here.say(b"heard")
        here.link.close()
        await until(lambda: here.is_gone)

        assert await here.hear() == b""

    play(scene)


def test_a_close_overtakes_half_a_close_that_waits_and_loses_nothing() -> None:
    async def scene(here: Connected) -> None:
        here.link.write([bytes(16 * MIB)])
        here.link.half_close()
        here.link.close()

        assert await here.hear() == bytes(16 * MIB)
        await until(lambda: here.is_gone)
        assert here.error is None

    play(scene)


def test_half_a_close_of_what_is_closed_changes_nothing() -> None:
    async def scene(here: Connected) -> None:
        here.link.close()
        here.link.half_close()
        await until(lambda: here.is_gone)
        here.link.half_close()

        assert await here.hear() == b""

    play(scene)


def test_a_reset_is_not_softened_by_half_a_close() -> None:
    async def scene(here: Connected) -> None:
        here.link.reset()
        here.link.half_close()

        with pytest.raises(ConnectionResetError):
            await here.hear()

    play(scene)


def test_a_peer_that_resets_half_a_connection_is_noticed() -> None:
    async def scene(here: Connected) -> None:
        here.link.half_close()
        here.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        here.peer.close()
        await until(lambda: here.is_gone)

        assert isinstance(here.error, ConnectionResetError)

    play(scene)


# the peer's half


def test_a_connection_that_is_kept_open_outlives_the_fin_of_the_peer() -> None:
    async def scene(here: Connected) -> None:
        here.link.keep_open = True
        await here.say(b"bye")
        here.peer.shutdown(socket.SHUT_WR)
        await until(lambda: not here.link.is_reading)
        here.link.resume()
        assert not here.link.is_reading
        here.link.write([b"still here"])
        assert await here.hear(10) == b"still here"
        assert here.link.is_open
        here.link.close()

        assert await here.hear() == b""
        await until(lambda: here.is_gone)
        assert here.error is None

    play(scene)


def test_a_connection_that_is_kept_open_can_be_reset() -> None:
    async def scene(here: Connected) -> None:
        here.link.keep_open = True
        here.peer.shutdown(socket.SHUT_WR)
        await until(lambda: not here.link.is_reading)
        here.link.reset()

        with pytest.raises(ConnectionResetError):
            await here.hear()

    play(scene)


def test_a_connection_that_is_kept_open_ends_when_the_peer_takes_nothing_more() -> None:
    async def scene(here: Connected) -> None:
        here.link.keep_open = True
        here.peer.close()
        await until(lambda: not here.link.is_reading)
        here.link.write([b"first"])  # is answered by a reset
        await until(lambda: here.link.write([b"more"]) or here.is_gone)

        assert isinstance(here.error, OSError)

    play(scene)


@pytest.mark.parametrize("waits", [True, False])
def test_nothing_is_kept_open_when_both_have_finished(*, waits: bool) -> None:
    async def scene(here: Connected) -> None:
        here.link.keep_open = True
        if waits:
            here.link.write([bytes(16 * MIB)])
        here.link.half_close()
        here.peer.shutdown(socket.SHUT_WR)
        if waits:
            await until(lambda: not here.link.is_reading)
            assert not here.is_gone

        assert await here.hear() == bytes(16 * MIB if waits else 0)
        await until(lambda: here.is_gone)
        assert here.error is None

    play(scene)


def test_who_does_not_keep_it_open_ends_with_the_peer() -> None:
    async def scene(here: Connected) -> None:
        here.peer.shutdown(socket.SHUT_WR)
        await until(lambda: here.is_gone)

        assert await here.hear() == b""

    play(scene)


# deaf


def test_who_is_deaf_stays_so() -> None:
    async def scene(here: Connected) -> None:
        here.link.deafen()
        here.link.deafen()
        here.link.resume()
        here.peer.sendall(b"hello?")
        assert not here.link.is_reading
        here.link.write([b"said"])
        here.link.close()

        assert await here.hear() == b"said"
        assert here.data == b""

    play(scene)


# the recording


def half_closed_by_us(*, and_then: str) -> Scene:
    async def scene(here: Connected) -> None:
        here.link.write([b"last"])
        here.link.half_close()
        assert await here.hear() == b"last"
        await here.say(b"more")
        match and_then:
            case "peer":
                here.peer.shutdown(socket.SHUT_WR)
            case "close":
                here.link.close()
            case "reset":
                here.link.reset()
        await until(lambda: here.is_gone)

    return scene


def kept_open(*, and_then: str) -> Scene:
    async def scene(here: Connected) -> None:
        here.link.keep_open = True
        await here.say(b"bye")
        here.peer.shutdown(socket.SHUT_WR)
        await until(lambda: not here.link.is_reading)
        here.link.write([b"still here"])
        match and_then:
            case "close":
                here.link.close()
            case "half-close":
                here.link.half_close()
            case "reset":
                here.link.reset()
        await until(lambda: here.is_gone)

    return scene


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (half_closed_by_us(and_then="peer"), ["< last", "< FIN", "> more", "> FIN"]),
        (half_closed_by_us(and_then="close"), ["< last", "< FIN", "> more"]),
        (kept_open(and_then="close"), ["> bye", "> FIN", "< still here", "< FIN"]),
        (kept_open(and_then="half-close"), ["> bye", "> FIN", "< still here", "< FIN"]),
        (kept_open(and_then="reset"), ["> bye", "> FIN", "< still here", "< RST"]),
    ],
)
def test_each_fin_is_recorded_once_where_it_came(recorder: Recorder, scene: Scene, expected: list[str]) -> None:
    assert told(recorder, scene) == expected
    (connection,) = in_file(recorder.path)  # with all sequence numbers as they must be
    assert connection.unsent == 0


def test_a_reset_after_our_fin_is_recorded_too(recorder: Recorder) -> None:
    assert told(recorder, half_closed_by_us(and_then="reset")) == ["< last", "< FIN", "> more", "< RST"]


def test_our_fin_is_in_the_file_before_the_peer_knows_it(recorder: Recorder) -> None:
    async def scene(here: Connected) -> None:
        here.link.half_close()
        assert await here.hear() == b""

        (connection,) = in_file(recorder.path)
        assert connection.acceptor.closed == "fin"

    play(scene, recorder)


def test_the_fin_of_the_peer_is_in_the_file_while_we_keep_the_connection(recorder: Recorder) -> None:
    async def scene(here: Connected) -> None:
        here.link.keep_open = True
        here.peer.shutdown(socket.SHUT_WR)
        await until(lambda: not here.link.is_reading)

        (connection,) = in_file(recorder.path)
        assert (connection.requestor.closed, connection.acceptor.closed) == ("fin", "")

    play(scene, recorder)


def test_a_fin_that_cannot_be_recorded_becomes_a_reset(recorder: Recorder) -> None:
    async def scene(here: Connected) -> None:
        recorder.failure = RecordingError("no room")
        here.link.half_close()

        with pytest.raises(ConnectionResetError):
            await here.hear()

    play(scene, recorder)


# TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def context(authority: Authority) -> ssl.SSLContext:
    return server_context(*authority.sign("server"), None)


async def shake_hands(here: Connected, authority: Authority) -> None:
    def wrap() -> ssl.SSLSocket:
        return authority.client().wrap_socket(here.peer, server_hostname="127.0.0.1", suppress_ragged_eofs=False)

    here.peer = await asyncio.get_running_loop().run_in_executor(None, wrap)


def test_half_a_close_says_goodbye_in_tls_first_and_goes_on_listening(
    authority: Authority, context: ssl.SSLContext, recorder: Recorder
) -> None:
    async def scene(here: Connected) -> None:
        await shake_hands(here, authority)
        await here.say(b"question")
        here.link.write([b"answer"])
        here.link.half_close()
        assert await here.hear() == b"answer"  # and the end, which is not a ragged one
        await here.say(b"one more thing")
        await here.say(bytes(100_000))
        here.link.close()
        await until(lambda: here.is_gone)

        assert here.error is None

    play(scene, recorder, context)
    (connection,) = in_file(recorder.path)
    assert connection.acceptor.data == b"answer"
    assert connection.requestor.data == b"questionone more thing" + bytes(100_000)
    assert connection.acceptor.closed == "fin"


def test_a_goodbye_in_tls_is_outlived_too(authority: Authority, context: ssl.SSLContext, recorder: Recorder) -> None:
    async def scene(here: Connected) -> None:
        await shake_hands(here, authority)
        here.link.keep_open = True
        await here.say(b"bye")
        peer = here.peer
        assert isinstance(peer, ssl.SSLSocket)
        peer.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            peer.unwrap()
        peer.settimeout(20)
        socket.socket.shutdown(peer, socket.SHUT_WR)
        await until(lambda: not here.link.is_reading)
        assert not here.is_gone
        here.link.write([b"still here"])
        assert await here.hear(10) == b"still here"

    play(scene, recorder, context)
    (connection,) = in_file(recorder.path)
    assert connection.chunks == [(True, b"bye"), (False, b"still here")]
    assert connection.requestor.closed == "fin"
