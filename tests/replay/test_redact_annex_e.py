"""The table of PS3.15 Annex E: rows that matter, and that every row is an attribute there is."""

from __future__ import annotations

import pytest

from mockpacs.replay.redact import annex_e
from mockpacs.replay.redact.annex_e import Action, action_of, is_temporal
from mockpacs.wire.dictionary import keyword_of, tag_of, vr_of


@pytest.mark.parametrize(
    ("keyword", "action"),
    [
        ("PatientName", Action.EMPTY),
        ("PatientID", Action.DUMMY),
        ("PatientBirthDate", Action.EMPTY),
        ("PatientSex", Action.EMPTY),
        ("PatientAge", Action.REMOVE),
        ("OtherPatientIDs", Action.REMOVE),
        ("AccessionNumber", Action.EMPTY),
        ("StudyInstanceUID", Action.UID),
        ("SOPInstanceUID", Action.UID),
        ("StudyDescription", Action.REMOVE),
        ("InstitutionName", Action.DUMMY),
        ("ReferringPhysicianName", Action.EMPTY),
        ("OperatorsName", Action.DUMMY),
        ("DeviceSerialNumber", Action.DUMMY),
        ("ReferencedImageSequence", Action.UID),
        ("ContentSequence", Action.DUMMY),
        ("EncapsulatedDocument", Action.DUMMY),
        ("DigitalSignaturesSequence", Action.REMOVE),
        ("RequestAttributesSequence", Action.REMOVE),
        ("Modality", None),
        ("SOPClassUID", None),
        ("Manufacturer", None),
        ("Rows", None),
        ("PixelData", None),
    ],
)
def test_what_the_profile_does(keyword: str, action: Action | None) -> None:
    tag = tag_of(keyword)
    assert tag is not None
    assert action_of(tag) is action


@pytest.mark.parametrize("tag", [0x00090010, 0x00091001, 0x00100000, 0x50003000, 0x501E0005, 0x60003000, 0x601E4000])
def test_what_is_no_row_of_its_own_is_removed_all_the_same(tag: int) -> None:
    assert action_of(tag) is Action.REMOVE


@pytest.mark.parametrize("tag", [0x60000010, 0x60200010])
def test_of_an_overlay_only_what_may_be_text_goes(tag: int) -> None:
    assert action_of(tag) is None


def test_dates_are_covered_by_the_option_that_shifts_them_but_not_births() -> None:
    shifted = [tag for tag in map(tag_of, ("StudyDate", "SeriesTime", "AcquisitionDateTime", "AdmittingDate")) if tag]
    assert len(shifted) == 4
    assert all(is_temporal(tag) for tag in shifted)
    assert not is_temporal(0x00100030)


def test_every_row_is_an_attribute_of_the_dictionary() -> None:
    rows = annex_e._REMOVED | annex_e._EMPTIED | annex_e._DUMMIES | annex_e._UIDS
    assert len(rows) > 600
    assert [f"{tag:08X}" for tag in sorted(rows | annex_e._TEMPORAL) if not keyword_of(tag)] == []
    assert not annex_e._REMOVED & annex_e._DUMMIES
    assert {vr_of(tag) for tag in annex_e._UIDS} == {"UI", "SQ"}
    assert {vr_of(tag) for tag in annex_e._TEMPORAL} <= {"DA", "DT", "TM", "SH", "OB", "US", "UL", "SL"}
