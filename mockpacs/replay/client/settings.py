"""How a client is played: fidelity, time, what is replaced; values that a command line or a test makes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from mockpacs.errors import ConfigurationError

Fidelity = Literal["dimse", "pdu", "bytes"]
FIDELITIES: Final[tuple[Fidelity, ...]] = ("dimse", "pdu", "bytes")
PIPELINED_SECONDS: Final = 0.5
"""A client that says something again after so long, without an answer, has waited for one."""
_SPEED: Final = re.compile(r"(\d+(?:\.\d+)?)x")
_FASTEST: Final = 1e6


@dataclass(frozen=True, slots=True)
class Settings:
    """Of one replay."""

    fidelity: Fidelity = "dimse"
    """``dimse`` keeps the meaning, ``pdu`` the PDUs, ``bytes`` everything."""
    speed: float = 0.0
    """1 waits as long as the recorded client waited, 2 half as long; 0 does not wait."""
    one_by_one: bool = False
    """Whether each association waits for the end of the one before, instead of overlapping as recorded."""
    fresh_uids: str | None = None
    """A seed: UIDs of instances that the client brings are replaced, the same one always by the same."""
    loops: int = 1
    """How often the recording is played, one after the other."""
    lanes: int = 1
    """How often it is played at the same time."""
    called: str = ""
    """The AE title that is called, "" for the recorded one."""
    calling: str = ""
    """The AE title that calls, "" for the recorded one."""
    passcode: str | None = None
    """What is sent in place of a passcode or token, which no recording holds."""
    patience_seconds: float = 30.0
    """How long an answer may take."""


def speed_of(text: str) -> float:
    """``asap``, ``recorded``, ``2x``, ``0.5x``. Raises `ConfigurationError`."""
    word = text.strip().lower()
    if word == "asap":
        return 0.0
    if word == "recorded":
        return 1.0
    found = _SPEED.fullmatch(word)
    speed = float(found[1]) if found else 0.0
    if not 0 < speed <= _FASTEST:
        raise ConfigurationError(f'--time: "{text}" is not asap, recorded, or a speed such as 2x or 0.5x')
    return speed
