"""The door: addresses, limits on the way in, and an end that leaves nobody behind."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from mockpacs.errors import StartError
from mockpacs.net import door as doors
from mockpacs.net import listener as module
from mockpacs.net.listener import Listener
from mockpacs.wire import AssociateAC, decode_pdu
from tests.net.conftest import Served
from tests.net.surroundings import PATIENCE_SECONDS, Surroundings, surroundings, until
from tests.net.wire_client import associate_request


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def on_a_listener(scene: Callable[[Surroundings, Listener], Any], **limits: Any) -> None:
    """A scene with a listener that is closed afterwards, if the scene has not done it."""

    async def run() -> None:
        async with surroundings(**limits) as around:
            listener = Listener(around.environment)
            try:
                await scene(around, listener)
            finally:
                assert await listener.close(PATIENCE_SECONDS) == 0

    asyncio.run(run())


def connected(address: tuple[str, int]) -> socket.socket:
    """The kernel completes the handshake: the listener need not have looked."""
    return socket.create_connection(address, PATIENCE_SECONDS)


def everything(client: socket.socket) -> None:
    while client.recv(1 << 20):
        pass


# addresses


def test_a_free_port_is_taken_and_told() -> None:
    async def scene(_: Surroundings, listener: Listener) -> None:
        ((host, port),) = await listener.open("127.0.0.1", 0)
        connected((host, port)).close()

        assert host == "127.0.0.1"
        assert port > 0

    on_a_listener(scene)


def test_a_name_with_several_addresses_is_served_on_each_with_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    async def several(*_: Any) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2")]

    async def scene(_: Surroundings, listener: Listener) -> None:
        addresses = await listener.open("pacs.example", 0)
        for address in addresses:
            connected(address).close()

        assert [host for host, _ in addresses] == ["127.0.0.1", "127.0.0.2"]
        assert len({port for _, port in addresses}) == 1

    monkeypatch.setattr(doors, "_resolve", several)
    on_a_listener(scene)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6_is_served_and_peers_are_written_with_brackets(serve: Callable[..., Served]) -> None:
    server = serve(host="::1")
    client = server.associate()

    assert client.echo() == 0
    server.wait_for(lambda: server.exchanges)
    assert server.exchanges[0].association.address.startswith("[::1]:")


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("203.0.113.1", ["203.0.113.1", "not an address of this machine"]),
        ("no such host", ["no such host", "cannot listen"]),
        ("pacs.invalid", ["pacs.invalid", "cannot listen"]),
    ],
)
def test_an_address_that_cannot_be_had_is_a_sentence(host: str, words: list[str]) -> None:
    async def scene(_: Surroundings, listener: Listener) -> None:
        with pytest.raises(StartError) as caught:
            await listener.open(host, 0)
        assert all(word in str(caught.value) for word in words)

    on_a_listener(scene)


def test_a_port_in_use_is_a_sentence_with_a_way_out() -> None:
    async def scene(_: Surroundings, listener: Listener) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(StartError) as caught:
            await listener.open("127.0.0.1", other.getsockname()[1])
        assert "is in use" in str(caught.value)
        assert "--port" in str(caught.value)

    on_a_listener(scene)


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "ports below 1024 need privileges"), (errno.ENOBUFS, "cannot listen on")]
)
def test_what_the_system_forbids_is_a_sentence(monkeypatch: pytest.MonkeyPatch, number: int, words: str) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, "as the system says")

    async def scene(_: Surroundings, listener: Listener) -> None:
        with monkeypatch.context() as strict:
            strict.setattr(socket.socket, "bind", refuse)
            with pytest.raises(StartError, match=words):
                await listener.open("127.0.0.1", 104)

    on_a_listener(scene)


def test_the_second_address_in_use_leaves_the_first_free(monkeypatch: pytest.MonkeyPatch) -> None:
    async def several(*_: Any) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "127.0.0.2"), (socket.AF_INET, "127.0.0.1")]

    async def scene(_: Surroundings, listener: Listener) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(StartError):
                await listener.open("pacs.example", port)
            await listener.close(PATIENCE_SECONDS)
            socket.create_server(("127.0.0.2", port)).close()

    monkeypatch.setattr(doors, "_resolve", several)
    on_a_listener(scene)


# limits


def test_the_oldest_silent_connection_makes_room_for_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPARE_CONNECTIONS", 1)

    async def scene(around: Surroundings, listener: Listener) -> None:
        ((host, port),) = await listener.open("127.0.0.1", 0)
        associated = connected((host, port))
        associated.sendall(associate_request())
        await until(lambda: len(around.notices) == 1)
        silent, newest = connected((host, port)), connected((host, port))
        await until(lambda: len(around.notices) == 2 and len(listener._connections) == 2)

        with pytest.raises(ConnectionResetError):
            silent.recv(1)
        assert isinstance(decode_pdu(2, associated.recv(10_000)[6:]), AssociateAC)
        assert any("made room" in text for text in around.notices)
        for client in (associated, silent, newest):
            client.close()

    on_a_listener(scene, max_associations=1)


def test_running_out_of_descriptors_closes_the_door_only_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "_ACCEPT_AGAIN_SECONDS", 0.0)
    really_accept = socket.socket.accept
    failures = [OSError(errno.EMFILE, "Too many open files"), ConnectionAbortedError()]

    def accept(listening: socket.socket) -> Any:
        if failures:
            raise failures.pop(0)
        return really_accept(listening)

    async def scene(around: Surroundings, listener: Listener) -> None:
        ((host, port),) = await listener.open("127.0.0.1", 0)
        monkeypatch.setattr(socket.socket, "accept", accept)
        with connected((host, port)) as client:
            client.sendall(associate_request())
            await until(lambda: any("associated" in text for text in around.notices))

        assert around.notices[0] == "cannot accept a connection: Too many open files; trying again"

    on_a_listener(scene)


@pytest.mark.parametrize(("soft", "most"), [(1024, 960), (70, 16), (-1, 100_000 - 64)])
def test_connections_leave_descriptors_for_files(monkeypatch: pytest.MonkeyPatch, soft: int, most: int) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))

    assert module.descriptor_limit() == most


def test_a_limit_that_cannot_be_raised_is_lived_with(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")

    def refuse(*_: Any) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)

    assert module.descriptor_limit() == 1024 - 64


# the end


@pytest.mark.parametrize("turns", range(6))
def test_who_comes_while_the_door_closes_is_not_left_behind(turns: int) -> None:
    """However far the loop got with a new connection: closed is closed."""

    async def scene(_: Surroundings, listener: Listener) -> None:
        ((host, port),) = await listener.open("127.0.0.1", 0)
        with connected((host, port)) as client:
            for _ in range(turns):
                await asyncio.sleep(0)
            assert await listener.close(PATIENCE_SECONDS) == 0
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connected((host, port))

    on_a_listener(scene)


def test_closing_what_was_never_open_is_harmless() -> None:
    async def scene(_: Surroundings, listener: Listener) -> None:
        assert await listener.close(0) == 0

    on_a_listener(scene)


def test_who_does_not_go_is_cut_and_counted() -> None:
    async def scene(around: Surroundings, listener: Listener) -> None:
        ((host, port),) = await listener.open("127.0.0.1", 0)
        with connected((host, port)) as client:
            client.sendall(associate_request())
            await until(lambda: around.notices)
            (acceptor,) = listener._connections
            acceptor.link.write([bytes(64 << 20)])  # more than any kernel takes from somebody whose peer does not read

            assert await listener.close(0.01) == 1
            with pytest.raises(ConnectionResetError):
                everything(client)

    on_a_listener(scene)


def test_a_crowd_larger_than_one_turn_accepts_is_served(serve: Callable[..., Served]) -> None:
    server = serve()
    crowd = [server.connect() for _ in range(200)]
    for client in crowd:
        client.send(associate_request())
    answers = [client.read() for client in crowd]

    assert all(isinstance(answer, AssociateAC) for answer in answers)
