"""``exchanges.yaml``: the dialogue of a recording, to be read and reviewed. No tool reads it back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mockpacs.replay.distill.dialogue import Name, association
from mockpacs.replay.tape import Tape
from mockpacs.written.yaml_text import yaml_text

NAME: Final = "exchanges.yaml"
_INDENT: Final = "  "


def write_exchanges(tape: Tape, path: Path, object_of: Name, problems: Sequence[str]) -> None:
    """Write what was said, association by association, and what could not be read. Raises OSError, RecordingError."""
    begin = tape.associations[0].opened if tape.associations else 0.0
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        file.write("# What was said, association by association; times are seconds. Written by mockpacs distill.\n")
        if problems:
            file.write("problems:\n")
            # a text of JSON is one of YAML, in one line however long it is
            file.writelines(f"{_INDENT}- {json.dumps(problem)}\n" for problem in problems)
        file.write("associations:\n")
        for taped in tape.associations:
            file.writelines(_indented(yaml_text([association(taped, begin, object_of)])))


def _indented(text: str) -> Iterator[str]:
    for line in text.removesuffix("\n").split("\n"):
        yield f"{_INDENT}{line}\n" if line else "\n"
