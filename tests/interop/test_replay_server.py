"""Every shipped scenario is provoked by DCMTK, recorded, and played again: its clients see no difference."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.replay.server import Choices, compiled, written
from mockpacs.replay.tape import Tape
from mockpacs.serving import Play
from tests.interop.programs import Ran
from tests.interop.provoking import NAMES, RETRIEVERS, answers, hold, play, provocations, provoke, samples

NOT_THE_SAME = {
    "find-cancel-ignored": "it goes on for as long as the client is there",
    "find-cancel-late": "how many matches come before the cancel depends on the client",
    "find-for-ever": "it goes on for as long as the client is there",
    "move-for-ever": "it goes on for as long as the client is there",
    "find-goes-on": "how much comes after the end depends on when the client is gone",
    "move-cancel-ignored": "whether the cancel comes in time depends on the client",
    "chaos-monday": "it is made of chance, and of clients that come at the same time",
    "abort-mid-store": "where the client is when it hears of the end depends on the machine",
    "pulled-cable": "the same",
    "tcp-fin": "the same",
    "tcp-reset": "the same",
    "tcp-refused": "a connection that is refused is not in a recording",
    "tcp-stops-reading": "the client gives up when its own buffers are full",
    "broken-pdus": "a message that is wrong in its fragments alone is read, and played as it is meant",
    "unknown-context-id": "an answer with other identifiers of contexts than those proposed",
    "tls-expired-certificate": "what is inside of TLS is recorded",
    "tls-not-spoken": "the same",
    "tls-stall": "the same",
    "tls-wrong-name": "the same",
}
"""Scenarios whose clients may see something else, and why."""
_WORDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4} |\d{4,}")


def heard(name: str, pacs: MockPACS, files: dict[str, Path]) -> list[Ran]:
    return [provoke(pacs, one, files) for one in provocations(name)]


def told(all_ran: Sequence[Ran]) -> list[tuple[list[str], list[str]]]:
    """The answers, and all errors, without numbers that differ from run to run."""
    return [
        (answers(ran), [_WORDS.sub("", line) for line in ran.text.splitlines() if line[:2] == "E:"]) for ran in all_ran
    ]


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(NOT_THE_SAME)))
def test_clients_see_the_same_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # who retrieves writes there
    files = samples(tmp_path)
    is_retrieve = any(one.program in RETRIEVERS for one in provocations(name))
    with play(name, recordings=tmp_path / "recordings") as pacs:
        if is_retrieve:
            hold(pacs)
        first = heard(name, pacs, files)
        recording = pacs.recording
    assert recording is not None
    with Tape.open(recording) as tape:
        made = compiled(tape, Choices())
        peer = tuple(pacs.options.peer)
        with MockPACS(peer=peer, play=Play(made.script, made.fill)) as again:
            second = heard(name, again, files)
        written(made, tmp_path / "written")
    with MockPACS(tmp_path / "written" / "scenario.yaml", peer=peer) as again:
        third = heard(name, again, files)

    assert told(first) == told(second)
    assert told(first) == told(third)


@pytest.mark.parametrize("name", sorted(NOT_THE_SAME))
def test_nothing_crashes_where_it_cannot_be_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes on for ever cannot be played for ever; but it can be compiled."""
    monkeypatch.chdir(tmp_path)
    files = samples(tmp_path)
    with play(name, recordings=tmp_path / "recordings") as pacs:
        for one in provocations(name)[:1]:
            provoke(pacs, one, files, seconds=1.0)
        recording = pacs.recording
    assert recording is not None
    with Tape.open(recording) as tape:
        written(compiled(tape), tmp_path / "written")


def test_every_exception_is_a_shipped_scenario() -> None:
    assert set(NOT_THE_SAME) <= set(NAMES)
