"""Clients that everybody has break no protocol: a strict test must not fail for what DCMTK and pynetdicom do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import JPEG2000, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE

from mockpacs import MockPACS
from mockpacs.control.checkup import complaints
from tests.interop import phantom, scu
from tests.interop.programs import findscu, run, running, until

VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS() as serving:
        yield serving


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    made = [phantom.instance(number=number) for number in range(1, 4)]
    return phantom.write(tmp_path / "files", [*made, phantom.instance(2, modality="MR")])


def echoscu(pacs: MockPACS, files: list[Path]) -> None:
    assert run("echoscu", "--repeat", 3, pacs.host, pacs.port).status == 0
    assert run("echoscu", "-pts", 38, "-ppc", 128, pacs.host, pacs.port).status == 0


def echoscu_aborts(pacs: MockPACS, files: list[Path]) -> None:
    assert run("echoscu", "--abort", pacs.host, pacs.port).status == 0


def storescu(pacs: MockPACS, files: list[Path]) -> None:
    assert run("storescu", pacs.host, pacs.port, *files).status == 0
    assert run("storescu", "--abort", "-pdu", 4096, pacs.host, pacs.port, *files).status == 0


def storescu_without_a_context(pacs: MockPACS, files: list[Path]) -> None:
    """The file's SOP class is not among what it proposes."""
    run("storescu", "--required", "-xe", pacs.host, pacs.port, *files)


def dcmsend(pacs: MockPACS, files: list[Path]) -> None:
    assert run("dcmsend", pacs.host, pacs.port, *files).status == 0


def finding(pacs: MockPACS, files: list[Path]) -> None:
    run("storescu", pacs.host, pacs.port, *files)
    folder = files[0].parent.parent / "answers"
    keys = ["QueryRetrieveLevel=STUDY", "PatientName=DOE*", "StudyInstanceUID"]
    assert len(findscu(pacs, folder, "-S", keys).matches) == 2
    findscu(pacs, folder, "-S", keys, "--cancel", 1)


def refused(pacs: MockPACS, files: list[Path]) -> None:
    """A rule refuses: what the clients do then must be right as well."""
    pacs.when("C-STORE").reply("out-of-resources")
    for program in ("storescu", "dcmsend"):
        run(program, pacs.host, pacs.port, *files)
    assert scu.store(pacs, phantom.instance()) == [0xA700]


def rejected(pacs: MockPACS, files: list[Path]) -> None:
    pacs.when("associate").reject("permanent")
    for program, more in (("echoscu", []), ("storescu", files), ("dcmsend", files)):
        run(program, pacs.host, pacs.port, *more)
    assert scu.rejection(pacs, (VERIFICATION, ImplicitVRLittleEndian)) is not None


def pynetdicom(pacs: MockPACS, files: list[Path]) -> None:
    assert scu.store(pacs, phantom.instance(), phantom.instance(2, modality="MR")) == [0, 0]
    answer = scu.ask(pacs, scu.keys("STUDY", PatientName="DOE*", StudyInstanceUID=None))
    assert len(answer.identifiers) == 2
    association = scu.associate(pacs, (VERIFICATION, ImplicitVRLittleEndian))
    assert association.send_c_echo().Status == 0
    association.release()


def pynetdicom_aborts(pacs: MockPACS, files: list[Path]) -> None:
    association = scu.associate(pacs, (VERIFICATION, ImplicitVRLittleEndian))
    association.abort()


def no_context_is_accepted(pacs: MockPACS, files: list[Path]) -> None:
    """DCMTK's clients then close the connection without a word."""
    pacs.when("associate").accept(contexts=[{"result": "abstract-syntax-not-supported"}])
    for program in ("echoscu", "storescu", "dcmsend"):
        ran = run(program, pacs.host, pacs.port, *(files if program != "echoscu" else ()))
        assert "No Acceptable Presentation Contexts" in ran.text


def pynetdicom_without_a_context(pacs: MockPACS, files: list[Path]) -> None:
    """Nothing it proposes is accepted."""
    entity = AE()
    entity.add_requested_context("1.2.3.4.5", [JPEG2000, ExplicitVRLittleEndian])
    entity.associate(pacs.host, pacs.port).release()


CLIENTS = (
    echoscu,
    echoscu_aborts,
    storescu,
    storescu_without_a_context,
    dcmsend,
    finding,
    refused,
    rejected,
    no_context_is_accepted,
    pynetdicom,
    pynetdicom_aborts,
    pynetdicom_without_a_context,
)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_client_is_not_complained_of(
    pacs: MockPACS, files: list[Path], client: Callable[[MockPACS, list[Path]], None]
) -> None:
    client(pacs, files)
    until(lambda: not _open(pacs), "all associations have ended")

    assert pacs.recording is not None
    assert complaints(pacs.desk) == []


def _open(pacs: MockPACS) -> set[int]:
    """The associations that have not ended."""
    opened: set[int] = set()
    ended: set[int] = set()
    for notice in pacs.journal.notices:
        if notice.association is not None:
            (opened if notice.kind == "opened" else ended).add(notice.association.number)
    return opened - ended


@pytest.mark.parametrize(
    "step", [{"delay": "2s"}, "silence", "abort", "reset", "close", {"lie": {"message_id": 4242}}], ids=str
)
@pytest.mark.parametrize("program", ["storescu", "dcmsend"])
def test_nor_of_one_that_gives_up_when_a_rule_makes_it(
    pacs: MockPACS, files: list[Path], program: str, step: Any
) -> None:
    pacs.when("C-STORE").then(step)
    run(program, "-td", 1, "-ta", 1, pacs.host, pacs.port, *files)
    until(lambda: not _open(pacs), "all associations have ended")

    assert complaints(pacs.desk) == []


def test_a_client_that_is_killed_is_complained_of(pacs: MockPACS, files: list[Path]) -> None:
    pacs.when("C-STORE").reply("success")
    with running("storescu", "--repeat", 100_000, pacs.host, pacs.port, files[0]) as process:
        pacs.wait_for("C-STORE", timeout=30)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    until(lambda: not _open(pacs), "all associations have ended")

    (text, *_) = complaints(pacs.desk)
    assert text.startswith("A peer broke the protocol: a connection closed without A-RELEASE or A-ABORT")
