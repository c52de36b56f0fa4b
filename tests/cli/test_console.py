"""The console keeps its order, and neither a reader that left nor one that does not read stops the program."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from mockpacs.cli import console as console_module
from mockpacs.cli.console import Console
from mockpacs.traffic.exchange import Notice, Record


def told(record: Record) -> str:
    assert isinstance(record, Notice)
    return record.text


def notice(text: str) -> Notice:
    return Notice(when=0.0, kind="trouble", text=text)


class Gate(io.StringIO):
    """A terminal that stands still until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.open = threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        self.open.wait(10)
        return super().write(text)


def test_lines_come_in_order_and_all_of_them_before_close_returns() -> None:
    stream = io.StringIO()
    console = Console(stream, told)
    for number in range(1000):
        console.tell(notice(str(number)))
    console.say("the end")
    console.close()
    assert stream.getvalue().split("\n") == [*map(str, range(1000)), "the end", ""]


def test_records_beyond_the_backlog_are_counted_and_text_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "LONGEST_BACKLOG", 2)
    stream = Gate()
    console = Console(stream, told)
    console.say("first")
    assert stream.reached.wait(10)
    for number in range(10):
        console.tell(notice(str(number)))
    console.say("last")
    stream.open.set()
    console.close()
    lines = stream.getvalue().splitlines()
    assert lines == ["first", "0", "1", "2", "last", "(7 lines skipped: the output is read too slowly)"]


def test_a_reader_that_left_ends_the_output_and_nothing_else(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        console = Console(stream, told)
        for _ in range(100):
            console.say("x" * 100_000)
        console.close()
        stream.write("still harmless")


def test_a_reader_that_does_not_read_cannot_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "PATIENCE_SECONDS", 0.01)
    stream = Gate()
    console = Console(stream, told)
    console.say("nobody reads this")
    assert stream.reached.wait(10)
    console.close()
    assert stream.getvalue() == ""
    stream.open.set()
