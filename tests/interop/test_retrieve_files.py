"""Every file of the wheels is retrieved: what arrives is what is stored, bit for bit, where its syntax is accepted."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_dataset
from pydicom.uid import UID
from pynetdicom import _config

from mockpacs import MockPACS
from tests.interop import judge
from tests.interop.inputs import Input, inputs, silence
from tests.interop.programs import getscu, movescu, storescp
from tests.interop.retrieving import COMPOSITE_GET, COMPOSITE_MOVE, Pair, get, move, receiving
from tests.interop.scu import associate, keys

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG, DEFLATED = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
NATIVE = (IMPLICIT, EXPLICIT, BIG, DEFLATED)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MockPACS, dict[str, judge.OnDisk]]]:
    """A server that holds all files, stored byte by byte, and what is on its disk."""
    storage = tmp_path_factory.mktemp("wheels")
    with pytest.MonkeyPatch.context() as patch, MockPACS(storage=storage, on_duplicate="replace") as serving:
        patch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
        store(serving, inputs())
        yield serving, judge.stored(storage)


def store(pacs: MockPACS, files: Iterable[Input]) -> None:
    files = list(files)
    pairs = dict.fromkeys((each.sop_class, each.transfer_syntax) for each in files)
    association = associate(pacs, *((sop_class, [syntax]) for sop_class, syntax in pairs))
    for each in files:
        assert association.send_c_store(each.path).Status in (0x0000, 0xB007), each.name
    association.release()


def pairs_of(held: dict[str, judge.OnDisk]) -> list[Pair]:
    return list(dict.fromkeys((str(file.sop_class), str(file.transfer_syntax)) for file in held.values()))


def everything(held: dict[str, judge.OnDisk]) -> Dataset:
    return keys("IMAGE", SOPInstanceUID=list(held))


def contents(files: Iterable[judge.OnDisk]) -> Counter[tuple[str, str, str, bytes]]:
    return Counter(as_sent(file) for file in files)


def as_sent(file: judge.OnDisk) -> tuple[str, str, str, bytes]:
    """The very bytes; a deflate stream of odd length ends with a NUL (PS3.5 A.5)."""
    *names, data = file.content
    return (*names, data + b"\0" * (len(data) % 2 if UID(file.transfer_syntax).is_deflated else 0))


def test_a_destination_that_takes_everything_gets_the_very_bytes(
    wheels: tuple[MockPACS, dict[str, judge.OnDisk]],
) -> None:
    pacs, held = wheels
    with receiving(pairs_of(held)) as receiver:
        pacs.peers.add("ALL", "127.0.0.1", receiver.port)
        ended = move(pacs, everything(held), "ALL", COMPOSITE_MOVE)
    assert (ended.status, ended.counts) == (0x0000, (len(held), 0, 0))
    assert receiver.contents == contents(held.values())
    assert receiver.associations == 1
    assert len({file.transfer_syntax for file in held.values()}) > 10


def test_a_requestor_of_c_get_that_takes_everything_gets_the_very_bytes(
    wheels: tuple[MockPACS, dict[str, judge.OnDisk]],
) -> None:
    pacs, held = wheels
    ended, receiver = get(pacs, everything(held), pairs_of(held), COMPOSITE_GET)
    assert (ended.status, ended.counts) == (0x0000, (len(held), 0, 0))
    assert receiver.contents == contents(held.values())


def studies(held: Mapping[str, judge.OnDisk]) -> dict[str, list[judge.OnDisk]]:
    """By Study Instance UID; without those that have none."""
    found: dict[str, list[judge.OnDisk]] = {}
    for file in held.values():
        uid = str(data_set(file.data, file.transfer_syntax).get("StudyInstanceUID", ""))
        if uid:
            found.setdefault(uid, []).append(file)
    return found


def even(by_study: dict[str, list[judge.OnDisk]]) -> dict[str, list[judge.OnDisk]]:
    """Without the studies that have a data set of odd length: DCMTK ends the association when one comes."""
    return {uid: files for uid, files in by_study.items() if not any(len(as_sent(file)[-1]) % 2 for file in files)}


def data_set(data: bytes, transfer_syntax: str) -> Dataset:
    syntax = UID(transfer_syntax)
    if syntax.is_deflated:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    with silence():
        return read_dataset(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian)


def test_movescu_and_storescp_write_the_very_bytes(
    wheels: tuple[MockPACS, dict[str, judge.OnDisk]], tmp_path: Path
) -> None:
    pacs, held = wheels
    by_study = even(studies(held))
    wanted = [file for files in by_study.values() for file in files]
    with storescp(tmp_path / "received", "+xa", "-pm") as port:
        pacs.peers.add("STORESCP", "127.0.0.1", port)
        level = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + "\\".join(by_study)]
        moved = movescu(pacs, "STORESCP", "-S", level)
    assert (moved.status, moved.counts) == (0x0000, (len(wanted), 0, 0)), moved.text
    received = [judge.read(path) for path in (tmp_path / "received").iterdir()]
    assert contents(received) == contents(wanted)
    assert len(wanted) > 100


PREFERENCES = {
    "1.2.840.10008.1.2": "+xe",
    "1.2.840.10008.1.2.1": "+xe",
    "1.2.840.10008.1.2.2": "+xb",
    "1.2.840.10008.1.2.4.50": "+xy",
    "1.2.840.10008.1.2.4.51": "+xx",
    "1.2.840.10008.1.2.4.70": "+xs",
    "1.2.840.10008.1.2.4.80": "+xt",
    "1.2.840.10008.1.2.4.90": "+xv",
    "1.2.840.10008.1.2.4.91": "+xw",
    "1.2.840.10008.1.2.5": "+xr",
}
"""How getscu is told to propose a transfer syntax: together with the uncompressed ones, in one context a class.

Without deflated, as the files in it have an odd length, and without JPEG-LS near lossless, as those have no study.
"""


@pytest.mark.parametrize("syntax", PREFERENCES)
@pytest.mark.usefixtures("bytes_as_they_are")
def test_getscu_gets_the_very_bytes_of_a_transfer_syntax_it_proposes(
    syntax: str, storage: Path, tmp_path: Path
) -> None:
    """The classes have one context each: what we choose there has to be what is stored."""
    files = {each.sop_instance: each for each in inputs() if each.transfer_syntax == syntax}
    with MockPACS(storage=storage, on_duplicate="replace") as pacs:
        store(pacs, files.values())
        by_study = even(studies(judge.stored(storage)))
        wanted = [file for files in by_study.values() for file in files]
        level = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + "\\".join(by_study)]
        got = getscu(pacs, tmp_path / "received", "-S", level, PREFERENCES[syntax])
    received = contents(judge.read(path) for path in (tmp_path / "received").iterdir())
    assert wanted
    assert received == contents(wanted)
    assert (got.status, got.counts) == (0x0000, (len(wanted), 0, 0)), got.text


Flat = list[tuple[int, Any]]


def elements(made: Dataset, *, big: bool) -> Flat:
    """Tags and values, sequences item by item; without group lengths, which change with the encoding.

    Values are bytes as they are encoded, so that it does not matter whether a VR is known; with ``big`` as they read.
    """
    found: Flat = []
    with silence():
        # all of them before one is read: for one pydicom may have to look at another
        for tag, raw in [(tag, made.get_item(tag)) for tag in sorted(made.keys()) if tag.element != 0]:
            element = made[tag]
            value = raw.value if isinstance(raw, RawDataElement) and not big else element.value
            if element.VR == "SQ":
                value = [elements(item, big=big) for item in element.value]
            found.append((int(tag), _plain(value)))
    return found


def words_swapped(made: Dataset) -> Dataset:
    """Values of VR OW are words; pydicom leaves those of big endian as they are."""
    for element in made.iterall():
        if element.VR == "OW" and element.value:
            element.value = b"".join(element.value[at : at + 2][::-1] for at in range(0, len(element.value), 2))
    return made


def _plain(value: Any) -> Any:
    """An empty value is one, however it is shown."""
    return None if value in ("", [], b"") else value


NOT_CONVERTED = {
    "rtplan_truncated.dcm": "cut in the middle of an element",
    "MR_truncated.dcm": "cut in the middle of an element",
    "rtdose_expb_1frame.dcm": "pixels of 32 bits as words of 16 in big endian: nobody knows in which order",
}
"""What is not compressed and cannot be converted all the same, and why."""


@pytest.mark.parametrize("target", [IMPLICIT, EXPLICIT])
def test_what_is_not_compressed_is_converted_and_means_the_same(
    wheels: tuple[MockPACS, dict[str, judge.OnDisk]], target: str
) -> None:
    pacs, held = wheels
    classes = dict.fromkeys(sop_class for sop_class, _ in pairs_of(held))
    with receiving([(sop_class, target) for sop_class in classes]) as receiver:
        pacs.peers.add("PLAIN", "127.0.0.1", receiver.port)
        ended = move(pacs, everything(held), "PLAIN", COMPOSITE_MOVE)
    native = {uid for uid, file in held.items() if file.transfer_syntax in NATIVE}
    broken = {
        uid for each in inputs() if each.name in NOT_CONVERTED and held[uid := str(each.sop_instance)].data == each.data
    }
    arrived = {arrival.sop_instance: arrival for arrival in receiver.arrivals}
    as_stored = {uid for uid in broken if held[uid].transfer_syntax == target}
    assert arrived.keys() == native - broken | as_stored
    assert ended.status == 0xB000
    assert ended.counts == (len(arrived), len(held) - len(arrived), 0)
    assert sorted(ended.failed_list) == sorted(held.keys() - arrived.keys())
    assert {arrival.transfer_syntax for arrival in receiver.arrivals} == {target}
    for uid, arrival in arrived.items():
        file = held[uid]
        if file.transfer_syntax == target:
            assert arrival.data == file.data
        else:
            stored, big = data_set(file.data, file.transfer_syntax), file.transfer_syntax == BIG
            expected = elements(words_swapped(stored) if big else stored, big=big)
            assert elements(data_set(arrival.data, target), big=big) == expected, uid
    assert sum(held[uid].transfer_syntax != target for uid in arrived) > 3


def test_what_is_compressed_fails_where_its_transfer_syntax_is_refused(
    wheels: tuple[MockPACS, dict[str, judge.OnDisk]],
) -> None:
    pacs, held = wheels
    compressed = {uid: file for uid, file in held.items() if file.transfer_syntax not in NATIVE}
    classes = dict.fromkeys(sop_class for sop_class, _ in pairs_of(compressed))
    plain = [(sop_class, EXPLICIT) for sop_class in classes]
    ended, receiver = get(pacs, everything(compressed), plain, COMPOSITE_GET)
    assert (ended.status, ended.counts) == (0xA702, (0, len(compressed), 0))
    assert receiver.arrivals == []
    assert sorted(ended.failed_list) == sorted(compressed)
    with receiving(plain) as destination:
        pacs.peers.add("PLAIN", "127.0.0.1", destination.port)
        ended = move(pacs, everything(compressed), "PLAIN", COMPOSITE_MOVE)
    assert (ended.status, ended.counts) == (0xA702, (0, len(compressed), 0))
    assert destination.arrivals == []
    assert sorted(ended.failed_list) == sorted(compressed)
    assert ended.final.ErrorComment.startswith(f"{len(compressed)} of {len(compressed)} failed: needs --transcode")


def test_one_refused_class_fails_alone(wheels: tuple[MockPACS, dict[str, judge.OnDisk]]) -> None:
    pacs, held = wheels
    refused = "1.2.840.10008.5.1.4.1.1.4"
    rest = [pair for pair in pairs_of(held) if pair[0] != refused]
    with receiving(rest) as receiver:
        pacs.peers.add("REST", "127.0.0.1", receiver.port)
        ended = move(pacs, everything(held), "REST", COMPOSITE_MOVE)
    failed = sorted(uid for uid, file in held.items() if file.sop_class == refused)
    assert ended.status == 0xB000
    assert ended.counts == (len(held) - len(failed), len(failed), 0)
    assert sorted(ended.failed_list) == failed
    assert receiver.contents == contents(file for file in held.values() if file.sop_class != refused)
    assert receiver.associations == 1


WITHOUT_BULK_DATA_GET = "1.2.840.10008.5.1.4.1.2.5.3"
BULK_DATA = {0x7FE00008, 0x7FE00009, 0x7FE00010}


def test_without_bulk_data_everything_else_arrives(wheels: tuple[MockPACS, dict[str, judge.OnDisk]]) -> None:
    pacs, held = wheels
    classes = dict.fromkeys(sop_class for sop_class, _ in pairs_of(held))
    plain = [(sop_class, EXPLICIT) for sop_class in classes]
    ended, receiver = get(pacs, everything(held), plain, WITHOUT_BULK_DATA_GET)
    cut = {uid for each in inputs() if is_cut(each) and held[uid := str(each.sop_instance)].data == each.data}
    assert ended.status == 0xB000
    assert ended.counts == (len(held) - len(cut), len(cut), 0)
    assert set(ended.failed_list) == cut
    for arrival in receiver.arrivals:
        file = held[arrival.sop_instance]
        big = file.transfer_syntax == BIG
        stored = data_set(file.data, file.transfer_syntax)
        if "WaveformSequence" in stored:
            assert all("WaveformData" in item for item in stored.WaveformSequence)
            for item in stored.WaveformSequence:
                del item.WaveformData
        expected = [(tag, value) for tag, value in elements(stored, big=big) if not is_bulk_data(tag)]
        assert elements(data_set(arrival.data, EXPLICIT), big=big) == expected, file.path


def is_cut(each: Input) -> bool:
    """Whether nobody can tell what is in it behind some place."""
    return each.name in ("rtplan_truncated.dcm", "MR_truncated.dcm", "SC_rgb_jpeg.dcm")


def is_bulk_data(tag: int) -> bool:
    """Pixels of any kind, and overlays."""
    return tag in BULK_DATA or (tag >> 24 == 0x60 and tag & 0xFFFF == 0x3000)
