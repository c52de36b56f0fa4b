"""C-STORE with DCMTK's storescu: one association, many in parallel, with and without Nagle. Fresh storage each time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.clients import BenchError, Tool, run_tool, storescu
from bench.data import LARGE, SMALL, Series, files, shares
from bench.measure import Metric, Row, Sample, Scale, at_most, times_rate
from bench.peers import ALL, DCMQRSCP, MOCKPACS, ORTHANC, QRSCP, STORESCP
from bench.servers import Peer, Server, running

PARALLEL = 8
NAGLE_IMAGES = 250  # a quarter of what the row without Nagle sends: 90 ms each with the peers


def _check_stored(server: Server, count: int) -> None:
    stored = server.stored()
    if stored != count:
        raise BenchError(f"{count} instances were acknowledged, the storage holds {stored}")


def _store_seconds(
    peer: Peer, series: Series, count: int, *, client_as_packaged: bool = False, server_as_packaged: bool = False
) -> float:
    directory = files(series, count)
    with running(peer, as_packaged=server_as_packaged) as server:
        began = time.perf_counter()
        run_tool(storescu(server.port, directory), as_packaged=client_as_packaged)
        seconds = time.perf_counter() - began
        _check_stored(server, count)
    return seconds


@contextmanager
def _small(peer: Peer, scale: Scale) -> Iterator[Sample]:
    count = scale.of(SMALL.instances)
    files(SMALL, count)  # made before the first run, so that every run finds them in the page cache
    yield lambda: {"seconds": _store_seconds(peer, SMALL, count)}


@contextmanager
def _large(peer: Peer, scale: Scale) -> Iterator[Sample]:
    count = scale.of(LARGE.instances)
    files(LARGE, count)
    yield lambda: {"seconds": _store_seconds(peer, LARGE, count)}


@contextmanager
def _nagle(peer: Peer, scale: Scale) -> Iterator[Sample]:
    count = scale.of(NAGLE_IMAGES)
    files(SMALL, count)

    def sample() -> dict[str, float]:
        off = _store_seconds(peer, SMALL, count)
        seconds = _store_seconds(peer, SMALL, count, client_as_packaged=True, server_as_packaged=True)
        return {"seconds": seconds, "slowdown": seconds / off}

    yield sample


@contextmanager
def _nagle_client_only(peer: Peer, scale: Scale) -> Iterator[Sample]:
    count = scale.of(NAGLE_IMAGES)
    files(SMALL, count)
    yield lambda: {"seconds": _store_seconds(peer, SMALL, count, client_as_packaged=True)}


@contextmanager
def _parallel(peer: Peer, scale: Scale) -> Iterator[Sample]:
    count = scale.of(SMALL.instances)
    directories = shares(SMALL, PARALLEL, count)

    def sample() -> dict[str, float]:
        with running(peer) as server:
            began = time.perf_counter()
            clients = [Tool(storescu(server.port, directory)) for directory in directories]
            failures = [failure for client in clients if (failure := client.failure())]
            seconds = time.perf_counter() - began
            if failures:  # the time of a client that gave up says nothing
                return {"failures": float(len(failures))}
            _check_stored(server, count)
        return {"seconds": seconds, "failures": 0.0}

    yield sample


ROWS = (
    Row(
        "store-small",
        [
            Metric(
                "seconds",
                "C-STORE, 1000 x 12 kB, one association",
                "s",
                reach=[times_rate(2.5, ORTHANC)],
                aim=[times_rate(4, ORTHANC), times_rate(0.5, STORESCP)],
            )
        ],
        ALL,
        _small,
        expected_seconds=125,
        needs=["storescu"],
    ),
    Row(
        "store-large",
        [
            Metric(
                "seconds",
                "C-STORE, 400 x 512 kB, one association",
                "s",
                reach=[times_rate(2, ORTHANC)],
                aim=[times_rate(1, STORESCP)],
            )
        ],
        ALL,
        _large,
        expected_seconds=60,
        needs=["storescu"],
    ),
    Row(
        "store-nagle",
        [
            Metric(
                "seconds",
                "C-STORE, 250 x 12 kB, client and servers as packaged (Nagle on)",
                "s",
                reach=[times_rate(30, ORTHANC)],
            ),
            Metric("slowdown", "- over the same with Nagle off on both sides", "x", aim=[at_most(1.1, "x")]),
        ],
        [MOCKPACS, ORTHANC, DCMQRSCP, STORESCP],
        _nagle,
        expected_seconds=240,
        peer_runs=3,
        needs=["storescu"],
        note="250 images instead of 1000 for everybody; peers 3 runs.",
    ),
    Row(
        "store-nagle-tuned",
        [
            Metric(
                "seconds",
                "C-STORE, 250 x 12 kB, client as packaged, servers with TCP_NODELAY=1",
                "s",
            )
        ],
        [MOCKPACS, ORTHANC],
        _nagle_client_only,
        expected_seconds=50,
        peer_runs=3,
        needs=["storescu"],
        note="What a peer can do about it from its side alone.",
    ),
    Row(
        "store-parallel",
        [
            Metric(
                "seconds",
                "C-STORE, 8 associations in parallel, 8 x 125 x 12 kB",
                "s",
                reach=[times_rate(2, ORTHANC)],
            ),
            Metric("failures", "- associations that failed", "", reach=[at_most(0, "failures")]),
        ],
        [peer for peer in ALL if peer is not QRSCP],  # 18 s each time
        _parallel,
        expected_seconds=40,
        needs=["storescu"],
        note="No time where an association failed: processes of dcmqrscp that write at once spoil its index (C000).",
    ),
)
