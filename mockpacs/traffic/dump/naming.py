"""What things are called: PDUs, messages, elements, UIDs; and the VR of an element where the bytes do not tell it.

Names of UIDs (PS3.6 A) and of private elements come from pydicom, which is loaded when the first one is asked for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mockpacs.traffic.dump.node import Node
from mockpacs.wire import CommandField
from mockpacs.wire.dictionary import keyword_of, name_of, vr_of
from mockpacs.wire.text import printable

PDU_NAMES: Final = {
    1: "A-ASSOCIATE-RQ",
    2: "A-ASSOCIATE-AC",
    3: "A-ASSOCIATE-RJ",
    4: "P-DATA-TF",
    5: "A-RELEASE-RQ",
    6: "A-RELEASE-RP",
    7: "A-ABORT",
}
_PIXEL_DATA: Final = 0x7FE00010
_DICOM_ROOT: Final = "1.2.840.10008."


def message_name(field: CommandField) -> str:
    """``C-STORE-RQ``."""
    return field.name.replace("_", "-")


def tag_name(tag: int) -> str:
    """``(0010,0010) PatientName``; the number alone of what the dictionary does not know."""
    number, name = f"({tag >> 16:04X},{tag & 0xFFFF:04X})", name_of(tag)
    return number if name == number else f"{number} {name}"


def called(node: Node) -> str:
    """The keyword; for a private element its name and who reserved the block. Nothing in it moves a cursor."""
    if node.tag & 0xFFFF == 0:
        return "group length"
    if not node.tag >> 16 & 1:
        return keyword_of(node.tag) or "unknown"
    if 0x10 <= node.tag & 0xFFFF <= 0xFF:
        return "private creator"
    name = (_private(node.tag, node.creator)[1] if node.creator else "") or "private"
    return printable(f"{name} [{node.creator}]" if node.creator else name)


def vr_of_implicit(tag: int, creator: str) -> str:
    """The VR of an element in implicit VR (PS3.5 A.1): the dictionary's, which for a private one may be known too."""
    if creator and (known := _private(tag, creator)[0]):
        return known
    # PS3.5 A.1: pixel and overlay data, where the dictionary has a choice, are OW.
    return "OW" if tag == _PIXEL_DATA else vr_of(tag)


def vr_meant(node: Node) -> str:
    """The VR to read a value by: UN was written by somebody who did not know the element (PS3.5 6.2.2)."""
    return vr_of_implicit(node.tag, node.creator) if node.vr == "UN" else node.vr


def named(uid: str) -> str:
    """``1.2.840.10008.1.1 (Verification SOP Class)``; a UID without a known name alone."""
    name = uid_name(uid)
    return f"{printable(uid)} ({name})" if name else printable(uid)


@lru_cache(maxsize=512)
def uid_name(uid: str) -> str:
    """The name of a registered UID, "" when there is none: most UIDs name instances and have none."""
    if not uid.startswith(_DICOM_ROOT):
        return ""
    from pydicom.config import IGNORE
    from pydicom.uid import UID

    name = UID(uid, validation_mode=IGNORE).name  # it would warn of what a peer wrote
    return "" if name == uid else name


@lru_cache(maxsize=1024)
def _private(tag: int, creator: str) -> tuple[str, str]:
    """VR and name of a private element of a creator, empty when nothing is known."""
    from pydicom.datadict import get_private_entry

    try:
        entry = get_private_entry(tag, creator)
    except KeyError:
        return "", ""
    return entry[0][:2], entry[2]
