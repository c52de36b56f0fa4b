"""The own part of the dictionary, against pydicom's."""

from __future__ import annotations

from mockpacs.wire import dictionary


def test_the_own_dictionary_agrees_with_the_standard() -> None:
    from pydicom.datadict import dictionary_VR, keyword_for_tag

    for tag, (vr, keyword) in dictionary.USUAL.items():
        assert (dictionary_VR(tag), keyword_for_tag(tag)) == (vr, keyword)
    assert (dictionary.vr_of(0x00181151), dictionary.keyword_of(0x00181151)) == ("IS", "XRayTubeCurrent")
    assert (dictionary.vr_of(0x00090010), dictionary.vr_of(0x00091001), dictionary.vr_of(0x00080000)) == (
        "LO",
        "UN",
        "UL",
    )
    assert dictionary.tag_of("PatientName") == 0x00100010
    assert dictionary.tag_of("XRayTubeCurrent") == 0x00181151
    assert dictionary.tag_of("NoSuchThing") is None
    assert dictionary.name_of(0x00091001) == "(0009,1001)"
