"""Checks of values: the form and length that a VR asks for, padding, control characters (PS3.5 6.1.3 and 6.2)."""

from __future__ import annotations

import re
from typing import Final

from mockpacs.traffic.dump.naming import tag_name
from mockpacs.traffic.findings.data_sets import Add
from mockpacs.traffic.findings.words import quoted, uid_problem

_LONGEST: Final = {"AE": 16, "CS": 16, "SH": 16, "LO": 64}
_DATE: Final = r"[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
_FRACTION: Final = r"(\.[0-9]{1,6})?"
_MOMENT: Final = rf"(?:([01][0-9]|2[0-3])([0-5][0-9](([0-5][0-9]|60){_FRACTION})?)?)"
_FORMS: Final = {
    "DA": re.compile(_DATE),
    "TM": re.compile(_MOMENT),
    "CS": re.compile(r"[A-Z0-9 _]*"),
    "AE": re.compile(r"[^\\\x00-\x1f\x7f]*"),
}
_RANGES: Final = {
    "DA": re.compile(rf"(?:{_DATE})?-(?:{_DATE})?"),
    "TM": re.compile(rf"{_MOMENT}?-{_MOMENT}?"),
}
_HAS_LINES: Final = frozenset(["LT", "ST", "UT"])
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_CONTROLS_AND_LINES: Final = re.compile(r"[\x00-\x1a\x1c-\x1f\x7f-\x9f]")


def check_values(tag: int, vr: str, texts: tuple[str, ...], *, is_key: bool, add: Add) -> None:
    """Look at the values of one element, decoded and without padding. ``is_key``: they are matched, not stated."""
    for text in texts:
        if is_key and (text == '""' or (vr != "UI" and any(mark in text for mark in "*?"))):
            continue
        if vr == "UI":
            if text and (problem := uid_problem(text)):
                add("uid-invalid", f"{tag_name(tag)} {problem}: {quoted(text)}", "")
            continue
        longest = _LONGEST.get(vr)
        if longest and len(text) > longest:
            text = f"{tag_name(tag)} has {len(text)} characters, {vr} has at most {longest}: {quoted(text)}"
            add("value-format", text, "")
        elif not _has_form(vr, text, is_key=is_key):
            add("value-format", f"{tag_name(tag)} is not in the form of {vr}: {quoted(text)}", "")


def _has_form(vr: str, text: str, *, is_key: bool) -> bool:
    """Whether a value has the form of its VR; dates and times that are matched may be ranges (PS3.4 C.2.2.2.5)."""
    form = _FORMS.get(vr)
    if not text or form is None or form.fullmatch(text):
        return True
    return is_key and vr in _RANGES and _RANGES[vr].fullmatch(text) is not None


def check_characters(tag: int, vr: str, text: str, add: Add) -> None:
    """Look for control characters in decoded text, padding taken off."""
    found = (_CONTROLS if vr in _HAS_LINES else _CONTROLS_AND_LINES).search(text)
    if found:
        add("control-character", f"{tag_name(tag)} has the control character {ord(found[0]):02X}H: {quoted(text)}", "")


def check_padding(tag: int, vr: str, raw: bytes, add: Add) -> None:
    """UI is padded with one NUL, all other text with spaces (PS3.5 6.2)."""
    if vr == "UI" and raw.endswith(b" "):
        add("value-padding", f"{tag_name(tag)} is a UI padded with a space", "")
    elif vr != "UI" and raw.endswith(b"\0"):
        add("value-padding", f"{tag_name(tag)} is a {vr} padded with NUL", "")
    elif vr == "UI" and raw.endswith(b"\0\0"):
        add("value-padding", f"{tag_name(tag)} is a UI with more than one NUL at its end", "")
