"""Records that a filter wants: the same from the recording and from its index."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mockpacs.traffic.exchange import Exchange, Record
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.selection import Heads, attributes_of, chosen, chosen_by_index, is_large, values_of
from mockpacs.wire.dataset import DEFLATED, EXPLICIT_LITTLE, deflate, encode_element
from tests.cli.recorded import script
from tests.traffic.recording.written import write


def ids(records: list[Record]) -> list[str]:
    return sorted(record.id for record in records if isinstance(record, Exchange))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "2.2",
        "-service:C-ECHO",
        "PatientID:P1",
        "PatientID:P1 or service:C-ECHO",
        "QueryRetrieveLevel:STUDY",
        "-PatientName:*",
        "(0008,0020):2026*",
        "(0009,1001):x",
        "status:A700",
        "calling:CT*",
    ],
)
def test_the_index_says_the_same_as_the_recording(text: str, tmp_path: Path) -> None:
    recording = write(tmp_path, script())
    wanted = Filter.parse(text)
    direct = list(chosen(recording, wanted))
    told: list[int] = []
    for _ in range(2):  # when it is made, and when it is there
        indexed = list(chosen_by_index(recording, wanted, told.append))
        assert ids(indexed) == ids(direct)
        assert len(indexed) == len(direct)
    assert told != []


def test_attributes_are_texts_whatever_their_vr_and_encoding() -> None:
    raw = encode_element(0x00080005, "CS", b"ISO_IR 100", EXPLICIT_LITTLE)
    raw += encode_element(0x00100010, "PN", b"\xc4neas", EXPLICIT_LITTLE)
    raw += encode_element(0x00280009, "AT", b"\x18\0\x63\x10", EXPLICIT_LITTLE)
    raw += encode_element(0x00280010, "US", struct.pack("<H", 512), EXPLICIT_LITTLE)
    wanted = frozenset((0x00100010, 0x00280009, 0x00280010, 0x00280011))
    expected = {0x00100010: ("Äneas",), 0x00280009: ("00181063",), 0x00280010: ("512",)}
    assert attributes_of(raw, EXPLICIT_LITTLE, wanted) == expected
    assert attributes_of(deflate(raw), DEFLATED, wanted) == expected
    assert attributes_of(b"nonsense", EXPLICIT_LITTLE, wanted) == {}


def test_what_was_held_of_a_request_is_forgotten_with_its_record(tmp_path: Path) -> None:
    heads = Heads([0x00100020])
    for record in write(tmp_path, script()).records(heads.on_request):
        if isinstance(record, Exchange) and record.id == "2.1":
            assert heads.values(record, 0x00100020) == ("P1",)
            assert heads.values(record, 0x00100021) is None
        heads.forget(record)
        if isinstance(record, Exchange):
            assert heads.all(record) == {}


def test_an_attribute_can_be_read_from_the_recording_afterwards(tmp_path: Path) -> None:
    records = list(write(tmp_path, script()).records())
    by_id = {record.id: record for record in records if isinstance(record, Exchange)}
    assert values_of(by_id["2.1"], 0x00100020) == ("P1",)
    assert values_of(by_id["2.1"], 0x00280010) is None
    assert values_of(by_id["1.1"], 0x00100020) is None


def test_an_index_is_not_worth_it_for_a_small_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = write(tmp_path, script())
    assert not is_large(recording)
    monkeypatch.setattr("mockpacs.traffic.index.identity.WORTH_INDEXING", 1)
    assert is_large(recording)
