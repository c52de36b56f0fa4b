"""Failure texts as golden files: what differs from run to run is masked. MOCKPACS_RENEW_GOLDEN=1 makes them anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
_MASKS = (
    (re.compile(r"\d\d:\d\d:\d\d\.\d{3}"), "HH:MM:SS.mmm"),
    (re.compile(r" +\d+(?:\.\d)? (?:ms|s)$", re.MULTILINE), "  DURATION"),
    (re.compile(r"(127\.0\.0\.1):\d+"), r"\1:PORT"),
    (re.compile(r"(\btest_\w+\.py):\d+"), r"\1:LINE"),
    (re.compile(r'File ".*/(test_\w+\.py)", line \d+'), r'File "\1", line LINE'),
    (re.compile(r"/\S+/(\S+\.(?:pcapng|yaml))"), r"FOLDER/\1"),
    (re.compile(r"\d{8}-\d{6}[a-z]*\.pcapng"), "RECORDING.pcapng"),
)


def masked(text: str) -> str:
    """A failure text as it would be in every run."""
    for pattern, instead in _MASKS:
        text = pattern.sub(instead, text)
    return text


def check_golden(name: str, text: str) -> None:
    """The text is, word for word, what the file says."""
    path, text = FOLDER / f"{name}.txt", masked(text) + "\n"
    if os.environ.get("MOCKPACS_RENEW_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
