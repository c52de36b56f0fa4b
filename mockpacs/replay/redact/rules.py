"""What is done with each attribute, and what becomes of its value: the profile, the options, and what it leaves open.

PS3.15 Annex E with the option Retain Longitudinal Temporal Information with Modified Dates. Beyond the table: all names
of persons, AE titles, dates and UIDs of instances are replaced, and what the dictionary does not know is removed.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import Final

from mockpacs.replay.redact.annex_e import Action, action_of, is_temporal
from mockpacs.replay.redact.disguise import Disguise
from mockpacs.replay.redact.words import Words
from mockpacs.wire.dictionary import keyword_of, vr_of
from mockpacs.wire.text import LOCALISED

PIXELS: Final = frozenset((0x7FE00010, 0x7FE00008, 0x7FE00009))
"""Pixel Data, Float and Double Float Pixel Data."""
_VARIABLE_PIXELS: Final = 0x7F000010
"""Variable Pixel Data (7Fxx,0010), retired."""
TEXT: Final = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"))
PATIENT_IDENTITY_REMOVED, METHOD, TEMPORAL_INFORMATION = 0x00120062, 0x00120063, 0x00280303
ADDED: Final = (
    (PATIENT_IDENTITY_REMOVED, "CS", b"YES"),
    (METHOD, "LO", b"PS3.15 E Basic Profile, Modified Dates"),
    (TEMPORAL_INFORMATION, "CS", b"MODIFIED"),
)
"""What PS3.15 E.1.1 and E.3.6 want to be said in an instance afterwards."""

_ADDED_TAGS: Final = frozenset(tag for tag, _, _ in ADDED)
_PATIENT_BIRTH_DATE: Final = 0x00100030
# the identifiers of a patient and of what was ordered for one: looked for in all text that is kept
_IDENTIFIERS: Final = frozenset(
    (
        0x00080050,  # Accession Number
        0x00100020,  # Patient ID
        _PATIENT_BIRTH_DATE,
        0x00101000,  # Other Patient IDs
        0x00101060,  # Patient's Mother's Birth Name
        0x00380010,  # Admission ID
        0x00402016,  # Placer Order Number
        0x00402017,  # Filler Order Number
    )
)
_CONTENT: Final = 0x0040A730
"""Content Sequence: codes in it say what is meant, and of whom they never speak."""
_CODES: Final = frozenset(
    (0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080119, 0x00080120, 0x00080105, 0x0008010F)
)
_KIND: Final = re.compile(r"Class|TransferSyntax|CodingScheme|Context|MappingResource|PrivateRecord")
"""UIDs with such names say what something is, not which one."""
_TIME: Final = re.compile(rb"[\d:.*?\\\- \0]*")
_NUMBERS: Final = re.compile(rb"[\d+.\\\- \0]*")
_SCIENTIFIC: Final = re.compile(rb"[\d+.eE\\\- \0]*")


_NOT_OF: Final = {
    "UI": re.compile(rb"[^0-9.\\ \0]"),
    **dict.fromkeys(("DS", "IS"), re.compile(rb"[^\w+.\\ -]")),
    **dict.fromkeys(("AS", "CS", "LO", "SH", "PN", "UC", "UR"), re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")),
    **dict.fromkeys(("LT", "ST", "UT"), re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")),
}
"""Bytes that no value of a VR has, but for padding."""
STRINGS: Final = frozenset(_NOT_OF)
_NEVER: Final = re.compile(rb"(?!)")


class Plan(Enum):
    """What is done with an element."""

    KEEP = "kept as it is"
    SCRUB = "kept, but for known names"
    REMOVE = "gone"
    EMPTY = "without a value"
    CHANGE = "another value of the same length"
    BLANK = "zeros"
    DESCEND = "a sequence whose items are looked through"


class Scope(Enum):
    """Where an element stands."""

    PLAIN = "where the table says all"
    CONTENT = "in a sequence that is replaced as a whole, where codes stay"
    DUMMY = "in a sequence that is replaced as a whole"


class Rules:
    """The profile with its options."""

    def __init__(
        self, disguise: Disguise, words: Words, *, keep: frozenset[int] = frozenset(), pixels: Plan = Plan.BLANK
    ) -> None:
        """``keep``: tags whose values stay; ``pixels``: KEEP, BLANK or REMOVE."""
        self.disguise = disguise
        self.words = words
        self.is_gathering = False
        """Whether original values are put into ``words``."""
        self._keep = keep
        self._pixels = pixels
        self.plan = lru_cache(maxsize=1 << 14)(self._plan)
        """(tag, VR, where it stands, whether in an instance) -> what is done. Of other data sets nothing that has a
        meaning is removed: what is asked for, or answered, is left without a value."""

    def scope_in(self, tag: int, around: Scope) -> Scope:
        """Where the items of a sequence are."""
        if action_of(tag) is Action.DUMMY and around is Scope.PLAIN:
            return Scope.CONTENT if tag == _CONTENT else Scope.DUMMY
        return around

    def keeps(self, tag: int) -> bool:
        """Whether the user wants a value to stay."""
        return tag in self._keep

    def gather(self, tag: int, vr: str, value: bytes) -> None:
        """Remember an original value, if it is one to look for."""
        if tag in self._keep:
            return
        if vr == "AE":
            for title in value.split(b"\\"):
                self.words.add_title(title.decode("latin-1"))
        elif vr == "PN" or tag in _IDENTIFIERS:
            self.words.add(value.strip(b" \0"))

    def changed(self, tag: int, vr: str, value: bytes, character_set: str) -> bytes:
        """Another value, of the same length."""
        match vr:
            case "UI":
                return self._uids(value)
            case "DA" | "DT":
                shifted = self._moment(tag, vr, value.decode("latin-1"))
                return self.disguise.text(value, "") if shifted is None else shifted.encode("latin-1")
            case "TM" if _TIME.fullmatch(value):
                return value
            case "DS" | "IS" if _SCIENTIFIC.fullmatch(value):
                return self.disguise.text(value, "") if _NUMBERS.fullmatch(value) else b"0".ljust(len(value))
            case "AE" | "AS" | "CS" | "DS" | "IS" | "TM":
                return self.disguise.text(value, "")
        if vr in TEXT:
            return self.disguise.text(value, character_set if vr in LOCALISED else "")
        return bytes(len(value))

    def is_plausible(self, vr: str, value: bytes) -> bool:
        """Whether a value that is kept is one of its VR: where a length lies, it may be all that follows."""
        return not (_NOT_OF.get(vr) or _NEVER).search(value.rstrip(b" \0"))

    def _moment(self, tag: int, vr: str, text: str) -> str | None:
        if tag == _PATIENT_BIRTH_DATE:
            return self.disguise.birth_date(text)
        return self.disguise.date(text) if vr == "DA" else self.disguise.moment(text)

    def _uids(self, value: bytes) -> bytes:
        stripped = value.rstrip(b" \0")
        new = "\\".join(map(self.disguise.uid, stripped.decode("latin-1").split("\\")))
        return new.encode("latin-1") + value[len(stripped) :]

    def _plan(self, tag: int, vr: str, scope: Scope, is_instance: bool) -> Plan:
        if tag in self._keep:
            return Plan.KEEP
        if tag in PIXELS or tag & 0xFF00FFFF == _VARIABLE_PIXELS:
            return self._pixels
        if tag in _ADDED_TAGS and is_instance:
            return Plan.REMOVE
        action = action_of(tag)
        if vr in ("DA", "DT", "TM") and is_temporal(tag):
            return Plan.CHANGE
        if vr == "AE" and not (action is Action.REMOVE and is_instance):
            return Plan.CHANGE
        if action is None and _is_unknown(tag):
            return Plan.REMOVE
        if action is Action.REMOVE:
            has_no_place = is_instance or tag >> 16 & 1 or not tag & 0xFFFF
            return Plan.REMOVE if has_no_place else Plan.EMPTY
        if action is Action.EMPTY and vr in ("SQ", "CS", "AS"):
            return Plan.EMPTY
        if vr == "SQ":
            return Plan.DESCEND
        if action is not None or self._is_telling(tag, vr, scope):
            return Plan.CHANGE
        return Plan.SCRUB if vr in TEXT else Plan.KEEP

    def _is_telling(self, tag: int, vr: str, scope: Scope) -> bool:
        """Whether an attribute that is not in the table is replaced all the same."""
        if vr == "UI":
            return not _KIND.search(keyword_of(tag))
        if vr in ("PN", "DA", "DT"):
            return True
        is_code = scope is Scope.CONTENT and tag in _CODES
        return scope is not Scope.PLAIN and vr in TEXT and not is_code


def _is_unknown(tag: int) -> bool:
    """Whether the dictionary does not have it, or only for command sets."""
    return not tag >> 16 or (vr_of(tag) == "UN" and not keyword_of(tag))
