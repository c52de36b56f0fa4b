"""The comments of a recording without names: addresses, titles and known words are replaced, wherever they stand."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from mockpacs.replay.redact.rules import Rules
from mockpacs.traffic import comment

_CONTINUES: Final = re.compile(r"(continues connection \d+ of )\S+")
_EARLIER: Final = r"\g<1>an-earlier-part.pcapng"
_PART: Final = "part "
_IP4: Final = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\.\d|\d)")
_IP6: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\]")
_UID: Final = re.compile(r"(?<![\d.])[0-2](?:\.\d+){4,}")


class Comments:
    """Writes comments anew. The words must have been gathered."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def redacted(self, comments: Sequence[str], titles: tuple[str, str] = ("", "")) -> list[str]:
        """The comments of a packet; ``titles``: those of its association."""
        return [self._redacted(text, titles) for text in comments]

    def facts(self, facts: Sequence[str]) -> list[str]:
        """The lines a recording begins with. It is whole now, whatever part it was read from."""
        return self.redacted([fact for fact in facts if not fact.startswith(_PART)])

    def _redacted(self, text: str, titles: tuple[str, str]) -> str:
        disguise = self._rules.disguise
        text = _CONTINUES.sub(_EARLIER, text)
        if any(titles):
            old, new = comment.titles(*titles), comment.titles(*map(disguise.title, titles))
            before, found, after = text.partition(old)
            if found:
                return self._scrubbed(before) + new + self._scrubbed(after)
        return self._scrubbed(text)

    def _scrubbed(self, text: str) -> str:
        disguise = self._rules.disguise
        # words first: an address or a UID that was replaced holds none of them but by chance
        text = self._rules.words.scrub_text(text)
        text = _IP6.sub(lambda found: f"[{disguise.host(found[1])}]" if _is_address(found[1]) else found[0], text)
        text = _IP4.sub(lambda found: disguise.host(found[0]) if _is_address(found[0]) else found[0], text)
        return _UID.sub(lambda found: disguise.uid(found[0]), text)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
