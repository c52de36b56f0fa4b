"""Sets of answers: what a rule answers instead of what the archive has.

A set is written as a path or glob of DICOM files, a DICOM JSON file, a mapping ``{keyword: value}``, or a list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mockpacs.errors import ScenarioError
from mockpacs.scenario.record import Record, encode
from mockpacs.scenario.record_file import read_dicom_file
from mockpacs.scenario.record_json import read_json, read_json_file
from mockpacs.scenario.record_written import read_record
from mockpacs.wire.dataset import Encoding
from mockpacs.written.kinds import Refused, quoted

Problems = list[tuple[object, str]]
"""What is wrong: the part, which may know its place, and a sentence."""


class AnswerSet:
    """Data sets in a fixed order. They are encoded when somebody asks, once for each encoding."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = tuple(records)
        self._encoded: dict[Encoding, list[bytes]] = {}

    @classmethod
    def of(cls, written: Any, folder: Path | None = None) -> AnswerSet:
        """The set that was written, in YAML or in Python. Raises `Refused`.

        Paths are relative to ``folder``; without one, in the middle of a rule, no files are read.
        """
        if isinstance(written, AnswerSet):
            return written
        problems: Problems = []
        records = list(_records(written, folder, problems))
        if problems:
            raise Refused(*problems)
        return cls(records)

    def __len__(self) -> int:
        return len(self._records)

    def encoded(self, encoding: Encoding) -> list[bytes]:
        """The data sets, deflated if the encoding says so. Any thread; the list is not to be changed."""
        known = self._encoded.get(encoding)
        if known is None:
            known = self._encoded[encoding] = [encode(record, encoding) for record in self._records]
        return known


def read_sets(data: Mapping[str, tuple[Any, Path]]) -> dict[str, AnswerSet]:
    """The named sets of `Script.data`: what was written, and the folder its paths are meant from.

    Raises `ScenarioError` with a line for each problem.
    """
    sets: dict[str, AnswerSet] = {}
    lines: list[str] = []
    for name, (written, folder) in data.items():
        try:
            sets[name] = AnswerSet.of(written, folder)
        except Refused as no:
            usual = getattr(written, "place", getattr(name, "place", f"data {name}"))
            lines += [f"{getattr(part, 'place', usual)}: {sentence}" for part, sentence in no.problems]
    if lines:
        raise ScenarioError("\n".join(lines))
    return sets


def _records(written: Any, folder: Path | None, problems: Problems) -> Iterator[Record]:
    """The records of one value; what is wrong is added to the problems."""
    if hasattr(written, "to_json_dict"):  # a data set of pydicom
        yield from _tried(written, lambda: [read_json(written.to_json_dict())], problems)
    elif isinstance(written, Mapping):
        yield from _tried(written, lambda: [read_record(written)], problems)
    elif isinstance(written, str | Path):
        if folder is None:
            problems.append(
                (written, f"{quoted(str(written))}: files are named under data, here is {{keyword: value}}")
            )
        else:
            for path in _paths(written, folder, problems):
                yield from _tried(written, lambda path=path: _read_file(path), problems)  # type: ignore[misc]
    elif isinstance(written, Sequence) and not isinstance(written, bytes):
        for one in written:
            yield from _records(one, folder, problems)
    else:
        said = "nothing" if written is None else quoted(written)
        problems.append((written, f"{said} is no answer: files, {{keyword: value}}, or a list of them; [] for none"))


def _tried(part: object, read: Callable[[], list[Record]], problems: Problems) -> list[Record]:
    """What is read; or nothing, and one more problem."""
    try:
        return read()
    except Refused as no:
        problems.extend((_placed(wrong, part), sentence) for wrong, sentence in no.problems)
    except ValueError as no:
        problems.append((part, str(no)))
    return []


def _placed(wrong: object, part: object) -> object:
    return wrong if hasattr(wrong, "place") else part


def _paths(written: str | Path, folder: Path, problems: Problems) -> list[Path]:
    """The files of a path or glob, in the order of their names."""
    text = str(written)
    try:
        given = Path(text).expanduser()
        path = folder / given
        if path.is_file():
            return [path]
        if path.is_dir():
            problem = f"{quoted(text)} is a folder; write {quoted(f'{text}/*')} for the files in it"
        elif "*" not in text and "?" not in text and "[" not in text:
            problem = f"{quoted(text)}: there is no such file in {folder}"
        else:
            root = Path(given.anchor)
            found = root.glob(str(given.relative_to(root))) if given.is_absolute() else folder.glob(str(given))
            files = sorted(one for one in found if one.is_file())
            if files:
                return files
            problem = f"{quoted(text)} fits no file in {folder}"
    except (OSError, RuntimeError, ValueError) as error:
        problem = f"{quoted(text)}: {error}"
    problems.append((written, problem))
    return []


def _read_file(path: Path) -> list[Record]:
    """The records of a file. Raises ValueError with a sentence."""
    try:
        return read_json_file(path) if path.suffix.lower() == ".json" else [read_dicom_file(path)]
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as no:
        raise ValueError(f"{path}: {no}") from None
