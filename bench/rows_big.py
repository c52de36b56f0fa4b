"""One instance of 2 GiB, made up as it is sent: what it costs the server in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import disk_usage

from bench import process
from bench.clients import Association, BenchError
from bench.data import DATA, SMALL, Instance, instance
from bench.encoding import (
    MULTIFRAME_GRAYSCALE_BYTE_SC,
    element,
    element_header,
    p_data,
    p_data_header,
    store_rq,
    uid,
)
from bench.measure import Metric, Row, Sample, Scale, at_most
from bench.peers import MOCKPACS, ORTHANC, STORESCP
from bench.servers import Peer, Server, running

FRAME_EDGE = 16384
FRAMES = 8
PIXELS = FRAMES * FRAME_EDGE * FRAME_EDGE  # 2 GiB of one byte each
GIB = 1 << 30
MEMORY_FOR_ORTHANC = 10 * GIB  # it holds the data set several times


def big_header(frames: int, number: int = 1) -> Instance:
    """The data set up to the pixel values: what identifies it is borrowed from a small one."""
    sop_instance = f"2.25.20240607.7.{number}"
    small = instance(SMALL, 0).data_set
    study = small[small.index(element_header(0x0020000D, "UI", 0)[:6]) :]
    study = study[: study.index(element_header(0x00200010, "SH", 0)[:6])]
    elements = (
        element(0x00080016, "UI", uid(MULTIFRAME_GRAYSCALE_BYTE_SC)),
        element(0x00080018, "UI", uid(sop_instance)),
        element(0x00080020, "DA", "20240607"),
        element(0x00080060, "CS", "OT"),
        element(0x00100010, "PN", "BIG^ONE"),
        element(0x00100020, "LO", "BIG"),
        study,
        element(0x00280002, "US", b"\1\0"),
        element(0x00280004, "CS", "MONOCHROME2"),
        element(0x00280008, "IS", str(frames)),
        element(0x00280010, "US", FRAME_EDGE.to_bytes(2, "little")),
        element(0x00280011, "US", FRAME_EDGE.to_bytes(2, "little")),
        element(0x00280100, "US", b"\x08\0"),
        element(0x00280101, "US", b"\x08\0"),
        element(0x00280102, "US", b"\x07\0"),
        element(0x00280103, "US", b"\0\0"),
        element_header(0x7FE00010, "OW", frames * FRAME_EDGE * FRAME_EDGE),
    )
    return Instance(sop_instance, b"".join(elements))


def send_big(association: Association, frames: int, number: int = 1) -> None:
    """Command, header, then the same PDU of noise again and again."""
    header = big_header(frames, number)
    send = association.socket.sendall
    send(p_data(store_rq(MULTIFRAME_GRAYSCALE_BYTE_SC, header.sop_instance), is_command=True))
    send(p_data(header.data_set, is_command=False, is_last=False))
    room = min(association.max_pdu_length or GIB, 1 << 18) - 6 & ~1
    pdu = p_data_header(room, is_command=False, is_last=False) + (bytes(range(256)) * (room // 256 + 1))[:room]
    whole, rest = divmod(frames * FRAME_EDGE * FRAME_EDGE, room)
    together = max(1, (1 << 18) // len(pdu))
    for _ in range(whole // together):
        send(pdu * together)
    send(pdu * (whole % together) + p_data(bytes(rest), is_command=False))


@contextmanager
def _big(peer: Peer, scale: Scale) -> Iterator[Sample]:
    frames = scale.of(FRAMES)
    _check_room(peer, frames)

    def sample() -> dict[str, float]:
        with running(peer) as server:
            before = process.resident_mib(server.pid)
            with Association(server.port, MULTIFRAME_GRAYSCALE_BYTE_SC, timeout_seconds=300) as association:
                began = time.perf_counter()
                send_big(association, frames)
                association.expect_success("C-STORE of a big instance")
                seconds = time.perf_counter() - began
                peak = process.resident_mib(server.pid, "VmHWM")
            _check_size(server, frames)
        return {"memory": peak - before, "seconds": seconds}

    yield sample


def _check_room(peer: Peer, frames: int) -> None:
    needed = 2 * frames * FRAME_EDGE * FRAME_EDGE + GIB
    DATA.mkdir(exist_ok=True)
    if disk_usage(DATA).free < needed:
        raise BenchError(f"{needed / GIB:.0f} GiB of free disk are needed")
    if peer is ORTHANC and _available_memory() < MEMORY_FOR_ORTHANC:
        raise BenchError("Orthanc wants 10 GiB of memory for it")


def _available_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def _check_size(server: Server, frames: int) -> None:
    biggest = max(path.stat().st_size for path in server.directory.rglob("*") if path.is_file())
    if biggest < frames * FRAME_EDGE * FRAME_EDGE:
        raise BenchError(f"the biggest file of the storage has {biggest} bytes")


ROWS = (
    Row(
        "store-2gb",
        [
            Metric(
                "memory", "C-STORE of one 2 GiB instance: peak memory over the start", "MiB", reach=[at_most(64, "MiB")]
            ),
            Metric("seconds", "- time", "s"),
        ],
        [MOCKPACS, ORTHANC, STORESCP],
        _big,
        expected_seconds=60,
        runs=3,
        peer_runs=1,
        note="Three runs, one for the peers.",
    ),
)
