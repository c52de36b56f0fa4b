"""UIDs with their names (PS3.6 A). The names come from pydicom, which is loaded when the first one is asked for."""

from __future__ import annotations

from functools import lru_cache

from mockpacs.wire.text import printable

_DICOM_ROOT = "1.2.840.10008."


def named(uid: str) -> str:
    """``1.2.840.10008.1.1 (Verification SOP Class)``; a UID without a known name alone."""
    name = name_of(uid)
    return f"{printable(uid)} ({name})" if name else printable(uid)


@lru_cache(maxsize=512)
def name_of(uid: str) -> str:
    """The name of a registered UID, "" when there is none: most UIDs name instances and have none."""
    if not uid.startswith(_DICOM_ROOT):
        return ""
    from pydicom.config import IGNORE
    from pydicom.uid import UID

    name = UID(uid, validation_mode=IGNORE).name  # it would warn of what a peer wrote
    return "" if name == uid else name
