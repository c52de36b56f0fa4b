"""Answering a retrieve: an identifier gives the instances that are to be sent (PS3.4 C.4.2, C.4.3, Annexes Y and Z).

Between two blocks of them nothing is held, neither a lock nor a snapshot: a retrieve may take hours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from mockpacs.archive import matching, selection, values, wildcards
from mockpacs.archive.attributes import QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET
from mockpacs.archive.columns import COLUMNS, TABLE
from mockpacs.archive.identifier import read_elements, read_level, text_of
from mockpacs.archive.index import Level
from mockpacs.archive.instance import StoredInstance
from mockpacs.archive.model import DEPTH, LEVELS, UNIQUE_KEY, Model
from mockpacs.archive.prefilter import one_of
from mockpacs.errors import IdentifierError, StorageError
from mockpacs.wire.dataset import Element, Encoding
from mockpacs.wire.dictionary import name_of

Lookup = Callable[[Sequence[str]], Mapping[str, StoredInstance]]
"""The instances of these SOP Instance UIDs that are stored now. Raises StorageError."""

BLOCK: Final = 50
"""Instances looked up at once: few, so that what is sent is what is stored when its turn comes."""

_FRAMES_NOT_EXTRACTED: Final = 0xAA02  # PS3.4 Table Y.4-1
_FRAME_KEYS: Final = (0x00081161, 0x00081162, 0x00081163)
"""Simple Frame List, Calculated Frame List, Time Range: what selects frames of an instance (PS3.4 Y.3)."""
_SAMPLE: Final = 100
SYNTAXES: Final = f"SELECT transfer_syntax_uid FROM instance WHERE sop_class_uid = ? ORDER BY id DESC LIMIT {_SAMPLE}"
_WANTED: Final = frozenset((QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET, *UNIQUE_KEY.values(), *_FRAME_KEYS))


class Selected:
    """The instances of a retrieve as they were when it was asked for; ``len()`` says how many, also 0.

    Iterating gives each SOP Instance UID, in the order of storing, with what is stored of it when its turn comes: None
    when it was deleted since, the reason when the index cannot be read. Any thread may ask for the next.
    """

    def __init__(self, sop_instances: Sequence[str], kinds: Mapping[tuple[str, str], int], lookup: Lookup) -> None:
        self.kinds = dict(kinds)
        """How many there are of each pair of SOP Class UID and Transfer Syntax UID."""
        self._sop_instances = sop_instances
        self._lookup = lookup

    def __len__(self) -> int:
        return len(self._sop_instances)

    def __iter__(self) -> Iterator[tuple[str, StoredInstance | StorageError | None]]:
        for start in range(0, len(self._sop_instances), BLOCK):
            block = self._sop_instances[start : start + BLOCK]
            stored: Mapping[str, StoredInstance | StorageError]
            try:
                stored = self._lookup(block)
            except StorageError as error:
                stored = dict.fromkeys(block, error)
            for sop_instance in block:
                yield sop_instance, stored.get(sop_instance)


class Wanted(NamedTuple):
    """What an identifier asks for: ``keys`` are the values of the unique keys, by level; all of them have to hold."""

    level: Level
    keys: dict[Level, list[str]]


def retrieve(
    index: selection.Rows,
    lookup: Lookup,
    identifier: bytes,
    encoding: Encoding,
    model: Model | None,
    *,
    relational: bool,
    frames: bool = False,
) -> Selected:
    """What is stored now of what an identifier asks for. Raises IdentifierError as ``parse`` does, sqlite3.Error."""
    wanted = parse(identifier, encoding, model, relational=relational, frames=frames)
    sop_instances: list[str] = []
    kinds: Counter[tuple[str, str]] = Counter()
    for sop_instance, *kind in index.rows(*statement(wanted)):
        sop_instances.append(sop_instance)
        kinds[kind[0], kind[1]] += 1
    return Selected(sop_instances, kinds, lookup)


def syntaxes_of(index: selection.Rows, sop_class: str) -> list[str]:
    """Transfer syntaxes of the instances of a SOP class that were stored last, at most 100; most frequent first."""
    return [syntax for syntax, _ in Counter(row[0] for row in index.rows(SYNTAXES, (sop_class,))).most_common()]


def parse(data: bytes, encoding: Encoding, model: Model | None, *, relational: bool, frames: bool = False) -> Wanted:
    """Read and check the identifier of a C-MOVE or C-GET; None is a model of SOP Instance UIDs alone (PS3.4 Y.6, Z.6).

    The unique key of the level has a value (PatientID) or a list of UIDs, the unique keys of the levels above a single
    value each (C.4.2.2.1); ``relational`` allows them to be missing, and to be lists. Keys of the levels below must be
    empty: who gives one means another level. Other keys are no part of a retrieve, and ignored. ``frames``: the model
    can ask for frames (Y.3), which are not extracted.

    Raises IdentifierError: C000 when the bytes are unreadable, AA02 for level FRAME and keys that ask for frames, A900
    for what breaks these rules; the last two with the offending element.
    """
    elements = read_elements(data, encoding, _WANTED)
    word, character_set = (text_of(elements, tag) for tag in (QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET))
    levels = (Level.IMAGE,) if model is None else model.levels
    if frames:
        _refuse_frames(elements, word)
    level = read_level(word, levels)
    given = {
        at: values.read(elements[tag].value, COLUMNS[tag].vr, encoding, character_set)
        for at, tag in UNIQUE_KEY.items()
        if tag in elements
    }
    for below in LEVELS[DEPTH[level] + 1 :]:
        if not matching.is_universal(given.get(below, ())):
            tag = UNIQUE_KEY[below]
            raise IdentifierError(f"{name_of(tag)} names something below level {level}", offending=(tag,))
    keys: dict[Level, list[str]] = {}
    for at in levels[: levels.index(level) + 1]:
        several = COLUMNS[UNIQUE_KEY[at]].vr == "UI" and (relational or at is level)
        found = _key(at, given.get(at, ()), level, required=at is level or not relational, several=several)
        if found:
            keys[at] = found
    return Wanted(level, keys)


def _refuse_frames(elements: Mapping[int, Element], level: str) -> None:
    """An empty key asks for nothing; one with a value would get whole instances where it wants a part of one."""
    if level == "FRAME":
        text = "Frames are not extracted, retrieve at level IMAGE"
        raise IdentifierError(text, status=_FRAMES_NOT_EXTRACTED, offending=(QUERY_RETRIEVE_LEVEL,))
    asked = tuple(tag for tag in _FRAME_KEYS if tag in elements and elements[tag].value)
    if asked:
        text = f"{name_of(asked[0])} asks for frames, which are not extracted"
        raise IdentifierError(text, status=_FRAMES_NOT_EXTRACTED, offending=asked)


def _key(at: Level, given: tuple[str, ...], level: Level, *, required: bool, several: bool) -> list[str]:
    """The different values of a unique key, [] when there is none and none is required."""
    tag = UNIQUE_KEY[at]
    wanted = list(dict.fromkeys(filter(None, given)))
    if any(map(wildcards.has_wildcard, wanted)):
        raise IdentifierError(f"{name_of(tag)} has a wild card, a retrieve knows none", offending=(tag,))
    if (required and not wanted) or (len(wanted) > 1 and not several):
        needed = "a value" if several else "a single value"
        raise IdentifierError(f"{name_of(tag)} must have {needed} at level {level}", offending=(tag,))
    return wanted


def statement(wanted: Wanted) -> tuple[str, list[str]]:
    """The statement behind ``retrieve``, and its parameters.

    CROSS JOIN makes SQLite begin at the table of the level, whose key says what is wanted, go up to what the other keys
    say, then down to the instances: so long lists in several keys are never multiplied with one another. The plus sign
    keeps it from reading all instances in the order of their ids.
    """
    at, top = DEPTH[wanted.level], min(map(DEPTH.__getitem__, wanted.keys))
    tables = [TABLE[level] for level in LEVELS]
    up = "".join(
        f' CROSS JOIN "{upper}" ON "{upper}"."id" = "{lower}"."{upper}"'
        for lower, upper in pairwise(tables[top : at + 1][::-1])
    )
    down = "".join(
        f' CROSS JOIN "{lower}" ON "{lower}"."{upper}" = "{upper}"."id"' for upper, lower in pairwise(tables[at:])
    )
    conditions = [one_of(COLUMNS[UNIQUE_KEY[level]].sql, found) for level, found in wanted.keys.items()]
    text = (
        'SELECT "instance"."sop_instance_uid", "instance"."sop_class_uid", "instance"."transfer_syntax_uid" '
        f'FROM "{tables[at]}"{up}{down} WHERE {" AND ".join(found.sql for found in conditions)} '
        'ORDER BY +"instance"."id"'
    )
    return text, [parameter for found in conditions for parameter in found.parameters]
