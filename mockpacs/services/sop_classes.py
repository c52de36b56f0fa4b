"""Which abstract syntaxes are storage: a rule, not a list, so that private and future SOP classes are stored too."""

from __future__ import annotations

import re
from typing import Final

_UID: Final = re.compile(r"[0-9.]{1,64}")
DICOM_ROOT: Final = "1.2.840.10008."
_COMPOSITE_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
# Storage SOP classes that live elsewhere in the tree (PS3.4 B.5, GG.3), and retired ones of print (PS3.6 Table A-1).
_ELSEWHERE: Final = frozenset(
    f"1.2.840.10008.5.1.{end}"
    for end in ("4.34.1", "4.34.7", "4.34.10", "4.38.1", "4.39.1", "4.43.1", "4.44.1", "4.45.1", "1.27", "1.29", "1.30")
)
# Query, retrieve and creation classes that were registered below the storage root (PS3.6 Table A-1).
_NOT_STORAGE: Final = frozenset(
    [f"{_COMPOSITE_STORAGE}200.{n}" for n in (4, 5, 6)] + [f"{_COMPOSITE_STORAGE}201.{n}" for n in (2, 3, 4, 5, 6)]
)


def is_uid(text: str) -> bool:
    """Whether this can be a UID (PS3.5 9.1); leading zeros and empty components occur, and harm nobody."""
    return _UID.fullmatch(text) is not None


def is_storage(sop_class: str) -> bool:
    """Whether a C-STORE may be expected: the standard's storage classes, and everything private."""
    if not sop_class.startswith(DICOM_ROOT):
        return is_uid(sop_class)
    composite = sop_class.startswith(_COMPOSITE_STORAGE) and sop_class not in _NOT_STORAGE
    return (composite and is_uid(sop_class)) or sop_class in _ELSEWHERE
