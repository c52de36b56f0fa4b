"""Captures cut into blocks: nothing is lost, nothing is changed, each packet knows its connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.traffic.capture.event import Opened
from mockpacs.traffic.raw import RawReader
from tests.traffic.capture.builder import CLIENT, Talk, dialogue, pcap, pcapng, zipped

OTHER = ("10.0.0.9", 40000)


def pieces(reader: RawReader) -> list[tuple[int | None, bytes]]:
    return [(number, bytes(data)) for number, data in reader.more()]


def capture() -> list[Talk]:
    return [dialogue(client=CLIENT), dialogue(client=OTHER), dialogue(client=CLIENT)]


FRAMES = [frame for talk in capture() for frame in talk.frames]


@pytest.mark.parametrize("data", [pcapng(FRAMES), pcap(FRAMES)], ids=["pcapng", "pcap"])
def test_the_pieces_together_are_the_file_also_when_it_is_compressed(data: bytes, tmp_path: Path) -> None:
    for name, stored in (("plain", data), ("zipped", zipped(data))):
        path = tmp_path / name
        path.write_bytes(stored)
        reader = RawReader(path)
        found = pieces(reader)
        reader.close()
        assert b"".join(piece for _, piece in found) == data
        assert {number for number, _ in found} == {None, 1, 2, 3}


def test_a_file_that_grows_is_read_further_and_whole_blocks_only(tmp_path: Path) -> None:
    data = pcapng(FRAMES)
    path = tmp_path / "growing.pcapng"
    seen: list[object] = []
    with path.open("wb", buffering=0) as file:
        file.write(data[:100])
        reader = RawReader(path, seen.append)
        got = [piece for _, piece in pieces(reader)]
        for start in range(100, len(data), 100):
            file.write(data[start : start + 100])
            got += [piece for _, piece in pieces(reader)]
    reader.close()
    assert b"".join(got) == data
    assert sum(isinstance(event, Opened) for event in seen) == 3


def test_the_next_part_goes_on_with_the_same_connections(tmp_path: Path) -> None:
    talk = dialogue()
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_bytes(pcapng(talk.frames[:4]))
    second.write_bytes(pcapng(talk.frames[4:]))
    reader = RawReader(first)
    numbers = [number for number, _ in pieces(reader)]
    reader.turn_to(second)
    numbers += [number for number, _ in pieces(reader)]
    reader.close()
    assert {number for number in numbers if number} == {1}


def test_what_is_no_capture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello world")
    reader = RawReader(tmp_path / "text")
    with pytest.raises(RecordingError, match="is not a capture file"):
        pieces(reader)
    reader.close()
