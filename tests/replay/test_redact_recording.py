"""Recordings written anew: nothing of the original in the bytes, and the same conversation when they are read."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.errors import RecordingError
from mockpacs.replay.redact.disguise import Disguise
from mockpacs.replay.redact.redaction import redact
from mockpacs.replay.redact.report import Report
from mockpacs.traffic import comment
from mockpacs.traffic.capture.event import Chunk, Closed, Missing
from mockpacs.traffic.capture.reader import events
from mockpacs.traffic.exchange import Exchange, Notice
from mockpacs.traffic.recording.detail import read_association
from mockpacs.traffic.recording.recording import Recording
from mockpacs.wire import CommandField as F
from mockpacs.wire import PDataTF, Role, Tag, UserIdentity, encode_pdu
from mockpacs.wire.pdata import decode_pdvs
from tests.net.wire_client import ct_image, element
from tests.traffic import hostile
from tests.traffic.capture import builder
from tests.traffic.recording.script import (
    ANSWER,
    CT,
    FIND,
    MOVE,
    REQUEST,
    SCP,
    SCU,
    Script,
    answer,
    ask,
    command,
    echo,
    echoed,
    message,
    store,
    stored,
)
from tests.traffic.recording.written import write

HEAD = 300
"""Bytes of section and interface; a file in which they are damaged is no capture."""
KEY = b"a key of the tests"
DISGUISE = Disguise(KEY)
UID = "1.2.826.0.1.3680043.8.498.4711"
PATIENT = b"".join(
    (
        element(0x00080005, "CS", b"ISO_IR 100"),
        element(0x00080016, "UI", CT.encode()),
        element(0x00080018, "UI", UID.encode()),
        element(0x00080020, "DA", b"20260112"),
        element(0x00080050, "SH", b"ACC-0815"),
        element(0x00081030, "LO", b"MUELLER KNEE"),
        element(0x00090010, "LO", b"MUELLER PRIVATE"),
        element(0x00100010, "PN", b"M\xfcLLER^KLAUS"),
        element(0x00100020, "LO", b"PAT-4711"),
        element(0x00100030, "DA", b"19560708"),
        element(0x0020000D, "UI", (UID + ".1").encode()),
        element(0x7FE00010, "OW", b"KLAUS ist da!" * 3000),
    )
)
SECRETS = (
    b"CTROOM12",
    b"ARCHIVE9",
    b"WORKSTN3",
    b"KLAUS",
    b"M\xfcLLER",
    b"MUELLER",
    b"PAT-4711",
    b"19560708",
    b"ACC-0815",
    b"3680043.8.498.4711",
    b"dr.mueller",
    b"geheim",
    b"10.0.0.1",
    b"10.0.0.2",
    bytes((10, 0, 0, 1)),
    bytes((10, 0, 0, 2)),
)
ASKED = dataclasses.replace(
    REQUEST,
    called="ARCHIVE9",
    calling="CTROOM12",
    user=dataclasses.replace(
        REQUEST.user,
        implementation_version_name="CTROOM12_V1",
        user_identity=UserIdentity(2, True, b"dr.mueller", b"geheim"),
        unknown=((0x77, b"KLAUS"),),
    ),
)
ANSWERED = dataclasses.replace(ANSWER, called="ARCHIVE9", calling="CTROOM12")


def day() -> Script:
    """A store, a query, a retrieve with its leg, an association that breaks off in a data set."""
    script = Script()
    titles = comment.titles("CTROOM12", "ARCHIVE9")
    one = script.open(comment.connection(1, "10.0.0.1:50001")).associate(ASKED, ANSWERED)
    one.say(SCU, store(1, PATIENT, UID), comment=comment.message("1.1", "C-STORE-RQ", titles))
    decided = comment.message("1.1", "C-STORE-RSP", titles, "A700", rule="no space for KLAUS", fault="slow")
    one.say(SCP, stored(1, 0xA700, "no space for KLAUS"), comment=decided)
    key = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"M\xfcLLER*")
    one.say(SCU, ask(F.C_FIND_RQ, 2, FIND, key))
    match = element(0x00100010, "PN", b"M\xfcLLER^KLAUS") + element(0x00100020, "LO", b"PAT-4711")
    one.say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFF00, match), answer(F.C_FIND_RQ, 2, FIND))
    move = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", (UID + ".1").encode())
    one.say(SCU, ask(F.C_MOVE_RQ, 3, MOVE, move, {Tag.MOVE_DESTINATION: "WORKSTN3"}))
    two = script.open(comment.connection(2, "10.0.0.3:104", by_us=True, cause="1.3"))
    two.associate(dataclasses.replace(ASKED, called="WORKSTN3", calling="ARCHIVE9"), ANSWERED)
    two.say(SCU, store(1, PATIENT, UID)).say(SCP, stored(1)).release()
    one.say(SCP, answer(F.C_MOVE_RQ, 3, MOVE)).release()
    three = script.open(comment.connection(3, "10.0.0.1:50003")).associate(ASKED, ANSWERED)
    three.say(SCU, store(1, PATIENT, UID)[:-20_000])
    three.close(SCU, "reset", "3 aborted: aborted by the peer: CTROOM12 at 10.0.0.1 is gone")
    return script


def redacted(recording: Recording, folder: Path) -> tuple[Recording, Report]:
    out = folder / "redacted.pcapng"
    report = redact(recording, out, key=KEY)
    return Recording.open(out), report


def sizes(recording: Recording, number: int) -> list[tuple[Role, int]]:
    return [(pdu.seen.sender, len(pdu.raw)) for pdu in read_association(recording.parts, number)]


def sent(recording: Recording) -> dict[tuple[int, Role], int]:
    """How many bytes each side of each connection sent."""
    chunks = [event for event in events(*recording.parts) if isinstance(event, Chunk)]
    sides = {(chunk.flow.number, chunk.sender) for chunk in chunks}
    return {
        side: sum(len(chunk.data) for chunk in chunks if (chunk.flow.number, chunk.sender) == side) for side in sides
    }


def line(record: Exchange | Notice) -> tuple[object, ...]:
    """What must be the same of a record."""
    if isinstance(record, Exchange):
        return record.id, record.service, record.status, record.rule != "", record.fault, record.cause, record.counts
    return record.kind, record.association.number if record.association else 0


def test_nothing_of_the_original_is_in_the_bytes(tmp_path: Path) -> None:
    recording = write(tmp_path / "in", day(), facts=("scenario KLAUS at 10.0.0.1", "seed 7"))
    raw = b"".join(part.read_bytes() for part in recording.parts)
    assert [secret for secret in SECRETS if secret not in raw] == [b"geheim"]  # a password is never recorded
    new, _ = redacted(recording, tmp_path)
    written = new.parts[0].read_bytes()
    assert [secret for secret in SECRETS if secret in written] == []
    assert [secret for secret in SECRETS if secret.lower() in written.lower()] == []


def test_the_conversation_is_the_same(tmp_path: Path) -> None:
    recording = write(tmp_path / "in", day(), facts=("seed 7",))
    new, report = redacted(recording, tmp_path)
    assert list(map(line, new.records())) == list(map(line, recording.records()))
    assert new.about.is_ours
    assert new.about.seed == "7"
    assert (report.connections, report.messages, report.data_sets) == (3, 10, 6)
    exchanges = [record for record in new.records() if isinstance(record, Exchange)]
    first = exchanges[0]
    assert (first.association.calling, first.association.called) == tuple(map(DISGUISE.title, ("CTROOM12", "ARCHIVE9")))
    assert first.association.user == DISGUISE.text(b"dr.mueller", "").decode()
    assert first.association.address == DISGUISE.address("10.0.0.1:50001")
    assert first.rule == "no space for " + DISGUISE.text(b"KLAUS", "").decode()
    assert first.comment == "REDACTED"
    assert first.dataset is not None
    assert first.dataset.PatientID == DISGUISE.text(b"PAT-4711", "").decode()
    assert first.sop_instance == first.dataset.SOPInstanceUID == DISGUISE.uid(UID)
    legs = [exchange for exchange in exchanges if exchange.asked_by_us]
    assert [(leg.cause, leg.sop_instance) for leg in legs] == [("1.3", DISGUISE.uid(UID))]
    [moved] = [exchange for exchange in exchanges if exchange.service == "C-MOVE"]
    assert moved.command is not None
    assert moved.command.move_destination == legs[0].association.called == DISGUISE.title("WORKSTN3")


def test_a_query_still_finds_what_it_found(tmp_path: Path) -> None:
    new, _ = redacted(write(tmp_path / "in", day()), tmp_path)
    [found] = [record for record in new.records() if isinstance(record, Exchange) and record.service == "C-FIND"]
    assert found.dataset is not None
    [match] = found.matches
    key = str(found.dataset.PatientName)
    assert key.endswith("*")
    assert str(match.PatientName).startswith(key[:-1])


def test_times_go_back_by_whole_days(tmp_path: Path) -> None:
    recording = write(tmp_path / "in", day())
    new, _ = redacted(recording, tmp_path)
    before = [event.when for event in events(*recording.parts) if isinstance(event, Chunk)]
    after = [event.when for event in events(*new.parts) if isinstance(event, Chunk)]
    assert after[-1] - after[0] == pytest.approx(before[-1] - before[0], abs=1e-3)
    assert (after[0] - before[0]) / 86400 == pytest.approx(DISGUISE.shift, abs=1e-6)


def test_pdus_have_the_sizes_they_had_as_far_as_there_are_bytes(tmp_path: Path) -> None:
    recording = write(tmp_path / "in", day())
    new, _ = redacted(recording, tmp_path)
    before, after = sizes(recording, 1), sizes(new, 1)
    assert len(before) == len(after)
    different = [(old, now) for old, now in zip(before, after, strict=True) if old != now]
    [(old, now)] = (
        different  # the last fragment of the data set of which attributes are gone, and to which some were added
    )
    assert old[0] is SCU
    assert now[1] < 16384


def test_a_short_fragment_takes_more_before_another_is_made(tmp_path: Path) -> None:
    script = Script()
    script.open(comment.connection(1, "10.0.0.1:1")).associate().say(SCU, store(1, ct_image())).say(SCP, stored(1))
    recording = write(tmp_path / "in", script)
    new, _ = redacted(recording, tmp_path)
    assert len(sizes(new, 1)) == len(sizes(recording, 1))


def test_a_full_fragment_is_followed_by_another(tmp_path: Path) -> None:
    image = ct_image(pixels=16378 - len(ct_image(pixels=0)))
    assert len(image) == 16378
    script = Script()
    script.open(comment.connection(1, "10.0.0.1:1")).associate().say(SCU, store(1, image)).say(SCP, stored(1)).release()
    recording = write(tmp_path / "in", script)
    new, _ = redacted(recording, tmp_path)
    assert len(sizes(new, 1)) == len(sizes(recording, 1)) + 1
    assert max(size for _, size in sizes(new, 1)) == 16384 + 6
    [exchange] = [record for record in new.records() if isinstance(record, Exchange)]
    assert exchange.dataset is not None
    assert exchange.dataset.PatientIdentityRemoved == "YES"


@pytest.mark.parametrize(("image", "more"), [(PATIENT, 2), (PATIENT[:150], 0)])
def test_several_messages_in_one_pdu_stay_in_it_where_they_fit(tmp_path: Path, image: bytes, more: int) -> None:
    pdus, pdvs, at = store(1, image, UID) + ask(F.C_FIND_RQ, 2, FIND, element(0x00100010, "PN", b"KLAUS")), [], 0
    while at < len(pdus):
        end = at + 6 + int.from_bytes(pdus[at + 2 : at + 6], "big")
        pdvs += decode_pdvs(memoryview(pdus)[at + 6 : end])
        at = end
    script = Script()
    line = script.open(comment.connection(1, "10.0.0.1:1")).associate(ASKED, ANSWERED)
    line.say(SCU, PDataTF(tuple(pdvs))).say(SCP, stored(1))
    recording = write(tmp_path / "in", script)
    new, _ = redacted(recording, tmp_path)
    assert len(sizes(new, 1)) == len(sizes(recording, 1)) + more
    assert b"KLAUS" not in new.parts[0].read_bytes()
    assert [record.id for record in new.records() if isinstance(record, Exchange)] == ["1.1", "1.2"]


def test_parts_become_one_file(tmp_path: Path) -> None:
    script = Script()
    one = script.open(comment.connection(1, "10.0.0.1:50001")).associate(ASKED, ANSWERED)
    for number in range(1, 9):
        one.say(SCU, store(number, PATIENT, UID)).say(SCP, stored(number))
    one.release()
    recording = write(tmp_path / "in", script, part_size=100_000)
    assert len(recording.parts) > 2
    new, _ = redacted(recording, tmp_path)
    assert list(map(line, new.records())) == list(map(line, recording.records()))
    later = Recording([recording.parts[1]])
    (tmp_path / "later").mkdir()
    last, _ = redacted(later, tmp_path / "later")
    assert list(map(line, last.records())) == list(map(line, later.records()))
    raw = last.parts[0].read_bytes()
    assert [secret for secret in SECRETS if secret in raw] == []
    assert recording.parts[0].stem.encode() not in raw


@pytest.mark.parametrize("make", [builder.pcap, builder.pcapng])
def test_a_capture_of_others_becomes_one_of_others(tmp_path: Path, make: object) -> None:
    talk = builder.Talk().open().say(SCU, encode_pdu(ASKED)).say(SCP, encode_pdu(ANSWERED))
    data = store(1, PATIENT, UID)
    for start in range(0, len(data), 1460):
        talk.say(SCU, data[start : start + 1460])
    talk.say(SCP, stored(1))
    path = tmp_path / "capture.pcap"
    path.write_bytes(make(talk.frames))  # type: ignore[operator]
    recording = Recording.open(path)
    new, report = redacted(recording, tmp_path)
    assert not new.about.is_ours
    assert report.troubles == []
    assert list(map(line, new.records())) == list(map(line, recording.records()))
    raw = new.parts[0].read_bytes()
    assert [secret for secret in SECRETS if secret in raw] == []
    [exchange] = [record for record in new.records() if isinstance(record, Exchange)]
    assert exchange.dataset is not None
    assert exchange.dataset.PatientID == DISGUISE.text(b"PAT-4711", "").decode()


def test_what_was_not_captured_is_missing_still(tmp_path: Path) -> None:
    talk = builder.Talk().open().say(SCU, encode_pdu(ASKED)).say(SCP, encode_pdu(ANSWERED))
    data = store(1, PATIENT, UID)
    pieces = [data[start : start + 1460] for start in range(0, len(data), 1460)]
    for number, piece in enumerate(pieces):
        talk.say(SCU, piece)
        if number == 9:
            del talk.frames[-1]
    talk.say(SCU, echo(2)).say(SCP, echoed(2))
    path = tmp_path / "capture.pcap"
    path.write_bytes(builder.pcap(talk.frames))
    recording = Recording.open(path)
    missing = [event.size for event in events(path) if isinstance(event, Missing)]
    assert missing != []
    new, report = redacted(recording, tmp_path)
    assert [event.size for event in events(*new.parts) if isinstance(event, Missing)] == missing
    assert report.troubles != []
    raw = new.parts[0].read_bytes()
    assert [secret for secret in SECRETS if secret in raw] == []
    assert "C-ECHO" in [record.service for record in new.records() if isinstance(record, Exchange)]


def test_a_capture_that_begins_in_mid_session_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    talk = builder.Talk()
    talk.say(SCU, store(1, PATIENT, UID)[:12_000]).say(SCU, store(1, PATIENT, UID)[12_000:]).say(SCP, stored(1))
    path = tmp_path / "capture.pcap"
    path.write_bytes(builder.pcap(talk.frames))
    new, _ = redacted(Recording.open(path), tmp_path)
    raw = new.parts[0].read_bytes()
    assert [secret for secret in SECRETS if secret in raw] == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET /KLAUS HTTP/1.1\r\nHost: ARCHIVE9\r\n\r\n",
        b"\x0bMSH|^~\\&|CTROOM12|KLAUS",
        b"\x16\x03\x01\0\xffKLAUS" * 50,
        b"\x04\0\xff\xff\xff\xffKLAUS" * 3,
        b"\x04\0\0\0\0\x0b\0\0\0\xff\x01\x03KLAUS",
        b"\x01\0\0\0\0\x50" + b"KLAUS" * 16,
        b"".join((b"\x01\0\0\0\0\x54", bytes(4), b"ARCHIVE9        " * 2, bytes(32), b"\x50\0\xff\xffKLAUS", bytes(7))),
        b"\x07\0\0\0\0\x0aKLAUSKLAUS",
        b"\x04\0KLAUSKLAUS",
        b"\x04\0\0\0\1\0KLAUSKLAUS",
        b"\x04\0\0\0\0\x0cKLAUSKLAUSKK",
        b"KLAUS",
        b"",
    ],
)
def test_garbage_becomes_as_much_garbage(tmp_path: Path, garbage: bytes) -> None:
    script = Script()
    script.open(comment.connection(1, "10.0.0.1:50001")).say(SCU, garbage).close()
    script.open(comment.connection(2, "10.0.0.1:50002")).associate(ASKED, ANSWERED).say(SCU, garbage).close(how="reset")
    recording = write(tmp_path / "in", script)
    new, _ = redacted(recording, tmp_path)
    raw = new.parts[0].read_bytes()
    assert [secret for secret in SECRETS if secret in raw] == []
    assert sent(new) == sent(recording)
    how = [event.how for event in events(*new.parts) if isinstance(event, Closed)]
    assert how == [event.how for event in events(*recording.parts) if isinstance(event, Closed)]


def test_data_out_of_turn_becomes_zeros(tmp_path: Path) -> None:
    data = message(CT, command(F.C_STORE_RQ, 1, CT, b""), element(0x00100010, "PN", b"KLAUS"))
    [first, second] = re.split(rb"(?=\x04\0\0\0\0.\0\0\0.\x03\x02)", data, flags=re.DOTALL)
    script = Script()
    script.open(comment.connection(1, "10.0.0.1:1")).associate(ASKED, ANSWERED).say(SCU, second, first).close()
    recording = write(tmp_path / "in", script)
    new, report = redacted(recording, tmp_path)
    assert b"KLAUS" not in new.parts[0].read_bytes()
    assert report.troubles != []
    assert sizes(new, 1) == sizes(recording, 1)


@pytest.mark.parametrize("keep", [0, 1, 3, 700, 5000, 20_000, 50_000])
def test_a_recording_that_was_cut_is_redacted_up_to_the_cut(tmp_path: Path, keep: int) -> None:
    recording = write(tmp_path / "in", day())
    path = recording.parts[0]
    path.write_bytes(path.read_bytes()[: 400 + keep])
    cut = Recording.open(path)
    new, _ = redacted(cut, tmp_path)
    raw = new.parts[0].read_bytes()
    assert [secret for secret in SECRETS if secret in raw] == []
    assert list(map(line, new.records())) == list(map(line, cut.records()))


def test_the_same_key_gives_the_same_file(tmp_path: Path) -> None:
    recording = write(tmp_path / "in", day())
    for name, key in (("one", KEY), ("two", KEY), ("three", b"another key")):
        redact(recording, tmp_path / name, key=key)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_bytes() != (tmp_path / "three").read_bytes()


def test_nothing_is_overwritten_and_nothing_is_left_after_trouble(tmp_path: Path) -> None:
    recording = write(tmp_path / "in", day())
    out = tmp_path / "there.pcapng"
    out.write_bytes(b"mine")
    with pytest.raises(RecordingError, match=r"there\.pcapng exists; name a file that does not"):
        redact(recording, out, key=KEY)
    assert out.read_bytes() == b"mine"
    with pytest.raises(RecordingError, match="cannot be written: No such file or directory; name another file with -o"):
        redact(recording, tmp_path / "no" / "such.pcapng", key=KEY)
    path = tmp_path / "text.pcapng"
    path.write_bytes(b"no capture at all")
    with pytest.raises(RecordingError, match="is not a capture file"):
        redact(Recording.open(path), tmp_path / "out.pcapng", key=KEY)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "text.pcapng", "there.pcapng"]


def test_a_report_counts_and_says_no_value(tmp_path: Path) -> None:
    _, report = redacted(write(tmp_path / "in", day()), tmp_path)
    said = str(report.as_json())
    assert [secret for secret in SECRETS if secret.decode("latin-1") in said] == []
    counted = {(name, done): times for name, done, times in report.by_attribute()}
    assert counted["PatientID", "replaced"] == 4
    assert counted["StudyDescription", "removed"] == 3
    assert counted["private attributes", "removed"] == 3
    assert counted["MoveDestination", "replaced"] == 1
    assert report.other["user identities"] == 3


def test_no_file_that_means_harm_is_an_exception(tmp_path: Path) -> None:
    for number, (name, raw) in enumerate(hostile.files(tmp_path).items()):
        path = tmp_path / f"{number}.pcapng"
        path.write_bytes(raw)
        recording = Recording.open(path)
        out = tmp_path / f"out-{number}.pcapng"
        redact(recording, out, key=KEY)
        new = Recording.open(out)
        assert len(list(new.records())) == len(list(recording.records())), name


@given(st.lists(st.tuples(st.integers(0, 7000), st.sampled_from((0, 1, 4, 0x0A, 0x53, 0x7F, 0xFF))), max_size=12))
@settings(max_examples=150, deadline=None)
def test_damage_is_never_an_exception(damaged: Damaged, changes: list[tuple[int, int]]) -> None:
    assert damaged.redacted(changes)


class Damaged:
    """A recording of which bytes are changed before it is redacted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._raw = write(folder / "in", day()).parts[0].read_bytes()

    def redacted(self, changes: list[tuple[int, int]]) -> bytes:
        raw = bytearray(self._raw)
        for place, byte in changes:
            raw[HEAD + place] = byte
        path, out = self._folder / "damaged.pcapng", self._folder / "out.pcapng"
        path.write_bytes(raw)
        out.unlink(missing_ok=True)
        redact(Recording.open(path), out, key=KEY)
        return out.read_bytes()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Damaged:
    return Damaged(tmp_path_factory.mktemp("damaged"))
