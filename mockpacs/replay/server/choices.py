"""What a user chooses about a replayed server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from mockpacs.errors import ConfigurationError
from mockpacs.traffic.filter.attribute import tag_named
from mockpacs.written.kinds import quoted

UNMATCHED: Final = ("fail", "last", "honest")
ORDERS: Final = ("loose", "strict")


@dataclass(frozen=True, slots=True)
class Choices:
    """How a recording is turned into rules."""

    unmatched: Literal["fail", "last", "honest"] = "fail"
    """What becomes of a request that was not recorded, or was recorded fewer times: a failure; the last answer once
    more; what the archive says."""
    order: Literal["loose", "strict"] = "loose"
    """loose: a request is known by what it asks for; strict: it must also come in its turn."""
    pace: float | None = None
    """How much faster than recorded the answers come: 1 as recorded, 2 twice as fast; None at once."""
    ignored: frozenset[int] = frozenset()
    """Attributes of identifiers that do not tell one request from another."""

    def after(self, seconds: float) -> float:
        """How long to wait for what took so long in the recording; 0 for no time worth waiting."""
        if self.pace is None or seconds <= 0:
            return 0.0
        return round(seconds / self.pace, 3)


def attribute(word: str) -> int:
    """The tag of a keyword, or of ``0008,0020``. Raises ConfigurationError."""
    tag = tag_named(word)
    if tag is None:
        raise ConfigurationError(
            f"--ignore: {quoted(word)} is no attribute; write a keyword (StudyDate) or a tag (0008,0020)"
        )
    return tag
