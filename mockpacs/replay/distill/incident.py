"""What a distilled test has to know about its recording."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.client.run import clients
from mockpacs.replay.client.settings import Fidelity
from mockpacs.replay.step import Ending, Gap, Noise, Said, Step
from mockpacs.replay.tape import Tape
from mockpacs.wire import Role
from mockpacs.wire.status import name_of

_NO_WORD = re.compile(r"[^a-z0-9]+")


class Answered(NamedTuple):
    """So many requests of a service in a row that got the same status; None is no answer."""

    service: str
    status: int | None
    times: int

    @property
    def meaning(self) -> str:
        """The name of the status."""
        return "no answer" if self.status is None else name_of(self.status, self.service)


@dataclass(frozen=True, slots=True)
class Incident:
    """All that is written into the test, and needed to try it."""

    name: str
    """As a Python name: ``incident``."""
    recording: str
    """The name of the trimmed recording."""
    answered: tuple[Answered, ...]
    """What clients asked, association by association."""
    destinations: tuple[str, ...]
    """AE titles that instances were moved to."""
    is_parallel: bool
    """Whether associations overlapped: which of them is the first is left to chance."""
    is_broken: bool = False
    """Whether a client said something that is no whole message, which only PDUs or bytes say again."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of playing an incident."""

    fidelity: Fidelity = "dimse"
    """How the client is to be played."""
    allowed: tuple[str, ...] = ()
    """Breaches of the standard that belong to it."""
    differences: tuple[str, ...] = ()
    """What was not as recorded; empty when all was."""


def name_of_folder(folder: str) -> str:
    """The name of a folder as part of a Python name; "incident" when nothing of it can be."""
    return _NO_WORD.sub("_", folder.lower()).strip("_") or "incident"


def incident_of(tape: Tape, name: str, recording: str, destinations: Sequence[str]) -> Incident:
    """Of a trimmed recording."""
    played = clients(tape)
    runs: list[Answered] = []
    for taped in played:
        asked = {
            said.exchange for said in taped.messages() if said.command.is_request and said.sender is Role.REQUESTOR
        }
        for exchange in taped.exchanges:
            if exchange.number not in asked:
                continue  # it was the server who asked
            last = runs[-1] if runs else None
            if last is not None and (last.service, last.status) == (exchange.service, exchange.status):
                runs[-1] = last._replace(times=last.times + 1)
            else:
                runs.append(Answered(exchange.service, exchange.status, 1))
    is_parallel = any(after.opened < _over(before) for before, after in pairwise(played))
    is_broken = any(_breaks(step) for taped in played for step in taped.steps)
    return Incident(name, recording, tuple(runs), tuple(destinations), is_parallel, is_broken)


def _over(taped: TapedAssociation) -> float:
    """When the last was said; whose FIN came when does not matter."""
    return max((step.when for step in taped.steps if not isinstance(step, Ending)), default=taped.opened)


def _breaks(step: Step) -> bool:
    if step.sender is not Role.REQUESTOR:
        return False
    return isinstance(step, Noise | Gap) or (isinstance(step, Said) and not step.is_whole)
