"""SOP classes and transfer syntaxes by UID, name, keyword and glob."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mockpacs.scenario.uids import SOP_CLASS, TRANSFER_SYNTAX, Kind, uids_of

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"
JPEG = "1.2.840.10008.1.2.4.50"
PRIVATE = "1.2.826.0.1.3680043.9.1"


@pytest.mark.parametrize(
    ("text", "kind", "inside", "outside"),
    [
        (CT, SOP_CLASS, [CT], [ENHANCED_CT, "", PRIVATE]),
        (f"{CT}*", SOP_CLASS, [CT, ENHANCED_CT], [FIND]),
        (f"{CT}.?", SOP_CLASS, [ENHANCED_CT], [CT]),
        ("*", SOP_CLASS, [CT, FIND, PRIVATE], []),
        ("CT Image Storage", SOP_CLASS, [CT], [ENHANCED_CT]),
        ("ct image storage", SOP_CLASS, [CT], [ENHANCED_CT]),
        ("CTImageStorage", SOP_CLASS, [CT], [ENHANCED_CT]),
        ("*CT Image Storage", SOP_CLASS, [CT, ENHANCED_CT], [FIND, PRIVATE]),
        ("EnhancedCT*", SOP_CLASS, [ENHANCED_CT], [CT]),
        ("Study Root*Find", SOP_CLASS, [FIND], [CT]),
        ("Study Root Query/Retrieve Information Model - FIND", SOP_CLASS, [FIND], [CT]),
        # one name, two classes: the retired one and the one that replaced it
        ("Ultrasound Image Storage", SOP_CLASS, ["1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.6.1"], [CT]),
        ("implicit", TRANSFER_SYNTAX, [IMPLICIT], ["1.2.840.10008.1.2.1"]),
        ("explicit", TRANSFER_SYNTAX, ["1.2.840.10008.1.2.1"], [IMPLICIT, "1.2.840.10008.1.2.2"]),
        ("big", TRANSFER_SYNTAX, ["1.2.840.10008.1.2.2"], [IMPLICIT]),
        ("Deflated", TRANSFER_SYNTAX, ["1.2.840.10008.1.2.1.99"], [IMPLICIT]),
        ("JPEG Baseline (Process 1)", TRANSFER_SYNTAX, [JPEG], [IMPLICIT]),
        ("JPEGBaseline8Bit", TRANSFER_SYNTAX, [JPEG], [IMPLICIT]),
        ("JPEG*", TRANSFER_SYNTAX, [JPEG, "1.2.840.10008.1.2.4.90"], [IMPLICIT]),
    ],
)
def test_a_text_stands_for_uids(text: str, kind: Kind, inside: list[str], outside: list[str]) -> None:
    uids = uids_of(text, kind)

    assert [uid in uids for uid in inside] == [True] * len(inside)
    assert [uid in uids for uid in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    ("text", "kind", "meant"),
    [
        ("CT Image Storge", SOP_CLASS, '; did you mean "CT Image Storage"?'),
        ("CTImgStorage", SOP_CLASS, '; did you mean "CT Image Storage"?'),
        ("implcit", TRANSFER_SYNTAX, '; did you mean "implicit"?'),
        ("implicit", SOP_CLASS, ""),
        ("CT Image Storage", TRANSFER_SYNTAX, ""),
        ("", SOP_CLASS, ""),
        ("--", SOP_CLASS, ""),
        ("Nothing*", SOP_CLASS, ""),
    ],
)
def test_a_name_nobody_knows_is_told_with_what_may_be_meant(text: str, kind: Kind, meant: str) -> None:
    with pytest.raises(ValueError) as told:
        uids_of(text, kind)

    assert str(told.value) == f'"{text}" is no UID, nor the name or keyword of a {kind}{meant}'


def test_uids_and_words_do_not_load_pydicom() -> None:
    code = (
        "import sys; from mockpacs.scenario.uids import *\n"
        f"uids_of('{CT}*', SOP_CLASS), uids_of('*', SOP_CLASS)\n"
        "assert 'pydicom' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
