"""Data sets written anew: in any encoding, however they come, without what must not be said any more."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from mockpacs.replay.redact.data_set import DataSet
from mockpacs.replay.redact.disguise import Disguise
from mockpacs.replay.redact.report import Report
from mockpacs.replay.redact.rules import Plan, Rules
from mockpacs.replay.redact.words import Words
from mockpacs.wire.dataset import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding, deflate
from mockpacs.wire.dictionary import tag_of
from mockpacs.wire.part10 import decode_head
from tests.conftest import wheel_files
from tests.net.wire_client import ct_image, element

DISGUISE = Disguise(b"a key")
IMAGE = ct_image()


class Redacted:
    """A data set, in pieces, and what became of it."""

    def __init__(
        self,
        raw: bytes,
        encoding: Encoding = EXPLICIT_LITTLE,
        *,
        sizes: list[int] | None = None,
        is_instance: bool = True,
        is_whole: bool = True,
        keep: str = "",
        pixels: Plan = Plan.BLANK,
    ) -> None:
        words = Words(DISGUISE)
        words.add(b"DOE^JOHN")
        words.gathered()
        kept = frozenset(tag for tag in (tag_of(word) for word in keep.split()) if tag)
        self.report = Report()
        data_set = DataSet(
            encoding, Rules(DISGUISE, words, keep=kept, pixels=pixels), self.report, is_instance=is_instance
        )
        out, at = bytearray(), 0
        for size in sizes or [len(raw)]:
            out += data_set.feed(raw[at : at + size])
            at += size
        out += data_set.feed(raw[at:])
        out += data_set.finish(is_whole=is_whole)
        self.raw = bytes(out)
        self.problem = data_set.problem
        self.encoding = encoding

    @property
    def read(self) -> Dataset:
        found: Dataset = dcmread(io.BytesIO(_head(self.encoding) + self.raw), force=True)
        return found


def _head(encoding: Encoding) -> bytes:
    syntax = {IMPLICIT_LITTLE: b"1.2.840.10008.1.2", EXPLICIT_BIG: b"1.2.840.10008.1.2.2"}.get(
        encoding, b"1.2.840.10008.1.2.1"
    )
    syntax = b"1.2.840.10008.1.2.1.99" if encoding == DEFLATED else syntax
    meta = element(0x00020010, "UI", syntax)
    return bytes(128) + b"DICM" + element(0x00020000, "UL", struct.pack("<L", len(meta))) + meta


def written(dataset: Dataset, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    from pydicom.filebase import DicomBytesIO

    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = encoding.little_endian, encoding.implicit
    write_dataset(file, dataset)
    raw: bytes = file.getvalue()
    return deflate(raw) if encoding.deflated else raw


def patient() -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    dataset.StudyDate, dataset.StudyTime = "20260112", "1405"
    dataset.AccessionNumber = "ACC4711"
    dataset.Modality, dataset.Manufacturer = "CT", "ACME for DOE^JOHN"
    dataset.StudyDescription = "CHEST OF DOE"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate = "DOE^JOHN", "PAT-0815", "19700203"
    dataset.PatientSex, dataset.PatientAge, dataset.PatientWeight = "M", "055Y", "81.5"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    dataset.add_new(0x00090010, "LO", "DOE PRIVATE")
    dataset.add_new(0x00091001, "LO", "DOE^JOHN")
    return dataset


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED])
def test_an_instance_is_redacted_in_every_encoding(encoding: Encoding) -> None:
    done = Redacted(written(patient(), encoding), encoding)
    assert done.problem == ""
    new = done.read
    assert new.PatientName == DISGUISE.text(b"DOE^JOHN", "").decode()
    assert new.PatientID == DISGUISE.text(b"PAT-0815", "").decode()
    assert new.AccessionNumber == DISGUISE.text(b"ACC4711", "").decode()
    assert new.StudyDate == DISGUISE.date("20260112")
    assert new.StudyTime == "1405"
    assert new.PatientBirthDate == DISGUISE.birth_date("19700203")
    assert new.PatientSex == ""
    assert new.SOPInstanceUID == DISGUISE.uid("1.2.826.0.1.3680043.8.498.1")
    assert (new.Modality, new.SOPClassUID) == ("CT", "1.2.840.10008.5.1.4.1.1.2")
    assert new.Manufacturer.startswith("ACME for ")
    assert not {"StudyDescription", "PatientAge", "PatientWeight"} & set(new.dir())
    assert [item.tag for item in new if item.tag.group & 1] == []
    assert (new.PatientIdentityRemoved, new.LongitudinalTemporalInformationModified) == ("YES", "MODIFIED")
    tags = [int(item.tag) for item in new]
    assert tags == sorted(tags)
    assert b"DOE" not in written(new)
    assert b"JOHN" not in written(new)


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED])
def test_it_does_not_matter_how_it_comes(encoding: Encoding) -> None:
    dataset = patient()
    dataset.RequestAttributesSequence = Sequence([patient()])
    dataset.ReferencedImageSequence = Sequence([patient(), patient()])
    dataset.PixelData = bytes(range(256)) * 600
    dataset["PixelData"].VR = "OW"
    raw = written(dataset, encoding)
    whole = Redacted(raw, encoding).raw
    chance = random.Random(7)
    assert Redacted(raw, encoding, sizes=[1] * len(raw[:4000])).raw == whole
    for _ in range(5):
        assert Redacted(raw, encoding, sizes=[chance.randrange(1, 9000) for _ in range(20)]).raw == whole


def test_what_is_asked_for_stays_a_question() -> None:
    query = b"".join(
        (
            element(0x00080052, "CS", b"STUDY"),
            element(0x00080054, "AE", b"ARCHIVE"),
            element(0x00081030, "LO", b"CHEST*"),
            element(0x00091001, "LO", b"DOE"),
            element(0x00100010, "PN", b"DOE*"),
            element(0x00100030, "DA", b""),
            element(0x00100040, "CS", b""),
            element(0x0020000D, "UI", b"1.2.3\\1.2.4"),
        )
    )
    done = Redacted(query, is_instance=False)
    new = done.read
    assert [element.keyword for element in new] == [
        "QueryRetrieveLevel",
        "RetrieveAETitle",
        "StudyDescription",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
    ]
    assert new.StudyDescription == ""
    assert new.RetrieveAETitle == DISGUISE.title("ARCHIVE")
    assert new.PatientName == DISGUISE.text(b"DOE*", "").decode()
    assert list(new.StudyInstanceUID) == [DISGUISE.uid("1.2.3"), DISGUISE.uid("1.2.4")]


def test_sequences_are_looked_through_and_what_replaces_them_keeps_codes() -> None:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121071", "DCM", "Finding"
    item = Dataset()
    item.ValueType, item.TextValue = "TEXT", "seen by DOE"
    item.ConceptNameCodeSequence = Sequence([code])
    nested = Dataset()
    nested.ContentSequence = Sequence([item])
    person = Dataset()
    person.PersonIdentificationCodeSequence = Sequence([code])
    nested.OperatorIdentificationSequence = Sequence([person])
    nested.AnatomicRegionSequence = Sequence([code])
    new = Redacted(written(nested)).read
    [answer] = new.ContentSequence
    assert answer.ValueType == "TEXT"
    assert answer.TextValue == DISGUISE.text(b"seen by DOE", "").decode()
    assert answer.ConceptNameCodeSequence[0].CodeMeaning == "Finding"
    assert new.AnatomicRegionSequence[0].CodeValue == "121071"
    assert new.OperatorIdentificationSequence[0].PersonIdentificationCodeSequence[0].CodeMeaning != "Finding"


@pytest.mark.parametrize("is_undefined", [False, True])
def test_lengths_of_sequences_are_right_again(is_undefined: bool) -> None:
    inner = patient()
    inner.is_undefined_length_sequence_item = is_undefined
    dataset = Dataset()
    dataset.add_new("ReferencedSeriesSequence", "SQ", [inner])
    dataset["ReferencedSeriesSequence"].is_undefined_length = is_undefined
    dataset.SeriesInstanceUID = "1.2.3.4.5.6.7.8.9.10"
    done = Redacted(written(dataset))
    assert done.problem == ""
    [item] = done.read.ReferencedSeriesSequence
    assert item.PatientID == DISGUISE.text(b"PAT-0815", "").decode()
    assert "StudyDescription" not in item
    assert done.read.SeriesInstanceUID == DISGUISE.uid("1.2.3.4.5.6.7.8.9.10")


@pytest.mark.parametrize(
    ("pixels", "expected"), [(Plan.KEEP, b"\1\2" * 99), (Plan.BLANK, bytes(198)), (Plan.REMOVE, None)]
)
@pytest.mark.parametrize("times", [1, 1000])
def test_pixels_are_filled_dropped_or_kept(pixels: Plan, expected: bytes | None, times: int) -> None:
    image = element(0x00080060, "CS", b"CT") + element(0x7FE00010, "OW", b"\1\2" * 99 * times)
    new = Redacted(image, pixels=pixels).read
    assert new.get("PixelData") == (expected * times if expected else None)


@pytest.mark.parametrize(("pixels", "size"), [(Plan.KEEP, 100), (Plan.BLANK, 100), (Plan.REMOVE, None)])
def test_compressed_pixels_keep_their_fragments(pixels: Plan, size: int | None) -> None:
    def item(value: bytes) -> bytes:
        return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value

    pixel_data = struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)
    pixel_data += item(b"") + item(b"\xff\xd8" * 50) + item(b"\xff\xd9" * 7) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    tail = element(0xFFFCFFFC, "OB", b"DOE^JOHN")
    done = Redacted(pixel_data + tail, pixels=pixels, sizes=[11] * 9)
    assert done.problem == ""
    assert b"DOE" not in done.raw
    if size is None:
        assert b"\xe0\x7f" not in done.raw
    else:
        added = len(done.raw) - len(pixel_data)
        assert done.raw[added:][20:28] == item(b"\xff\xd8" * 50)[:8]
        assert (b"\xff\xd8" in done.raw) is (pixels is Plan.KEEP)


def test_what_the_user_wants_to_keep_is_kept() -> None:
    new = Redacted(written(patient()), keep="StudyDescription PatientSex PatientAge").read
    assert (new.StudyDescription, new.PatientSex, new.PatientAge) == ("CHEST OF DOE", "M", "055Y")


def test_what_the_dictionary_does_not_know_is_removed() -> None:
    raw = element(0x00080060, "CS", b"CT") + element(0x00085FFF, "LO", b"DOE^JOHN")
    done = Redacted(raw)
    assert b"DOE" not in done.raw
    assert ("attributes that are not in the dictionary", "removed", 1) in done.report.by_attribute()


@pytest.mark.parametrize(
    "raw",
    [
        b"DOE^JOHN" * 20,
        IMAGE[:-70],
        element(0x00080060, "CS", b"CT") + b"\x10\0\x10\0zz" + b"DOE^JOHN",
        element(0x00080060, "CS", b"CT") + struct.pack("<HH2sH", 0x10, 0x10, b"PN", 500) + b"DOE^JOHN",
        element(0x00080060, "CS", b"CT") + struct.pack("<HH2sHL", 0x8, 0x1115, b"SQ", 0, 0xFFFFFFFF) + b"DOE^JOHN",
        element(0x00080060, "CS", b"CT") + struct.pack("<HHL", 0xFFFE, 0xE000, 8) + b"DOE^JOHN",
    ],
)
@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
def test_from_where_it_cannot_be_read_zeros_follow(raw: bytes, encoding: Encoding) -> None:
    done = Redacted(raw, encoding, is_instance=False)
    assert done.problem != ""
    assert b"DOE" not in done.raw
    assert b"JOHN" not in done.raw
    assert len(done.raw) == len(raw) or encoding is IMPLICIT_LITTLE  # there a tag nobody knows may be all of it
    assert Redacted(raw, encoding, sizes=[3] * 10, is_instance=False).raw == done.raw


def test_a_sequence_that_lies_becomes_zeros_and_all_else_is_read() -> None:
    lie = struct.pack("<HHL", 0xFFFE, 0xE000, 500) + b"DOE^JOHN"
    raw = element(0x00081115, "SQ", lie) + element(0x00100010, "PN", b"DOE^JOHN")
    done = Redacted(raw)
    assert done.problem == ""
    assert done.report.troubles == [
        "data set: ReferencedSeriesSequence was overwritten with zeros: cut within an element"
    ]
    assert b"DOE" not in done.raw
    assert DISGUISE.text(b"DOE^JOHN", "") in done.raw


@pytest.mark.parametrize("depth", [60, 300, 3000])
@pytest.mark.parametrize("is_undefined", [False, True])
def test_deep_nesting_ends_somewhere(depth: int, is_undefined: bool) -> None:
    inner = element(0x00100010, "PN", b"DOE^JOHN")
    for _ in range(depth):
        length = 0xFFFFFFFF if is_undefined else len(inner)
        inner = struct.pack("<HHL", 0xFFFE, 0xE000, length) + inner
        if is_undefined:
            inner += struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
        head = struct.pack("<HH2sHL", 0x8, 0x1115, b"SQ", 0, 0xFFFFFFFF if is_undefined else len(inner))
        inner = head + inner + (struct.pack("<HHL", 0xFFFE, 0xE0DD, 0) if is_undefined else b"")
    done = Redacted(inner)
    assert b"DOE" not in done.raw
    assert bool(done.problem or done.report.troubles) is (depth > 64)


@pytest.mark.parametrize(
    "value",
    [
        element(0x00080005, "CS", b"ISO_IR 100" + element(0x00100010, "PN", b"DOE^JOHN")),
        element(0x00080016, "UI", b"1.2.3" + element(0x00100010, "PN", b"DOE^JOHN")),
        element(0x00080070, "LO", b"ACME" + element(0x00100020, "LO", b"QRX^UNKNOWN")),
        element(0x00280010, "US", b"\1\2" + element(0x00100010, "PN", b"DOE^JOHN")),
        element(0x00080016, "OB", b"1.2.3" + element(0x00100010, "PN", b"QRX^UNKNOWN")),
        struct.pack("<HH2sH", 8, 0x16, b"UO", 12) + b"QRX^UNKNOWN ",
        element(0x00001030, "LO", b"QRX^UNKNOWN"),
        element(0x7F000010, "OW", b"QRX^UNKNOWN"),
    ],
)
def test_a_length_that_lies_keeps_nothing_that_follows(value: bytes) -> None:
    done = Redacted(value + element(0x00200013, "IS", b"1"))
    assert b"DOE" not in done.raw
    assert b"QRX" not in done.raw
    assert done.problem == ""


def test_some_say_explicit_and_mean_implicit() -> None:
    done = Redacted(written(patient(), IMPLICIT_LITTLE), EXPLICIT_LITTLE)
    assert done.problem == ""
    assert done.raw == Redacted(written(patient(), IMPLICIT_LITTLE), IMPLICIT_LITTLE).raw


def test_a_deflated_data_set_that_is_none_becomes_zeros() -> None:
    done = Redacted(b"DOE^JOHN" * 5, DEFLATED)
    assert (done.raw, bool(done.problem)) == (bytes(40), True)


@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:Expected explicit VR")  # of the originals
@pytest.mark.parametrize("path", wheel_files(), ids=lambda path: path.name)
def test_real_files_stay_readable_and_lose_their_patients(path: Path) -> None:
    raw = path.read_bytes()
    head = decode_head(raw)
    assert head is not None
    data, encoding = raw[head.data_offset :], Encoding.of(head.meta.transfer_syntax)
    done = Redacted(data, encoding)
    assert Redacted(data, encoding, sizes=[1000] * 100).raw == done.raw
    old = dcmread(io.BytesIO(raw), force=True)
    if done.problem:
        assert path.name in ("MR_truncated.dcm", "rtplan_truncated.dcm")
        return
    new = dcmread(io.BytesIO(raw[: head.data_offset] + done.raw), force=True)
    assert [element.tag for element in new if element.tag.group & 1] == []
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "PatientBirthDate", "StudyInstanceUID"):
        before, after = str(old.get(keyword) or "").strip("^"), str(new.get(keyword) or "").strip("^")
        assert bool(before) == bool(after)
        assert not before or before != after
