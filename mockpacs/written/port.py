"""A port that may also be left to the server, or be none at all; and the secret of who may use it."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from mockpacs.written.kinds import Refused, nearest, refused

AUTO: Literal["auto"] = "auto"
OFF: Literal["off"] = "off"


class Port:
    """A TCP port, or ``auto``, or ``off``."""

    allowed: ClassVar[str] = "a port from 0 to 65535, auto or off"
    negative: ClassVar[str] = OFF
    """What ``--no-...`` on the command line means."""

    def read(self, value: object) -> int | str:
        """The port as a number, or the word."""
        if isinstance(value, bool):
            return AUTO if value else OFF
        if isinstance(value, str):
            word = value.strip().lower()
            if word in (AUTO, OFF):
                return AUTO if word == AUTO else OFF
            value = int(word) if re.fullmatch(r"[0-9]{1,5}", word) else value
        if isinstance(value, int) and 0 <= value <= 65535:
            return value
        raise refused(value, self.allowed, nearest(value, (AUTO, OFF)) if isinstance(value, str) else "")

    def write(self, value: object) -> str:
        """The port in digits, or the word."""
        return str(value)


class Secret:
    """A word that nobody is shown: never quoted, not even when it is wrong."""

    allowed: ClassVar[str] = "8 to 1024 visible ASCII characters without a space, or nothing"

    def read(self, value: object) -> str:
        """The secret; "" for none."""
        if isinstance(value, str) and re.fullmatch(r"([!-~]{8,1024})?", value):
            return str(value)
        raise Refused((value, f"it is not {self.allowed}"))

    def write(self, value: object) -> str:
        """That there is one."""
        return "(secret)" if value else ""
