"""Adding at once: files, folders, Datasets and streams, byte for byte; an error names what was refused."""

from __future__ import annotations

import copy
import io
import os
import tracemalloc
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from mockpacs.archive import Archive, ArchiveOptions, OnDuplicate
from mockpacs.errors import ArchiveError, StorageError
from mockpacs.wire.part10 import decode_head, encode_head
from tests.archive.instances import CT, EXPLICIT, dataset, instance, store, store_one
from tests.conftest import wheel_files

CT_FILE = wheel_files("**/CT_small.dcm")[0]
MR_FILE = wheel_files("**/MR_small.dcm")[0]


@pytest.fixture(params=["disk", "memory"])
def archive(request, tmp_path):
    with Archive.open(tmp_path / "storage" if request.param == "disk" else None) as opened:
        yield opened
        assert list(opened.verify()) == []
        if request.param == "disk":
            assert list((tmp_path / "storage" / "incoming").iterdir()) == []


def a_dataset(**attributes: object) -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CT, "1.2.3.4.5"
    made.PatientID, made.PatientName = "P1", "Doe^Jane"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def data_of(file: bytes) -> bytes:
    head = decode_head(file)
    assert head is not None
    return file[head.data_offset :]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_is_added_byte_for_byte(archive, kind):
    (added,) = archive.add(kind(CT_FILE))
    assert added.read() == data_of(CT_FILE.read_bytes())
    (same,) = archive.add(kind(CT_FILE))
    assert same == added == archive.instance(added.sop_instance)
    assert archive.counts().instances == 1


def test_several_things_are_added_in_their_order_and_each_once(archive):
    added = archive.add(MR_FILE, a_dataset(), str(CT_FILE), MR_FILE)
    assert [one.patient for one in added] == ["4MR1", "P1", "1CT1"]


def test_nothing_is_nothing(archive):
    assert archive.add() == []


def test_of_a_folder_the_instances_are_added_and_the_rest_is_passed_over(archive, tmp_path):
    folder = tmp_path / "images"
    (folder / "deeper").mkdir(parents=True)
    (folder / "deeper" / "ct.dcm").write_bytes(CT_FILE.read_bytes())
    (folder / "notes.txt").write_text("no DICOM at all")
    (folder / "DICOMDIR").write_bytes(wheel_files("**/DICOMDIR")[0].read_bytes())
    (added,) = archive.add(folder)
    assert added.patient == "1CT1"


@pytest.mark.parametrize("contents", [None, b"notes"])
def test_a_folder_without_an_instance_is_no_success(archive, tmp_path, contents):
    folder = tmp_path / "images"
    folder.mkdir()
    if contents:
        (folder / "notes.txt").write_bytes(contents)
    with pytest.raises(ArchiveError, match=r"images: there is no DICOM file in this folder$"):
        archive.add(folder)


def test_what_is_refused_is_named_and_the_rest_is_stored(archive, tmp_path):
    (tmp_path / "notes.txt").write_text("no DICOM at all")
    with pytest.raises(ArchiveError) as refused:
        archive.add(tmp_path / "notes.txt", CT_FILE, tmp_path / "nowhere.dcm", Dataset(), a_dataset())
    assert str(refused.value).splitlines() == [
        "3 of 5 could not be added:",
        f"  {tmp_path / 'notes.txt'}: not a DICOM file",
        f"  {tmp_path / 'nowhere.dcm'}: cannot be read: No such file or directory",
        "  data set without a UID: the data set has no SOP Class UID: set its SOPClassUID",
    ]
    assert archive.counts().instances == 2


def test_a_relative_path_that_is_not_there_says_where_it_was_looked_for(archive):
    with pytest.raises(ArchiveError) as refused:
        archive.add("no/such.dcm")
    assert str(refused.value) == (
        f"no{os.sep}such.dcm: cannot be read: No such file or directory (the working folder is {Path.cwd()})"
    )


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        (7, "a path or a pydicom Dataset can be added, not a int"),
        ([], "a path or a pydicom Dataset can be added, not a list: put a * before it"),
        (b"x", "a path or a pydicom Dataset can be added, not a bytes"),
    ],
)
def test_what_is_neither_a_path_nor_a_dataset_stops_it_all(archive, thing, sentence):
    with pytest.raises(ArchiveError) as refused:
        archive.add(CT_FILE, thing)
    assert str(refused.value) == sentence
    assert archive.counts().instances == 0


def test_other_bytes_under_a_known_uid_are_refused_with_the_remedy(archive):
    archive.add(a_dataset())
    with pytest.raises(
        ArchiveError, match=r"^data set 1\.2\.3\.4\.5: another instance of this .* on_duplicate replace$"
    ):
        archive.add(a_dataset(PatientName="Roe^Richard"))
    assert archive.instance("1.2.3.4.5").dataset().PatientName == "Doe^Jane"
    archive.delete(sop_instance="1.2.3.4.5")
    (added,) = archive.add(a_dataset(PatientName="Roe^Richard"))
    assert added.dataset().PatientName == "Roe^Richard"


def test_other_bytes_are_refused_too_where_a_peer_is_told_success_or_a_failure(tmp_path):
    for options in (ArchiveOptions(duplicate_status=0), ArchiveOptions(on_duplicate=OnDuplicate.REFUSE)):
        with Archive.open(None, options=options) as archive:
            archive.add(a_dataset())
            with pytest.raises(ArchiveError, match="another instance"):
                archive.add(a_dataset(PatientName="Roe^Richard"))


def test_other_bytes_replace_where_that_was_asked_for():
    with Archive.open(None, options=ArchiveOptions(on_duplicate=OnDuplicate.REPLACE)) as archive:
        archive.add(a_dataset())
        (added,) = archive.add(a_dataset(PatientName="Roe^Richard"))
        assert added.dataset().PatientName == "Roe^Richard"
        assert archive.counts().instances == 1


def test_a_dataset_without_a_transfer_syntax_is_explicit_little_endian(archive):
    given = a_dataset()
    (added,) = archive.add(given)
    assert added.meta == (CT, "1.2.3.4.5", EXPLICIT, "")
    expected = dataset(SOPInstanceUID="1.2.3.4.5", StudyDate=None, Modality=None)
    assert added.read() == expected
    assert not hasattr(given, "file_meta")
    assert (added.patient, added.study, added.series) == ("P1", "1.2.3", "1.2.3.4")


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_a_dataset_is_encoded_in_its_own_transfer_syntax(archive, syntax):
    given = a_dataset(Rows=258)
    given.file_meta = FileMetaDataset()
    given.file_meta.TransferSyntaxUID = syntax
    given.file_meta.SourceApplicationEntityTitle = "FROM"
    given.file_meta.MediaStorageSOPInstanceUID = "9.9.9"  # out of step, as in many tests
    (added,) = archive.add(given)
    assert added.meta == (CT, "1.2.3.4.5", syntax, "FROM")
    assert added.dataset() == given
    assert added.dataset().Rows == 258


def test_a_private_transfer_syntax_is_kept(archive):
    given = a_dataset()
    given.file_meta = FileMetaDataset()
    given.file_meta.TransferSyntaxUID = "1.2.826.0.1.3680043.2.1"
    (added,) = archive.add(given)
    assert added.transfer_syntax == "1.2.826.0.1.3680043.2.1"
    assert added.read() == dataset(SOPInstanceUID="1.2.3.4.5", StudyDate=None, Modality=None)


def test_a_preamble_without_meta_information_is_not_taken_for_data(archive):
    given = a_dataset()
    given.preamble = bytes(128)
    (added,) = archive.add(given)
    assert added.read() == dataset(SOPInstanceUID="1.2.3.4.5", StudyDate=None, Modality=None)


@pytest.mark.parametrize("path", [CT_FILE, MR_FILE, *wheel_files("**/*RLE*.dcm")[:3], *wheel_files("**/JPEG*.dcm")[:3]])
def test_a_dataset_that_was_read_is_as_good_as_its_file(archive, path):
    read = dcmread(path)
    before = copy.deepcopy(read)
    (added,) = archive.add(read)
    assert added.transfer_syntax == read.file_meta.TransferSyntaxUID
    assert added.dataset() == before
    if "PixelData" in before:
        assert added.dataset().PixelData == before.PixelData


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"SOPInstanceUID": ""},
            "data set without a UID: the data set has no SOP Instance UID: set its SOPInstanceUID",
        ),
        ({"SOPClassUID": None}, "data set 1.2.3.4.5: the data set has no SOP Class UID: set its SOPClassUID"),
    ],
)
def test_a_dataset_needs_its_uids(archive, change, problem):
    with pytest.raises(ArchiveError) as refused:
        archive.add(a_dataset(**change))
    assert str(refused.value) == problem


def test_a_dataset_that_cannot_be_encoded_is_a_sentence_on_one_line(archive):
    given = a_dataset(BitsAllocated=8)
    given.file_meta = FileMetaDataset()
    given.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    given.add_new(0x7FE00010, "OB", b"not encapsulated")
    with pytest.raises(ArchiveError, match=r"^data set 1\.2\.3\.4\.5: the data set cannot be encoded: .+$") as refused:
        archive.add(given)
    assert len(str(refused.value).splitlines()) == 1


def test_a_stream_is_added_whatever_pieces_it_comes_in(archive):
    class Trickle(io.RawIOBase):
        def __init__(self, contents: bytes) -> None:
            self.rest = contents

        def read(self, size: int = -1) -> bytes:
            piece, self.rest = self.rest[: min(size, 1000)], self.rest[min(size, 1000) :]
            return piece

    contents = CT_FILE.read_bytes()
    added = archive.add_stream(Trickle(contents), "upload 1")
    assert added.read() == data_of(contents)
    assert archive.add_stream(io.BytesIO(contents), "again") == added


@pytest.mark.parametrize(
    ("contents", "problem"),
    [(b"<html>", "upload 1: not a DICOM file"), (b"", "upload 1: not a DICOM file")],
)
def test_a_stream_that_is_no_instance_is_named(archive, contents, problem):
    with pytest.raises(ArchiveError) as refused:
        archive.add_stream(io.BytesIO(contents), "upload 1")
    assert str(refused.value) == problem


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), OSError("gone"), KeyboardInterrupt()])
def test_a_stream_that_breaks_leaves_nothing(archive, error):
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            if not piece:
                raise error
            return piece

    meta, data = instance("1.1", bytes(6 << 20))
    with pytest.raises(ArchiveError if isinstance(error, OSError) else KeyboardInterrupt):
        archive.add_stream(Broken(encode_head(meta) + data), "upload 1")
    assert archive.counts().instances == 0


def test_a_stream_of_any_length_takes_little_memory(tmp_path):
    meta, data = instance("1.1", bytes(64 << 20))
    (tmp_path / "big.dcm").write_bytes(encode_head(meta) + data)
    expected = len(data)
    del data
    with Archive.open(tmp_path / "storage") as archive, (tmp_path / "big.dcm").open("rb") as file:
        tracemalloc.start()
        try:
            added = archive.add_stream(file, "upload")
            assert sum(map(len, added.part10())) == expected + added.data_offset
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert added.size == expected
    assert peak < 16 << 20


def test_part_10_is_the_file_as_it_is_stored(tmp_path):
    with Archive.open(tmp_path / "storage") as archive:
        (added,) = archive.add(CT_FILE)
        assert b"".join(added.part10(1000)) == (tmp_path / "storage" / added.path).read_bytes()
        assert dcmread(io.BytesIO(b"".join(added.part10()))).PatientID == "1CT1"


def test_a_data_set_pydicom_cannot_read_is_an_archive_error():
    with Archive.open(None) as archive:
        meta, _ = instance("1.1")
        store(archive, (meta, b"\x08\x00\x05\x00ZZ\x00\x00\x10\x00\x10\x00"))
        with pytest.raises(ArchiveError, match=r"pydicom cannot read the data set of 1\.1"):
            archive.instance("1.1").dataset()


def test_a_data_set_can_be_copied_and_outlives_the_archive():
    with Archive.open(None) as archive:
        (added,) = archive.add(CT_FILE)
        read = added.dataset()
    assert copy.deepcopy(read) == read == dcmread(CT_FILE)


def test_instances_are_listed_in_the_order_of_storing_page_by_page(archive):
    for number in range(7):
        store_one(
            archive,
            f"1.1.{number}",
            PatientID=f"P{number // 4}",
            StudyInstanceUID=f"1.2.{number // 4}",
            SeriesInstanceUID=f"1.3.{number // 2}",
        )
    uids = [f"1.1.{number}" for number in range(7)]

    def listed(**wanted: object) -> list[str]:
        return [one.sop_instance for one in archive.instances(**wanted)]

    assert listed() == uids
    assert listed(limit=3) == uids[:3]
    assert listed(limit=3, offset=6) == uids[6:]
    assert listed(offset=5) == uids[5:]
    assert listed(study="1.2.1") == listed(patient="P1") == uids[4:]
    assert listed(series="1.3.1") == listed(series="1.3.1", study="1.2.0", patient="P0") == uids[2:4]
    assert listed(series="1.3.1", study="1.2.1") == listed(patient="nobody") == []
    assert archive.instances(series="1.3.1")[0] == archive.instance("1.1.2")


def test_what_the_disk_refuses_is_a_storage_error(tmp_path, monkeypatch):
    with Archive.open(tmp_path) as archive:
        monkeypatch.setattr(archive.files, "keep", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        for add in (
            lambda: archive.add(a_dataset()),
            lambda: archive.add_stream(io.BytesIO(CT_FILE.read_bytes()), "upload 1"),
        ):
            with pytest.raises(
                StorageError, match=r"^(data set 1\.2\.3\.4\.5|upload 1): Out of resources: No space left$"
            ):
                add()
        with pytest.raises(StorageError, match="2 of 2 could not be added"):
            archive.add(a_dataset(), CT_FILE)
        with pytest.raises(ArchiveError) as refused:
            archive.add(a_dataset(), tmp_path / "nowhere")
        assert not isinstance(refused.value, StorageError)
        assert list((tmp_path / "incoming").iterdir()) == []


def test_an_archive_opened_for_reading_takes_nothing(tmp_path):
    with Archive.open(tmp_path) as archive:
        archive.add(CT_FILE)
    with Archive.open(tmp_path, read_only=True) as archive:
        assert archive.instances()[0].dataset().PatientID == "1CT1"
        for call in (
            lambda: archive.add(MR_FILE),
            lambda: archive.add_stream(io.BytesIO(), "x"),
            archive.clear,
            lambda: archive.delete(study="1"),
        ):
            with pytest.raises(ArchiveError, match="opened for reading only"):
                call()


def test_an_instance_that_was_stored_again_in_another_way_is_not_misread(archive):
    store_one(archive, "1.1", bytes(100))
    old = archive.instance("1.1")
    archive.delete(sop_instance="1.1")
    for read in (old.read, old.dataset, lambda: list(old.part10())):
        with pytest.raises(StorageError, match=r"cannot be read: No such file or directory\.$"):
            read()
    meta, data = instance("1.1", bytes(100))
    store(archive, (meta._replace(source_aet="A_LONGER_SENDER"), data))
    for read in (old.read, old.dataset, lambda: list(old.part10())):
        with pytest.raises(StorageError, match="is another one by now"):
            read()
    assert archive.instance("1.1").read() == data
