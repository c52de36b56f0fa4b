"""A distilled incident, played once: the recorded client against a server of the scenario, in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockpacs.app import MockPACS
from mockpacs.errors import MockpacsError
from mockpacs.replay.client.settings import FIDELITIES, Fidelity
from mockpacs.replay.distill.again import play_client
from mockpacs.replay.distill.incident import Incident, Trial
from mockpacs.replay.distill.scenario import NAME

if TYPE_CHECKING:
    from mockpacs.replay.client.report import Report

_MOST: Final = 20
"""Differences that are told."""


def attempt(folder: Path, incident: Incident) -> Trial:
    """Play it; when the dialogue alone is not enough, play PDUs, then bytes: the first way that comes nearest."""
    trials = []
    for fidelity in FIDELITIES if incident.is_broken else FIDELITIES[:1]:
        trial = _attempt(folder, incident, fidelity)
        if not trial.differences:
            return trial
        trials.append(trial)
    return min(trials, key=lambda trial: len(trial.differences))


def _attempt(folder: Path, incident: Incident, fidelity: Fidelity) -> Trial:
    try:
        with contextlib.ExitStack() as stack:
            peers = [_address(title, stack.enter_context(MockPACS(aet=title))) for title in incident.destinations]
            pacs = stack.enter_context(MockPACS(folder / NAME, peer=peers))
            report = play_client(folder / incident.recording, pacs, fidelity=fidelity)
            allowed = _allowed(pacs)
            pacs.allow(*allowed)
            complaints = pacs.complaints()
    except MockpacsError as error:
        return Trial(fidelity, (), (str(error),))
    return Trial(fidelity, allowed, (*_told(report), *_told_of(complaints)))


def _address(title: str, pacs: MockPACS) -> str:
    return f"{title}={pacs.host}:{pacs.port}"


def _allowed(pacs: MockPACS) -> tuple[str, ...]:
    """What the recorded client does against the standard, where that would fail a test."""
    if not pacs.complaints():
        return ()
    from mockpacs.traffic.findings.check import PROTOCOL

    return tuple(sorted({finding.check for finding in pacs.findings if finding.check in PROTOCOL}))


def _told(report: Report) -> Sequence[str]:
    """What was not as recorded, a line each."""
    if not report.exit_status:
        return ()
    lines = report.lines()[:-1]
    found = [line for line in lines if line not in report.notes]
    if report.trouble:
        found.append(report.trouble)
    more = len(found) - _MOST
    return [*found[:_MOST], f"and {more} more"] if more > 0 else found


def _told_of(complaints: Sequence[str]) -> Sequence[str]:
    return [line.strip() for text in complaints for line in text.splitlines() if line.strip()][:_MOST]
