"""Which exchanges a test means: keywords as the filter language, whose text stands in what is said when they miss.

It reads the language only through `Filter`; a keyword cannot mean here what a key does not mean there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from mockpacs.errors import FilterError
from mockpacs.traffic.exchange import Association, Exchange
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.filter.attribute import keywords, tag_named
from mockpacs.traffic.filter.keys import KEYS, MOMENTS
from mockpacs.traffic.filter.syntax import nearest
from mockpacs.wire import CommandField
from mockpacs.wire.dictionary import keyword_of
from mockpacs.wire.text import printable

_ATTRIBUTES: Final = ("dataset", "query")
_KEYWORDS: Final = tuple(key.replace("-", "_") for key in (*KEYS, *MOMENTS) if key != "service")
_OF_THE_QUESTION: Final = ("filter", "where", "count", "timeout")
"""What whoever asks takes besides."""
_SERVICES: Final = tuple(dict.fromkeys(field.service for field in CommandField if field.service != "C-CANCEL"))
_PLAIN: Final = re.compile(r'[^\s,()"][^\s,()]*')


def wanted(service: str | Sequence[str] | None = None, *, filter: str = "", **terms: Any) -> Filter:  # noqa: A002
    """The filter that keywords stand for: ``wanted("C-STORE", calling="CT*", status=["success", "warning"])``.

    Keywords are the keys of docs/filter.md with ``_`` for ``-``; ``dataset`` and ``query`` are mappings of attributes.
    Of a list any value will do; None is none: no status, no rule, no such attribute. ``filter`` is a filter that has
    to be met as well. Raises `FilterError` for what cannot be.
    """
    written = [*_service(service)]
    for keyword, value in terms.items():
        if keyword in _ATTRIBUTES:
            written += _attributes(keyword, value)
        else:
            written.append(_term(keyword, value))
    if filter.strip():
        Filter.parse(filter)  # alone, so that what is wrong is shown in what was written
        written.append(f"( {filter.strip()} )" if written and re.search(r"\bor\b", filter) else filter.strip())
    return Filter.parse(" ".join(written))


def _service(service: str | Sequence[str] | None) -> Iterator[str]:
    """A service that is none would be waited for in vain."""
    if service is None:
        return
    services = [service] if isinstance(service, str) else list(service)
    known = {form for name in _SERVICES for form in (name, name[2:])}
    for one in services:
        if not any(mark in one for mark in "*?") and one.upper().replace("_", "-") not in known:
            text = f'"{printable(one, 40)}" is no service{nearest(one, _SERVICES) or "."}'
            raise FilterError(f"{text} There are {', '.join(_SERVICES)}. Events, as associate, are no exchanges.")
    yield f"service:{','.join(map(_quoted, services))}"


def _term(keyword: str, value: Any) -> str:
    key = keyword.rstrip("_").replace("_", "-")
    if key not in KEYS and key not in MOMENTS:
        raise FilterError(_unknown(keyword))
    return f"{key}:{_values(value, key)}"


def _unknown(keyword: str) -> str:
    if (tag_named(keyword) or 0) > 0xFFFF:
        return f'{keyword} is an attribute of the data set: write dataset={{"{keyword}": ...}}'
    there = [*_KEYWORDS, *_ATTRIBUTES, *_OF_THE_QUESTION]
    near, known = nearest(keyword, there) or ".", ", ".join(there)
    return f'There is no keyword "{printable(keyword, 40)}"{near} There are {known}.'


def _attributes(keyword: str, given: Any) -> Iterator[str]:
    if not isinstance(given, Mapping):
        raise FilterError(f'{keyword} is a mapping of attributes and values, as {keyword}={{"PatientID": "P1"}}')
    for name, value in given.items():
        key = f"{name:08X}" if isinstance(name, int) else str(name)
        if tag_named(key) is None:
            near = nearest(key, [keyword_of(tag) for tag in keywords().values()])
            text = f'{keyword}: "{printable(key, 40)}" is no attribute: a keyword as PatientID, or a tag as 00100020'
            raise FilterError(f"{text}{near}")
        yield f"{key}:{_values(value, key)}"


def _values(value: Any, key: str) -> str:
    """One value, or all of a list, as the language writes them."""
    if not isinstance(value, list | tuple | set | frozenset):
        return _quoted(_text(value, key))
    if not value:
        raise FilterError(f"{key}: an empty list of values would match nothing")
    texts = [_text(one, key) for one in value]
    return ",".join(map(_quoted, texts if isinstance(value, list | tuple) else sorted(texts)))


def _text(value: Any, key: str) -> str:
    match value:
        case None:
            return "none" if key == "status" else ""
        case bool() if key == "secure":
            return "yes" if value else "no"
        case bool() | bytes():
            raise FilterError(f'{key}: {value!r} is compared with nothing; write a text or a number, "*" for any value')
        case int() if key == "status":
            return f"{value:04X}"
        case int() | float() if key in MOMENTS:
            return datetime.fromtimestamp(value).astimezone().isoformat()
        case float():
            return f"{value:.9f}".rstrip("0").rstrip(".") if key in KEYS else repr(float(value))
        case timedelta():
            return _text(value.total_seconds(), key)
        case date() if key in MOMENTS:
            return value.isoformat()
        case datetime():
            return f"{value:%Y%m%d%H%M%S}"
        case date():
            return f"{value:%Y%m%d}"
        case time():
            return f"{value:%H%M%S}"
        case Association():
            return str(value.number)
        case Exchange():
            return value.id
    return str(value)


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else '"' + text.replace('"', '""') + '"'
