"""C-GET and C-MOVE of a study, and the memory they take. Only the retrieve is timed; the study was stored before."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import disk_usage

from bench import process
from bench.clients import Association, BenchError, getscu, movescu, run_tool, storescu
from bench.data import DATA, LARGE, UID_ROOT, files, instance
from bench.encoding import CT_IMAGE_STORAGE, MULTIFRAME_GRAYSCALE_BYTE_SC, message, store_rq
from bench.measure import Metric, Row, Sample, Scale, at_most, times_rate
from bench.peers import DCMQRSCP, DESTINATION, MOCKPACS, ORTHANC, STORESCP, knowing
from bench.rows_big import FRAME_EDGE, send_big
from bench.servers import Peer, Server, running, scratch_directory

STUDY = f"{UID_ROOT}.2.1"
BIG_STUDY = f"{UID_ROOT}.1.1"  # of the instances of rows_big, which borrow it from a small one
RAM = Path("/dev/shm")
BIG_INSTANCES, BIG_FRAMES = 4, 2  # 512 MiB each
SMALL_INSTANCES = 4000  # 512 KiB each


def _fill(server: Server, count: int) -> None:
    run_tool(storescu(server.port, files(LARGE, count)))
    if server.stored() != count:
        raise BenchError(f"{count} instances were stored, the storage holds {server.stored()}")


def _check_received(folder: Path, count: int) -> None:
    """That all came, and whole; then the folder is emptied."""
    sizes = [path.stat().st_size for path in folder.iterdir()]
    if len(sizes) != count:
        raise BenchError(f"{len(sizes)} instances of {count} arrived")
    if min(sizes) < LARGE.rows * LARGE.columns * 2:
        raise BenchError(f"an instance of {min(sizes)} bytes arrived")
    for path in folder.iterdir():
        path.unlink()


@contextmanager
def _memory_folder() -> Iterator[Path]:
    """Where clients write what they receive: in memory if there is such a place, so that their disk is not measured."""
    with tempfile.TemporaryDirectory(dir=RAM if RAM.is_dir() else None) as name:
        yield Path(name)


def _destination(*options: str | Path) -> Peer:
    """DCMTK's storescp as the move destination of all."""

    def command(_directory: Path, port: int) -> list[str]:
        return ["storescp", *map(str, options), str(port)]

    return replace(STORESCP, command=command)


@contextmanager
def _get(peer: Peer, scale: Scale) -> Iterator[Sample]:
    count = scale.of(LARGE.instances)
    with _memory_folder() as folder, running(peer) as server:
        _fill(server, count)

        def sample() -> dict[str, float]:
            began = time.perf_counter()
            run_tool(getscu(server.port, STUDY, "+B", "-od", folder))
            seconds = time.perf_counter() - began
            _check_received(folder, count)
            return {"seconds": seconds}

        yield sample


@contextmanager
def _move(peer: Peer, scale: Scale) -> Iterator[Sample]:
    count = scale.of(LARGE.instances)
    with (
        _memory_folder() as folder,
        running(_destination("+B", "-od", folder)) as destination,
        running(knowing(peer, destination.port)) as server,
    ):
        _fill(server, count)

        def sample() -> dict[str, float]:
            began = time.perf_counter()
            run_tool(movescu(server.port, STUDY, DESTINATION))
            seconds = time.perf_counter() - began
            _check_received(folder, count)
            return {"seconds": seconds}

        yield sample


def _stored_much(server: Server, big: int, small: int) -> None:
    """Few instances that are large, and many: what is kept of each of them would show as well."""
    with Association(server.port, MULTIFRAME_GRAYSCALE_BYTE_SC) as association:
        for number in range(big):
            send_big(association, BIG_FRAMES, number + 1)
            association.expect_success("C-STORE of a big instance")
    original = instance(LARGE, 0)
    with Association(server.port, CT_IMAGE_STORAGE) as association:
        for number in range(small):
            name = f"{UID_ROOT}.6.{10_000 + number}"  # as long as the one it replaces
            data_set = original.data_set.replace(original.sop_instance.encode(), name.encode())
            command = store_rq(CT_IMAGE_STORAGE, name)
            association.socket.sendall(message(command, data_set, association.max_pdu_length))
            association.expect_success("C-STORE")
    if server.stored() != big + small:
        raise BenchError(f"{big + small} instances were stored, the storage holds {server.stored()}")


@contextmanager
def _memory(peer: Peer, scale: Scale) -> Iterator[Sample]:
    """The archive is filled once; each retrieve has a server process of its own on it."""
    big, small = scale.of(BIG_INSTANCES), scale.of(SMALL_INSTANCES)
    both = f"{STUDY}\\{BIG_STUDY}"
    size = big * BIG_FRAMES * FRAME_EDGE**2 + small * LARGE.rows * LARGE.columns * 2
    DATA.mkdir(exist_ok=True)
    if disk_usage(DATA).free < 4 * size:  # the archive, and the recordings of both retrieves
        raise BenchError(f"{4 * size >> 30} GiB of free disk are needed")
    with scratch_directory() as directory, running(_destination("+B", "--ignore")) as destination:
        knows = knowing(peer, destination.port)
        with running(knows, "--no-record", directory=directory) as server:
            _stored_much(server, big, small)

        def peak(retrieve: Callable[[int], list[str | Path]]) -> tuple[float, float]:
            with running(knows, directory=directory) as server:
                before = process.resident_mib(server.pid)
                began = time.perf_counter()
                run_tool(retrieve(server.port))
                seconds = time.perf_counter() - began
                highest = process.resident_mib(server.pid, "VmHWM")
            if f"{big + small} completed" not in server.log_tail():  # nothing is kept where it arrives
                raise BenchError(f"not all of {big + small} instances were sent: {server.log_tail()}")
            return highest - before, seconds

        def sample() -> dict[str, float]:
            get, get_seconds = peak(lambda port: getscu(port, both, "--ignore"))
            move, move_seconds = peak(lambda port: movescu(port, both, DESTINATION))
            return {"get": get, "get-seconds": get_seconds, "move": move, "move-seconds": move_seconds}

        yield sample


ROWS = (
    Row(
        "get-large",
        [Metric("seconds", "C-GET, 400 x 512 kB, one study", "s", reach=[times_rate(2, ORTHANC)])],
        [MOCKPACS, ORTHANC, DCMQRSCP],
        _get,
        expected_seconds=25,
        needs=["storescu", "getscu"],
    ),
    Row(
        "move-large",
        [Metric("seconds", "C-MOVE, 400 x 512 kB, one study", "s", reach=[times_rate(2, ORTHANC)])],
        [MOCKPACS, ORTHANC, DCMQRSCP],
        _move,
        expected_seconds=25,
        needs=["storescu", "movescu", "storescp"],
    ),
    Row(
        "retrieve-memory",
        [
            Metric(
                "get",
                "C-GET of 4 GiB, of 512 MiB and 512 kB instances: peak memory over the start",
                "MiB",
                reach=[at_most(64, "MiB")],
            ),
            Metric("get-seconds", "- time", "s"),
            Metric("move", "- C-MOVE of the same", "MiB", reach=[at_most(64, "MiB")]),
            Metric("move-seconds", "- - time", "s"),
        ],
        [MOCKPACS],
        _memory,
        expected_seconds=60,
        runs=1,
        needs=["getscu", "movescu", "storescp"],
        note="mockpacs alone, one run: four instances of 512 MiB and 4000 of 512 kB.",
    ),
)
