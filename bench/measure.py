"""What a row of the table is, and how it is run: the servers take turns, so that drift hits all alike."""

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from shutil import which
from typing import TypeAlias

from bench.clients import BenchError
from bench.peers import MOCKPACS
from bench.servers import Peer

Sample: TypeAlias = Callable[[], dict[str, float]]  # one run: metric name -> value
Medians: TypeAlias = Mapping[str, float]  # peer name -> median


SLOW_RUNS = 3
REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for mockpacs: a number, or a fraction of what a peer measured in the same run. Less is always better."""

    text: str
    limit: float
    peer: Peer | None = None

    def met(self, medians: Medians) -> bool | None:
        """Whether it is reached; None when one of the two was not measured."""
        ours = medians.get(MOCKPACS.name)
        theirs = 1.0 if self.peer is None else medians.get(self.peer.name)
        return None if ours is None or theirs is None else ours <= self.limit * theirs


def times_rate(factor: float, peer: Peer) -> Target:
    """At least `factor` times the peer's rate: at most the inverse of its time."""
    return Target(f"{factor:g}x {peer.label}'s rate", 1 / factor, peer)


def of_time(fraction: float, peer: Peer, text: str) -> Target:
    return Target(text, fraction, peer)


def at_most(limit: float, unit: str) -> Target:
    return Target(f"{limit:g} {unit}", limit)


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table. A row that measures several things at once has several."""

    name: str
    title: str
    unit: str
    reach: Sequence[Target] = ()
    aim: Sequence[Target] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of the full work is done: 1.0, or a tenth for --quick."""

    fraction: float = 1.0

    def of(self, count: int) -> int:
        return max(1, round(count * self.fraction))


@dataclass(frozen=True, slots=True)
class Row:
    """Something to measure. `session` prepares a peer once and yields what makes one sample of it."""

    name: str
    metrics: Sequence[Metric]
    peers: Sequence[Peer]
    session: Callable[[Peer, Scale], AbstractContextManager[Sample]]
    expected_seconds: float
    runs: int = 5
    peer_runs: int | None = None  # other than mockpacs, where that would take too long
    needs: Sequence[str] = ()  # client programs
    note: str = ""

    def runs_of(self, peer: Peer) -> int:
        runs = self.runs if peer is MOCKPACS or self.peer_runs is None else self.peer_runs
        return min(runs, SLOW_RUNS) if peer.is_slow else runs


@dataclass(slots=True)
class Result:
    """All samples of a row: peer name -> metric name -> values. A peer without samples has a reason in `absent`."""

    row: Row
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def medians(self, metric: Metric) -> Medians:
        return {
            peer: statistics.median(values[metric.name])
            for peer, values in self.samples.items()
            if values.get(metric.name)
        }

    def add(self, peer: Peer, sample: dict[str, float]) -> None:
        values = self.samples.setdefault(peer.name, {})
        for name, value in sample.items():
            values.setdefault(name, []).append(value)

    def fail(self, peer: Peer, error: Exception) -> None:
        reason = " ".join(str(error).split())[-REASON_LENGTH:]
        say(f"{self.row.name:16} {peer.label}: FAILED: {reason}")
        self.samples.pop(peer.name, None)
        self.absent[peer.name] = f"failed: {reason}"
        self.failed.add(peer.name)


def run(row: Row, scale: Scale, runs: int | None) -> Result:
    """Run a row. A peer that fails is taken out and reported; the others go on."""
    result = Result(row)
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        samples = _prepared(row, scale, stack, result)
        wanted = {peer: row.runs_of(peer) if runs is None else min(runs, row.runs_of(peer)) for peer in samples}
        for number in range(max(wanted.values(), default=0)):
            for peer in _rotated([peer for peer in samples if number < wanted[peer]], number):
                if peer.name not in result.failed:
                    _take(result, peer, samples[peer], f"{number + 1}/{wanted[peer]}")
    result.seconds = time.perf_counter() - began
    return result


def _prepared(row: Row, scale: Scale, stack: contextlib.ExitStack, result: Result) -> dict[Peer, Sample]:
    """The peers that can take part, each with its session entered."""
    missing_tools = [name for name in row.needs if which(name) is None]
    samples: dict[Peer, Sample] = {}
    for peer in row.peers:
        missing = f"not installed: {', '.join(missing_tools)}" if missing_tools else peer.missing()
        if missing:
            result.absent[peer.name] = missing
            say(f"{row.name:16} {peer.label}: {missing}")
            continue
        try:
            samples[peer] = stack.enter_context(row.session(peer, scale))
        except (BenchError, OSError) as error:
            result.fail(peer, error)
    return samples


def _rotated(peers: list[Peer], number: int) -> list[Peer]:
    """Another one begins each time."""
    start = number % len(peers) if peers else 0
    return peers[start:] + peers[:start]


def _take(result: Result, peer: Peer, sample: Sample, which_run: str) -> None:
    try:
        values = sample()
    except (BenchError, OSError) as error:
        result.fail(peer, error)
        return
    result.add(peer, values)
    shown = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
    say(f"{result.row.name:16} {peer.label:20} {which_run:5} {shown}")


def say(line: str) -> None:
    """Progress; the table alone goes to standard output."""
    print(line, file=sys.stderr, flush=True)
