"""Files to packets: pcap and pcapng in every variant, cut and damaged ones, and what is no capture."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.traffic.capture.event import Chunk
from mockpacs.traffic.capture.reader import Reader, events
from tests.traffic.capture.builder import (
    CLIENT_6,
    REQUESTOR,
    SERVER_6,
    STARTED,
    Frame,
    Talk,
    block,
    dialogue,
    enhanced,
    interface,
    kept,
    option,
    pcap,
    pcapng,
    read,
    read_bytes,
    section,
    zipped,
)

WHOLE = ["open 1", "> question", "< answer", "> thanks", "fin >", "fin <"]
FORMATS: dict[str, Callable[[list[Frame]], bytes]] = {
    "pcapng big": lambda frames: pcapng(frames, order=">"),
    "pcapng little": lambda frames: pcapng(frames, order="<"),
    "pcap big": lambda frames: pcap(frames, order=">"),
    "pcap little": lambda frames: pcap(frames, order="<"),
    "pcap big nanoseconds": lambda frames: pcap(frames, order=">", nano=True),
    "pcap little nanoseconds": lambda frames: pcap(frames, order="<", nano=True),
    "pcap big patched": lambda frames: pcap(frames, order=">", patched=True),
    "pcap little patched": lambda frames: pcap(frames, order="<", patched=True),
    "pcapng gzip": lambda frames: zipped(pcapng(frames)),
    "pcap gzip": lambda frames: zipped(pcap(frames)),
}


@pytest.mark.parametrize("build", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("is_6", [False, True], ids=["IPv4", "IPv6"])
def test_every_format_tells_the_same(tmp_path: Path, build: Callable[[list[Frame]], bytes], is_6: bool) -> None:
    talk = dialogue(client=CLIENT_6, server=SERVER_6) if is_6 else dialogue()
    seen = read_bytes(tmp_path, build(talk.frames))
    assert seen.story == WHOLE
    assert seen.problems == []
    assert seen.events[0].when == STARTED + 0.5
    client, server = ("[2001:db8::1]", "[2001:db8::2]") if is_6 else ("10.0.0.1", "10.0.0.2")
    assert seen.events[0].flow == (1, f"{client}:50000", f"{server}:11112")


def test_offsets_are_those_of_the_blocks(tmp_path: Path) -> None:
    talk = dialogue()
    for data, first in ((pcapng(talk.frames), len(pcapng([]))), (pcap(talk.frames), 24)):
        chunks = [event for event in read_bytes(tmp_path, data).events if isinstance(event, Chunk)]
        assert read_bytes(tmp_path, data).events[0].offset == first  # type: ignore[union-attr]
        for chunk in chunks:
            assert bytes(chunk.data) in data[chunk.offset : chunk.end]
        assert chunks[0].end == chunks[1].offset


@pytest.mark.parametrize("build", [FORMATS["pcapng big"], FORMATS["pcapng little"], FORMATS["pcap little"]])
def test_cut_at_any_byte_all_before_the_cut_is_given(tmp_path: Path, build: Callable[[list[Frame]], bytes]) -> None:
    frames = dialogue().frames
    data = build(frames)
    ends = [len(build(frames[:count])) for count in range(len(frames) + 1)]
    stories = [read_bytes(tmp_path, build(frames[:count])).story for count in range(len(frames) + 1)]
    whole_blocks = {*ends, len(section(">"))} if data.startswith(b"\x0a") else set(ends)
    for cut in range(4, len(data)):
        seen = read_bytes(tmp_path, data[:cut])
        count = max((count for count, end in enumerate(ends) if end <= cut), default=0)
        assert seen.story == stories[count]
        assert len(seen.problems) == (cut not in whole_blocks), cut


def test_a_gzip_file_that_is_cut_gives_what_is_there(tmp_path: Path) -> None:
    talk = Talk().open()
    for _ in range(50):
        talk.say(REQUESTOR, os.urandom(1000))
    data = zipped(pcap(talk.frames))
    seen = read_bytes(tmp_path, data[: len(data) // 2])
    assert 20_000 < len(seen.bytes_of(REQUESTOR)) < 30_000
    assert any("compressed file is cut" in problem for problem in seen.problems)
    with pytest.raises(RecordingError, match="is empty; the compressed file is cut"):
        read_bytes(tmp_path, data[:12])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\x0a", "is not a capture file"),
        (b"DICM" * 100, "is not a capture file"),
        (zipped(b"no capture"), "is not a capture file"),
        (zipped(b""), "is empty"),
    ],
)
def test_what_is_no_capture_is_refused_with_a_sentence(tmp_path: Path, data: bytes, why: str) -> None:
    with pytest.raises(RecordingError, match=f"capture {why}"):
        read_bytes(tmp_path, data)


def test_what_cannot_be_opened_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        list(events(tmp_path / "missing"))
    with pytest.raises(RecordingError, match="directory"):
        list(events(tmp_path))


@pytest.mark.parametrize(
    ("resolution", "shift", "ticks", "when"),
    [
        (None, 0, 1_500_000, 1.5),
        (6, 0, 1_500_000, 1.5),
        (9, 0, 1_500_000_000, 1.5),
        (0, 0, 3, 3.0),
        (0x80 | 1, 0, 3, 1.5),
        (0x80 | 20, 0, 3 << 19, 1.5),
        (9, 1000, 1_500_000_000, 1001.5),
        (9, -1, 1_500_000_000, 0.5),
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_times_have_the_resolution_and_the_offset_of_the_interface(
    tmp_path: Path, resolution: int | None, shift: int, ticks: int, when: float, order: str
) -> None:
    data = section(order) + interface(order, resolution=resolution, shift=shift)
    seen = read_bytes(tmp_path, data + enhanced(Talk().open().frames[0], ticks, order))
    assert seen.events[0].when == when


def test_sections_and_interfaces_hold_for_what_follows_them(tmp_path: Path) -> None:
    frames = dialogue().frames
    raw, ether = frames[:3], [frame._replace(data=bytes(12) + b"\x08\x00" + frame.data) for frame in frames[3:]]
    data = section("<") + interface("<", 1) + interface("<", 101)
    data += b"".join(enhanced(frame, 10**9, "<", 1) for frame in raw)
    data += section(">") + interface(">", 101) + interface(">", 1)
    data += b"".join(enhanced(frame, 10**9, ">", 1) for frame in ether)
    seen = read_bytes(tmp_path, data)
    assert (seen.story, seen.problems) == (WHOLE, [])


@pytest.mark.parametrize("order", "<>")
def test_simple_and_obsolete_packets_are_read(tmp_path: Path, order: str) -> None:
    first, second, third, *_ = Talk().open().say(REQUESTOR, b"abc").frames[1:]
    data = section(order) + interface(order, longest=262144)
    data += enhanced(Talk().open().frames[0], 7 * 10**9, order)
    data += block(3, struct.pack(order + "I", len(first.data)) + first.data, order)
    data += block(3, struct.pack(order + "I", len(second.data)) + second.data, order)
    size, ticks = len(third.data), 9 * 10**9
    head = struct.pack(order + "HHIIII", 0, 0, ticks >> 32, ticks & 0xFFFFFFFF, size, size)
    comment = option(1, b"remark", order) + bytes(4)
    data += block(2, head + third.data + bytes(-size & 3) + comment, order)
    seen = read_bytes(tmp_path, data)
    assert seen.story == ["open 1", "> abc #remark", "cut"]
    assert [event.when for event in seen.events[:2]] == [7.0, 9.0]


def test_a_simple_packet_ends_where_the_limit_of_the_interface_is(tmp_path: Path) -> None:
    *head, last = Talk().open().say(REQUESTOR, b"abcdefgh").frames
    limit = len(last.data) - 4
    data = section("<") + interface("<", longest=limit)
    data += b"".join(enhanced(frame, 0, "<") for frame in head)
    data += block(3, struct.pack("<I", len(last.data)) + last.data[:limit], "<")
    assert read_bytes(tmp_path, data).story == ["open 1", "> abcd", "> -4", "cut"]


def test_unknown_blocks_and_options_are_skipped(tmp_path: Path) -> None:
    frames = dialogue().frames
    parts = [section(">"), block(5, bytes(20), ">"), interface(">"), block(0xBAD, b"custom  ", ">")]
    for frame in frames:
        parts += [enhanced(frame, 0, ">"), block(4, bytes(8), ">")]
    assert (seen := read_bytes(tmp_path, b"".join(parts))).story == WHOLE
    assert seen.problems == []


@pytest.mark.parametrize("size", [1, 4, 5, 200])
@pytest.mark.parametrize("flags", [True, False], ids=["with direction", "alone"])
def test_comments_of_any_length_are_read(tmp_path: Path, size: int, flags: bool) -> None:
    frames = Talk().open().frames
    last = Talk(client_next=1001, server_next=5001).say(REQUESTOR, b"x", "é" + "c" * (size - 1), "two").frames[0]
    one = last._replace(comments=last.comments[:1])
    data = pcapng(frames)
    assert read_bytes(tmp_path, data + enhanced(last, 0, ">", flags=flags)).story[1] == f"> x #é{'c' * (size - 1)} #two"
    assert read_bytes(tmp_path, data + enhanced(one, 0, ">", flags=flags)).story[1] == f"> x #é{'c' * (size - 1)}"


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("lie", [0, 4, 13, 0x7FFFFFFC, 200, 8 << 20])
def test_after_a_block_with_a_wrong_length_reading_goes_on(tmp_path: Path, order: str, lie: int) -> None:
    data = pcapng(dialogue().frames, order=order)
    whole = [event for event in read_bytes(tmp_path, data).events if isinstance(event, Chunk)]
    at = whole[1].offset
    broken = data[: at + 4] + struct.pack(order + "I", lie) + data[at + 8 :]
    seen = read_bytes(tmp_path, broken)
    assert seen.story == ["open 1", "> question", "> thanks", "fin >", "< -6", "fin <"]
    assert seen.problems == [f"bytes {at} to {whole[1].end} are damaged and were skipped"]


def test_bytes_lost_from_the_middle_of_a_file_cost_only_the_blocks_they_were_in(tmp_path: Path) -> None:
    data = pcapng(dialogue().frames)
    chunks = [event for event in read_bytes(tmp_path, data).events if isinstance(event, Chunk)]
    at = chunks[0].end - 10
    seen = read_bytes(tmp_path, data[:at] + data[at + 13 :])  # not even a multiple of four
    assert seen.story[:1] + seen.story[-3:] == ["open 1", "fin >", "< -6", "fin <"]
    assert len(seen.problems) == 1


def test_nothing_is_read_behind_damage_without_end(tmp_path: Path) -> None:
    data = pcapng(dialogue().frames[:4]) + b"\xff" * 1000
    seen = read_bytes(tmp_path, data)
    assert seen.story == ["open 1", "> question", "cut"]
    assert seen.problems == [f"the file is damaged from byte {len(data) - 1000} on, nothing behind it can be read"]
    seen = read_bytes(tmp_path, (good := pcap(dialogue().frames[:4])) + b"\xff" * 1000)
    assert seen.story == ["open 1", "> question", "cut"]
    assert seen.problems == [f"the record at byte {len(good)} claims 4294967295 bytes; nothing behind it can be read"]


def test_a_packet_that_does_not_fit_its_block_is_skipped(tmp_path: Path) -> None:
    frames = dialogue().frames
    head = struct.pack(">IIIII", 0, 0, 0, 500, 500)
    no_interface = enhanced(frames[3], 0, ">", 7)
    bad = [block(6, head + bytes(20), ">"), block(6, b"", ">"), no_interface, block(3, b"", ">"), block(2, b"", ">")]
    seen = read_bytes(tmp_path, pcapng(frames[:3]) + b"".join([*bad, *(enhanced(f, 0, ">") for f in frames[3:])]))
    assert seen.story == WHOLE
    at = len(pcapng(frames[:3]))
    assert seen.problems == [f"5 packets skipped: its block is damaged (byte {at} and later)"]


def test_any_bytes_after_a_good_begin_are_read_without_an_exception(tmp_path: Path) -> None:
    for build in (pcap, pcapng):
        data = bytearray(build(dialogue().frames))
        for at in range(24, len(data)):
            for value in (0x00, 0xFF, data[at] ^ 0x01):
                changed = bytes(data[:at]) + bytes([value]) + bytes(data[at + 1 :])
                seen = read_bytes(tmp_path, changed)
                assert len(seen.events) <= 30


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["pcapng big", "pcap little", "pcapng gzip"])
def test_a_pipe_is_read_as_it_comes(tmp_path: Path, name: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = FORMATS[name](dialogue().frames)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for at in range(0, len(data), 7):
                file.write(data[at : at + 7])

    writer = threading.Thread(target=write)
    writer.start()
    seen = read(pipe)
    writer.join()
    assert (seen.story, seen.problems) == (WHOLE, [])


def test_an_open_stream_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(pcapng(dialogue().frames))
    reader = Reader()
    reader.add_stream((tmp_path / "file").open("rb"), Path("stdin"))
    assert len([kept(event) for event in reader.end()]) == 6
    assert reader.path == Path("stdin")


def test_no_file_stays_open_when_reading_is_left_early(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(pcapng(dialogue().frames))
    found = events(tmp_path / "file")
    next(found)
    found.close()  # type: ignore[attr-defined]
    with Reader(tmp_path / "file", tmp_path / "file") as reader:
        next(reader.more())
    with pytest.raises(RecordingError):
        Reader(tmp_path / "file", tmp_path / "missing")
