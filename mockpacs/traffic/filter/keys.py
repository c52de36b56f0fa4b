"""The keys of a filter: what each is called, what it compares, and how its values are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from mockpacs.traffic.exchange import Exchange, Notice
from mockpacs.traffic.filter import number as filter_number
from mockpacs.traffic.filter import status as filter_status
from mockpacs.traffic.filter import text as filter_text
from mockpacs.traffic.filter import uid as filter_uid
from mockpacs.traffic.filter.syntax import MisreadError, Value, nearest
from mockpacs.wire import CommandField
from mockpacs.wire.text import printable

Reader = Callable[[Sequence[Value]], Callable[[Any], bool]]
"""Makes a test out of the alternatives that were written; raises `MisreadError`."""


class Key(NamedTuple):
    """One key. ``fetch`` gives what is compared; ``fetch_notice`` the same of a notice, None where it has no such."""

    read: Reader
    fetch: Callable[[Exchange], Any]
    fetch_notice: Callable[[Notice], Any] | None = None
    number: filter_number.Read | None = None
    """How one number is read, where numbers are compared: ``read`` is not asked then."""

    @property
    def is_exact(self) -> bool:
        """Whether texts without wild cards are compared as they are."""
        return self.read is _EXACT


NO_CAUSE: Final = "us"
"""In the place of the exchange that is the cause: we asked, but for no exchange."""
_LEG: Final = re.compile(r"[0-9]+|[0-9?]*\*|[0-9?*]+\.[0-9?*]+")
_SERVICES: Final = {field.service for field in CommandField}


def _texts(compare: Callable[[Sequence[str]], Callable[[str], bool]]) -> Reader:
    return lambda values: compare([value.text for value in values])


def _service(values: Sequence[Value]) -> Callable[[str], bool]:
    """``store`` and ``C_STORE`` are understood as well: no two services differ by their prefix only but C-/N-GET."""
    written = [value.text.upper().replace("_", "-") for value in values]
    for value, text in zip(values, written, strict=True):
        if not (filter_text.has_wildcard(text) or {text, f"C-{text}", f"N-{text}"} & _SERVICES):
            hint = nearest(text, sorted(_SERVICES))
            raise MisreadError(f'"{printable(value.text, 40)}" is no service{hint}', value.at)
    return filter_text.exactly([form for text in written for form in (text, f"C-{text}", f"N-{text}")])


def _yes_or_no(values: Sequence[Value]) -> Callable[[bool], bool]:
    wanted = set()
    for value in values:
        if value.text.lower() not in ("yes", "no", "true", "false"):
            raise MisreadError(f'"{printable(value.text, 40)}" is neither yes nor no', value.at)
        wanted.add(value.text.lower() in ("yes", "true"))
    return wanted.__contains__


def _of_notice(name: str, otherwise: object) -> Callable[[Notice], Any]:
    fetch = attrgetter(name)
    return lambda notice: fetch(notice.association) if notice.association else otherwise


def _message_id(exchange: Exchange) -> int | None:
    return exchange.command.message_id if exchange.command else None


def _syntax(exchange: Exchange) -> str:
    return exchange.context.transfer_syntax if exchange.context else ""


def leg_of(exchange: Exchange) -> str:
    """The exchange this one is a leg of, `NO_CAUSE` when we asked for another reason, "" when we did not ask."""
    return exchange.cause or (NO_CAUSE if exchange.asked_by_us else "")


def _leg_of_notice(notice: Notice) -> str:
    """The same of the association that a notice is about."""
    one = notice.association
    return "" if one is None else one.cause or (NO_CAUSE if one.by_us else "")


def _leg(values: Sequence[Value]) -> Callable[[str], bool]:
    """Retrieves by their ids, all of an association by its number; what is neither would match nothing."""
    for value in values:
        if value.text not in ("", NO_CAUSE) and not _LEG.fullmatch(value.text):
            shown = printable(value.text, 40)
            raise MisreadError(
                f'"{shown}" is no exchange: 3.1 for its sub-operations, * for all that we asked', value.at
            )
    return filter_text.exactly([f"{value.text}.*" if value.text.isdecimal() else value.text for value in values])


def _number(fetch: Callable[[Exchange], Any], read: filter_number.Read, notice: Any = None) -> Key:
    return Key(lambda values: filter_number.accepts(filter_number.spans(values, read)), fetch, notice, read)


_EXACT: Final = _texts(filter_text.exactly)
_LISTED: Final = _texts(filter_text.listed)
_WITHIN: Final = _texts(filter_text.within)
_ADDRESS: Final = _texts(filter_text.address)

KEYS: Final[dict[str, Key]] = {
    "association": _number(attrgetter("association.number"), filter_number.whole, _of_notice("number", 0)),
    "number": _number(attrgetter("number"), filter_number.whole),
    "service": Key(_service, attrgetter("service")),
    "status": Key(filter_status.accepts, filter_status.outcome_of),
    "calling": Key(_EXACT, attrgetter("association.calling"), _of_notice("calling", "")),
    "called": Key(_EXACT, attrgetter("association.called"), _of_notice("called", "")),
    "address": Key(_ADDRESS, attrgetter("association.address"), _of_notice("address", "")),
    "server": Key(_ADDRESS, attrgetter("association.server")),
    "user": Key(_EXACT, attrgetter("association.user")),
    "secure": Key(_yes_or_no, attrgetter("association.secure")),
    "subject": Key(_WITHIN, attrgetter("subject")),
    "comment": Key(_WITHIN, attrgetter("comment")),
    "rule": Key(_LISTED, attrgetter("rule")),
    "fault": Key(_WITHIN, attrgetter("fault")),
    "size": _number(attrgetter("size"), filter_number.size),
    "duration": _number(attrgetter("seconds"), filter_number.duration),
    "responses": _number(attrgetter("responses"), filter_number.whole),
    "message-id": _number(_message_id, filter_number.whole),
    "sop-class": Key(lambda values: filter_uid.accepts(values, filter_uid.SOP_CLASS), attrgetter("sop_class")),
    "sop-instance": Key(_EXACT, attrgetter("sop_instance")),
    "leg": Key(_leg, leg_of, _leg_of_notice),
    "syntax": Key(lambda values: filter_uid.accepts(values, filter_uid.TRANSFER_SYNTAX), _syntax),
}
MOMENTS: Final = ("after", "before")
"""The keys that are compared with time; they are read in `filter_meaning`, for they need to know what time it is."""
