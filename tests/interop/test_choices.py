"""What a user configured is what foreign clients see."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import evt

from mockpacs import MockPACS
from tests.interop import judge, phantom, scu
from tests.interop.collection import COLLECTION, numbers
from tests.interop.programs import findscu, run
from tests.interop.scu import STUDY_ROOT, ask, associate, keys

OLD, NEW = (phantom.instance(StudyDescription=text) for text in ("old", "new"))


@pytest.mark.parametrize(
    ("on_duplicate", "duplicate_status", "status", "kept"),
    [
        ("keep", "warning", 0xB000, OLD),
        ("keep", "success", 0x0000, OLD),
        ("replace", "warning", 0x0000, NEW),
        ("refuse", "warning", 0x0111, OLD),
    ],
)
def test_another_instance_of_the_same_uid(
    storage: Path, tmp_path: Path, on_duplicate: str, duplicate_status: str, status: int, kept: phantom.Dataset
) -> None:
    with MockPACS(storage=storage, on_duplicate=on_duplicate, duplicate_status=duplicate_status) as pacs:
        assert scu.store(pacs, OLD, OLD, NEW) == [0x0000, 0x0000, status]
        study = findscu(pacs, tmp_path / "found", "-S", ["QueryRetrieveLevel=STUDY", "NumberOfStudyRelatedInstances"])
        assert [match.NumberOfStudyRelatedInstances for match in study.matches] == [1]
    (file,) = judge.stored(storage).values()
    assert file.data == phantom.encoded(kept)


def test_storescu_reports_a_refused_duplicate_and_a_kept_one(tmp_path: Path) -> None:
    (old,), (new,) = phantom.write(tmp_path / "old", [OLD]), phantom.write(tmp_path / "new", [NEW])
    for choice, said in (("refuse", "0x0111: "), ("keep", "0xb000: "), ("replace", "0x0000: Success")):
        with MockPACS(on_duplicate=choice) as pacs:
            assert run("storescu", pacs.host, pacs.port, old).status == 0
            ran = run("storescu", "-v", "-d", "-nh", pacs.host, pacs.port, new)
            (status,) = ran.lines("DIMSE Status")
            assert said in status


def found(pacs: MockPACS, **wanted: str) -> list[str]:
    answer = ask(pacs, keys("STUDY", **{"StudyInstanceUID": "", **wanted}))
    assert answer.final.Status == 0x0000
    return sorted(map(numbers, answer.identifiers))


@pytest.fixture
def asking(request: pytest.FixtureRequest) -> Iterator[MockPACS]:
    """The collection behind a configured server."""
    with MockPACS(**request.param) as pacs:
        assert set(scu.store(pacs, *COLLECTION)) == {0x0000}
        yield pacs


@pytest.mark.parametrize("asking", [{"unknown_values": "match"}], indirect=True)
def test_unknown_values_may_match_everything(asking: MockPACS) -> None:
    assert found(asking, PatientName="Smithe^Jane") == ["4", "5"]
    assert found(asking, AccessionNumber="ACC_1") == ["1", "4"]
    assert found(asking, StudyDate="20210101") == ["1", "5"]


@pytest.mark.parametrize("asking", [{"person_name_case": "sensitive"}], indirect=True)
def test_the_case_of_names_may_count(asking: MockPACS) -> None:
    assert found(asking, PatientName="smith^john") == []
    assert found(asking, PatientName="Smith^J*") == ["1", "2", "3"]
    assert found(asking, PatientName="SMITHE^*") == ["4"]


@pytest.mark.parametrize("asking", [{"max_query_results": 2}], indirect=True)
def test_more_matches_than_allowed_end_with_a_refusal(asking: MockPACS, tmp_path: Path) -> None:
    answer = ask(asking, keys("STUDY", StudyInstanceUID=""))
    assert len(answer.matches) == 2
    assert answer.final.Status == 0xA700
    assert answer.final.ErrorComment == "More than 2 matches"
    said = findscu(asking, tmp_path, "-S", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID"])
    assert len(said.matches) == 2
    assert "OutOfResources" in said.final
    assert found(asking, PatientID="P1") == ["1", "2"]


@pytest.mark.parametrize(
    ("choice", "cut", "other"), [("warn", 0xB007, 0xB007), ("accept", 0, 0), ("refuse", 0xC000, 0xA900)]
)
def test_cut_data_sets_and_those_that_contradict_their_command(
    storage: Path, choice: str, cut: int, other: int
) -> None:
    made = phantom.instance()
    data = phantom.encoded(made)
    with MockPACS(storage=storage, unreadable=choice, mismatch=choice) as pacs:
        association = associate(pacs, (made.SOPClassUID, ["1.2.840.10008.1.2.1"]))
        (context,) = association.accepted_contexts
        assert scu.send_bytes(association, context, made.SOPInstanceUID, data[:-1]).Status == cut
        assert scu.send_bytes(association, context, "1.2.3.4", data).Status == other
        association.release()
        assert pacs.archive.counts().instances == (0 if choice == "refuse" else 2)
    kept = {str(uid): file.data for uid, file in judge.stored(storage).items()}
    assert kept == ({} if choice == "refuse" else {made.SOPInstanceUID: data[:-1], "1.2.3.4": data})


def test_an_instance_over_the_limit_is_refused(tmp_path: Path) -> None:
    paths = phantom.write(tmp_path, [phantom.instance(ImageComments="x" * 9_000), phantom.instance(number=2)])
    with MockPACS(max_instance_size=4096) as pacs:
        ran = run("storescu", "-v", "-nh", pacs.host, pacs.port, *paths)
        assert [line.partition("Response ")[2] for line in ran.lines("Received Store Response")] == [
            "(Refused: OutOfResources)",
            "(Success)",
        ], ran.text


# C-CANCEL: the answer is far bigger than what sockets and buffers between the two can hold.

COUNT = 250


@pytest.fixture(scope="module")
def slow_to_read() -> Iterator[MockPACS]:
    with MockPACS() as pacs:
        association = associate(pacs, (phantom.CT, ["1.2.840.10008.1.2.1"]))
        (context,) = association.accepted_contexts
        for number in range(1, COUNT + 1):
            made = phantom.instance(number=number, TextValue="x" * 200_000)
            data = phantom.encoded(made)
            assert scu.send_bytes(association, context, made.SOPInstanceUID, data).Status == 0x0000
        association.release()
        yield pacs


IMAGES = {
    "StudyInstanceUID": f"{phantom.ROOT}.1",
    "SeriesInstanceUID": f"{phantom.ROOT}.1.1",
    "SOPInstanceUID": "",
    "TextValue": "",
}


def test_findscu_cancels(slow_to_read: MockPACS, tmp_path: Path) -> None:
    wanted = ["QueryRetrieveLevel=IMAGE", *(f"{keyword}={value}" for keyword, value in IMAGES.items())]
    got = findscu(slow_to_read, tmp_path, "-S", wanted, "--cancel", 3)
    assert got.final.startswith("Cancel"), got.final
    assert 3 <= len(got.matches) < COUNT


def test_pynetdicom_cancels_and_the_association_goes_on(slow_to_read: MockPACS) -> None:
    """Its thread that receives is held up until the other one has said C-CANCEL: it would read on meanwhile."""
    cancelled = threading.Event()
    received = itertools.count()

    def hold(_: evt.Event) -> None:
        if next(received) > 40:  # a response takes 13 PDUs
            assert cancelled.wait(20)

    association = associate(
        slow_to_read, (STUDY_ROOT, ["1.2.840.10008.1.2.1"]), evt_handlers=[(evt.EVT_PDU_RECV, hold)]
    )
    statuses = []
    for status, _ in association.send_c_find(keys("IMAGE", **IMAGES), STUDY_ROOT, msg_id=5):
        statuses.append(status.Status)
        if len(statuses) == 2:
            association.send_c_cancel(5, query_model=STUDY_ROOT)
            cancelled.set()
    assert statuses[-1] == 0xFE00
    assert set(statuses[:-1]) == {0xFF00}
    assert 2 < len(statuses) <= COUNT
    again = [status.Status for status, _ in association.send_c_find(keys("STUDY", StudyInstanceUID=""), STUDY_ROOT)]
    assert again == [0xFF00, 0x0000]
    association.release()
