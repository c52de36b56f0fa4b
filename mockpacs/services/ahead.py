"""The instances of a retrieve one after the other, the next one read while the last one is being taken.

A study of 512 kB instances goes out a tenth faster so.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Final

from mockpacs.archive import StoredInstance
from mockpacs.errors import StorageError
from mockpacs.services.conversion import Prepared
from mockpacs.services.courier import SubOperation

READ_AT_MOST: Final = 1 << 20
"""Bytes of the next instance that are held, up to a block more."""

Turn = tuple[SubOperation, StoredInstance | StorageError | None]
"""A sub-operation and what is stored for it: None when it was deleted, the reason when nobody can say."""


class Ahead:
    """Iterates over turns in their order. `close` lets go of the file that was opened too early."""

    def __init__(self, turns: Iterator[Turn]) -> None:
        self._turns = turns
        self._next: Turn | None = None
        self._begun: _Begun | None = None

    def __iter__(self) -> Iterator[Turn]:
        return self

    def __next__(self) -> Turn:
        turn, self._next = self._next, None
        if turn is not None:
            return turn
        self.close()  # somebody else decided what became of the turn it was read for
        return next(self._turns)

    def look(self) -> None:
        """Read how the next one begins, once in a turn. What goes wrong with that is found when its turn has come."""
        self._next = next(self, None)
        instance = self._next[1] if self._next is not None else None
        if isinstance(instance, StoredInstance):
            self._begun = _Begun(instance)

    def blocks_of(self, prepared: Prepared, instance: StoredInstance) -> Iterable[bytes]:
        """What is to be sent of an instance: what was read of it already, when that is what is wanted, and the rest."""
        begun, self._begun = self._begun, None
        if begun is None:
            return prepared.blocks
        is_as_stored = prepared.transfer_syntax == instance.transfer_syntax and prepared.size == instance.size
        if begun.instance is instance and is_as_stored and begun.blocks:
            return begun.all()
        begun.close()
        return prepared.blocks

    def close(self) -> None:
        """Nothing more is wanted of what was read."""
        if self._begun is not None:
            self._begun.close()
            self._begun = None


class _Begun:
    """How an instance begins, as it is stored."""

    def __init__(self, instance: StoredInstance) -> None:
        self.instance = instance
        self.blocks: list[bytes] = []
        """Empty when it cannot be read."""
        self._rest = iter(instance.blocks())
        size = 0
        try:
            while size < READ_AT_MOST and (block := next(self._rest, b"")):
                self.blocks.append(block)
                size += len(block)
        except StorageError:
            self.blocks.clear()

    def all(self) -> Iterator[bytes]:
        """All of it, once."""
        try:
            yield from self.blocks
            yield from self._rest
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if isinstance(self._rest, Generator):
            self._rest.close()
