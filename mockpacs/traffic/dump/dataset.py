"""A data set as lines: an element each, by keyword, sequences indented. What cannot be read is shown in hex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.dump import hexadecimal
from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.dump.naming import called, vr_meant
from mockpacs.traffic.dump.node import Kind, Node
from mockpacs.traffic.dump.value import binary, character_set_of, shown
from mockpacs.traffic.dump.walk import Opened, unpacked, walk
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.text import printable

DEEPEST: Final = 32
"""Sequences nested deeper than this are counted, not shown: nobody reads lines that begin at column 100."""
_UNREADABLE_SHOWN: Final = 256
_CHARACTER_SET: Final = 0x00080005
_KEYWORD_WIDTH: Final = 34


def lines(data: bytes | memoryview, encoding: Encoding, *, indent: str = "") -> Iterator[Line]:
    """The lines of an encoded data set. Never raises on the bytes."""
    opened = unpacked(data, encoding)
    for remark in opened.remarks:
        yield Line(f"{indent}({remark})", Tone.WARNING)
    yield from _Lines(opened, indent).all()


class _Lines:
    """What the lines of one data set need to know: its character set may change from item to item."""

    def __init__(self, opened: Opened, indent: str) -> None:
        self._opened = opened
        self._indent = indent
        self._character_sets: dict[int, str] = {0: ""}
        self._left_out = 0

    def all(self) -> Iterator[Line]:
        """Every line, and how many were left out because they are too deep."""
        for node in walk(self._opened):
            if node.depth > 2 * DEEPEST and node.kind is not Kind.UNREADABLE:
                self._left_out += 1
            else:
                yield from self._of(node)
        if self._left_out:
            yield Line(f"{self._indent}({self._left_out} elements are nested deeper than {DEEPEST})", Tone.WARNING)

    def _of(self, node: Node) -> Iterator[Line]:
        indent = self._indent + "  " * min(node.depth, 2 * DEEPEST)
        match node.kind:
            case Kind.ELEMENT:
                yield Line(f"{indent}{_name(node)}{self._value(node)}")
            case Kind.SEQUENCE | Kind.FRAGMENTS:
                yield _cut_line(f"{indent}{_name(node)}", node)
            case Kind.ITEM:
                # PS3.3 C.12.1.1.2: an item without a character set of its own has that of what encloses it.
                self._character_sets[node.depth + 1] = self._character_sets.get(node.depth - 1, "")
                yield _cut_line(f"{indent}item {node.number} ", node)
            case Kind.FRAGMENT:
                name = f"fragment {node.number}" if node.number else "offset table"
                yield Line(f"{indent}{name:<14} {binary(node.value) if node.length else '(empty)'}")
            case Kind.UNREADABLE:
                where = "unreadable from byte" if len(node.value) else "ends too early at byte"
                yield Line(f"{indent}{where} {node.position}: {node.why}", Tone.BAD)
                yield from hexadecimal.lines(
                    node.value, indent=indent + "  ", first=node.position, at_most=_UNREADABLE_SHOWN
                )

    def _value(self, node: Node) -> str:
        if node.tag == _CHARACTER_SET:
            self._character_sets[node.depth] = character_set_of(node.value)
        character_set = self._character_sets.get(node.depth, "")
        little_endian = self._opened.encoding.little_endian
        return shown(vr_meant(node), node.value, character_set, little_endian=little_endian)


def _cut_line(text: str, node: Node) -> Line:
    """The line of a sequence or an item, with what is wrong with its length."""
    if node.why:
        return Line(f"{text}({node.why})", Tone.BAD)
    return Line(f"{text}(empty)" if node.length == 0 else text.rstrip())


def _name(node: Node) -> str:
    tag = f"({node.tag >> 16:04X},{node.tag & 0xFFFF:04X})"
    return f"{tag} {printable(node.vr) or '??'} {called(node):<{_KEYWORD_WIDTH}} "
