"""Connections that we open: a link as TLS client, and destinations that speak TLS, another one, or none."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mockpacs.net.link import RECEIVE_BUFFER_SIZE, Link
from mockpacs.net.tls import client_context, server_context
from mockpacs.wire import Abort
from tests.net.certificates import Authority
from tests.net.conftest import Served
from tests.net.destination import Destination, Leg
from tests.net.retrieving import Counted, fill, final, legs, moving
from tests.net.surroundings import until
from tests.net.wire_client import WireClient

Serve = Callable[..., Served]
Make = Callable[..., Destination]
Secure = Callable[..., tuple[Served, Destination]]

MIB = 1 << 20


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def theirs(authority: Authority) -> ssl.SSLContext:
    """What a destination shows: a certificate for 127.0.0.1."""
    return server_context(*authority.sign("destination"), None)


class Called:
    """``link`` is our end of a connection that we opened; ``peer`` is who was called, and blocks."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as door:
            ours = socket.create_connection(door.getsockname(), 20)
            self.peer, _ = door.accept()
        self.peer.settimeout(20)
        ours.setblocking(False)
        buffer = memoryview(bytearray(RECEIVE_BUFFER_SIZE))
        self.link = Link(ours, self, buffer, context, server="127.0.0.1")
        self.data = bytearray()
        self.events: list[str] = []
        self.error: Exception | None = None
        self.link.open()

    def opened(self) -> None:
        self.events.append("opened")

    def received(self, data: memoryview | bytes) -> None:
        self.data += data

    def closed(self, error: Exception | None) -> None:
        self.events.append("closed")
        self.error = error

    async def greet(self, context: ssl.SSLContext) -> ssl.SSLSocket | None:
        """The handshake of the peer, in a thread; None when it fails."""

        def wrap() -> ssl.SSLSocket | None:
            try:
                return context.wrap_socket(self.peer, server_side=True)
            except (ssl.SSLError, OSError):
                return None

        return await asyncio.get_running_loop().run_in_executor(None, wrap)


def play(scene: Callable[[Called], Awaitable[None]], context: ssl.SSLContext | None = None) -> Called:
    async def run() -> Called:
        here = Called(context)
        await scene(here)
        here.link.reset()
        await until(lambda: here.events[-1:] == ["closed"])
        here.peer.close()
        return here

    return asyncio.run(run())


# the link alone


def test_without_tls_it_is_open_at_once() -> None:
    async def scene(here: Called) -> None:
        assert here.events == ["opened"]
        here.link.write([b"question"])
        assert here.peer.recv(100) == b"question"
        here.peer.sendall(b"answer")
        await until(lambda: here.data == b"answer")

    assert play(scene).events == ["opened", "closed"]


def test_with_tls_it_is_open_when_the_handshake_is_done(authority: Authority, theirs: ssl.SSLContext) -> None:
    async def scene(here: Called) -> None:
        assert here.events == []
        peer = await here.greet(theirs)
        assert peer is not None
        await until(lambda: here.events == ["opened"])
        here.link.write([b"question"])
        assert peer.recv(100) == b"question"
        peer.sendall(b"answer")
        await until(lambda: here.data == b"answer")
        peer.close()

    assert play(scene, client_context(authority.path, "name", None, None)).events == ["opened", "closed"]


def test_what_comes_with_the_end_of_the_handshake_is_not_lost(authority: Authority, theirs: ssl.SSLContext) -> None:
    async def scene(here: Called) -> None:
        def speak() -> None:
            with theirs.wrap_socket(self_peer, server_side=True) as peer:
                peer.sendall(b"first")
                peer.recv(1)

        self_peer = here.peer
        speaking = asyncio.get_running_loop().run_in_executor(None, speak)
        await until(lambda: here.data == b"first")
        assert here.events == ["opened"]
        here.link.write([b"!"])
        await speaking

    play(scene, client_context(authority.path, "name", None, None))


def test_eight_megabytes_each_way_through_tls(authority: Authority, theirs: ssl.SSLContext) -> None:
    sent = bytes(range(256)) * (8 * MIB // 256)

    async def scene(here: Called) -> None:
        peer = await here.greet(theirs)
        assert peer is not None

        def echo() -> None:
            heard = bytearray()
            while len(heard) < len(sent):
                heard += peer.recv(MIB)
            peer.sendall(heard)

        await until(lambda: here.events == ["opened"])
        here.link.write([sent])
        await asyncio.get_running_loop().run_in_executor(None, echo)
        await until(lambda: len(here.data) == len(sent))
        assert here.data == sent
        peer.close()

    play(scene, client_context(authority.path, "name", None, None))


def test_a_handshake_that_fails_is_told_and_never_open(tmp_path: Path, theirs: ssl.SSLContext) -> None:
    stranger = Authority(tmp_path, "stranger")

    async def scene(here: Called) -> None:
        await here.greet(theirs)
        await until(lambda: here.events)

    ended = play(scene, client_context(stranger.path, "name", None, None))
    assert ended.events == ["closed"]
    assert isinstance(ended.error, ssl.SSLCertVerificationError)


def test_a_handshake_that_is_cut_is_told_and_never_open(authority: Authority) -> None:
    async def scene(here: Called) -> None:
        here.peer.close()
        await until(lambda: here.events)

    assert play(scene, client_context(authority.path, "name", None, None)).events == ["closed"]


# destinations


@pytest.fixture
def secure(serve: Serve, destination: Make, authority: Authority) -> Secure:
    """``secure(tls_verify="none")``: a server, and a destination that it calls through TLS."""

    def start(there: Destination | None = None, options: dict[str, Any] | None = None, **more: Any) -> Any:
        there = there or destination()
        peer = {"aet": there.aet, "host": "127.0.0.1", "port": there.port, "tls": True, "tls_ca": str(authority.path)}
        return serve(peer=[{**peer, **more}], **(options or {})), there

    return start


def lost(client: WireClient) -> str:
    said, response, _ = final(client)
    assert said == Counted(0xA702, 0, 2, 0)
    return (response.error_comment or "").partition(": ")[2]


def told(server: Served) -> list[str]:
    return [one.text for one in server.notices() if one.association and one.association.by_us and not one.detail]


class Greeted:
    """A leg through TLS, whose handshake is done in a thread: our side of it runs in the event loop of the server."""

    def __init__(self, there: Destination, context: ssl.SSLContext) -> None:
        self._found: list[Leg | Exception] = []

        def greet() -> None:
            try:
                self._found.append(there.asked(context))
            except (OSError, AssertionError) as error:
                self._found.append(error)

        self._thread = threading.Thread(target=greet)
        self._thread.start()

    def leg(self) -> Leg:
        self._thread.join()
        (found,) = self._found
        assert isinstance(found, Leg), found
        return found

    def error(self) -> Exception:
        self._thread.join()
        (found,) = self._found
        assert isinstance(found, Exception), found
        return found


@pytest.mark.parametrize("verify", ["name", "chain", "none"])
def test_a_destination_that_speaks_tls(secure: Secure, theirs: ssl.SSLContext, verify: str) -> None:
    server, there = secure(tls_verify=verify, **({"tls_ca": None} if verify == "none" else {}))
    images = fill(server, 2)
    client = moving(server, there)
    leg = Greeted(there, theirs).leg()
    leg.accept()
    assert [data for _, _, data in leg.take(0, 0)] == images
    leg.released()

    assert final(client)[0] == Counted(0, 2, 0, 0)
    assert {one.association.secure for one in legs(server)} == {True}


@pytest.mark.parametrize("verify", ["name", "chain"])
def test_a_destination_that_nobody_vouches_for(secure: Secure, tmp_path: Path, verify: str) -> None:
    server, there = secure(tls_verify=verify)
    fill(server, 2)
    stranger = server_context(*Authority(tmp_path, "stranger").sign("destination"), None)
    client = moving(server, there)
    assert isinstance(Greeted(there, stranger).error(), OSError | AssertionError)

    assert lost(client).startswith("TLS failed: ")
    (text,) = told(server)
    assert text.startswith("TLS failed: ")
    there.nobody_came()


def test_a_destination_under_another_name(secure: Secure, theirs: ssl.SSLContext) -> None:
    server, there = secure(host="localhost", tls_verify="name")
    fill(server, 2)
    client = moving(server, there)
    Greeted(there, theirs).error()

    assert lost(client).startswith("TLS failed: ")
    assert len(told(server)) == 1


@pytest.mark.parametrize("shows_one", [True, False])
def test_a_destination_that_wants_to_see_a_certificate(secure: Secure, authority: Authority, shows_one: bool) -> None:
    """Ours is that of the server; without one it is the destination that ends the handshake."""
    strict = server_context(*authority.sign("strict"), authority.path)
    certificate, key = authority.sign("ours")
    server, there = secure()
    if shows_one:
        server.pacs.peers._certificate, server.pacs.peers._key = certificate, key
        server.pacs.peers.add(there.aet, "127.0.0.1", there.port, tls=True, tls_ca=str(authority.path))
    fill(server, 2)
    client = moving(server, there)
    greeted = Greeted(there, strict)
    if not shows_one:
        greeted.error()
        assert lost(client)
        assert len(told(server)) == 1
        return
    leg = greeted.leg()
    leg.accept()
    leg.take(0, 0)
    leg.released()
    assert final(client)[0] == Counted(0, 2, 0, 0)


def test_a_destination_that_does_not_speak_tls(secure: Secure) -> None:
    server, there = secure()
    fill(server, 2)
    client = moving(server, there)
    leg = there.connected()
    assert leg.exactly(1) == b"\x16"
    leg.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    leg.socket.close()

    assert lost(client).startswith("TLS failed: ")
    assert len(told(server)) == 1


@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_a_destination_that_ends_in_the_handshake(secure: Secure, how: str) -> None:
    server, there = secure()
    fill(server, 2)
    client = moving(server, there)
    leg = there.connected()
    assert leg.exactly(1) == b"\x16"
    if how == "RST":
        leg.reset()
    leg.socket.close()

    assert lost(client)
    assert len(told(server)) == 1
    assert client.echo() == 0


def test_a_handshake_that_stalls(secure: Secure) -> None:
    server, there = secure(options={"artim_timeout": "300ms"})
    fill(server, 2)
    client = moving(server, there)
    leg = there.connected()

    assert lost(client)
    leg.take_all()
    assert len(told(server)) == 1
    assert client.echo() == 0


def test_a_stop_while_a_handshake_stalls(secure: Secure) -> None:
    server, there = secure()
    fill(server, 2)
    client = moving(server, there)
    leg = there.connected()
    server.pacs.stop()
    server.pacs.stop()

    assert client.read_abort() == (0, 0)
    leg.take_all()


def test_no_answer_through_tls(secure: Secure, theirs: ssl.SSLContext) -> None:
    server, there = secure(options={"artim_timeout": "500ms"})
    fill(server, 2)
    client = moving(server, there)
    leg = Greeted(there, theirs).leg()
    assert isinstance(leg.read(), Abort)
    leg.socket.close()

    assert lost(client).startswith("no answer to the association request")
