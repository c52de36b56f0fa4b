"""DCMTK's getscu and movescu retrieve in all models and at all levels; storescp is where the instances go."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mockpacs import MockPACS
from tests.interop import judge, phantom
from tests.interop.collection import COLLECTION, uid
from tests.interop.inputs import named
from tests.interop.programs import Retrieved, free_port, getscu, movescu, run, storescp
from tests.interop.retrieving import at_once
from tests.interop.test_retrieve_files import store, studies


@dataclass(frozen=True, slots=True)
class Archive:
    """A server with `COLLECTION`, that knows a storescp as STORESCP, which writes into a folder."""

    pacs: MockPACS
    held: dict[str, judge.OnDisk]
    received: Path


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    folder = tmp_path_factory.mktemp("retrieve")
    with MockPACS(storage=folder / "storage") as pacs, storescp(folder / "received") as port:
        ran = run("storescu", pacs.host, pacs.port, *phantom.write(folder / "files", COLLECTION), nagle=False)
        assert ran.status == 0, ran.text
        pacs.peers.add("STORESCP", "127.0.0.1", port)
        yield Archive(pacs, judge.stored(folder / "storage"), folder / "received")


S1, S4 = f"StudyInstanceUID={uid(1)}", f"StudyInstanceUID={uid(4)}"
P1, P3 = "PatientID=P1", "PatientID=P3"
SERIES_1 = f"SeriesInstanceUID={uid(1, 1)}"
ALL_OF_1 = "1.1.1 1.1.2 1.2.1"

WISHES: dict[str, tuple[str, str, list[str], str]] = {
    # what is wanted: model, level, keys, what comes
    "a patient": ("-P", "PATIENT", [P1], f"{ALL_OF_1} 2.1.1"),
    "another patient": ("-P", "PATIENT", [P3], "4.1.1 4.1.2"),
    "a patient's study": ("-P", "STUDY", [P1, S1], ALL_OF_1),
    "two studies of a patient": ("-P", "STUDY", [P1, f"{S1}\\{uid(2)}"], f"{ALL_OF_1} 2.1.1"),
    "studies of which one is another's": ("-P", "STUDY", [P1, f"{S1}\\{uid(4)}"], ALL_OF_1),
    "a patient's series": ("-P", "SERIES", [P1, S1, SERIES_1], "1.1.1 1.1.2"),
    "a patient's image": ("-P", "IMAGE", [P1, S1, SERIES_1, f"SOPInstanceUID={uid(1, 1, 2)}"], "1.1.2"),
    "a study": ("-S", "STUDY", [S1], ALL_OF_1),
    "three studies of which there are two": ("-S", "STUDY", [f"{S1}\\1.2.3\\{uid(4)}"], f"{ALL_OF_1} 4.1.1 4.1.2"),
    "a series": ("-S", "SERIES", [S1, f"SeriesInstanceUID={uid(1, 2)}"], "1.2.1"),
    "two series": ("-S", "SERIES", [S1, f"{SERIES_1}\\{uid(1, 2)}"], ALL_OF_1),
    "an image": ("-S", "IMAGE", [S1, SERIES_1, f"SOPInstanceUID={uid(1, 1, 1)}"], "1.1.1"),
    "images": ("-S", "IMAGE", [S1, SERIES_1, f"SOPInstanceUID={uid(1, 1, 1)}\\{uid(1, 1, 2)}"], "1.1.1 1.1.2"),
    "an image of another series": ("-S", "IMAGE", [S1, SERIES_1, f"SOPInstanceUID={uid(1, 2, 1)}"], ""),
    "a patient in patient and study only": ("-O", "PATIENT", [P1], f"{ALL_OF_1} 2.1.1"),
    "a study in patient and study only": ("-O", "STUDY", [P3, S4], "4.1.1 4.1.2"),
    "a study of nobody": ("-S", "STUDY", ["StudyInstanceUID=1.2.3"], ""),
    "a patient of that study who is another": ("-P", "STUDY", [P3, S1], ""),
    "a study with keys that do not belong": ("-S", "STUDY", [S1, "PatientName=Nobody", "Modality=MR"], ALL_OF_1),
    "a study in the patient's name too": ("-S", "STUDY", [S1, "SeriesInstanceUID", "SOPInstanceUID"], ALL_OF_1),
}


def held_by_numbers(archive: Archive, numbers: str) -> list[judge.Content]:
    return sorted(archive.held[uid(*map(int, name.split(".")))].content for name in numbers.split())


def taken(folder: Path) -> list[judge.Content]:
    """What is in a folder; it is empty afterwards."""
    found = sorted(judge.read(path).content for path in folder.iterdir())
    shutil.rmtree(folder)
    folder.mkdir()
    return found


def assert_counted(retrieved: Retrieved, count: int) -> None:
    """Success, and a pending response between any two sub-operations with the right counters."""
    assert retrieved.status == 0x0000, retrieved.text
    assert retrieved.steps[-1] == (0x0000, None, count, 0, 0)
    assert retrieved.steps[:-1] == [(0xFF00, count - done, done, 0, 0) for done in range(1, count)]
    assert retrieved.failed_list == []


@pytest.mark.parametrize(("model", "level", "keys", "expected"), WISHES.values(), ids=WISHES)
def test_getscu_gets_exactly(
    archive: Archive, tmp_path: Path, model: str, level: str, keys: list[str], expected: str
) -> None:
    got = getscu(archive.pacs, tmp_path / "got", model, [f"QueryRetrieveLevel={level}", *keys])
    assert_counted(got, len(expected.split()))
    assert taken(tmp_path / "got") == held_by_numbers(archive, expected)


@pytest.mark.parametrize(("model", "level", "keys", "expected"), WISHES.values(), ids=WISHES)
def test_movescu_moves_exactly(archive: Archive, model: str, level: str, keys: list[str], expected: str) -> None:
    moved = movescu(archive.pacs, "STORESCP", model, [f"QueryRetrieveLevel={level}", *keys])
    assert_counted(moved, len(expected.split()))
    assert taken(archive.received) == held_by_numbers(archive, expected)


WRONG: dict[str, tuple[str, list[str]]] = {
    "no level": ("-S", [S1]),
    "a level the model does not have": ("-S", ["QueryRetrieveLevel=PATIENT", P1]),
    "a level nobody has": ("-P", ["QueryRetrieveLevel=FRAME", P1]),
    "no key": ("-S", ["QueryRetrieveLevel=STUDY"]),
    "an empty key": ("-S", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"]),
    "a wild card": ("-S", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID=1.2.*"]),
    "every patient": ("-P", ["QueryRetrieveLevel=PATIENT", "PatientID=*"]),
    "two patients": ("-P", ["QueryRetrieveLevel=PATIENT", "PatientID=P1\\P3"]),
    "a series without its study": ("-S", ["QueryRetrieveLevel=SERIES", SERIES_1]),
    "a study without its patient": ("-P", ["QueryRetrieveLevel=STUDY", S1]),
    "a series of two studies": ("-S", ["QueryRetrieveLevel=SERIES", f"{S1}\\{uid(4)}", SERIES_1]),
    "a series level in patient and study only": ("-O", ["QueryRetrieveLevel=SERIES", P1, S1, SERIES_1]),
    "a study with a series below": ("-S", ["QueryRetrieveLevel=STUDY", S1, SERIES_1]),
}


@pytest.mark.parametrize(("model", "keys"), WRONG.values(), ids=WRONG)
def test_it_is_told_that_it_cannot_retrieve(archive: Archive, tmp_path: Path, model: str, keys: list[str]) -> None:
    got = getscu(archive.pacs, tmp_path / "got", model, keys)
    moved = movescu(archive.pacs, "STORESCP", model, keys)
    for retrieved in (got, moved):
        assert retrieved.steps == [(0xA900, None, None, None, None)], retrieved.text
    assert taken(tmp_path / "got") == taken(archive.received) == []


@pytest.mark.parametrize("proposal", ["-xe", "-xb", "-xi"])
def test_any_transfer_syntax_of_the_identifier_will_do(archive: Archive, proposal: str) -> None:
    keys = ["QueryRetrieveLevel=STUDY", S1]
    assert_counted(movescu(archive.pacs, "STORESCP", "-S", keys, proposal), 3)
    assert taken(archive.received) == held_by_numbers(archive, ALL_OF_1)


def test_movescu_receives_itself_what_it_asks_for(archive: Archive, tmp_path: Path) -> None:
    """As workstations do: the move destination is who asks, at another port."""
    port = free_port()
    archive.pacs.peers.add("MOVESCU", "127.0.0.1", port)
    (tmp_path / "own").mkdir()
    keys = ["QueryRetrieveLevel=STUDY", S4]
    moved = movescu(archive.pacs, "MOVESCU", "-S", keys, "+P", port, "-od", tmp_path / "own")
    assert_counted(moved, 2)
    assert taken(tmp_path / "own") == held_by_numbers(archive, "4.1.1 4.1.2")
    assert moved.text.count("Move Originator AE Title      : MOVESCU\nD: Move Originator ID            : 1\n") == 2


def test_an_unknown_destination_is_a801(archive: Archive) -> None:
    archive.pacs.peers.add("GONE", "127.0.0.1", 11112)
    archive.pacs.peers.remove("GONE")
    for destination in ("NOBODY", "GONE", "storescp"):
        moved = movescu(archive.pacs, destination, "-S", ["QueryRetrieveLevel=STUDY", S1])
        assert moved.steps == [(0xA801, None, None, None, None)], moved.text
        assert moved.failed_list == []
        assert destination in archive.pacs.exchanges[-1].comment
    assert taken(archive.received) == []


def test_the_destination_of_a_move_is_known_before_the_identifier_is_looked_at(archive: Archive) -> None:
    moved = movescu(archive.pacs, "NOBODY", "-S", ["QueryRetrieveLevel=NOTHING"])
    assert moved.status == 0xA801


def test_eight_getscu_at_once_get_all_of_it_each(archive: Archive, tmp_path: Path) -> None:
    keys = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + "\\".join(uid(number) for number in range(1, 6))]
    folders = [tmp_path / str(number) for number in range(8)]
    everything = sorted(file.content for file in archive.held.values())
    for got in at_once(*(lambda folder=folder: getscu(archive.pacs, folder, "-S", keys) for folder in folders)):
        assert_counted(got, len(everything))
    for folder in folders:
        assert taken(folder) == everything


def test_two_moves_that_cross_reach_each_its_own_destination(archive: Archive, tmp_path: Path) -> None:
    with storescp(tmp_path / "other") as port:
        archive.pacs.peers.add("OTHER", "127.0.0.1", port)
        one, other = at_once(
            lambda: movescu(archive.pacs, "STORESCP", "-S", ["QueryRetrieveLevel=STUDY", S1], "--repeat", 5),
            lambda: movescu(archive.pacs, "OTHER", "-S", ["QueryRetrieveLevel=STUDY", S4], "--repeat", 5),
        )
    assert [step.completed for step in one.steps if step.status == 0] == [3] * 5
    assert [step.completed for step in other.steps if step.status == 0] == [2] * 5
    assert set(taken(archive.received)) == set(held_by_numbers(archive, ALL_OF_1))
    assert set(taken(tmp_path / "other")) == set(held_by_numbers(archive, "4.1.1 4.1.2"))


@pytest.mark.parametrize("trouble", ["--refuse", "--abort-after", "--abort-during"])
def test_a_storescp_that_makes_trouble_fails_the_sub_operations_only(
    archive: Archive, tmp_path: Path, trouble: str
) -> None:
    with storescp(tmp_path / "trouble", trouble) as port:
        archive.pacs.peers.add("TROUBLE", "127.0.0.1", port)
        moved = movescu(archive.pacs, "TROUBLE", "-S", ["QueryRetrieveLevel=STUDY", S1])
    assert moved.steps[-1] == (0xA702, None, 0, 3, 0), moved.text
    assert sorted(moved.failed_list) == sorted([uid(1, 1, 1), uid(1, 1, 2), uid(1, 2, 1)])
    assert_counted(movescu(archive.pacs, "STORESCP", "-S", ["QueryRetrieveLevel=STUDY", S1]), 3)
    taken(archive.received)


@pytest.mark.usefixtures("bytes_as_they_are")
def test_getscu_counts_what_it_does_not_take(tmp_path: Path) -> None:
    """It has to be told so without the list: DCMTK 3.6.7 does not read the data set of a final response to C-GET."""
    with MockPACS(storage=tmp_path / "storage") as pacs:
        store(pacs, [named("JPEG2000.dcm"), named("CT_small.dcm")])
        found = studies(judge.stored(tmp_path / "storage"))
        level = ["QueryRetrieveLevel=STUDY", "StudyInstanceUID=" + "\\".join(found)]
        got = getscu(pacs, tmp_path / "got", "-S", level)
        assert pacs.exchanges[-1].comment == "1 of 2 failed: needs --transcode: JPEG 2000 Image Compression"
    assert got.steps[-1] == (0xB000, None, 1, 1, 0), got.text
    assert [content[1] for content in taken(tmp_path / "got")] == [named("CT_small.dcm").sop_instance]


def test_only_what_a_peer_is_known_to_take_is_proposed_to_it(archive: Archive, tmp_path: Path) -> None:
    with storescp(tmp_path / "other", "+xa") as port:
        archive.pacs.peers.add("OLD", "127.0.0.1", port, transfer_syntaxes=["implicit"])
        assert_counted(movescu(archive.pacs, "OLD", "-S", ["QueryRetrieveLevel=STUDY", S1]), 3)
    received = judge.by_instance((tmp_path / "other").iterdir())
    assert {file.transfer_syntax for file in received.values()} == {"1.2.840.10008.1.2"}
    assert sorted(received) == sorted([uid(1, 1, 1), uid(1, 1, 2), uid(1, 2, 1)])
