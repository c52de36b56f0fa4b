"""Bytes as a hex dump: offset, sixteen bytes, the same as ASCII."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.dump.line import Line, Tone

WIDTH: Final = 16
_VISIBLE: Final = bytes(byte if 0x20 <= byte < 0x7F else ord(".") for byte in range(256))


def lines(data: bytes | memoryview, *, indent: str = "", first: int = 0, at_most: int | None = None) -> Iterator[Line]:
    """One line for each sixteen bytes; ``first`` is the offset of the first byte, ``at_most`` bytes are shown."""
    shown = len(data) if at_most is None else min(len(data), at_most)
    digits = 8 if first + len(data) > 0xFFFF else 4
    for start in range(0, shown, WIDTH):
        row = bytes(data[start : min(start + WIDTH, shown)])
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        text = row.translate(_VISIBLE).decode("ascii")
        yield Line(f"{indent}{first + start:0{digits}x}  {left:<23}  {right:<23}  |{text}|")
    if shown < len(data):
        yield Line(f"{indent}{'':{digits}}  {len(data) - shown} more bytes", Tone.FAINT)
