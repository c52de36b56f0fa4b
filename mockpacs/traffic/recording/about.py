"""What the head of a recording says about all of it: whether it is ours, who wrote it, with which scenario and seed."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final, NamedTuple

from mockpacs.traffic.capture.options import COMMENT, options_of
from mockpacs.traffic.capture.packet import Problems
from mockpacs.traffic.capture.source import open_source
from mockpacs.traffic.pcapng import SECTION_HEADER, USER_APPLICATION

_APPLICATION: Final = 4
_LITTLE: Final = b"\x4d\x3c\x2b\x1a"
_OPTIONS_AT: Final = 24
_LONGEST: Final = 1 << 20


class About(NamedTuple):
    """The section header of a capture; all but ``is_ours`` and ``application`` is only known of recordings of ours."""

    is_ours: bool
    application: str
    """What wrote the file, "" when it does not say."""
    version: str = ""
    facts: tuple[str, ...] = ()
    """The lines of the section's comments, the warning among them."""

    @property
    def scenario(self) -> str:
        """The scenario that was played, "" for none."""
        return self._fact("scenario")

    @property
    def seed(self) -> str:
        """The seed of what was random in it, "" when nothing was."""
        return self._fact("seed")

    def _fact(self, name: str) -> str:
        found = (
            fact.removeprefix(name).lstrip(":") for fact in self.facts if fact.startswith((f"{name} ", f"{name}:"))
        )
        return next(found, "").strip()


def about(path: Path) -> About:
    """Read the head of a capture file. Raises RecordingError when the file cannot be opened."""
    source = open_source(path, Problems())
    try:
        view, _ = source.window(0) or (memoryview(b""), 0)
        head = bytes(view[:_LONGEST])
        view.release()
    finally:
        source.close()
    try:
        return _read(head)
    except struct.error:
        return About(False, "")


def _read(head: bytes) -> About:
    order = "<" if head[8:12] == _LITTLE else ">"
    kind, length = struct.Struct(order + "II").unpack_from(head)
    if kind != SECTION_HEADER:
        return About(False, "")
    options = list(options_of(memoryview(head)[_OPTIONS_AT : max(length - 4, _OPTIONS_AT)], order))
    texts = [(code, value.decode("utf-8", "replace")) for code, value in options]
    application = next((text for code, text in texts if code == _APPLICATION), "")
    if not application.startswith(USER_APPLICATION):
        return About(False, application)
    version = application.removeprefix(USER_APPLICATION).strip()
    facts = tuple(line for code, text in texts if code == COMMENT for line in text.splitlines())
    return About(True, application, version, facts)
