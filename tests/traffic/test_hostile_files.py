"""Files that somebody hands us: nothing in one is an exception, leaves its folder, or reaches a terminal as it is."""

from __future__ import annotations

import contextlib
import random
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.traffic.capture import pcap, pcapng
from mockpacs.traffic.capture.reader import events
from mockpacs.traffic.dump import detail, detail_json, pdu, walk
from mockpacs.traffic.dump.detail import Wanted
from mockpacs.traffic.dump.listing import Listing
from mockpacs.traffic.exchange import Exchange, Record
from mockpacs.traffic.export import export_objects
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.findings import render
from mockpacs.traffic.findings.inspect import inspect
from mockpacs.traffic.raw import RawReader
from mockpacs.traffic.recording.detail import read_association, read_exchange
from mockpacs.traffic.recording.recording import Recording
from mockpacs.traffic.render import as_json, line
from mockpacs.traffic.selection import chosen, chosen_by_index
from tests.net.wire_client import ct_image
from tests.traffic import hostile
from tests.traffic.capture import builder

SEED = 20260112
FUZZED_SECONDS = 3.0
ALL = Wanted(datasets=True, pdus=True, bytes=True)
FILTER = Filter.parse(["PatientName:*a*b or size:>1 or rule:* or after:14:02 or InstanceNumber:1..9"])
LONGEST_LINE = 16_000
MAGICS = {pcapng.MAGIC, *pcap.MAGICS}
_NUMBERS = (0, 1, 12, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_WORDS = (b"\x1b[31m", b"../../x", b"SQ\0\0\xff\xff\xff\xff", b"\xfe\xff\x00\xe0\xff\xff\xff\xff", b"ISO 2022 IR 87")


def lists(path: Path) -> Iterator[str]:
    """What ``show`` prints, with and without a filter, and with an index."""
    recording = Recording.open(path)
    listing = Listing(details=True)
    for record in recording.records():
        yield from (one.text for one in listing.add(record))
        yield line(record)
        as_json(record)
    yield from (one.text for one in listing.finish())
    yield from recording.problems
    found = [key_of(record) for record in chosen(recording, FILTER)]
    assert sorted(found) == sorted(key_of(record) for record in chosen_by_index(recording, FILTER))


def details(path: Path) -> Iterator[str]:
    """What ``show`` prints of exchanges and associations in full."""
    recording = Recording.open(path)
    numbers = set()
    for record in recording.records():
        if record.association:
            numbers.add(record.association.number)
        if isinstance(record, Exchange):
            _, messages, pdus = read_exchange(record)
            yield from (one.text for one in detail.lines(record, messages, pdus, ALL))
            detail_json.exchange_json(record, messages, pdus, ALL)
    for number in sorted(numbers)[:3]:
        for read in read_association(recording.parts, number):
            yield from (one.text for one in pdu.lines(read, read.when, with_bytes=True))


def findings(path: Path) -> Iterator[str]:
    """What ``show --findings`` prints."""
    yield from (render.line(finding) for finding in inspect(events(path)))


def raw(path: Path) -> Iterator[str]:
    """The packets themselves: no more than there are, and no text."""
    with contextlib.closing(RawReader(path)) as reader:
        assert sum(len(data) for _, data in reader.more()) <= path.stat().st_size
        yield from reader.problems


def objects(path: Path) -> Iterator[str]:
    """``export --objects``; everything it writes is a file in the folder."""
    folder = path.parent / "objects" / "inner"
    for one in export_objects(events(path), folder):
        assert one.path is None or one.path.parent == folder
        yield one.path.name if one.path else "-"
    assert [each for each in folder.parent.iterdir() if each != folder] == []
    assert [each for each in folder.iterdir() if each.suffix != ".dcm" or each.name.startswith(".")] == []


READERS = (lists, details, findings, raw, objects)
Reading = Callable[[Path], Iterator[str]]


def key_of(record: Record) -> tuple[object, ...]:
    if isinstance(record, Exchange):
        return record.association.number, str(record.number)
    return record.association.number if record.association else -1, record.kind + record.text


def look(reading: Reading, path: Path) -> None:
    """Read all of it; what would be printed is harmless. What does not begin as a capture does may be refused."""
    with contextlib.suppress(RecordingError) if path.read_bytes()[:4] not in MAGICS else contextlib.nullcontext():
        for text in reading(path):
            assert text.isprintable()
            assert len(text) < LONGEST_LINE


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return hostile.files(tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("reading", READERS, ids=lambda reading: reading.__name__)
def test_nothing_that_was_made_to_do_harm_does(nasty: dict[str, bytes], reading: Reading, tmp_path: Path) -> None:
    for number, data in enumerate(nasty.values()):
        path = tmp_path / str(number) / "x.pcapng"
        path.parent.mkdir()
        path.write_bytes(data)
        look(reading, path)


def test_the_nasty_files_are_read_far_enough_to_matter(nasty: dict[str, bytes], tmp_path: Path) -> None:
    unread = {"a block of 4 GiB", "an option longer than its block", "connections of nothing"}
    path = tmp_path / "x.pcapng"
    without = set()
    for name, data in nasty.items():
        path.write_bytes(data)
        if not any(isinstance(record, Exchange) for record in Recording.open(path).records()):
            without.add(name)
    assert without == unread


def test_what_inflates_without_end_takes_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "INFLATED_AT_MOST", 4 << 20)
    path = tmp_path / "x.pcapng"
    path.write_bytes(hostile.of_script(tmp_path, hostile.with_data(hostile.bomb(64), syntax=hostile.DEFLATED)))
    tracemalloc.start()
    try:
        look(details, path)
        assert tracemalloc.get_traced_memory()[1] < 48 << 20  # inflated whole it has 64
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("reading", [findings, objects], ids=lambda reading: reading.__name__)
def test_a_port_scan_takes_little_memory(reading: Reading, tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    path.write_bytes(hostile.files(tmp_path / "made")["connections of nothing"])
    tracemalloc.start()
    try:
        look(reading, path)
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The same with some damage."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 40))):
        at, far = chance.randrange(len(made) + 1), chance.choice((1, 2, 4, 16, 100, 1000))
        match chance.randrange(7):
            case 0:
                made[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del made[at : at + far]
            case 2:
                made[at:at] = chance.randbytes(far)
            case 3:
                made[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(_NUMBERS))
            case 4:
                made[at : at + 2] = struct.pack(">H", chance.choice((0, 1, 0xFFFE, 0xFFFF)))
            case 5:
                made[at:at] = made[at : at + far]
            case _:
                word = chance.choice(_WORDS)
                made[at : at + len(word)] = word
    return bytes(made[: chance.randrange(len(made) + 1)] if chance.random() < 0.1 else made)


def test_damage_of_any_kind_is_read_past(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    seeds = [
        hostile.of_script(tmp_path / "1", hostile.escapes()),
        hostile.of_script(tmp_path / "2", hostile.with_data(ct_image())),
        builder.pcapng(hostile.talk().frames, order="<", application="other"),
        builder.pcap(hostile.talk().frames),
    ]
    path = tmp_path / "fuzzed" / "x.pcapng"
    path.parent.mkdir()
    began = time.monotonic()
    count = 0
    while time.monotonic() - began < FUZZED_SECONDS or count < 10:
        count += 1
        data = mutated(chance.choice(seeds), chance)
        path.write_bytes(data)
        reading = chance.choice(READERS)
        try:
            look(reading, path)
        except Exception as error:
            error.add_note(f"seed {SEED}, file {count}, {reading.__name__}, {data.hex()}")
            raise
