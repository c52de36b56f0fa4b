"""What ``explain`` asks about: a stimulus out of options, and out of a DICOM file."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Container, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from mockpacs.errors import ConfigurationError
from mockpacs.scenario.condition import LAST, Moment
from mockpacs.scenario.facts import ITEM, DataFacts
from mockpacs.scenario.models import models_of
from mockpacs.scenario.stimulus import Facts, Stimulus
from mockpacs.scenario.uids import TRANSFER_SYNTAX, uids_of
from mockpacs.scenario.values import EVENTS, SERVICES, status_code
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.dictionary import tag_of
from mockpacs.wire.part10 import FileMeta, decode_head, guess_transfer_syntax
from mockpacs.written.kinds import Refused, nearest, quoted
from mockpacs.written.numbers import Size, Whole

_SOP_CLASS: Final = 0x00080016
_SOP_INSTANCE: Final = 0x00080018
_LONGEST_HEAD: Final = 1 << 20
_WITH_AMOUNT: Final = (Moment.RECEIVED, Moment.PDU, Moment.SUB_OPERATION)
_PLACE: Final = Whole(1, 0xFFFF)
"""Which sub-operation: the counters of a C-MOVE response go no further (PS3.7 9.1.4.1)."""
_TAG: Final = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")


class Said(NamedTuple):
    """The options as they were written."""

    service: str | None = None
    event: str | None = None
    at: str | None = None
    status: str | None = None
    calling: str | None = None
    called: str | None = None
    destination: str | None = None
    peer: str | None = None
    sop_class: Sequence[str] | None = None
    transfer_syntax: Sequence[str] | None = None
    key: Sequence[str] | None = None


class Instance(NamedTuple):
    """A DICOM file."""

    meta: FileMeta
    facts: DataFacts


class KeyFacts:
    """Attributes that were given one by one, before those of a file."""

    def __init__(self, file: Facts | None = None) -> None:
        self._file = file
        self._values: dict[int, tuple[str, ...]] = {}
        self._nested: dict[int, KeyFacts] = {}

    def add(self, tags: Sequence[int], text: str) -> None:
        """One attribute; of several tags all but the last are sequences, which get one item."""
        tag, *inner = tags
        if inner:
            self._nested.setdefault(tag, KeyFacts()).add(inner, text)
        else:
            self._values[tag] = tuple(part.strip() for part in text.split("\\")) if text else ()

    def values(self, tag: int) -> Sequence[str] | None:
        """As `Facts` says."""
        if tag in self._nested:
            return (ITEM,)
        return self._values[tag] if tag in self._values else (self._file.values(tag) if self._file else None)

    def items(self, tag: int) -> Sequence[Facts] | None:
        """As `Facts` says."""
        return [self._nested[tag]] if tag in self._nested else (self._file.items(tag) if self._file else None)


def stimulus_of(said: Said, file: Path | None) -> Stimulus:
    """What the options describe. Raises `ConfigurationError`."""
    instance = _read(file) if file else None
    meta = instance.meta if instance else FileMeta("", "", "")
    kind = _kind(said, has_file=file is not None)
    facts = _facts(said.key or (), instance)
    moment, mark, of = _moment(said.at)
    is_sub_operation = moment is Moment.SUB_OPERATION
    if kind in EVENTS and said.at:
        raise ConfigurationError("--at: an event has no moments")
    if said.destination is not None and kind != "C-MOVE":
        raise ConfigurationError(f"--destination: only a C-MOVE has one, and this is about {kind}")
    classes = _uids(said.sop_class, models_of, "--sop-class") or _known(meta.sop_class)
    syntaxes = _uids(said.transfer_syntax, partial(uids_of, kind=TRANSFER_SYNTAX), "--transfer-syntax") or _known(
        meta.transfer_syntax
    )
    return Stimulus(
        kind,
        moment,
        mark,
        of,
        calling=said.calling or "",
        called=said.called or "",
        peer=said.peer or "",
        sop_classes=classes,
        transfer_syntaxes=syntaxes,
        sop_instance=meta.sop_instance if kind == "C-STORE" or is_sub_operation else "",
        instance_classes=classes if is_sub_operation else (),
        status=_status(said.status, kind),
        dataset=(lambda: facts) if facts else None,
        destination=said.destination or "",
    )


def assigned(text: str, flag: str) -> tuple[str, str]:
    """``NAME=VALUE``."""
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise ConfigurationError(f"{flag}: {quoted(text)} is not NAME=VALUE")
    return name.strip(), value


def _kind(said: Said, *, has_file: bool) -> str:
    if said.service and said.event:
        raise ConfigurationError("it is about a service or about an event: --service or --event, not both")
    if said.event:
        return _one_of(said.event.lower(), EVENTS, "--event")
    if said.service:
        return _one_of(said.service.upper(), SERVICES, "--service")
    if has_file:
        return "C-STORE"
    raise ConfigurationError("say what is asked: --service C-STORE, --event associate, or a DICOM file")


def _one_of(word: str, known: Sequence[str], flag: str) -> str:
    if word in known:
        return word
    raise ConfigurationError(f"{flag}: {quoted(word)} is not one of {', '.join(known)}{nearest(word, known)}")


def _moment(text: str | None) -> tuple[Moment, int, int]:
    """The moment, its mark, and of how many sub-operations it is one, 0 when that is not said."""
    word, mark, amount = (text or "request").replace(":", "=").partition("=")
    found = next((moment for moment in Moment if moment == word.strip()), None)
    if found is None:
        raise ConfigurationError(f"--at: {quoted(word)} is not one of {', '.join(Moment)}{nearest(word, [*Moment])}")
    if found is Moment.SUB_OPERATION and not amount.strip():
        raise ConfigurationError("--at: write sub-operation=3/12, or sub-operation=last/12: which instance of how many")
    if (found in _WITH_AMOUNT) != bool(mark):
        told = "received=256kB, pdu=3 and sub-operation=3/12 have an amount, the other moments have none"
        raise ConfigurationError(f"--at: {told}")
    try:
        if found is Moment.SUB_OPERATION:
            return found, *_place(amount)
        return found, Size(0, 2**50).read(amount.strip()) if mark else 0, 0
    except Refused as no:
        raise ConfigurationError(f"--at: {no.problems[0][1]}") from no


def _place(amount: str) -> tuple[int, int]:
    """Which sub-operation of how many: ``3/12``, ``3``, ``last/12``, ``last``. Raises `Refused`."""
    word, mark, most = (part.strip() for part in amount.partition("/"))
    of = _PLACE.read(most) if mark else 0
    if word == "last":
        return (of, of) if of else (LAST, LAST)
    number = _PLACE.read(word)
    if of and number > of:
        raise ConfigurationError(f"--at: there is no sub-operation {number} of {of}")
    return number, of


def _status(text: str | None, kind: str) -> int | None:
    code = status_code(text.removeprefix("0x"), kind) if text else None
    if text and code is None:
        raise ConfigurationError(f"--status: {quoted(text)} is not a status: a name, or four hexadecimal digits")
    return code


def _known(uid: str) -> tuple[str, ...]:
    return (uid,) if uid else ()


def _uids(texts: Sequence[str] | None, resolve: Callable[[str], Container[str]], flag: str) -> tuple[str, ...]:
    """A name may stand for several; a pattern for those that have a name."""
    found: dict[str, None] = {}
    for text in texts or ():
        try:
            known = resolve(text)
        except ValueError as error:
            raise ConfigurationError(f"{flag}: {error}") from error
        if not isinstance(known, frozenset):
            raise ConfigurationError(f"{flag}: {quoted(text)} stands for many; name one")
        found |= dict.fromkeys(sorted(known))
    return tuple(found)


def _facts(keys: Sequence[str], instance: Instance | None) -> Facts | None:
    if not keys:
        return instance.facts if instance else None
    facts = KeyFacts(instance.facts if instance else None)
    for text in keys:
        name, value = assigned(text, "--key")
        facts.add([*_tags(name)], value)
    return facts


def _tags(path: str) -> Iterator[int]:
    for name in path.split("."):
        found = _TAG.fullmatch(name.strip())
        tag = int(found[1] + found[2], 16) if found else tag_of(name.strip())
        if tag is None:
            raise ConfigurationError(f"--key: unknown attribute {quoted(name)}; write PatientID or (0010,0020)")
        yield tag


def _read(path: Path) -> Instance:
    """The head of a file and its data set, of which only what is asked for is read."""
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if path.stat().st_size else b""
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    head = decode_head(bytes(data[:_LONGEST_HEAD]))
    if head is None:
        syntax = guess_transfer_syntax(bytes(data[:8]))
        if not syntax:
            raise ConfigurationError(f"{path}: neither a scenario (.yaml) nor a DICOM file")
        meta, start = FileMeta("", "", syntax), 0
    else:
        meta, start = head.meta, head.data_offset
    facts = DataFacts(data[start:], Encoding.of(meta.transfer_syntax))
    return Instance(
        meta._replace(
            sop_class=meta.sop_class or _first(facts.values(_SOP_CLASS)),
            sop_instance=meta.sop_instance or _first(facts.values(_SOP_INSTANCE)),
        ),
        facts,
    )


def _first(values: Sequence[str] | None) -> str:
    return values[0] if values else ""
