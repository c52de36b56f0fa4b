"""Bytes that come in blocks, taken in other pieces: nothing is held longer than until it is asked for."""

from __future__ import annotations

import array
from collections.abc import Iterable, Iterator
from typing import Final

_GATHERED: Final = 1 << 18
_TYPE_OF: Final = {array.array(code).itemsize: code for code in "HILQ"}


class UnreadableError(Exception):
    """The bytes make no sense from here on; the text says what is wrong, for a person."""


class ByteSource:
    """A stream of blocks, read from the beginning to the end."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = filter(None, blocks)
        self._block = b""
        self._at = 0
        self.position = 0
        """Bytes taken so far."""

    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._block) and not self._next()

    def peek(self, length: int) -> bytes:
        """The next bytes without taking them; fewer at the end."""
        while len(self._block) - self._at < length and (more := next(self._blocks, b"")):
            self._block, self._at = self._block[self._at :] + more, 0
        return self._block[self._at : self._at + length]

    def take(self, length: int) -> bytes:
        """As many bytes. Raises UnreadableError when there are fewer."""
        end = self._at + length
        if end > len(self._block):
            return b"".join(self.pieces(length))
        found = self._block[self._at : end]
        self._at = end
        self.position += length
        return found

    def pieces(self, length: int) -> Iterator[bytes]:
        """As many bytes, in pieces as they come."""
        while length:
            if self._at >= len(self._block) and not self._next():
                raise UnreadableError(f"it ends at byte {self.position}, {length} bytes too early")
            piece = self._block[self._at : self._at + length]
            self._at += len(piece)
            self.position += len(piece)
            length -= len(piece)
            yield piece

    def _next(self) -> bool:
        self._block, self._at = next(self._blocks, b""), 0
        return bool(self._block)


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of a size that is worth sending: small pieces are joined, very large ones cut."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        if len(piece) < _GATHERED // 2:
            held.append(piece)
            size += len(piece)
        if size and (size >= _GATHERED // 2 or len(piece) >= _GATHERED // 2):
            yield b"".join(held)
            held, size = [], 0
        if len(piece) >= _GATHERED // 2:
            yield from (piece[at : at + _GATHERED] for at in range(0, len(piece), _GATHERED))
    if size:
        yield b"".join(held)


def swapped(pieces: Iterable[bytes], unit: int) -> Iterator[bytes]:
    """Numbers of ``unit`` bytes in the other byte order; what is left over at the end stays as it is."""
    rest = b""
    for piece in pieces:
        piece = rest + piece
        whole = len(piece) - len(piece) % unit
        numbers = array.array(_TYPE_OF[unit], piece[:whole])
        numbers.byteswap()
        yield numbers.tobytes()
        rest = piece[whole:]
    yield rest
