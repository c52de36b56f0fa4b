"""From a recording to the folder: trimmed, redacted where that is wanted, taken apart, and tried once."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from mockpacs.errors import RecordingError
from mockpacs.replay.client.run import clients
from mockpacs.replay.distill import exchanges
from mockpacs.replay.distill.incident import Incident, Trial, incident_of, name_of_folder
from mockpacs.replay.distill.objects import Objects
from mockpacs.replay.distill.pytest_file import file_name, test_text
from mockpacs.replay.distill.scenario import write_scenario
from mockpacs.replay.distill.trimmed import trim
from mockpacs.replay.redact.redaction import redact
from mockpacs.replay.server import compiled
from mockpacs.replay.tape import Tape
from mockpacs.traffic.recording.recording import Recording
from mockpacs.wire import CommandField

_STEM: Final = "incident"
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_TRIMMED: Final = ".trimmed"
_OWNER_ONLY: Final = 0o700
_USUAL: Final = 0o777

Try = Callable[[Path, Incident], Trial]
"""Play what is in a folder against a server of its scenario, and say what came of it."""


@dataclass(frozen=True, slots=True)
class Distilled:
    """What is in the folder now."""

    folder: Path
    recording: str
    test: str
    """The name of the file, "" when there is no client to play."""
    associations: int
    exchanges: int
    instances: int
    redacted: int | None = None
    """How many values were replaced; None when none were to be."""
    trial: Trial | None = None
    """None when it was not tried."""
    notes: tuple[str, ...] = field(default_factory=tuple)
    """What is missing, a sentence each."""

    @property
    def is_complete(self) -> bool:
        """Whether all happens again or, where that was not tried, nothing is missing that it needs."""
        if not self.test:
            return False
        return not self.trial.differences if self.trial is not None else not self.notes


def distill(tape: Tape, folder: Path, *, key: bytes | None = None, attempt: Try | None = None) -> Distilled:
    """Make the folder of a recording, or of those associations of it that are on the tape, which is closed then.

    ``key``: everything is redacted with it first; None: nothing is. ``attempt`` plays it once, so that the test knows
    how. Raises RecordingError when there is nothing to distill, when the folder is not empty, or when the disk refuses;
    then nothing is left behind.
    """
    if not tape.associations:
        raise RecordingError("nothing to distill: no association is meant; mockpacs show says what is in a recording")
    with _made(folder, mode=_OWNER_ONLY if key is None else _USUAL):
        path, redacted, troubles = _recording(tape, folder, key)
        with Tape.open(path) as trimmed:
            read = [*trimmed.problems, *troubles]
            told = read if key is not None else [*tape.problems, *read]  # those of the original name its files
            made = _take_apart(trimmed, folder, path.name, tuple(dict.fromkeys(told)), attempt)
        notes = tuple(dict.fromkeys([*tape.problems, *read, *made.notes]))
        return replace(made, redacted=redacted, notes=notes)


def _recording(tape: Tape, folder: Path, key: bytes | None) -> tuple[Path, int | None, list[str]]:
    """The trimmed recording in its folder, how many values were redacted, and what could not be."""
    path = folder / f"{_STEM}.pcapng"
    trimmed = path if key is None else folder / _TRIMMED
    trim(tape, trimmed)
    tape.close()  # from here on the trimmed recording is read: two temporary files need twice the room
    if key is None:
        with path.open("rb") as file:
            is_pcapng = file.read(len(_PCAPNG)) == _PCAPNG
        return path if is_pcapng else path.rename(path.with_suffix(".pcap")), None, []
    report = redact(Recording.open(trimmed), path, key=key)
    trimmed.unlink()
    return path, report.values, list(report.troubles)


def _take_apart(tape: Tape, folder: Path, recording: str, problems: Sequence[str], attempt: Try | None) -> Distilled:
    objects = Objects(folder)
    notes = []
    for taped in tape.associations:
        for said in taped.messages():
            if said.command.field is CommandField.C_STORE_RQ and not objects.add(said):
                notes.append(f"{taped.number}.{said.exchange} C-STORE: there is no file of it, it is not whole")
    exchanges.write_exchanges(tape, folder / exchanges.NAME, objects.add, problems)
    found = Distilled(
        folder,
        recording,
        "",
        len(tape.associations),
        sum(len(taped.exchanges) for taped in tape.associations),
        len(objects),
    )
    name = name_of_folder(folder.resolve().name)
    made = compiled(tape, name=name)
    if not clients(tape) or not (made.recorded or made.associations):
        why = (
            "no client opened an association, or not to the one who recorded it: there is no scenario and no test of it"
        )
        return replace(found, notes=(*notes, why))
    write_scenario(made, folder, objects)
    incident = incident_of(tape, name, recording, made.destinations)
    trial = attempt(folder, incident) if attempt else None
    test = file_name(incident)
    (folder / test).write_text(test_text(incident, trial or Trial()), encoding="utf-8", newline="\n")
    return replace(found, test=test, trial=trial, notes=(*notes, *made.notes))


@contextlib.contextmanager
def _made(folder: Path, *, mode: int) -> Iterator[None]:
    """The folder, empty at first; what goes wrong leaves it as it was. ``mode``: who may look into a new one."""
    was_there = folder.is_dir()
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        why = "is no folder" if folder.exists() and not folder.is_dir() else f"cannot be made: {error.strerror}"
        raise RecordingError(f"{folder} {why}; name a folder that is empty, or is not there, with -o") from error
    if not is_empty:
        raise RecordingError(f"{folder} is not empty; name a folder that is empty, or is not there, with -o")
    try:
        yield
    except BaseException as error:
        _clear(folder, with_folder=not was_there)
        if isinstance(error, OSError):
            raise RecordingError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error
        raise


def _clear(folder: Path, *, with_folder: bool) -> None:
    if with_folder:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
