"""One condition beside what came: what was expected, what was received, whether it holds, and why not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from mockpacs.scenario.condition import LAST, Moment
from mockpacs.wire.text import printable

LONGEST: Final = 60
"""Characters of a received text that are shown."""
_MOST: Final = 4
"""Values of one attribute that are shown."""


class Line(NamedTuple):
    """A condition of a rule and what became of it. All texts can be shown as they are."""

    path: tuple[str, ...]
    """Where in ``when``: ("calling",), ("query", "Modality")."""
    expected: str
    received: str
    holds: bool
    hint: str = ""


def said(texts: Iterable[str]) -> str:
    """Received texts between quotation marks, the first few of them."""
    shown = [f'"{printable(text, LONGEST)}"' for text in texts]
    more = f" and {len(shown) - _MOST} more" if len(shown) > _MOST else ""
    return ", ".join(shown[:_MOST]) + more


def either(texts: Iterable[str]) -> str:
    """Expected texts, any of which will do."""
    return " or ".join(printable(text, LONGEST) or '""' for text in texts)


def moment_text(moment: Moment, mark: int, of: int = 0) -> str:
    """A moment in words. ``of``: how many sub-operations there are, where that is known."""
    if moment is Moment.RECEIVED:
        return f"{mark} bytes received"
    if moment is Moment.SUB_OPERATION and mark:
        return "last sub-operation" if mark == LAST else f"sub-operation {mark}{f' of {of}' if of else ''}"
    return f"PDU {mark}" if moment is Moment.PDU else str(moment)
