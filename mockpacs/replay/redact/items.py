"""Elements that are whole, nested ones too, written anew: what `DataSet` does with everything but very long values."""

from __future__ import annotations

from typing import Final, NamedTuple

from mockpacs.replay.redact.element import (
    ITEM,
    ITEM_END,
    SEQUENCE_END,
    CutError,
    Head,
    UnreadableError,
    read_head,
    write_head,
)
from mockpacs.replay.redact.report import BLANKED, EMPTIED, REMOVED, REPLACED, Note
from mockpacs.replay.redact.rules import STRINGS, Plan, Rules, Scope
from mockpacs.wire.dataset import IMPLICIT_LITTLE, UNDEFINED, Encoding
from mockpacs.wire.dictionary import keyword_of, vr_of

_DEEPEST: Final = 64
_TELLING: Final = frozenset(
    map(bytes.decode, b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SQ SS ST SV TM UC UI UL UR US UT UV".split())
)
"""VRs that say what a value is."""
_CHARACTER_SET: Final = 0x00080005


class Place(NamedTuple):
    """Where elements stand."""

    encoding: Encoding
    character_set: str
    """The text of (0008,0005)."""
    scope: Scope
    depth: int


def effective_vr(head: Head) -> str:
    """The VR a value is treated by: that of the dictionary where none is written, or one that any bytes may have."""
    if head.vr in _TELLING:
        return head.vr
    known = vr_of(head.tag)
    return known if known != "UN" else head.vr or known


def is_encapsulated(head: Head, vr: str) -> bool:
    """Whether the value is a sequence of fragments (PS3.5 A.4)."""
    return head.is_undefined and vr in ("OB", "OW") and head.vr != "UN"


class Writer:
    """Writes elements. ``notes`` and ``problems`` say what it did; ``place`` is where the next element stands."""

    def __init__(self, rules: Rules, *, is_instance: bool) -> None:
        self.notes: list[Note] = []
        self.problems: list[str] = []
        self.place: Place
        self._rules = rules
        self._is_instance = is_instance

    def element(self, view: memoryview, pos: int, end: int, place: Place, out: bytearray) -> int:
        """The element at ``pos``, written to ``out``; returns where it ends.

        Raises CutError when it ends behind ``end``, UnreadableError when it makes no sense; then ``out`` is untouched.
        """
        head = read_head(view, pos, end, place.encoding)
        if head.tag >> 16 == 0xFFFE:
            raise UnreadableError(f"a delimiter where an element should begin at byte {pos}")
        vr = effective_vr(head)
        plan = self._rules.plan(head.tag, vr, place.scope, self._is_instance)
        if head.is_undefined:
            after = self._undefined(view, pos, end, head, vr, plan, place, out)
            self.place = place  # those of its items are left
            return after
        after = head.start + head.length
        if after > end:
            raise CutError(after)
        value = view[head.start : after]
        new = self._value(head, vr, plan, value, place)
        if new is not None:
            out += write_head(head, len(new), view[pos : head.start], place.encoding)
            out += new
        self.place = place
        if head.tag == _CHARACTER_SET:
            self.place = place._replace(character_set=bytes(value).decode("latin-1").strip(" \0"))
        return after

    def _value(self, head: Head, vr: str, plan: Plan, value: memoryview, place: Place) -> bytes | memoryview | None:
        """What becomes of a value; None when nothing does."""
        tag = head.tag
        if self._rules.is_gathering:
            self._gather(tag, vr, value, place)
        if plan is Plan.REMOVE:
            self.notes.append((tag, REMOVED))
            return None
        if not len(value):
            return value
        match plan:
            case Plan.EMPTY:
                self.notes.append((tag, EMPTIED))
                return b""
            case Plan.BLANK:
                self.notes.append((tag, BLANKED))
                return bytes(len(value))
            case Plan.DESCEND:
                return self._defined(head, value, place)
            case Plan.KEEP if self._rules.keeps(tag) or (vr not in STRINGS and not self._rules.words.are_in(value)):
                return value
        raw = bytes(value)
        if plan is Plan.CHANGE:
            new = self._rules.changed(tag, vr, raw, place.character_set)
        elif vr in STRINGS and self._rules.is_plausible(vr, raw):
            new = self._rules.words.scrub(raw) if plan is Plan.SCRUB else raw
        else:
            self.problems.append(
                f"{keyword_of(tag) or 'a value'} was overwritten with zeros: it holds what no {vr} does"
            )
            new = bytes(len(raw))
        if new != raw:
            self.notes.append((tag, REPLACED))
        return new

    def _gather(self, tag: int, vr: str, value: memoryview, place: Place) -> None:
        """Original values, also those in a sequence that is removed."""
        if vr == "SQ" and self._rules.plan(tag, vr, place.scope, self._is_instance) is not Plan.DESCEND:
            Writer(self._rules, is_instance=False)._defined(Head(tag, "SQ", 0, len(value)), value, place)
        elif vr != "SQ":
            self._rules.gather(tag, vr, bytes(value[:1024]))

    def _defined(self, head: Head, value: memoryview, place: Place) -> bytes:
        """A sequence of defined length."""
        out = bytearray()
        notes = len(self.notes)
        try:
            self._sequence(value, 0, len(value), head, place, out, is_undefined=False)
        except (CutError, UnreadableError) as error:
            del self.notes[notes:]
            self.notes.append((head.tag, BLANKED))
            self.problems.append(f"{keyword_of(head.tag) or 'a sequence'} was overwritten with zeros: {error}")
            return bytes(len(value))
        return bytes(out)

    def _undefined(
        self,
        view: memoryview,
        pos: int,
        end: int,
        head: Head,
        vr: str,
        plan: Plan,
        place: Place,
        out: bytearray,
    ) -> int:
        """A value that ends with a delimiter: a sequence, or pixel data in fragments."""
        body = bytearray()
        if is_encapsulated(head, vr):
            after = self._fragments(view, head.start, end, plan, place, body)
        else:
            after = self._sequence(view, head.start, end, head, place, body, is_undefined=True)
        start = view[pos : head.start]
        if plan is Plan.REMOVE:
            self.notes.append((head.tag, REMOVED))
        elif plan is Plan.EMPTY:
            self.notes.append((head.tag, EMPTIED))
            out += write_head(head, 0, start, place.encoding)
        elif plan is Plan.KEEP:
            out += view[pos:after]
        else:
            out += bytes(start) + body
        return after

    def _fragments(self, view: memoryview, pos: int, end: int, plan: Plan, place: Place, out: bytearray) -> int:
        while True:
            head = read_head(view, pos, end, place.encoding)
            if head.tag not in (ITEM, SEQUENCE_END) or head.is_undefined:
                raise UnreadableError(f"no item of pixel data at byte {pos}")
            after = head.start + (head.length if head.tag == ITEM else 0)
            if after > end:
                raise CutError(after)
            out += view[pos : head.start]
            out += view[head.start : after] if plan is Plan.KEEP else bytes(after - head.start)
            if head.tag == SEQUENCE_END:
                return after
            pos = after

    def _sequence(
        self, view: memoryview, pos: int, end: int, around: Head, place: Place, out: bytearray, *, is_undefined: bool
    ) -> int:
        """The items of a sequence up to its end, with the delimiter where it has one."""
        if place.depth >= _DEEPEST:
            raise UnreadableError(f"sequences are nested deeper than {_DEEPEST}")
        # UN of a sequence is implicit little endian, whatever is around (PS3.5 6.2.2)
        encoding = IMPLICIT_LITTLE if around.vr == "UN" else place.encoding
        inner = Place(encoding, place.character_set, self._rules.scope_in(around.tag, place.scope), place.depth + 1)
        while is_undefined or pos < end:
            head = read_head(view, pos, end, encoding)
            if is_undefined and head.tag == SEQUENCE_END:
                out += view[pos : head.start]
                return head.start
            if head.tag != ITEM:
                raise UnreadableError(f"no item where one should begin at byte {pos}")
            pos = self._item(view, pos, end, head, inner, out)
        return pos

    def _item(self, view: memoryview, pos: int, end: int, head: Head, place: Place, out: bytearray) -> int:
        body = bytearray()
        if head.length != UNDEFINED:
            after = head.start + head.length
            if after > end:
                raise CutError(after)
            self._elements(view, head.start, after, place, body, is_undefined=False)
            out += write_head(head, len(body), view[pos : head.start], place.encoding)
        else:
            after = self._elements(view, head.start, end, place, body, is_undefined=True)
            out += view[pos : head.start]
        out += body
        return after

    def _elements(
        self, view: memoryview, pos: int, end: int, place: Place, out: bytearray, *, is_undefined: bool
    ) -> int:
        try:
            while is_undefined or pos < end:
                if is_undefined:
                    head = read_head(view, pos, end, place.encoding)
                    if head.tag == ITEM_END:
                        out += view[pos : head.start]
                        return head.start
                pos = self.element(view, pos, end, place, out)
                place = self.place
        except CutError as error:
            if is_undefined:
                raise
            raise UnreadableError("an item ends within an element") from error
        return pos
