"""``scenario.yaml``: the server of a recording, with the instances it brings in the folder where all of them are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from mockpacs.replay.distill.objects import Objects
from mockpacs.replay.server import Compiled
from mockpacs.scenario.wording import script_as_written
from mockpacs.written.yaml_text import yaml_text

NAME: Final = "scenario.yaml"


def write_scenario(compiled: Compiled, folder: Path, objects: Objects) -> None:
    """Write the scenario and, below ``answers``, what it answers queries with. Raises OSError, RecordingError."""
    script = compiled.script
    names = [name for instance in compiled.instances if (name := objects.name_of(instance.data))]
    if names:
        script = replace(script, server={**script.server, "preload": (names, Path())})
    for called, answers in compiled.answers.items():
        answers.write(folder, compiled.sop_classes.get(called, ""))
    (folder / NAME).write_text(yaml_text(script_as_written(script)), encoding="utf-8", newline="\n")
