"""The bytes behind what a conversation sees are there while they may be asked for, and not longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.replay import reading, taping, watch
from mockpacs.replay.tape import Noise, Tape
from mockpacs.replay.watch import Watch
from mockpacs.traffic.capture.event import Chunk, Missing
from mockpacs.wire import encode_pdu
from mockpacs.wire.seen import GapSeen, JunkSeen, PduSeen, Seen
from tests.traffic.recording.script import ANSWER, REQUEST, SCP, SCU, Script, echo, echoed
from tests.traffic.recording.written import write

FLOW = Script().open().flow


class Told:
    """A watch, and what it told with the bytes."""

    def __init__(self) -> None:
        self.watch = Watch(from_start=True)
        self.raw: list[bytes] = []
        self.gaps: list[int] = []
        self._sequence = 1000

    def say(self, *pieces: bytes) -> Told:
        for piece in pieces:
            chunk = Chunk(FLOW, SCU, 0.0, self._sequence, piece, 0, 0, ())
            self._sequence += len(piece)
            self._settle(self.watch.take(chunk))
        return self

    def lose(self, size: int) -> Told:
        missing = Missing(FLOW, SCU, 0.0, self._sequence, size)
        self._sequence += size
        self._settle(self.watch.miss(missing))
        return self

    def finish(self) -> Told:
        self._look(self.watch.conversation.finish())
        return self

    def _settle(self, seen: list[Seen]) -> None:
        self._look(seen)
        self.watch.settle(SCU, seen)

    def _look(self, seen: list[Seen]) -> None:
        for one in seen:
            if isinstance(one, PduSeen | JunkSeen):
                self.raw.append(self.watch.raw(SCU, one.start, one.end))
            elif isinstance(one, GapSeen):
                self.gaps.append(one.end - one.start)


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_the_bytes_of_a_pdu_are_there_however_it_was_cut(size: int) -> None:
    pdus = [encode_pdu(REQUEST), echo(1), echo(2)]
    data = b"".join(pdus)
    told = Told().say(*(data[start : start + size] for start in range(0, len(data), size)))
    assert told.raw == pdus
    assert told.watch.open_at(SCU) is None


def test_what_is_not_complete_is_known_by_its_first_byte() -> None:
    told = Told().say(encode_pdu(REQUEST) + echo(1)[:9])
    start = len(encode_pdu(REQUEST))
    assert told.watch.open_at(SCU) == start
    assert told.watch.sequence(SCU, start) == 1000 + start
    assert told.finish().raw == [encode_pdu(REQUEST), echo(1)[:9]]


def test_positions_go_on_behind_a_gap() -> None:
    told = Told().say(encode_pdu(REQUEST), echo(1)[:20]).lose(len(echo(1)) - 20).say(echo(2))
    assert told.raw == [encode_pdu(REQUEST), echo(1)[:20], echo(2)]
    assert told.gaps == [len(echo(1)) - 20]


def test_of_endless_nonsense_only_the_begin_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MAX_HELD", 100)
    told = Told().say(encode_pdu(REQUEST), b"\xff" * 60, b"\xee" * 60, b"\xdd" * 60).finish()
    assert told.raw == [encode_pdu(REQUEST), b"\xff" * 60]
    told = Told().say(encode_pdu(REQUEST), b"\xff" * 60, b"\xee" * 60, b"\xdd" * 60 + echo(1) + echo(2)).say(echo(3))
    assert told.raw == [encode_pdu(REQUEST), b"\xff" * 60, echo(1), echo(2), echo(3)]


def test_more_noise_than_is_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "Allowance", lambda: taping.Allowance(50))
    script = Script()
    for number in range(3):
        script.open().say(SCU, REQUEST).say(SCP, ANSWER).say(SCU, b"\xff" * 20 + bytes([number])).close(SCP)
    script.open().associate().say(SCU, echo()).say(SCP, echoed()).release()
    with Tape.open(write(tmp_path, script).parts[0]) as tape:
        sizes = [len(step.raw) for taped in tape for step in taped.steps if isinstance(step, Noise)]
        assert sizes == [21, 21, 0]
        assert tape.problems == ["21 bytes that are no PDUs were not kept: there are too many of them"]
