"""Files: byte for byte, under names that cannot leave the directory."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pydicom.data
import pytest

from mockpacs.archive import Archive, FileMeta
from mockpacs.archive.store import place, safe_name
from mockpacs.wire.dataset import DEFLATED, Encoding
from mockpacs.wire.part10 import decode_head, encode_head, guess_transfer_syntax
from tests.archive.instances import CT, EXPLICIT, instance, store, store_one

WHEEL = Path(pydicom.data.__file__).parent / "test_files"


def part10_files() -> list[Path]:
    found = []
    for path in sorted(WHEEL.rglob("*")):
        if path.is_file():
            head = decode_head(path.read_bytes()[: 1 << 16])
            if head and head.meta.sop_instance and head.meta.transfer_syntax and "DICOMDIR" not in path.name:
                found.append(path)
    return found


@pytest.fixture(params=["disk", "memory"])
def archive(request, tmp_path):
    with Archive.open(tmp_path / "storage" if request.param == "disk" else None) as opened:
        yield opened


def test_the_wheel_has_enough_files_to_mean_something():
    assert len(part10_files()) > 100


@pytest.mark.parametrize("path", part10_files(), ids=lambda path: path.name)
def test_every_file_of_pydicom_comes_back_byte_for_byte(path):
    contents = path.read_bytes()
    head = decode_head(contents[: 1 << 16])
    assert head is not None
    data = contents[head.data_offset :]
    with Archive.open(None) as archive:
        (stored,) = store(archive, (head.meta, data))
        assert stored.status in (0x0000, 0xB007)
        found = archive.instance(head.meta.sop_instance)
        assert found is not None
        assert found.read() == data
        assert found.meta.transfer_syntax == head.meta.transfer_syntax


def test_what_is_on_disk_is_a_part_10_file_that_pydicom_reads(tmp_path):
    with Archive.open(tmp_path) as archive:
        meta, data = instance("1.2.3.4.5", bytes(1000))
        (stored,) = store(archive, (meta, data))
    path = tmp_path / stored.path
    assert path == tmp_path / "archive/1.2.3/1.2.3.4/1.2.3.4.5.dcm"
    assert path.read_bytes().endswith(data)
    read = pydicom.dcmread(path)
    assert read.file_meta.MediaStorageSOPClassUID == CT
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.2.3.4.5"
    assert read.file_meta.TransferSyntaxUID == EXPLICIT
    assert read.file_meta.SourceApplicationEntityTitle == "SENDER"
    assert read.PatientName == "Doe^Jane"
    assert read.file_meta.FileMetaInformationGroupLength + 132 + 12 == path.stat().st_size - len(data)


def test_a_private_transfer_syntax_and_sop_class_are_kept_as_they_are(archive):
    meta, data = instance("1.2.3.4.5", SOPClassUID="1.2.999.1")
    meta = meta._replace(sop_class="1.2.999.1", transfer_syntax="1.2.999.2")
    (stored,) = store(archive, (meta, data))
    found = archive.instance("1.2.3.4.5")
    assert stored.status == 0
    assert found is not None
    assert (found.meta, found.read()) == (meta, data)


def test_the_head_is_read_back_as_it_was_written():
    meta = FileMeta(CT, "1.2.3", EXPLICIT, "SENDER")
    head = decode_head(encode_head(meta) + b"\x08\0")
    assert head is not None
    assert (head.meta, head.data_offset) == (meta, len(encode_head(meta)))


@pytest.mark.parametrize("cut", range(132, 330, 7))
def test_a_head_that_is_cut_is_no_head_or_a_shorter_one(cut):
    head = decode_head(encode_head(FileMeta(CT, "1.2.3", EXPLICIT, "SENDER"))[:cut])
    assert head is None or head.data_offset <= cut


def test_the_pixels_of_no_preamble_no_meta_files_are_recognised_by_their_first_element():
    assert guess_transfer_syntax(b"\x08\0\x05\0CS\x0a\0ISO_IR 100") == EXPLICIT
    assert guess_transfer_syntax(b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100") == "1.2.840.10008.1.2"
    assert guess_transfer_syntax(b"\0\x08\0\x05CS\0\x0aISO_IR 100") == "1.2.840.10008.1.2.2"
    assert guess_transfer_syntax(b"%PDF-1.7 ") == ""
    assert guess_transfer_syntax(b"GIF89a and more") == ""
    assert guess_transfer_syntax(b"\x08\0") == ""


@pytest.mark.parametrize(
    "text",
    [
        "../../etc/passwd",
        "..",
        ".",
        "...",
        "/etc/passwd",
        "a\0b",
        "C:\\x",
        "1.2.",
        ".1",
        "é" * 300,
        "1" * 65,
        "\n",
        "٣",
    ],
)
def test_text_that_is_no_uid_becomes_a_name_without_meaning_to_a_file_system(text):
    name = safe_name(text)
    assert name != text
    assert len(name) <= 64
    assert not set(name) - set("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_~")
    assert not name.startswith(".")
    assert not name.endswith(".")


def test_uids_keep_their_names_and_different_texts_get_different_ones():
    assert safe_name("1.2.840.113619") == "1.2.840.113619"
    texts = ["", "1", "1.", "1..", "../1", "..\\1", "a", "A", "none", "1.2~", "1" * 65, "1" * 66]
    assert len({safe_name(text).casefold() for text in texts}) == len(texts)


def test_hostile_study_and_series_uids_stay_inside_the_storage_directory(tmp_path):
    storage = tmp_path / "inner" / "storage"
    with Archive.open(storage) as archive:
        stored = store_one(archive, "1.2.3.4.5", StudyInstanceUID="../../../evil", SeriesInstanceUID="/etc")
        assert stored.status == 0
        found = archive.instance("1.2.3.4.5")
        assert found is not None
        assert (storage / stored.path).resolve().is_relative_to(storage.resolve())
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["storage"]


def test_a_place_depends_on_nothing_but_the_uids():
    assert place("1.2", "", "3") == "archive/1.2/none/3.dcm"
    assert place("1.2", "4", "3", generation=2) == "archive/1.2/4/3+2.dcm"


def test_the_header_of_a_stored_data_set_is_read_without_the_head(archive):
    meta, data = instance("1.2.3.4.5", bytes(200_000))
    (stored,) = store(archive, (meta, data))
    assert archive.files.read_header(stored.path) == (data, Encoding.of(EXPLICIT))
    assert archive.files.read_header(stored.path, limit=100) == (data[:100], Encoding.of(EXPLICIT))
    assert archive.files.read_header(stored.path, limit=100_000)[0] == data[:100_000]


def test_the_header_of_a_deflated_one_says_so(archive):
    meta, data = instance("1.2.3.4.5")
    (stored,) = store(archive, (meta._replace(transfer_syntax="1.2.840.10008.1.2.1.99"), data))
    assert archive.files.read_header(stored.path)[1] == DEFLATED


def test_a_header_whose_file_is_gone_is_an_os_error(archive):
    with pytest.raises(FileNotFoundError):
        archive.files.read_header("archive/1/2/3.dcm")
