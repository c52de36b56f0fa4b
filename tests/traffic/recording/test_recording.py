"""Recordings as files: parts, growth, cuts, what their heads say."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.traffic.exchange import Exchange, Record
from mockpacs.traffic.recording.about import about
from mockpacs.traffic.recording.recording import Recording, newest
from mockpacs.wire import CommandField as F
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import (
    FIND,
    SCP,
    SCU,
    Script,
    answer,
    ask,
    echo,
    echoed,
    exchanges,
    notices,
    records,
    store,
    stored,
)
from tests.traffic.recording.written import write, writing

IMAGE = ct_image()
IDENTIFIER = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"DOE*")


def busy(stores: int = 3) -> Script:
    """Two associations that take turns."""
    script = Script()
    lines = [script.open().associate(), script.open().associate()]
    for message_id in range(1, stores + 1):
        for line in lines:
            number, head = line.flow.number, f"{line.flow.number}.{message_id}"
            line.say(SCU, store(message_id, IMAGE), comment=f"{head} C-STORE-RQ CT1 > MOCKPACS")
            line.say(
                SCP, stored(message_id, 0xB007, f"by {number}"), comment=f'{head} C-STORE-RSP B007 x rule "r{number}"'
            )
    lines[0].say(SCU, ask(F.C_FIND_RQ, 90, FIND, IDENTIFIER))
    lines[0].say(SCP, answer(F.C_FIND_RQ, 90, FIND, 0xFF00, IDENTIFIER), answer(F.C_FIND_RQ, 90, FIND))
    for line in lines:
        line.release()
    return script


def facts(record: Record) -> tuple[object, ...]:
    """What must be the same however a recording is read."""
    one = record.association
    who = (one and one.number, one and one.calling)
    if isinstance(record, Exchange):
        counts = [(answer.status, answer.times) for answer in record.answers]
        what = (record.service, record.status, record.subject, record.comment, record.size, record.rule, record.fault)
        return (*who, record.number, *what, counts, record.command, record.context)
    return (*who, record.kind, record.text, record.detail)


def open_files() -> int:
    """How many this process has, 0 where the system does not tell."""
    known = Path("/proc/self/fd")
    return len(list(known.iterdir())) if known.exists() else 0


def told(recording: Recording) -> list[tuple[object, ...]]:
    return [facts(record) for record in recording.records()]


def test_a_recording_gives_the_records_of_what_was_said(tmp_path: Path) -> None:
    script = busy()
    recording = write(tmp_path, script)
    assert told(recording) == [facts(record) for record in records(script)]
    assert recording.problems == []
    assert [one.rule for one in exchanges(recording.records())][:2] == ["r1", "r2"]


def test_its_head_says_whose_it_is(tmp_path: Path) -> None:
    recording = write(tmp_path, busy(), facts=("scenario slow.yaml", "seed: 42"))
    known = recording.about
    assert (known.is_ours, known.version, known.scenario, known.seed) == (True, "1.2.3", "slow.yaml", "42")
    assert known.facts[0].startswith("NOT FOR CLINICAL USE")
    assert recording.ours is SCP


@pytest.mark.parametrize(
    "head", [b"", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a\0\0", b"nothing of the kind, but long enough"]
)
def test_a_file_of_others_is_not_ours(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "capture.pcap"
    path.write_bytes(head)
    assert about(path).is_ours is False


def test_a_file_that_is_not_there_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"nowhere\.pcapng"):
        Recording.open(tmp_path / "nowhere.pcapng")


def test_a_file_that_is_no_capture_is_an_error_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "text.pcapng"
    path.write_text("not a capture at all")
    with pytest.raises(RecordingError, match="is not a capture"):
        list(Recording.open(path).records())


@pytest.mark.parametrize("part_size", [1_000, 3_000, 5_000])
def test_the_first_part_stands_for_all(tmp_path: Path, part_size: int) -> None:
    script = busy()
    whole = write(tmp_path / "whole", script)
    parts = write(tmp_path / "parts", script, part_size=part_size)
    assert len(parts.parts) > 1
    assert told(parts) == told(whole)
    places = [one.place for one in exchanges(parts.records())]
    assert all(place and place.path in parts.parts and place.last in (None, *parts.parts) for place in places)
    assert len({place.path for place in places if place}) > 1


def test_parts_may_be_given_one_by_one(tmp_path: Path) -> None:
    parts = write(tmp_path, busy(), part_size=3_000)
    assert told(Recording.open(list(parts.parts))) == told(parts)


def test_a_later_part_alone_knows_its_association_and_its_numbers(tmp_path: Path) -> None:
    parts = write(tmp_path, busy(stores=30), part_size=12_000)
    whole = {one.id: facts(one) for one in exchanges(parts.records())}
    later = parts.parts[1]
    alone = Recording.open(later)
    assert alone.parts == (later,)
    found = exchanges(alone.records())
    stores = [one for one in found if one.service == "C-STORE" and one.status is not None]
    assert len(stores) > 2
    assert [facts(one) for one in stores] == [whole[one.id] for one in stores]


def test_parts_whose_first_is_gone_are_still_one_recording(tmp_path: Path) -> None:
    parts = write(tmp_path, busy(stores=8), part_size=3_000).parts
    parts[0].unlink()
    assert newest(tmp_path) == parts[1]
    assert Recording.open(parts[1]).parts == parts[1:]


def test_the_newest_recording_of_a_folder_is_its_first_part(tmp_path: Path) -> None:
    assert newest(tmp_path / "none") is None
    assert newest(tmp_path) is None
    for name in ("20250101-000000", "20260101-000000", "20260101-000000-2", "20260101-000000-10", "notes"):
        (tmp_path / f"{name}.pcapng").touch()
    assert newest(tmp_path) == tmp_path / "20260101-000000.pcapng"


def test_a_cut_anywhere_keeps_what_was_complete_before_it(tmp_path: Path) -> None:
    recording = write(tmp_path, busy(stores=1))
    data = recording.parts[0].read_bytes()
    complete = [(one.place.end, facts(one)) for one in exchanges(recording.records()) if one.place]
    assert len(complete) == 3
    path = tmp_path / "cut.pcapng"
    for size in range(4, len(data)):
        path.write_bytes(data[:size])
        found = [facts(one) for one in exchanges(Recording.open(path).records()) if one.status is not None]
        assert found == [one for end, one in complete if end <= size], size


def test_a_growing_recording_is_followed_over_its_parts(tmp_path: Path) -> None:
    script = busy(stores=4)
    expected = [facts(record) for record in records(script)]
    steps = writing(tmp_path, script, part_size=3_000)
    found: list[tuple[object, ...]] = []
    with Recording.open(next(steps)).follow() as following:
        for _ in steps:
            new = following.more()
            found += [facts(record) for record in new]
        assert found == expected
        assert following.end() == []
        assert len(following.parts) > 2
        assert following.problems == []


def test_what_is_open_when_nobody_writes_any_more_is_told_at_the_end(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, echo())
    steps = writing(tmp_path, script)
    with Recording.open(next(steps)).follow() as following:
        list(steps)
        assert [record.kind for record in following.more() if not isinstance(record, Exchange)] == ["opened"]
        last = following.end()
    assert notices(last) == [("closed", "the recording ended while the connection was open")]
    assert [one.status for one in exchanges(last)] == [None]


def test_requests_are_heard_of_before_their_records(tmp_path: Path) -> None:
    recording = write(tmp_path, busy(stores=2))
    heads: dict[str, bytes] = {}
    for one in exchanges(recording.records(on_request=lambda exchange, head: heads.update({exchange.id: head}))):
        assert heads.pop(one.id) == (IDENTIFIER if one.service == "C-FIND" else IMAGE)
    assert heads == {}


def test_reading_lets_go_of_its_files(tmp_path: Path) -> None:
    recording = write(tmp_path, busy(), part_size=3_000)
    before = open_files()
    list(recording.records())
    reading = recording.records()
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert open_files() <= before


def test_a_single_echo_of_others_is_read_from_a_classic_capture(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, echo()).say(SCP, echoed()).release()
    recording = write(tmp_path, script)
    data = bytearray(recording.parts[0].read_bytes())
    data = data.replace(b"mockpacs 1.2.3", b"other    1.2.3")
    path = tmp_path / "other.pcapng"
    path.write_bytes(data)
    other = Recording.open(path)
    assert other.ours is None
    (one,) = exchanges(other.records())
    assert (one.status, one.association.server) == (0, "10.0.0.2:11112")
