"""Progress of long work: a bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

INTERVAL_SECONDS = 0.1  # rich takes 20 us per update, which is as much as adding a small file


class Working:
    """A context in which something goes on; ``what`` is one word for it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._done = 0
        self._told_at = 0.0

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self) -> None:
        """One more, of nobody knows how many."""
        self.progress(self._done + 1, 0)

    def progress(self, done: int, total: int) -> None:
        """So much of so much is done; a total of 0 is not known."""
        self._done = done
        if self._bar is None or self._task is None:
            return
        now = time.monotonic()
        if done == total or now - self._told_at >= INTERVAL_SECONDS:
            self._told_at = now
            self._bar.update(self._task, completed=done, total=total or None)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        # Rich would send our lines to where the bar is: wrong when only one of the two is a terminal.
        redirect_stdout=sys.stdout.isatty(),
    )
