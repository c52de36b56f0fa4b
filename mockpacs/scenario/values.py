"""Scalars of a scenario: text as it was written becomes the one value it means, or a sentence says why not.

Every reader takes text, because YAML would make 72 of the status 0110; it takes the value itself too, for Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from mockpacs.wire.dictionary import keyword_of, tag_of
from mockpacs.wire.status import code_of, statuses
from mockpacs.written.kinds import Refused, quoted
from mockpacs.written.numbers import Seconds, Size, Whole

SERVICES: Final = (
    *("C-ECHO", "C-STORE", "C-FIND", "C-GET", "C-MOVE"),
    *("N-EVENT-REPORT", "N-GET", "N-SET", "N-ACTION", "N-CREATE", "N-DELETE"),
)
ANY: Final = "any"
STATUS_SERVICES: Final = ("C-STORE", "C-FIND", "C-MOVE", "C-GET")
"""Services with statuses of their own."""
EVENTS: Final = ("connect", "associate", "release", "abort", "cancel", "close")


class Unknown(ValueError):  # noqa: N818  it is an answer, not an error of the program
    """A word that is none of those that are known. The nearest is only looked for when the sentence is shown."""

    def __init__(self, sentence: str, word: object, known: Iterable[str]) -> None:
        super().__init__(sentence)
        self.word = str(word)
        self.known = known

    def told(self) -> str:
        """The sentence, with what may have been meant."""
        near = meant(self.word, self.known)
        return f'{self}. Did you mean "{near}"?' if near else str(self)


def meant(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest, whatever the case of both; "" when none is near."""
    import difflib  # only wanted when something is already wrong

    folded = {_folded(one): one for one in known}
    near = difflib.get_close_matches(_folded(word), folded, n=1, cutoff=0.55)
    return folded[near[0]] if near else ""


def _folded(word: str) -> str:
    return word.lower().replace("-", "_")


class UnknownStatus(Unknown):
    """No status, of whatever service."""

    def __init__(self, word: object) -> None:
        super().__init__(f"{quoted(word)} is not a status", word, status_names())


class UnknownAttribute(Unknown):
    """No keyword of the dictionary."""

    def __init__(self, word: str) -> None:
        super().__init__(f"unknown attribute {quoted(word)}", word, ())

    def told(self) -> str:
        """The sentence, with what may have been meant."""
        from pydicom.datadict import keyword_dict  # only wanted when something is already wrong

        near = meant(self.word, keyword_dict)
        hint = f'Did you mean "{near}"?' if near else "Write a keyword (PatientID) or a tag (0010,0020)."
        return f"{self}. {hint}"


def scalar(read: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    """The annotation of a scalar: how it is read, and what an editor is told about it."""
    return (PlainValidator(_speaking(read)), WithJsonSchema(schema))


def _speaking(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def reader(value: Any) -> Any:
        if isinstance(value, dict | list | tuple):
            kind = "mapping" if isinstance(value, dict) else "list"
            raise ValueError(f"a single value is expected here, not a {kind}")  # noqa: TRY004  pydantic collects these
        if value is None:
            raise ValueError("a value is missing here")
        try:
            return read(value)
        except Refused as no:
            raise ValueError(no.problems[0][1]) from no

    return reader


def one_of(*words: str) -> Callable[[Any], str]:
    """A reader of one word out of a few."""

    def read(value: Any) -> str:
        if value in words:
            return words[words.index(value)]
        raise Unknown(f"{quoted(value)} is not one of {', '.join(words)}", value, words)

    return read


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError(f"{quoted(value)} is not true or false")


def _seconds(value: Any) -> float:
    return float(Seconds(zero=True).read(value))


def _rate(value: Any) -> int:
    """Bytes per second: ``64kB/s``."""
    text = value.removesuffix("/s") if isinstance(value, str) else value
    try:
        return int(Size(1, 2**40).read(text)) or _zero_rate()
    except Refused as no:
        raise ValueError(f"{quoted(value)} is not a rate, such as 64kB/s or 1MB/s") from no


def _zero_rate() -> int:
    raise ValueError("a rate of 0 would never end; silence says nothing for ever")


def _percent(value: Any) -> float:
    """``20%``, or a fraction in Python."""
    if isinstance(value, str):
        found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,40})?) ?%", value.strip())
        share = float(Decimal(found[1]) / 100) if found else -1.0  # decimal: so that every fraction can be written
    else:
        share = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
    if 0 <= share <= 1:
        return share
    raise ValueError(f"{quoted(value)} is not a chance from 0% to 100%, such as 20%")


class Nth(NamedTuple):
    """Which occurrences: from ``first`` to ``last`` (None: no end), every ``step``-th of them."""

    first: int
    last: int | None
    step: int = 1

    def takes(self, occurrence: int) -> bool:
        """Whether this occurrence, counted from 1, is one of them."""
        late = self.last is not None and occurrence > self.last
        return occurrence >= self.first and not late and (occurrence - self.first) % self.step == 0


def _nth(value: Any) -> Nth:
    text = str(value).strip()
    if found := re.fullmatch(r"([0-9]{1,9})(?:(\.\.)([0-9]{1,9})?)?", text):
        first = int(found[1])
        last = (int(found[3]) if found[3] else None) if found[2] else first
        if first >= 1 and (last is None or last >= first):
            return Nth(first, last)
    elif (found := re.fullmatch(r"every ([0-9]{1,9})", text)) and int(found[1]) >= 1:
        return Nth(int(found[1]), None, int(found[1]))
    raise ValueError(f"{quoted(value)} is not a count: 3, 2..4, 5.. or every 10")


class Limit(NamedTuple):
    """At most ``most`` in ``seconds``."""

    most: int
    seconds: float


def _limit(value: Any) -> Limit:
    if isinstance(value, Limit):
        return value
    units = {"second": 1.0, "s": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "h": 3600.0}
    found = re.fullmatch(r"([0-9]{1,9}) ?/ ?([0-9]{0,4}) ?([a-z]+)", str(value).strip())
    if found and found[3] in units and int(found[1]) and int(found[2] or 1):
        return Limit(int(found[1]), int(found[2] or 1) * units[found[3]])
    raise ValueError(f"{quoted(value)} is not a limit, such as 20/minute, 5/second or 100/10s")


_CODE: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{4})[hH]?")


def _status(value: Any) -> str:
    """A name as it is, or four hexadecimal digits in capitals."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF:
        return f"{value:04X}"
    if isinstance(value, str):
        if found := _CODE.fullmatch(value):
            return found[1].upper()
        if value in status_names():
            return status_names()[status_names().index(value)]
        if value.isascii() and value.isdigit() and len(value) < 10:
            meant = f"; {value} in decimal is {int(value):04X}" if int(value) <= 0xFFFF else ""
            raise ValueError(f"{quoted(value)} is not a status: a code has four hexadecimal digits{meant}")
    raise UnknownStatus(value)


@cache
def status_names(service: str = "") -> tuple[str, ...]:
    """The names of the statuses of a service, or of all of them."""
    services = (service,) if service else ("", *STATUS_SERVICES)
    return tuple(dict.fromkeys(row.name for one in services for row in statuses(one)))


def status_code(status: str, service: str) -> int | None:
    """What a status means for a service, else for any other; None when no service has such a name.

    A name means the same code wherever it is known, so a rule about any service can use those of one.
    """
    if found := _CODE.fullmatch(status):
        return int(found[1], 16)
    codes = (code_of(status, one) for one in (service, "", *STATUS_SERVICES))
    return next((code for code in codes if code is not None), None)


def _tag(value: Any) -> int:
    """An attribute by keyword or ``(gggg,eeee)``; a number in Python."""
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value <= 0xFFFF_FFFF:
            return int(value)
        raise UnknownAttribute(str(value))
    text = str(value).strip()
    if found := re.fullmatch(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?", text):
        return int(found[1] + found[2], 16)
    tag = tag_of(text)
    if tag is not None:
        return int(tag)
    raise UnknownAttribute(text)


def tag_text(tag: int) -> str:
    """A tag as a person writes it: its keyword, else ``(gggg,eeee)``."""
    return keyword_of(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def tag_key(tag: int) -> str:
    """The same where the text must lead back to this very tag: overlays, for one, share their keywords."""
    keyword = keyword_of(tag)
    return keyword if keyword and tag_of(keyword) == tag else f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _per(value: Any) -> str:
    if value in PER_WORDS:
        return PER_WORDS[PER_WORDS.index(value)]
    try:
        return tag_key(_tag(value))
    except ValueError:
        sentence = f"{quoted(value)} is not a key to count by: {', '.join(PER_WORDS)}, or an attribute"
        raise Unknown(sentence, value, (*PER_WORDS, *_COUNTED_BY)) from None


_COUNTED_BY: Final = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID", "AccessionNumber")
PER_WORDS: Final = ("scenario", "association", "exchange", "calling-ae")


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    digits = re.sub(r"[\s:,_-]+", "", str(value))
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ValueError(f"{quoted(value)} is not bytes in hexadecimal, such as 99 00 00 04") from None


def _byte(value: Any) -> int:
    """A byte in hexadecimal: ``ff``."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255:
        return value
    if isinstance(value, str) and re.fullmatch(r"(?:0[xX])?[0-9A-Fa-f]{1,2}", value):
        return int(value, 16)
    raise ValueError(f"{quoted(value)} is not a byte in hexadecimal, such as ff")


def _text(value: Any) -> str:
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return str(value)
    raise ValueError(f"{quoted(value)} is not text")


def as_many(value: Any) -> Any:
    """A single value is a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


Many = BeforeValidator(as_many)
Text = Annotated[str, *scalar(_text, {"title": "text", "type": ["string", "number", "boolean"]})]
Flag = Annotated[bool, *scalar(_flag, {"title": "true or false", "type": "boolean"})]
Duration = Annotated[
    float,
    *scalar(
        _seconds,
        {
            "title": "duration",
            "type": ["string", "number"],
            "pattern": r"^[0-9.]+ ?(ms|s|m|min|h)?$",
            "examples": ["200ms", "2s"],
        },
    ),
]
ByteCount = Annotated[
    int, *scalar(Size(0, 2**50).read, {"title": "bytes", "type": ["string", "integer"], "examples": ["256kB", 40]})
]
Rate = Annotated[
    int, *scalar(_rate, {"title": "bytes per second", "type": ["string", "integer"], "examples": ["64kB/s"]})
]
Percent = Annotated[
    float,
    *scalar(_percent, {"title": "percentage", "type": "string", "pattern": "^[0-9.]+ ?%$", "examples": ["20%"]}),
]
NthValue = Annotated[
    Nth,
    *scalar(
        _nth,
        {
            "title": "count",
            "type": ["string", "integer"],
            "pattern": r"^([0-9]+(\.\.[0-9]*)?|every [0-9]+)$",
            "examples": [3, "2..4", "5..", "every 10"],
        },
    ),
]
LimitValue = Annotated[
    Limit, *scalar(_limit, {"title": "limit", "type": "string", "examples": ["20/minute", "100/10s"]})
]
Status = Annotated[
    str,
    *scalar(
        _status,
        {
            "title": "status",
            "anyOf": [
                {"enum": list(status_names())},
                {"type": "string", "pattern": "^(0[xX])?[0-9A-Fa-f]{4}[hH]?$"},
                {"type": "number"},
            ],
        },
    ),
]
Tag = Annotated[
    int, *scalar(_tag, {"title": "attribute", "type": ["string", "number"], "examples": ["PatientID", "(0010,0020)"]})
]
Per = Annotated[
    str,
    *scalar(
        _per,
        {"title": "key to count by", "anyOf": [{"enum": [*PER_WORDS, *_COUNTED_BY]}, {"type": ["string", "number"]}]},
    ),
]
Hex = Annotated[
    bytes,
    *scalar(
        _bytes, {"title": "bytes in hexadecimal", "type": ["string", "number"], "examples": ["99 00 00 00 00 01 61"]}
    ),
]
Byte = Annotated[
    int, *scalar(_byte, {"title": "byte in hexadecimal", "type": ["string", "number"], "examples": ["ff"]})
]
Service = Annotated[str, *scalar(one_of(ANY, *SERVICES), {"enum": [ANY, *SERVICES]})]
Event = Annotated[str, *scalar(one_of(*EVENTS), {"enum": list(EVENTS)})]


def _whole(low: int, high: int, shown: str) -> Any:
    """The annotation of a whole number."""
    return scalar(Whole(low, high).read, {"title": shown, "type": "integer", "minimum": low, "maximum": high})


Count = Annotated[int, *_whole(0, 2**31 - 1, "number")]
Positive = Annotated[int, *_whole(1, 2**31 - 1, "number from 1")]
Integer = Annotated[int, *_whole(-(2**31), 2**31 - 1, "whole number")]
Number8 = Annotated[int, *_whole(0, 0xFF, "number up to 255")]
Number16 = Annotated[int, *_whole(0, 0xFFFF, "number up to 65535")]
Number32 = Annotated[int, *_whole(0, 2**32 - 1, "number up to 4294967295")]
