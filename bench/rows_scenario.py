"""What a scenario costs: one decision of the engine. mockpacs alone, in a process without a network."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.clients import BenchError
from bench.measure import Metric, Row, Sample, Scale, at_most
from bench.peers import MOCKPACS
from bench.servers import ROOT, Peer

DECISIONS = 200_000


@contextmanager
def _deciding(_peer: Peer, scale: Scale) -> Iterator[Sample]:
    def sample() -> dict[str, float]:
        command = [sys.executable, "-m", "bench.deciding", str(scale.of(DECISIONS))]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise BenchError(f"bench.deciding: {done.stderr.strip()[-300:]}")
        values: dict[str, float] = json.loads(done.stdout)
        return values

    yield sample


ROWS = (
    Row(
        "decide",
        [Metric("decision", "scenario of 20 rules: a decision", "us", reach=[at_most(20, "us")])],
        [MOCKPACS],
        _deciding,
        expected_seconds=25,
        note="20 us are the 50 000 decisions a second asked for. Five kinds of rules with three conditions each; the "
        "data sets of two fifths of what is asked are read.",
    ),
)
