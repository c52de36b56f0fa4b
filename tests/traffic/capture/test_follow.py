"""A capture that grows: what is new, nothing twice, nothing half; and a next part that appears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.traffic.capture.reader import Reader
from tests.traffic.capture.builder import (
    ACCEPTOR,
    REQUESTOR,
    Frame,
    Seen,
    Talk,
    dialogue,
    kept,
    pcap,
    pcapng,
    zipped,
)

WHOLE = ["open 1", "> question", "< answer", "> thanks", "fin >", "fin <"]


@pytest.mark.parametrize("build", [pcapng, pcap])
@pytest.mark.parametrize("step", [1, 7, 50, 1000])
def test_a_growing_file_is_told_in_pieces(tmp_path: Path, build: Callable[[list[Frame]], bytes], step: int) -> None:
    data = build(dialogue().frames)
    path = tmp_path / "growing"
    path.write_bytes(b"")
    found = []
    with Reader(path) as reader, path.open("ab", buffering=0) as file:
        assert list(reader.more()) == []
        for at in range(0, len(data), step):
            file.write(data[at : at + step])
            found += [kept(event) for event in reader.more()]
            assert list(reader.more()) == []
        assert Seen(found, reader.problems).story == WHOLE
        assert list(reader.end()) == []
        assert reader.problems == []


def test_each_block_is_told_as_soon_as_it_is_whole(tmp_path: Path) -> None:
    frames = dialogue().frames
    path = tmp_path / "growing"
    path.write_bytes(pcapng(frames[:3]))
    with Reader(path) as reader:
        told = [len(list(reader.more()))]
        for count in range(4, len(frames) + 1):
            path.write_bytes(pcapng(frames[:count]))
            told.append(len(list(reader.more())))
        assert told == [1, 1, 1, 1, 1, 1, 0]
        assert reader.position == path.stat().st_size


def test_the_end_says_what_is_open_and_what_is_half(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(pcapng(dialogue().frames[:4])[:-1])
    with Reader(path) as reader:
        assert Seen(list(reader.more()), []).story == ["open 1"]
        assert reader.problems == []
        assert Seen(list(reader.end()), []).story == ["cut"]
        assert len(reader.problems) == 1


def test_a_next_part_is_added_when_it_appears(tmp_path: Path) -> None:
    talk = Talk().open("connection 1 from a").say(REQUESTOR, b"one")
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(pcapng(talk.frames))
    head = Talk(client_next=talk.client_next - 4, server_next=talk.server_next - 1).open(
        "continues connection 1 of first"
    )
    second.write_bytes(pcapng(head.say(REQUESTOR, b"one").say(ACCEPTOR, b"two").frames))
    with Reader(first) as reader:
        assert Seen([kept(event) for event in reader.more()], []).story == ["open 1", "> one"]
        reader.add(second)
        assert Seen([kept(event) for event in reader.more()], []).story == ["< two"]
        assert reader.path == second
        assert Seen(list(reader.end()), []).story == ["cut"]


def test_a_growing_file_that_is_no_capture_is_refused_when_that_is_known(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"no")
    with Reader(path) as reader:
        assert list(reader.more()) == []
        path.write_bytes(b"no capture")
        with pytest.raises(RecordingError, match="is not a capture"):
            list(reader.more())


def test_damage_in_a_growing_file_is_skipped_when_whole_blocks_follow(tmp_path: Path) -> None:
    frames = dialogue().frames
    data = bytearray(pcapng(frames))
    at = len(pcapng(frames[:3]))
    data[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    path = tmp_path / "growing"
    path.write_bytes(data[: at + 20])
    with Reader(path) as reader:
        found = list(reader.more())
        with path.open("ab") as file:
            file.write(data[at + 20 :])
        found += [kept(event) for event in reader.more()]
        assert Seen(found, []).story == ["open 1", "< answer", "fin <"]
        assert Seen([kept(event) for event in reader.end()], []).story == ["> -8", "> thanks", "fin >"]
        assert reader.problems == [f"bytes {at} to {len(pcapng(frames[:4]))} are damaged and were skipped"]


def test_a_gzip_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "whole.gz"
    path.write_bytes(zipped(pcapng(dialogue().frames)))
    with Reader(path) as reader:
        assert len(list(reader.more())) == 6
        assert list(reader.more()) == []
