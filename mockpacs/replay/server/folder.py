"""A compiled recording as files: a scenario, its sets of answers, and the instances for the archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from mockpacs.errors import RecordingError
from mockpacs.replay.server.compiling import Compiled
from mockpacs.replay.server.instances import Instance
from mockpacs.scenario.wording import script_as_written
from mockpacs.wire.part10 import encode_head
from mockpacs.written.yaml_file import LARGEST_FILE
from mockpacs.written.yaml_text import yaml_text

SCENARIO: Final = "scenario.yaml"
INSTANCES: Final = "instances"


def written(compiled: Compiled, folder: Path, *, name: str = SCENARIO) -> Path:
    """Write a scenario that does the same; returns its path. The folder is made when missing.

    Beside it: ``answers/`` with the data sets that answer queries, and ``instances/`` for ``--preload`` with what
    retrieves bring; the scenario names both by paths that hold as long as they stay together.

    Raises RecordingError when a file is there already or cannot be written, or the scenario is too large to be read.
    """

    def write() -> Path:
        text = text_of(compiled)
        if len(text.encode()) > LARGEST_FILE:
            raise RecordingError(
                f"the scenario would have {len(text.encode())} bytes, {LARGEST_FILE} are the most that is read; "
                "choose fewer associations with a filter"
            )
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        for made in (path, *(folder / one for one in _folders(compiled))):
            if made.exists():
                raise RecordingError(f"{made} is there already; name another file, or take it away")
        for called, answers in compiled.answers.items():
            answers.write(folder, compiled.sop_classes.get(called, ""))
        for number, instance in enumerate(compiled.instances, 1):
            _write_instance(folder / INSTANCES, number, instance)
        path.write_text(text, encoding="utf-8")
        return path

    return _told(write, folder)


def text_of(compiled: Compiled) -> str:
    """The scenario in YAML."""
    script = compiled.script
    if compiled.instances:
        script = replace(script, server={"preload": ([INSTANCES], Path())})
    return yaml_text(script_as_written(script))


def _folders(compiled: Compiled) -> list[str]:
    folders = ["answers"] if any(len(answers) for answers in compiled.answers.values()) else []
    return [*folders, INSTANCES] if compiled.instances else folders


def _write_instance(folder: Path, number: int, instance: Instance) -> None:
    folder.mkdir(exist_ok=True)
    with (folder / f"{number:06}.dcm").open("wb") as file:
        file.write(encode_head(instance.meta))
        for block in instance.data.blocks():
            file.write(block)


def _told(write: Callable[[], Path], folder: Path) -> Path:
    try:
        return write()
    except OSError as error:
        raise RecordingError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error
