"""An encoded data set written anew while it comes: values replaced, attributes removed, lengths kept where they can be.

What is held is one element, of a sequence all of it; pixel data and the like pass through. It never raises on bytes:
from where they make no sense, zeros follow.
"""

from __future__ import annotations

import zlib
from typing import Final

from mockpacs.replay.redact.element import (
    ITEM,
    SEQUENCE_END,
    CutError,
    Head,
    UnreadableError,
    read_head,
    write_head,
)
from mockpacs.replay.redact.items import Place, Writer, effective_vr, is_encapsulated
from mockpacs.replay.redact.report import BLANKED, REMOVED, Note, Report
from mockpacs.replay.redact.rules import ADDED, Plan, Rules, Scope
from mockpacs.wire.dataset import EXPLICIT_LITTLE, IMPLICIT_LITTLE, Encoding, deflate, encode_element

_BULK: Final = 64 << 10
"""Bytes of a value that is not held, but passes through."""
_BINARY: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
"""Only values of these VRs: text is not so long, but where lengths are misread all that follows seems to be one."""
_MOST_HELD: Final = 64 << 20
_INFLATED_AT_MOST: Final = 256 << 20


class DataSet:
    """Takes a data set in pieces of any size, gives back another one, as soon as it can."""

    def __init__(
        self, encoding: Encoding, rules: Rules, report: Report, *, is_instance: bool, where: str = "data set"
    ) -> None:
        """``is_instance``: it is one of a C-STORE, to which the profile applies to the letter.

        ``where``: what to call its place in a sentence.
        """
        self.problem = ""
        """Why it, or the rest of it, was overwritten; "" when it was not."""
        self._encoding = encoding
        self._rules = rules
        self._report = report
        self._is_instance = is_instance
        self._where = where
        self._held = bytearray()
        self._needed = 1
        self._deflated = encoding.deflated
        self._through = 0  # bytes of the current value that are still to pass
        self._way = Plan.KEEP  # how they do
        self._fragments: Plan | None = None  # within encapsulated pixel data
        self._place: Place | None = None
        self._to_add = list(ADDED) if is_instance else []

    def feed(self, data: bytes | memoryview) -> bytes:
        """The next bytes, and what is ready."""
        if self.problem:
            return bytes(len(data))
        if self._deflated:
            self._held += data
            if len(self._held) > _MOST_HELD:
                return self._fail(f"a deflated data set of more than {_MOST_HELD} bytes")
            return b""
        out = bytearray()
        if self._through:
            count = min(self._through, len(data))
            out += self._passed(data[:count])
            data = data[count:]
        self._held += data
        if len(self._held) >= self._needed:
            self._advance(out)
        return bytes(out)

    def finish(self, *, is_whole: bool) -> bytes:
        """Nothing more comes; the rest. ``is_whole``: its end was seen."""
        if self.problem:
            return b""
        if self._deflated:
            return self._inflated(is_whole=is_whole)
        out = bytearray()
        if len(self._held):
            self._needed = 1
            self._advance(out)
        if not self.problem and (self._held or self._through):
            out += self._fail("it ends within an element")
        if not self.problem and is_whole:
            self._add_before(1 << 32, out)
        return bytes(out)

    def _inflated(self, *, is_whole: bool) -> bytes:
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            inflated = engine.decompress(bytes(self._held), _INFLATED_AT_MOST)
        except zlib.error:
            inflated = b""
        if not engine.eof or not is_whole:
            return self._fail("a deflated data set that cannot be inflated")
        inner = DataSet(EXPLICIT_LITTLE, self._rules, self._report, is_instance=self._is_instance, where=self._where)
        new = inner.feed(inflated) + inner.finish(is_whole=True)
        self.problem = inner.problem
        return deflate(new)

    def _fail(self, why: str) -> bytes:
        """Zeros for what is held, and for all that follows."""
        self.problem = why
        held, self._held, self._through = len(self._held), bytearray(), 0
        return bytes(held)

    def _passed(self, data: bytes | memoryview) -> bytes:
        self._through -= len(data)
        if self._way is Plan.REMOVE:
            return b""
        return bytes(data) if self._way is Plan.KEEP else bytes(len(data))

    def _advance(self, out: bytearray) -> None:
        """All elements that are whole, and the beginning of one that passes through."""
        pos, trouble, needed = 0, "", 0
        with memoryview(self._held) as view:
            try:
                while pos < len(view):
                    pos = self._step(view, pos, out)
            except CutError as cut:
                needed = cut.needed - pos if cut.needed else 2 * (len(view) - pos)
            except UnreadableError as error:
                trouble = str(error)
        del self._held[:pos]
        self._needed = max(needed, 1)
        if trouble:
            out += self._fail(trouble)
        elif len(self._held) > _MOST_HELD:
            out += self._fail(f"an element of more than {_MOST_HELD} bytes")

    def _step(self, view: memoryview, pos: int, out: bytearray) -> int:
        """One thing that is whole; where it ends. Raises CutError."""
        end = len(view)
        if self._through:
            count = min(self._through, end - pos)
            out += self._passed(view[pos : pos + count])
            return pos + count
        if self._place is None:
            self._place = self._begun(view, pos, end)
        place = self._place
        head = read_head(view, pos, end, place.encoding)
        if self._fragments is not None:
            return self._fragment(view, pos, head, out)
        vr = effective_vr(head)
        plan = self._rules.plan(head.tag, vr, Scope.PLAIN, self._is_instance)
        if is_encapsulated(head, vr):
            self._add_before(head.tag, out)
            self._fragments = plan
            self._note([(head.tag, REMOVED if plan is Plan.REMOVE else BLANKED)] if plan is not Plan.KEEP else [])
            out += self._unless_removed(plan, view[pos : head.start])
            return head.start
        if not head.is_undefined and head.length > _BULK and vr in _BINARY:
            self._add_before(head.tag, out)
            return self._begin_bulk(view, pos, head, plan, place, out)
        writer, new = Writer(self._rules, is_instance=self._is_instance), bytearray()
        try:
            after = writer.element(view, pos, end, place, new)
        except CutError as cut:
            # of what has no length it is not known: looked at again when there is twice as much
            raise CutError(0 if head.is_undefined else cut.needed) from cut
        self._add_before(head.tag, out)
        out += new
        self._place = writer.place
        self._note(writer.notes)
        for problem in writer.problems:
            self._report.trouble(f"{self._where}: {problem}")
        return after

    def _begun(self, view: memoryview, pos: int, end: int) -> Place:
        """Some writers say explicit and mean implicit."""
        if pos + 8 > end:
            raise CutError(pos + 8)
        encoding = self._encoding
        if not encoding.implicit and not bytes(view[pos + 4 : pos + 6]).isalpha():
            encoding = IMPLICIT_LITTLE
        return Place(encoding, "", Scope.PLAIN, 0)

    def _begin_bulk(self, view: memoryview, pos: int, head: Head, plan: Plan, place: Place, out: bytearray) -> int:
        """A long value of bytes. What cannot be kept is blanked."""
        start = view[pos : head.start]
        if plan is Plan.EMPTY:
            out += write_head(head, 0, start, place.encoding)
            plan = Plan.REMOVE
        else:
            plan = plan if plan in (Plan.KEEP, Plan.REMOVE) else Plan.BLANK
            out += self._unless_removed(plan, start)
        if plan is not Plan.KEEP:
            self._note([(head.tag, REMOVED if plan is Plan.REMOVE else BLANKED)])
        self._through, self._way = head.length, plan
        return head.start

    def _fragment(self, view: memoryview, pos: int, head: Head, out: bytearray) -> int:
        """An item of encapsulated pixel data, or the end of them (PS3.5 A.4)."""
        plan = self._fragments or Plan.KEEP
        if head.tag not in (ITEM, SEQUENCE_END) or head.is_undefined:
            raise UnreadableError("no item where one of pixel data should begin")
        out += self._unless_removed(plan, view[pos : head.start])
        if head.tag == SEQUENCE_END:
            self._fragments = None
        else:
            self._through, self._way = head.length, plan
        return head.start

    def _unless_removed(self, plan: Plan, data: memoryview) -> bytes:
        return b"" if plan is Plan.REMOVE else bytes(data)

    def _add_before(self, tag: int, out: bytearray) -> None:
        """What is said of an instance that was redacted, in its place by tag."""
        encoding = self._place.encoding if self._place else self._encoding
        while self._to_add and self._to_add[0][0] <= tag:
            out += encode_element(*self._to_add.pop(0), encoding)

    def _note(self, notes: list[Note]) -> None:
        self._report.note(notes)
