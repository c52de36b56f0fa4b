"""Many at once, and health checks that never say anything: the one who wants something is served at once."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest

from mockpacs.net import listener
from mockpacs.wire import AssociateAC, AssociateRJ
from tests.net.conftest import Served, stored
from tests.net.wire_client import WireClient, associate_request, ct_image


def test_twelve_that_send_one_byte_do_not_delay_the_thirteenth(server: Served) -> None:
    for byte in (b"\1", b"G", b"\x16", b"\0") * 3:
        server.connect().send(byte)
    server.still_serves()


def test_twelve_health_checks_do_not_delay_the_thirteenth(server: Served) -> None:
    for n in range(12):
        client = server.connect()
        if n % 2:
            client.reset()
        else:
            client.socket.close()
    server.still_serves()
    server.wait_until_nobody_is_connected()
    assert server.notices("aborted") == []


def test_hundreds_of_silent_connections_leave_room_for_one_who_speaks(serve: Callable[..., Served]) -> None:
    server = serve()
    openings = (b"", b"\1", associate_request()[:50], b"\1\0\0\0\1\0")
    crowd = [server.connect() for _ in range(400)]
    for n, client in enumerate(crowd):
        client.send(openings[n % len(openings)])
    speakers = [server.associate() for _ in range(100)]
    server.still_serves()
    assert {speaker.echo() for speaker in speakers} == {0}
    for client in crowd[::2]:
        client.reset()
    assert {speaker.echo() for speaker in speakers} == {0}
    server.still_serves()


def test_over_the_limit_everybody_is_told_and_those_inside_are_served(serve: Callable[..., Served]) -> None:
    server = serve(max_associations=10, artim_timeout="30s")
    inside = [server.associate() for _ in range(10)]
    outside = [server.connect() for _ in range(100)]
    assert {client.associate() for client in outside} == {AssociateRJ(2, 3, 2)}
    assert {client.echo() for client in inside} == {0}
    for client in (*inside, *outside):
        client.socket.close()
    server.wait_until_nobody_is_connected()
    server.still_serves()


def test_the_longest_silent_connection_makes_room_when_there_are_too_many(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_SPARE_CONNECTIONS", 20)
    server = serve(max_associations=10)
    first = server.associate()
    silent = [server.connect() for _ in range(100)]
    for client in silent[:70]:
        client.read_end()
    assert first.echo() == 0
    assert isinstance(silent[-1].associate(), AssociateAC)
    assert silent[-1].echo() == 0
    server.still_serves()
    assert any("made room" in notice.text for notice in server.notices("closed"))


def test_a_server_out_of_descriptors_goes_on_when_there_are_some_again(serve: Callable[..., Served]) -> None:
    resource = pytest.importorskip("resource")
    server = serve()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(20)]
        used = max(client.fileno() for client in clients) + 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
        try:
            for client in clients:
                client.settimeout(20)
                client.connect((server.host, server.port))  # the kernel's queue takes it
            server.wait_for(lambda: server.notices("trouble"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert "cannot accept a connection" in server.notices("trouble")[0].text
        server.still_serves()


def test_everybody_at_once_stores_the_same_study(serve: Callable[..., Served], tmp_path: Path) -> None:
    server = serve(storage=tmp_path / "storage")
    statuses: list[int] = []

    def store_some(number: int) -> None:
        with WireClient(server.host, server.port) as client:
            client.associate()
            for n in range(20):
                name = f"1.2.{n if n % 2 else f'{number}.{n}'}"  # half of them are everybody's
                statuses.append(client.store(ct_image(name), name))
            client.release()

    threads = [Thread(target=store_some, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [0] * 320
    assert len(stored(server.storage)) == 16 * 10 + 10
    server.still_serves()


@pytest.mark.parametrize("seed", range(3))
def test_a_crowd_that_comes_and_goes_at_random_leaves_nothing(
    serve: Callable[..., Served], tmp_path: Path, seed: int
) -> None:
    server = serve(storage=tmp_path / "storage")
    noise = random.Random(seed)
    inside: list[WireClient] = []
    for n in range(200):
        client = server.connect()
        deed = noise.randrange(6)
        if deed:
            client.associate()
        if deed == 2:
            client.send(client.store_request(ct_image(f"1.2.{n}", pixels=200_000), f"1.2.{n}")[:100_000])
        elif deed == 3:
            client.send(noise.randbytes(50))
        elif deed == 4:
            client.send(client.echo_request())
        elif deed == 5:
            assert client.store(ct_image(f"1.2.{n}"), f"1.2.{n}") == 0
        inside.append(client)
        while len(inside) > noise.randrange(1, 30):
            leaving = inside.pop(noise.randrange(len(inside)))
            if noise.randrange(2):
                leaving.reset()
            else:
                leaving.socket.close()
    for client in inside:
        client.socket.close()
    server.wait_until_nobody_is_connected()
    server.still_serves()
