"""What recording costs, with and without in turns; and how fast a recording is read back. mockpacs alone."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.clients import BenchError, run_tool, storescu
from bench.data import LARGE, SMALL, Series, files
from bench.measure import Metric, Row, Sample, Scale, at_most
from bench.peers import MOCKPACS
from bench.servers import Peer, running, scratch_directory

READ_TIMEOUT_SECONDS = 300
FILTERED = "status:failed"


def _seconds(peer: Peer, series: Series, count: int, *options: str) -> float:
    directory = files(series, count)
    with running(peer, *options) as server:
        began = time.perf_counter()
        run_tool(storescu(server.port, directory))
        seconds = time.perf_counter() - began
        if server.stored() != count:
            raise BenchError(f"{server.stored()} instances are stored of {count}")
    return seconds


@contextmanager
def _cost(peer: Peer, scale: Scale) -> Iterator[Sample]:
    small, large = scale.of(SMALL.instances), scale.of(LARGE.instances)
    turn = 0

    def slowdown(series: Series, count: int) -> float:
        nonlocal turn
        turn += 1
        taken = {}
        for option in ("--record", "--no-record") if turn % 2 else ("--no-record", "--record"):
            taken[option] = _seconds(peer, series, count, option)
        return taken["--record"] / taken["--no-record"]

    yield lambda: {"small": slowdown(SMALL, small), "large": slowdown(LARGE, large)}


@contextmanager
def _read(peer: Peer, scale: Scale) -> Iterator[Sample]:
    """Two recordings, made once; each sample reads both in new processes."""
    with scratch_directory() as directory:
        made = {}
        for name, series, times in (("large", LARGE, 2), ("small", SMALL, 8)):
            folder = directory / name
            folder.mkdir()
            with running(peer, "--recordings", str(folder), "--on-duplicate", "keep") as server:
                for _ in range(times):
                    run_tool(storescu(server.port, files(series, scale.of(series.instances))))
            (made[name],) = folder.glob("*.pcapng")

        def sample() -> dict[str, float]:
            taken = {name: _measured(path) for name, path in made.items()}
            return {
                "large": taken["large"]["milliseconds_per_megabyte"],
                "small": taken["small"]["milliseconds_per_megabyte"],
                "exchange": taken["small"]["microseconds_per_exchange"],
            }

        yield sample


def _measured(path: object) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.reading", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=READ_TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise BenchError(f"bench.reading: {done.stderr.strip()[-300:]}")
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


ROWS = (
    Row(
        "recording",
        [
            Metric(
                "small",
                "recording on over off: C-STORE, 1000 x 12 kB",
                "x",
                reach=[at_most(1.15, "x")],
                aim=[at_most(1.05, "x")],
            ),
            Metric("large", "- 400 x 512 kB", "x", reach=[at_most(1.15, "x")], aim=[at_most(1.05, "x")]),
        ],
        [MOCKPACS],
        _cost,
        expected_seconds=100,
        runs=11,
        needs=["storescu"],
        note="mockpacs alone; each run stores with and without, one after the other, the other one first each time.",
    ),
    Row(
        "read-back",
        [
            Metric(
                "large",
                "reading a recording of 512 kB instances back, all exchanges",
                "ms/MB",
                reach=[at_most(5, "ms/MB")],
            ),
            Metric("small", "- of 12 kB instances", "ms/MB", reach=[at_most(5, "ms/MB")]),
            Metric("exchange", "- of 12 kB instances, an exchange", "us"),
        ],
        [MOCKPACS],
        _read,
        expected_seconds=40,
        needs=["storescu"],
        note="5 ms/MB are the 200 MB/s asked for. One process, from a warm page cache to the last record.",
    ),
)
