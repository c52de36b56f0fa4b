"""Errors of mockpacs as a test sees them: the line of the test and the sentence, not the lines of mockpacs between."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from mockpacs.errors import MockpacsError

_OURS: Final = (str(Path(__file__).parent.parent), dataclasses.__file__, "<string>")
"""Also what `dataclasses` made of our classes: it lies between lines of ours."""


def trim(error: BaseException) -> None:
    """Cut the traceback of an error of ours behind the last line that is not ours, and what it was made from.

    What somebody else raised, in a handler or below us, keeps all of it: there a line of ours may be the reason.
    """
    if not isinstance(error, MockpacsError):
        return
    last, entry = None, error.__traceback__
    while entry is not None:
        if not entry.tb_frame.f_code.co_filename.startswith(_OURS):
            last = entry
        entry = entry.tb_next
    if last is not None:
        last.tb_next = None
        error.__cause__, error.__suppress_context__ = None, True
