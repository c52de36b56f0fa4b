"""Output from a thread of its own: a terminal that stands still or an unread pipe never holds up an association."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from mockpacs.traffic.exchange import Record

LONGEST_BACKLOG = 10_000  # records; more are counted, not kept
PATIENCE_SECONDS = 0.5
GATHER_SECONDS = 0.02
"""Records of this time are written together: waking for each of them cost a store a tenth of its time."""


class Console:
    """Writes lines in order. Text is never lost; records beyond the backlog are, and their number is told."""

    def __init__(self, stream: TextIO, render: Callable[[Record], str]) -> None:
        self._stream = stream
        self._render = render
        self._waiting: SimpleQueue[Record | str | None] = SimpleQueue()
        self._skipped = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="mockpacs-console", daemon=True)
        self._thread.start()

    def say(self, text: str) -> None:
        """Write text."""
        self._waiting.put(text)

    def tell(self, record: Record) -> None:
        """Write a record; rendering it is the thread's work too."""
        if self._waiting.qsize() > LONGEST_BACKLOG:
            self._skipped += 1
        else:
            self._waiting.put(record)

    def close(self) -> None:
        """Write what waits, but do not wait for a reader that does not read."""
        self._closing.set()
        self._waiting.put(None)
        self._thread.join(PATIENCE_SECONDS)
        if self._thread.is_alive():
            self._abandon()

    def _write_all(self) -> None:
        going_on = True
        while going_on:
            lines, going_on = self._batch()
            try:
                self._stream.write("".join(f"{line}\n" for line in lines))
                self._stream.flush()
            except (OSError, ValueError):  # the reader went away; serving goes on without it
                self._abandon()
                return

    def _batch(self) -> tuple[list[str], bool]:
        """Everything that waits, at least one thing; and whether more can come."""
        lines: list[str] = []
        item = self._waiting.get()
        if item is not None and not isinstance(item, str):
            self._closing.wait(GATHER_SECONDS)
        while item is not None:
            lines.append(item if isinstance(item, str) else self._render(item))
            if self._waiting.empty():
                break
            item = self._waiting.get()
        if self._skipped:
            skipped, self._skipped = self._skipped, 0
            lines.append(f"({skipped} lines skipped: the output is read too slowly)")
        return lines, item is not None

    def _abandon(self) -> None:
        """Point the stream at nothing, so that the interpreter's flush at exit neither blocks nor complains."""
        try:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)
        except (OSError, ValueError):
            pass  # a stream without a file cannot block either
