"""Starting: a server process until its port is open; MockPACS in process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.clients import BenchError
from bench.measure import Metric, Row, Sample, Scale, at_most
from bench.peers import ALL, MOCKPACS
from bench.servers import ROOT, Peer, running

STARTS_IN_PROCESS = 20


@contextmanager
def _process(peer: Peer, _scale: Scale) -> Iterator[Sample]:
    def sample() -> dict[str, float]:
        with running(peer) as server:
            return {"open": 1000 * server.port_open_seconds, "answers": 1000 * server.answering_seconds}

    sample()  # so that everybody's files are in the page cache
    yield sample


@contextmanager
def _in_process(_peer: Peer, _scale: Scale) -> Iterator[Sample]:
    def sample() -> dict[str, float]:
        command = [sys.executable, "-m", "bench.inprocess", str(STARTS_IN_PROCESS)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise BenchError(f"bench.inprocess: {done.stderr.strip()[-300:]}")
        values: dict[str, float] = json.loads(done.stdout)
        return values

    yield sample


ROWS = (
    Row(
        "start",
        [
            Metric("open", "process start to port open", "ms", reach=[at_most(400, "ms")], aim=[at_most(200, "ms")]),
            Metric("answers", "- to the first C-ECHO answered", "ms"),
        ],
        ALL,
        _process,
        expected_seconds=25,
        runs=9,
    ),
    Row(
        "in-process",
        [
            Metric("start", "MockPACS in process: start", "ms", reach=[at_most(20, "ms")], aim=[at_most(5, "ms")]),
            Metric("stop", "- stop", "ms", reach=[at_most(50, "ms")], aim=[at_most(10, "ms")]),
            Metric(
                "start-http", "- with the control API: start", "ms", reach=[at_most(20, "ms")], aim=[at_most(5, "ms")]
            ),
            Metric("stop-http", "- - stop", "ms", reach=[at_most(50, "ms")], aim=[at_most(10, "ms")]),
            Metric("stop-asked", "- - stop, after a request", "ms", reach=[at_most(50, "ms")], aim=[at_most(10, "ms")]),
        ],
        [MOCKPACS],
        _in_process,
        expected_seconds=10,
        note=f"Each run: a new process, warmed up, the medians of {STARTS_IN_PROCESS}.",
    ),
)
