"""What DCMTK's clients and pynetdicom make of small lies: measured, and equal to what docs/client-behaviour.md says.

A lie is believed (told as success), noticed (complained of, and then believed), met with an abort, or waited out: the
client's own timeout ended it. When a table differs the test shows the one that was measured.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.scenario.load import load
from tests.interop import phantom, scu
from tests.interop.programs import run, until
from tests.interop.provoking import FOLDER, answers, play, provocations, provoke, samples

DOCUMENT = Path(__file__).parents[2] / "docs" / "client-behaviour.md"
LIES = {
    "small-lies": ("C-ECHO", "echoscu"),
    "small-lies-store": ("C-STORE", "storescu"),
    "small-lies-find": ("C-FIND", "findscu"),
}
EXPLICIT = ["1.2.840.10008.1.2.1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return samples(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module", autouse=True)
def _the_versions_that_were_measured() -> None:
    """Other versions may well behave otherwise: then there is nothing to compare."""
    told = re.search(r"DCMTK (\S+) and pynetdicom (\S+) were measured", DOCUMENT.read_text(encoding="utf-8"))
    assert told is not None
    here = re.search(r"echoscu v(\S+)", run("echoscu", "--version").text)
    assert here is not None
    if (here[1], version("pynetdicom")) != (told[1], told[2]):
        reason = f"measured with {told[1]} and {told[2]}, here are {here[1]} and {version('pynetdicom')}"
        if os.environ.get("MOCKPACS_REQUIRE_TOOLS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.mark.parametrize("name", LIES)
def test_what_clients_make_of_lies_is_what_the_document_says(name: str, files: dict[str, Path]) -> None:
    service, program = LIES[name]
    lies = [rule.name for rule in load([FOLDER / f"{name}.yaml"]).rules if rule.rule.nth]
    told = zip(lies, _by_dcmtk(name, files), _by_pynetdicom(name, len(lies)), strict=True)
    rows = "\n".join(f"| {lie} | {one} | {other} |" for lie, one, other in told)
    measured = f"| {service} | {program} | pynetdicom |\n|---|---|---|\n{rows}\n"
    assert measured in DOCUMENT.read_text(encoding="utf-8"), f"measured:\n{measured}"


STATUSES = {
    "small-lies": ("echoscu", "the answer was a lie and was noticed"),
    "aborts": ("echoscu", "the peer aborted instead of answering"),
    "rejected": ("storescu", "the association was rejected"),
    "disk-full": ("storescu", "a store failed"),
    "part-of-a-batch": ("storescu -nh", "some of many stores failed"),
    "store-warnings": ("storescu", "all was stored, with warnings"),
    "release-ignored": ("storescu", "all was stored, and the release was not answered"),
    "find-no-reason": ("findscu", "the query failed"),
    "find-aborted": ("findscu", "the peer aborted in mid query"),
}


def test_what_exit_statuses_say_is_what_the_document_says(files: dict[str, Path]) -> None:
    rows = []
    for name, (program, what) in STATUSES.items():
        with play(name) as pacs:
            status = provoke(pacs, provocations(name)[0], files).status
        rows.append(f"| {what} | {program} | {'not ' if status else ''}0 |\n")
    measured = f"| what happened | client | exit status |\n|---|---|---|\n{''.join(rows)}"
    assert measured in DOCUMENT.read_text(encoding="utf-8"), f"measured:\n{measured}"


# DCMTK


def _by_dcmtk(name: str, files: dict[str, Path]) -> Iterator[str]:
    with play(name) as pacs:
        for one in provocations(name):
            ran = provoke(pacs, one, files)
            *matches, final = answers(ran) or [""]
            yield _told_by_dcmtk(ran.text, final) + _counted(name, final, len(matches))


def _told_by_dcmtk(text: str, final: str) -> str:
    if "timeout in non-blocking mode" in text:
        return "waited"
    if final != "Success":
        assert "Aborting Association" in text, text
        return "aborted"
    if "Association Release Failed" in text:
        return "believed, release failed"
    return "noticed" if "DIMSE Warning" in text else "believed"


# pynetdicom


def _by_pynetdicom(name: str, count: int) -> Iterator[str]:
    with play(name) as pacs:
        for _ in range(count):
            yield ASKED[name](pacs)


def _echo(pacs: MockPACS) -> str:
    with _asking(pacs, "1.2.840.10008.1.1") as (association, said):
        return _told_by_pynetdicom([association.send_c_echo()], said, association)


def _store(pacs: MockPACS) -> str:
    with _asking(pacs, phantom.CT) as (association, said):
        return _told_by_pynetdicom([association.send_c_store(phantom.instance())], said, association)


def _find(pacs: MockPACS) -> str:
    with _asking(pacs, scu.STUDY_ROOT) as (association, said):
        responses = list(association.send_c_find(scu.keys("STUDY", PatientName=""), scu.STUDY_ROOT))
        told = _told_by_pynetdicom([status for status, _ in responses], said, association)
        return told + _counted("small-lies-find", "Success" if told == "believed" else "", len(responses) - 1)


ASKED: dict[str, Callable[[MockPACS], str]] = {
    "small-lies": _echo,
    "small-lies-store": _store,
    "small-lies-find": _find,
}


def _told_by_pynetdicom(statuses: list[scu.Dataset], said: list[str], association: scu.Association) -> str:
    """An empty status stands for no answer; why there is none, only the log says."""
    if statuses[-1].get("Status") == 0x0000:
        return "believed"
    assert "Status" not in statuses[-1]
    if any("timeout reached" in line for line in said):
        return "waited"
    until(lambda: bool(association.is_aborted), "pynetdicom aborts")
    return "aborted"


@contextmanager
def _asking(pacs: MockPACS, abstract_syntax: str) -> Iterator[tuple[scu.Association, list[str]]]:
    """An association with a timeout of a second, and what pynetdicom logs meanwhile."""
    said: list[str] = []
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("pynetdicom")
    logger.addHandler(listener)
    association = scu.associate(pacs, (abstract_syntax, EXPLICIT))
    association.dimse_timeout = association.acse_timeout = 1
    try:
        yield association, said
    finally:
        if association.is_established:
            association.release()
        association.join(20)
        transport = association.dul.socket
        if transport is not None and transport.socket is not None:
            transport.socket.close()  # pynetdicom may leave it open when it aborts
        logger.removeHandler(listener)


def _counted(name: str, final: str, matches: int) -> str:
    """How many matches were believed."""
    if name != "small-lies-find" or final != "Success":
        return ""
    return f", {matches} match{'' if matches == 1 else 'es'}"
