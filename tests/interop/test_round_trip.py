"""DCMTK's clients and a server that misbehaves, recorded; both played again, to one another; nothing is different."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.net.peer import Peer
from mockpacs.replay.client.run import replay
from mockpacs.replay.client.settings import Fidelity, Settings
from mockpacs.replay.diff import report
from mockpacs.replay.diff.compare import compare
from mockpacs.replay.diff.ignore import Ignored
from mockpacs.replay.tape import Tape
from tests.interop.provoking import NAMES, RETRIEVERS, hold, play, provocations, provoke, samples
from tests.interop.test_replay_server import NOT_THE_SAME
from tests.replay.served import replayed

IN_BYTES = ("small-lies-find", "tcp-half-close")
"""What is wrong in the bytes is only the same in bytes."""
DIFFERENT = {
    "garbage": "the client's own words depend on how it takes the garbage",
    "get-wrong-counters": "a lie about pending responses is not played",
    **dict.fromkeys(
        ("small-lies", "small-lies-store"),
        "an answer that nobody could read is waited for by the one, and not by the other",
    ),
    **dict.fromkeys(
        ("move-aborted", "move-destination-dies", "move-hangs", "move-last-fails", "move-no-failed-list"),
        "movescu is its own destination, and a replayed one is not there to be moved to",
    ),
    **dict.fromkeys(("move-slow", "move-some-fail", "move-wrong-counters"), "the same"),
}
"""Scenarios whose second recording is another one, and why."""


def recorded(name: str, folder: Path) -> tuple[Path, tuple[object, ...]]:
    """The recording of a scenario that was provoked, and the peers of its server."""
    files = samples(folder)
    with play(name, recordings=folder / "first") as pacs:
        if any(one.program in RETRIEVERS for one in provocations(name)):
            hold(pacs)
        for one in provocations(name):
            provoke(pacs, one, files)
        assert pacs.recording is not None
        return pacs.recording, tuple(pacs.options.peer)


def differences(first: Path, second: Path) -> list[str]:
    with Tape.open(first) as one, Tape.open(second) as other:
        found = compare(one, other, ignored=Ignored.parse([]), with_data=True)
    return [] if found.is_same else [line.text for line in report.lines(found, ("recorded", "replayed"))]


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(NOT_THE_SAME) - set(DIFFERENT)))
def test_a_dialogue_is_the_same_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # who retrieves writes there
    first, peers = recorded(name, tmp_path)
    fidelity: Fidelity = "bytes" if name in IN_BYTES else "dimse"
    settings = Settings(fidelity=fidelity, one_by_one=True, patience_seconds=20.0)
    with replayed(first, peer=peers, recordings=tmp_path / "second") as again, Tape.open(first) as tape:
        played = asyncio.run(replay(tape, Peer("ANY-SCP", again.pacs.host, again.pacs.port), settings))
        second = again.pacs.recording
    assert second is not None

    assert played.exit_status == 0, "\n".join(map(str, played.lines()))
    assert differences(first, second) == []


def test_another_dialogue_is_another() -> None:
    """So that the test above can fail."""
    assert set(DIFFERENT) <= set(NAMES)
    assert not set(DIFFERENT) & set(NOT_THE_SAME)


def test_a_difference_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, _ = recorded("disk-full", tmp_path)
    with MockPACS(recordings=tmp_path / "second") as honest, Tape.open(first) as tape:
        played = asyncio.run(replay(tape, Peer("ANY-SCP", honest.host, honest.port), Settings(patience_seconds=20.0)))
        second = honest.recording
    assert second is not None

    assert played.exit_status == 1
    assert any("A700" in line for line in differences(first, second))
