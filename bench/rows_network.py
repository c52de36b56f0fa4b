"""Associations: how fast a C-ECHO is, what idle ones cost, how long a C-ECHO waits behind 500 that store."""

import contextlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench import process
from bench.clients import Association, BenchError, echoscu, run_tool
from bench.encoding import VERIFICATION, associate_rq
from bench.measure import Metric, Row, Sample, Scale, at_most, of_time
from bench.peers import ALL, MOCKPACS, ORTHANC, STORESCP
from bench.servers import ROOT, Peer, running

ECHOES = 200
ECHOES_OF_SLOW = 20  # 75 ms each
ECHOSCUS = 10
IDLE_SECONDS = 5.0
BUSY_ASSOCIATIONS = 500
BUSY_ECHOES = 300
BUSY_PAUSE_SECONDS = 0.02  # six seconds of load, and too few echoes to be a load themselves
BUSY_SECONDS = 20.0
ASSOCIATE = associate_rq(VERIFICATION, called="BENCH")


def _echo_seconds(port: int) -> float:
    """Connect, associate, C-ECHO, release."""
    began = time.perf_counter()
    with Association(port, VERIFICATION, request=ASSOCIATE) as association:
        association.echo()
    return time.perf_counter() - began


def _echoscu_seconds(port: int) -> float:
    began = time.perf_counter()
    run_tool(echoscu(port))
    return time.perf_counter() - began


@contextmanager
def _echo(peer: Peer, scale: Scale) -> Iterator[Sample]:
    with running(peer) as server:

        def sample() -> dict[str, float]:
            raw = [_echo_seconds(server.port) for _ in range(scale.of(ECHOES_OF_SLOW if peer.is_slow else ECHOES))]
            tool = [_echoscu_seconds(server.port) for _ in range(scale.of(ECHOSCUS))]
            return {"raw": 1000 * statistics.median(raw), "echoscu": 1000 * statistics.median(tool)}

        yield sample


@contextmanager
def _idle(peer: Peer, scale: Scale, count: int) -> Iterator[Sample]:
    count = scale.of(count)
    _allow_open_files(2 * count + 200)

    def sample() -> dict[str, float]:
        with running(peer, "--max-associations", str(count + 100)) as server, contextlib.ExitStack() as stack:
            before = process.resident_mib(server.pid)
            idle = [
                stack.enter_context(Association(server.port, VERIFICATION, request=ASSOCIATE)) for _ in range(count)
            ]
            cpu_before, began = process.cpu_seconds(server.pid), time.perf_counter()
            time.sleep(IDLE_SECONDS)
            cpu = (process.cpu_seconds(server.pid) - cpu_before) / (time.perf_counter() - began)
            grown = process.resident_mib(server.pid) - before
            for association in idle:
                association.echo()  # all of them are still there
        return {"cpu": 100 * cpu, "memory": grown}

    yield sample


@contextmanager
def _idle_1000(peer: Peer, scale: Scale) -> Iterator[Sample]:
    with _idle(peer, scale, 1000) as sample:
        yield sample


@contextmanager
def _idle_5000(peer: Peer, scale: Scale) -> Iterator[Sample]:
    with _idle(peer, scale, 5000) as sample:
        yield sample


def _allow_open_files(count: int) -> None:
    """One descriptor for each association, here and in the server, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        if hard < count:
            raise BenchError(f"{count} open files are needed, the hard limit is {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


@contextmanager
def _busy(peer: Peer, scale: Scale) -> Iterator[Sample]:
    associations = scale.of(BUSY_ASSOCIATIONS)
    _allow_open_files(2 * associations + 200)

    def sample() -> dict[str, float]:
        options = ["--max-associations", str(associations + 100)]
        with running(peer, *options) as server, _load(server.port, associations) as load:
            echoes: list[float] = []
            deadline = time.perf_counter() + BUSY_SECONDS
            while len(echoes) < scale.of(BUSY_ECHOES) and time.perf_counter() < deadline:
                echoes.append(1000 * _echo_seconds(server.port))
                time.sleep(BUSY_PAUSE_SECONDS)
            rate = _ended(load)
        return {"p99": _percentile(echoes, 0.99), "median": statistics.median(echoes), "rate": rate}

    yield sample


@contextmanager
def _load(port: int, associations: int) -> Iterator["subprocess.Popen[str]"]:
    """The storing clients, in a process of their own; entered once all are busy."""
    command = [sys.executable, "-m", "bench.load", str(port), str(associations)]
    load = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert load.stdout is not None
        if load.stdout.readline() != "busy\n":
            raise BenchError(f"the storing clients did not get going within a minute (exit status {load.poll()})")
        yield load
    finally:
        load.kill()
        load.wait()


def _ended(load: "subprocess.Popen[str]") -> float:
    """Stop the storing clients; what they stored per second."""
    answer, _ = load.communicate(timeout=60)
    done = json.loads(answer)
    if done["problems"]:
        raise BenchError(f"{len(done['problems'])} storing associations failed, the first: {done['problems'][0]}")
    return float(done["stored"] / done["seconds"])


def _percentile(values: list[float], fraction: float) -> float:
    return sorted(values)[min(len(values) - 1, int(fraction * len(values)))]


ROWS = (
    Row(
        "echo",
        [
            Metric(
                "raw",
                "C-ECHO: connect, associate, echo, release (raw client)",
                "ms",
                reach=[of_time(1, ORTHANC, "Orthanc's time")],
                aim=[of_time(1, STORESCP, "storescp's time")],
            ),
            Metric("echoscu", "- the same with echoscu, its process start included", "ms"),
        ],
        ALL,
        _echo,
        expected_seconds=50,
        needs=["echoscu"],
    ),
    Row(
        "idle-1000",
        [
            Metric("cpu", "1000 idle associations: processor", "%", reach=[at_most(1, "%")]),
            Metric("memory", "- memory", "MiB", reach=[at_most(20, "MiB")]),
        ],
        [MOCKPACS],
        _idle_1000,
        expected_seconds=35,
        note="mockpacs alone: Orthanc serves 4 associations at a time, pynetdicom's servers take 10.",
    ),
    Row(
        "idle-5000",
        [
            Metric("cpu", "5000 idle associations: processor", "%", aim=[at_most(1, "%")]),
            Metric("memory", "- memory", "MiB", aim=[at_most(100, "MiB")]),
        ],
        [MOCKPACS],
        _idle_5000,
        expected_seconds=30,
        runs=3,
        note="Three runs. The memory aimed for is that of the row above times five.",
    ),
    Row(
        "echo-while-busy",
        [
            Metric("p99", "C-ECHO on a new association while 500 others store: p99", "ms", reach=[at_most(100, "ms")]),
            Metric("median", "- median", "ms"),
            Metric("rate", "- instances the others store meanwhile, per second", ""),
        ],
        [MOCKPACS],
        _busy,
        expected_seconds=55,
        note="mockpacs alone, as above. Client and server share the cores.",
    ),
)
