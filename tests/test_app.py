"""MockPACS: started means serving, stopped means gone, in every kind of program."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS, Options
from mockpacs.archive import Archive, Spool
from mockpacs.errors import ArchiveBusyError, ConfigurationError, StartError, StopError
from mockpacs.traffic.exchange import Exchange, Notice, Record
from mockpacs.wire import Abort, AssociateAC, UserIdentity
from tests.net.wire_client import WireClient, ct_image, element

PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) - before == set()


def associated(pacs: MockPACS, **how: Any) -> WireClient:
    client = WireClient(pacs.host, pacs.port, timeout=PATIENCE_SECONDS)
    client.associate(**how)
    return client


def echo(pacs: MockPACS) -> int:
    with associated(pacs) as client:
        return client.echo()


def is_free(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS).close()
    except ConnectionRefusedError:
        return True
    return False


# starting and stopping


def test_inside_the_block_it_serves_and_outside_it_is_gone() -> None:
    with MockPACS() as pacs:
        port = pacs.port
        assert (pacs.host, pacs.aet) == ("127.0.0.1", "MOCKPACS")
        assert pacs.addresses == [("127.0.0.1", port)]
        assert echo(pacs) == 0

    assert is_free(port)
    for property_of in ("host", "port", "addresses", "archive"):
        with pytest.raises(StartError, match="does not serve"):
            getattr(pacs, property_of)


def test_a_host_name_that_has_to_be_looked_up_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with MockPACS(host="localhost") as pacs:
        assert echo(pacs) == 0

    assert set(threading.enumerate()) == before


def test_start_and_stop_without_a_block_and_stop_again() -> None:
    pacs = MockPACS()
    pacs.stop()
    assert pacs.start() is pacs
    assert echo(pacs) == 0
    pacs.stop()
    pacs.stop()


def test_a_stopped_server_can_be_started_again_and_counts_anew() -> None:
    pacs = MockPACS()
    for _ in range(2):
        with pacs:
            assert echo(pacs) == 0
        assert pacs.summary.associations == 1


def test_what_serves_cannot_be_started_again_and_goes_on_serving() -> None:
    with MockPACS() as pacs:
        with pytest.raises(StartError, match="serves already"):
            pacs.start()
        assert echo(pacs) == 0

    async def scene() -> None:
        async with MockPACS() as pacs:
            with pytest.raises(StartError, match="serves already"):
                await pacs.__aenter__()
            assert await asyncio.to_thread(echo, pacs) == 0

    asyncio.run(scene())


def test_an_error_in_the_block_stops_the_server_and_is_the_one_that_is_seen() -> None:
    pacs = MockPACS()

    def fail() -> None:
        with pacs:
            ports.append(pacs.port)
            raise ZeroDivisionError

    ports: list[int] = []
    with pytest.raises(ZeroDivisionError):
        fail()

    assert is_free(ports[0])


def test_in_a_running_loop_it_serves_in_a_thread_of_its_own_so_that_a_blocking_client_is_answered() -> None:
    async def scene() -> int:
        async with MockPACS() as pacs:
            assert echo(pacs) == 0
            return pacs.port

    assert is_free(asyncio.run(scene()))


def test_a_block_that_is_left_at_once_leaves_nothing() -> None:
    async def scene() -> None:
        before = set(threading.enumerate())
        async with MockPACS() as pacs:
            port = pacs.port
        assert set(threading.enumerate()) == before
        assert is_free(port)

    asyncio.run(scene())
    with MockPACS():
        pass


def test_from_inside_a_running_loop_the_synchronous_block_works_too() -> None:
    async def scene() -> None:
        with MockPACS() as pacs:
            assert echo(pacs) == 0

    asyncio.run(scene())


def test_several_servers_serve_side_by_side(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(MockPACS(aet=f"PACS{number}")) for number in range(5)]
        stored = [stack.enter_context(MockPACS(storage=tmp_path / name)) for name in ("one", "two")]
        assert len({pacs.port for pacs in servers + stored}) == 7
        for number, pacs in enumerate(stored):
            with associated(pacs) as client:
                for instance in range(number + 1):
                    assert client.store(ct_image(f"1.2.{instance}"), f"1.2.{instance}") == 0

        assert [pacs.archive.counts().instances for pacs in servers + stored] == [0] * 5 + [1, 2]


# what cannot start


def test_a_port_in_use_is_an_error_that_leaves_the_archive_free(tmp_path: Path) -> None:
    with MockPACS() as first:
        with pytest.raises(StartError, match="is in use"):
            MockPACS(port=first.port, storage=tmp_path).start()
        assert echo(first) == 0
    with MockPACS(storage=tmp_path) as pacs:
        assert echo(pacs) == 0


def test_a_certificate_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(StartError, match=r"missing\.pem"):
        MockPACS(tls_cert=missing, tls_key=missing).start()


def test_an_archive_that_is_in_use_is_an_error_and_its_owner_is_not_concerned(tmp_path: Path) -> None:
    with MockPACS(storage=tmp_path) as first:
        with pytest.raises(ArchiveBusyError):
            MockPACS(storage=tmp_path).start()
        assert echo(first) == 0


def test_an_impossible_option_is_an_error_before_anything_starts() -> None:
    with pytest.raises(ConfigurationError, match="no such option"):
        MockPACS(prot=104)
    with pytest.raises(ConfigurationError, match="port"):
        MockPACS(port=-1)


def test_a_start_that_failed_can_be_tried_again() -> None:
    with MockPACS() as first:
        second = MockPACS(port=first.port)
        with pytest.raises(StartError):
            second.start()
    with second:
        assert echo(second) == 0


# stopping while somebody is there


def test_everybody_associated_sees_an_abort_and_everybody_an_end() -> None:
    with MockPACS() as pacs:
        idle, silent = associated(pacs), WireClient(pacs.host, pacs.port, timeout=PATIENCE_SECONDS)
        released = associated(pacs)
        released.release()
        half = associated(pacs)
        half.send(half.echo_request()[:-3])
    with idle, silent, released, half:
        assert idle.read() == Abort(0, 0)
        assert half.read() == Abort(0, 0)
        assert [client.read() for client in (idle, half, silent, released)] == [None] * 4


def test_a_query_in_progress_does_not_hold_up_the_stop() -> None:
    data = [ct_image(f"1.2.{number}", study=f"1.2.{number}") for number in range(50)]
    with MockPACS() as pacs:
        client = associated(pacs)
        for number, image in enumerate(data):
            assert client.store(image, f"1.2.{number}") == 0
        keys = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"")
        client.send(*[client.find_request(keys) for _ in range(200)])
        assert client.response()[0].status == 0xFF00
    client.socket.close()


def test_a_peer_that_does_not_read_does_not_hold_up_the_stop() -> None:
    with MockPACS() as pacs:
        client = associated(pacs)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(client.echo_request() * 20_000)
    client.socket.close()


class Stuck:
    """An operation of the archive that does not end before the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
        self.reached, self.gate, self.ended = threading.Event(), threading.Event(), threading.Event()
        really = getattr(owner, name)

        def stuck(*arguments: Any) -> Any:
            self.reached.set()
            assert self.gate.wait(PATIENCE_SECONDS)
            try:
                return really(*arguments)
            finally:
                self.ended.set()

        monkeypatch.setattr(owner, name, stuck)


@pytest.mark.parametrize(("owner", "name", "pixels"), [(Archive, "store", 64), (Spool, "spill", 2 << 20)])
def test_a_disk_that_hangs_makes_the_stop_an_error_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, owner: type, name: str, pixels: int
) -> None:
    before = set(threading.enumerate())
    pacs = MockPACS(storage=tmp_path, stop_timeout=0.2, durability="full").start()
    stuck = Stuck(monkeypatch, owner, name)
    client = associated(pacs)
    client.send(client.store_request(ct_image(pixels=pixels)))
    assert stuck.reached.wait(PATIENCE_SECONDS)
    port = pacs.port
    with pytest.raises(StopError, match=r"after 0\.2 s something still works on the archive"):
        pacs.stop()

    assert is_free(port)
    pacs.stop()
    client.socket.close()
    stuck.gate.set()
    assert stuck.ended.wait(PATIENCE_SECONDS)
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_SECONDS)


def test_a_data_set_that_was_arriving_leaves_no_file(tmp_path: Path) -> None:
    with MockPACS(storage=tmp_path) as pacs:
        client = associated(pacs)
        client.send(client.store_request(ct_image(pixels=8 << 20))[: 4 << 20])
        assert echo(pacs) == 0
    client.socket.close()

    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_stop_in_mid_spill_waits_for_the_disk_and_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pacs = MockPACS(storage=tmp_path, stop_timeout=PATIENCE_SECONDS).start()
    slow = Stuck(monkeypatch, Spool, "spill")
    client = associated(pacs)
    client.send(client.store_request(ct_image(pixels=8 << 20))[: 2 << 20])
    assert slow.reached.wait(PATIENCE_SECONDS)
    stopping = threading.Thread(target=pacs.stop)
    stopping.start()
    assert client.read() == Abort(0, 0)
    slow.gate.set()
    stopping.join(PATIENCE_SECONDS)
    client.socket.close()

    assert list((tmp_path / "incoming").iterdir()) == []


# what it keeps and what it tells


def test_what_was_stored_is_there_after_a_restart(tmp_path: Path) -> None:
    with MockPACS(storage=tmp_path) as pacs, associated(pacs) as client:
        assert client.store() == 0
    with MockPACS(storage=tmp_path) as pacs:
        stored = pacs.archive.instance("1.2.3.4.5")

        assert stored is not None
        assert stored.read() == ct_image()


def test_in_memory_nothing_is_kept_and_nothing_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pacs = MockPACS()
    with pacs, associated(pacs) as client:
        assert client.store() == 0
    with pacs:
        assert pacs.archive.counts().instances == 0
    assert list(tmp_path.iterdir()) == []


def test_preloaded_files_are_there_from_the_start_and_bad_ones_are_told(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    source = tmp_path / "archive"
    with MockPACS(storage=source) as pacs, associated(pacs) as client:
        assert client.store() == 0
    (file,) = source.rglob("*.dcm")
    (tmp_path / "good" / "image.dcm").write_bytes(file.read_bytes())
    (tmp_path / "good" / "notes.txt").write_text("no image")
    records: list[Record] = []
    with MockPACS(preload=[tmp_path / "good"], observe=records.append) as pacs:
        assert pacs.archive.counts().instances == 1

    told = [record.text for record in records if isinstance(record, Notice)]
    assert any("notes.txt was not preloaded" in text for text in told)
    with pytest.raises(StartError, match="missing: there is no such file"):
        MockPACS(preload=[tmp_path / "missing"]).start()
    with pytest.raises(StartError, match=r"notes\.txt cannot be taken to begin with: not a DICOM file"):
        MockPACS(preload=[tmp_path / "good" / "notes.txt"]).start()


def test_the_summary_counts_while_it_serves_and_tells_the_time_in_the_end() -> None:
    with MockPACS() as pacs:
        with associated(pacs) as client:
            uids = ("1.2.1", "1.2.2", "1.2.2", "none")
            images = [ct_image(uid, patient=f"P{number}") for number, uid in enumerate(uids)]
            statuses = [client.store(image, uid) for image, uid in zip(images, uids, strict=True)]
            assert statuses == [0, 0, 0xB000, 0x0117]
            assert client.echo() == 0
            client.release()
        with associated(pacs):
            pass
        assert (pacs.summary.associations, pacs.summary.instances) == (2, 3)
        assert pacs.summary.seconds == 0

    exchanges = {service: 0 for service, _ in pacs.summary.exchanges}
    for (service, _), count in pacs.summary.exchanges.items():
        exchanges[service] += count
    assert exchanges == {"C-STORE": 4, "C-ECHO": 1}
    assert pacs.summary.exchanges["C-ECHO", "success"] == 1
    assert pacs.summary.bytes == sum(map(len, images))
    assert pacs.summary.seconds > 0


def test_an_observer_hears_every_record_in_the_loop() -> None:
    heard: list[tuple[Record, str]] = []
    with (
        MockPACS(observe=lambda record: heard.append((record, threading.current_thread().name))) as pacs,
        associated(pacs) as client,
    ):
        assert client.store() == 0
        client.release()

    assert {name for _, name in heard} == {"mockpacs"}
    assert [record.kind for record, _ in heard if isinstance(record, Notice)] == ["opened", "released"]
    assert [record.service for record, _ in heard if isinstance(record, Exchange)] == ["C-STORE"]


@pytest.mark.parametrize(("durability", "method"), [("normal", "store_at_once"), ("full", "store")])
def test_a_failure_in_the_archive_is_told_in_the_loop_and_the_next_store_works(
    monkeypatch: pytest.MonkeyPatch, durability: str, method: str
) -> None:
    heard: list[tuple[Record, str]] = []
    with (
        MockPACS(
            durability=durability, observe=lambda record: heard.append((record, threading.current_thread().name))
        ) as pacs,
        associated(pacs) as client,
    ):
        with monkeypatch.context() as broken:
            broken.setattr(Archive, method, lambda *_: 1 // 0)
            assert client.store() == 0x0110
        assert client.store() == 0

    troubles = [
        (record.text, name) for record, name in heard if isinstance(record, Notice) and record.kind == "trouble"
    ]
    assert [name for _, name in troubles] == ["mockpacs"]
    assert "ZeroDivisionError" in troubles[0][0]


def test_an_observer_that_fails_is_heard_of_and_nobody_else_suffers(caplog: pytest.LogCaptureFixture) -> None:
    def fail(record: Record) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "asyncio"), MockPACS(observe=fail) as pacs, associated(pacs) as client:
        assert [client.store(), client.echo()] == [0, 0]
        client.release()
        assert pacs.summary.instances == 1

    assert "an observer of mockpacs failed" in caplog.text


def test_options_can_be_given_whole_and_changed() -> None:
    with MockPACS(Options(port=0, memory=True, aet="WHOLE"), aet="CHANGED") as pacs:
        assert pacs.aet == "CHANGED"


@pytest.mark.parametrize(
    ("user", "identity", "is_welcome"),
    [
        ({"name": "jane", "password": "secret"}, (2, b"jane", b"secret"), True),
        ({"name": "jane", "password": "secret"}, (2, b"jane", b"guess"), False),
        ({"name": "jane"}, (1, b"jane", b""), True),
        ({"type": "jwt", "token": "a.b.c"}, (5, b"a.b.c", b""), True),
        ({"type": "jwt", "token": "a.b.c"}, (4, b"a.b.c", b""), False),
    ],
)
def test_users_of_the_options_are_those_who_may_come_in(
    user: dict[str, str], identity: tuple[int, bytes, bytes], is_welcome: bool
) -> None:
    kind, primary, secondary = identity
    with MockPACS(users=[user]) as pacs, WireClient(pacs.host, pacs.port, timeout=PATIENCE_SECONDS) as client:
        answer = client.associate(user_identity=UserIdentity(kind, True, primary, secondary))

        assert isinstance(answer, AssociateAC) is is_welcome
        if isinstance(answer, AssociateAC):
            assert answer.user.identity_response == b""


# in the foreground

_PROGRAM = """
import sys
from mockpacs import MockPACS

def ready(pacs):
    print(pacs.port, flush=True)

pacs = MockPACS(storage=sys.argv[1])
pacs.run(ready=ready, observe=lambda record: None)
print("stopped", pacs.summary.associations, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("numbers", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT] * 2, [signal.SIGTERM] * 2])
def test_in_the_foreground_it_serves_until_it_is_told_to_stop(tmp_path: Path, numbers: list[signal.Signals]) -> None:
    program = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _PROGRAM, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        assert isinstance(program.stdout, io.TextIOBase)
        line = program.stdout.readline()
        with WireClient("127.0.0.1", int(line), timeout=PATIENCE_SECONDS) as client:
            client.associate()
            assert client.store() == 0
            for number in numbers:
                program.send_signal(number)
            assert client.read() == Abort(0, 0)
            assert client.read() is None
        out, errors = program.communicate(timeout=PATIENCE_SECONDS)

    assert (program.returncode, out, errors) == (0, "stopped 1\n", "")
    with Archive.open(tmp_path) as archive:
        assert str(archive.recovery) == "", "the stop was clean"
        assert archive.counts().instances == 1


def test_in_the_foreground_a_port_in_use_is_the_error_of_the_caller() -> None:
    with MockPACS() as first, pytest.raises(StartError, match="is in use"):
        MockPACS(port=first.port).run()
