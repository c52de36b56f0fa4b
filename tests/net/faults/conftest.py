"""Servers that play rules, and visitors who meet them. After every fault others are served and nothing is left."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mockpacs.net.incoming import UNDECIDED
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.render import line
from tests.net.conftest import PATIENCE_SECONDS, Served
from tests.net.faults.visitor import Visitor
from tests.net.wire_client import ProposedContext
from tests.traffic.pcapng_reader import packets

Play = Callable[..., Served]
Visit = Callable[..., Visitor]


@pytest.fixture
def play(serve: Callable[..., Served]) -> Iterator[Play]:
    """``play("rules: [...]")``: a server with a scenario. Its rules must leave AFTERWARDS alone when the test is over.

    What rules did must be told in every way there is.
    """
    playing: list[Served] = []

    def start(rules: str, **options: Any) -> Served:
        playing.append(serve(rules, **options))
        return playing[-1]

    yield start
    for served in playing:
        end(served)
        told_everywhere(served)


@pytest.fixture
def visit(play: Play) -> Iterator[Visit]:
    """``visit(server)``: somebody associated with it; ``visit(server, associated=False)``: only connected."""
    visitors: list[Visitor] = []

    def start(server: Served, *contexts: ProposedContext, associated: bool = True, **how: Any) -> Visitor:
        visitors.append(Visitor(server.host, server.port, timeout=PATIENCE_SECONDS))
        if associated:
            visitors[-1].associate(*contexts, **how)
        return visitors[-1]

    yield start
    for visitor in visitors:
        visitor.socket.close()


def end(served: Served) -> None:
    """It still serves; then it stops. Harmless when repeated."""
    if served.pacs._thread is not None:
        served.still_serves()
        served.pacs.stop()


def told_everywhere(served: Served) -> None:
    """Exchanges that a rule was about, and events, are in the line and in the recording, with rule and fault."""
    assert (UNDECIDED.rule, UNDECIDED.fault) == ("", ""), "what all exchanges share was written to"
    assert served.recording is not None
    comments: dict[str, list[str]] = defaultdict(list)
    for packet in packets(served.recording):
        for comment in packet.comments:
            comments[comment.partition(" ")[0]].append(comment)
    for one in served.exchanges:
        if one.rule:
            assert f'rule "{one.rule[:50]}' in line(one)
            wanted = f'rule "{one.rule}"' + (f' fault "{one.fault}"' if one.fault else "")
            assert any(text.endswith(wanted) for text in comments[one.id]), (wanted, comments[one.id])
    for notice in served.notices("scenario"):
        assert notice.association is not None
        number = notice.association.number
        assert f"{number} scenario: {notice.text}" in comments[str(number)]


def fired(server: Served) -> list[tuple[str, str]]:
    """Rule and fault of every exchange that a rule was about, in the order in which they ended."""
    return [(one.rule, one.fault) for one in server.exchanges if one.rule]


def ended(server: Served, count: int) -> list[Exchange]:
    """The exchanges, when there are so many of RAW's."""

    def found() -> list[Exchange]:
        return [one for one in server.exchanges if one.association.calling == "RAW"]

    server.wait_for(lambda: len(found()) >= count)
    return found()


def tasks(server: Served) -> set[asyncio.Task[None]]:
    """What runs in a server now, beside its event loop."""
    return server.pacs._running.environment.tasks
