"""What keeps an exchange from matching, term by term: what was expected beside what came. All texts can be shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.filter.attribute import in_command, tag_named
from mockpacs.traffic.filter.keys import KEYS, MOMENTS
from mockpacs.traffic.filter.language import Filter
from mockpacs.traffic.filter.term import All, Node, Not, Term, Values, compile_test, terms, written
from mockpacs.traffic.render import duration, iso_time, size
from mockpacs.wire.text import printable

LONGEST: Final = 80
"""Characters of a text that are shown."""
_MOST: Final = 4
"""Values of one attribute that are shown."""
_ABSENT: Final = {
    "rule": "no rule",
    "fault": "no fault",
    "comment": "no comment",
    "user": "no user identity",
    "leg": "no leg: a peer asked",
}


class Difference(NamedTuple):
    """One term that does not hold."""

    key: str
    """What it is about: ``calling``, ``PatientID``; "" for a group of terms."""
    expected: str
    received: str
    hint: str = ""
    """Why the two differ although they look alike."""


def parts_of(node: Node) -> tuple[Node, ...]:
    """What must hold all together, groups within groups taken apart."""
    return tuple(part for inner in node.parts for part in parts_of(inner)) if isinstance(node, All) else (node,)


def differences(wanted: Filter, exchange: Exchange, values: Values) -> tuple[Difference, ...]:
    """The terms of a filter that an exchange does not meet, in the order in which they were written."""
    return tuple(
        _difference(part, exchange, values)
        for part in parts_of(wanted.node)
        if not compile_test(part)(exchange, values)
    )


def _difference(part: Node, exchange: Exchange, values: Values) -> Difference:
    if isinstance(part, Term):
        key, expected = _said(part)
        received = _received(part, exchange, values)
        return Difference(key, expected, received, _hint(part, exchange, values))
    if isinstance(part, Not) and isinstance(part.part, Term):
        key, expected = _said(part.part)
        return Difference(key, f"not {expected}", _received(part.part, exchange, values))
    asked = {_said(term)[0]: _received(term, exchange, values) for term in terms(part)}
    return Difference("", _shown(written(part)), ", ".join(f"{key} {value}" for key, value in asked.items()))


def _said(term: Term) -> tuple[str, str]:
    """The key and what was written behind it; a bare number has no key."""
    if term.key == "exchange" or ":" not in term.text:
        return term.key, _shown(term.text)
    key, _, expected = term.text.partition(":")
    return _shown(key), _shown(expected)


def _received(term: Term, exchange: Exchange, values: Values) -> str:
    """What the exchange has where the term looks."""
    key = term.key
    if key == "status":
        name, status = exchange.status_name, exchange.status
        return name if status is None or name == f"{status:04X}" else f"{name} ({status:04X})"
    if key == "exchange":
        return exchange.id
    if key in MOMENTS:
        return iso_time(exchange.started)
    if key == "attribute":
        return _of_attribute(values(exchange, term.tag))
    if key == "command":
        return _of_attribute(in_command(_tag_of(term))(exchange))
    return _of_key(key, KEYS[key].fetch(exchange))


def _of_key(key: str, value: object) -> str:
    match value:
        case "" | None:
            return _ABSENT.get(key, "nothing")
        case bool():
            return "yes" if value else "no"
        case int() if key == "size":
            return f"{value} ({size(value)})" if value >= 1000 else size(value)
        case float():
            return duration(value)
    text = str(value)
    if key in ("sop-class", "syntax"):
        return f"{_shown(text)}{_named(text)}"
    return text if isinstance(value, int) or key == "service" else f'"{_shown(text)}"'


def _of_attribute(found: Sequence[str] | None) -> str:
    if found is None:
        return "no such attribute"
    if not any(found):
        return "an empty attribute"
    shown = ", ".join(f'"{_shown(text)}"' for text in found[:_MOST])
    return shown + (f" and {len(found) - _MOST} more" if len(found) > _MOST else "")


def _named(uid: str) -> str:
    from pydicom._uid_dict import UID_dictionary

    return f" ({UID_dictionary[uid][0]})" if uid in UID_dictionary else ""


def _tag_of(term: Term) -> int:
    return tag_named(term.text.partition(":")[0]) or 0


def _hint(term: Term, exchange: Exchange, values: Values) -> str:
    """Whether the term would hold without regard to case, or to blanks around the text."""
    is_attribute = term.key == "attribute"
    if is_attribute:
        texts = [text for text in values(exchange, term.tag) or () if text]
    elif KEYS[term.key].is_exact if term.key in KEYS else False:
        texts = [KEYS[term.key].fetch(exchange)]
    else:
        return ""
    folded = Filter.parse(term.text.casefold()).node
    if isinstance(folded, Term) and any(_accepts(folded, text.casefold()) for text in texts):
        return "upper and lower case count"
    return "blanks count" if any(_accepts(term, text.strip()) for text in texts) else ""


def _accepts(term: Term, text: str) -> bool:
    return term.accepts([text] if term.key == "attribute" else text)


def _shown(text: str) -> str:
    return printable(text, LONGEST)
