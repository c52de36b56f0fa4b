"""Keywords are the filter language, and nothing that cannot match passes unseen."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import CTImageStorage
from pydicom.valuerep import DSfloat, PersonName

from mockpacs.control.wanted import wanted
from mockpacs.errors import FilterError
from mockpacs.traffic.exchange import Association, Exchange
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.filter.keys import KEYS, MOMENTS

PEER = Association(2, "127.0.0.1:50000", "CT 1", "MOCKPACS")


def exchange(**changed: Any) -> Exchange:
    return Exchange(**{**_PLAIN, **changed})


_PLAIN: dict[str, Any] = {
    "association": PEER,
    "number": 1,
    "service": "C-STORE",
    "status": 0,
    "subject": "",
    "comment": "",
    "started": 1e9,
    "seconds": 0.25,
}


@pytest.mark.parametrize(
    ("terms", "text"),
    [
        ({}, ""),
        ({"calling": "CT*"}, "calling:CT*"),
        ({"calling": "CT 1"}, 'calling:"CT 1"'),
        ({"calling": ["CT1", "MR,2"]}, 'calling:CT1,"MR,2"'),
        ({"rule": 'full "disk" (a)'}, 'rule:"full ""disk"" (a)"'),
        ({"rule": '"x'}, 'rule:"""x"'),
        ({"rule": None}, 'rule:""'),
        ({"calling": {"b", "a"}}, "calling:a,b"),
        ({"status": 0}, "status:0000"),
        ({"status": [0xA700, "warning"]}, "status:A700,warning"),
        ({"status": None}, "status:none"),
        ({"sop_class": CTImageStorage}, "sop-class:1.2.840.10008.5.1.4.1.1.2"),
        ({"sop_class": "CT Image Storage"}, 'sop-class:"CT Image Storage"'),
        ({"message_id": 7, "size": ">1MB"}, "message-id:7 size:>1MB"),
        ({"duration": 0.25}, "duration:0.25"),
        ({"duration": timedelta(seconds=2)}, "duration:2"),
        ({"duration": "50ms..2s"}, "duration:50ms..2s"),
        ({"secure": True}, "secure:yes"),
        ({"association": PEER, "number": "2.."}, "association:2 number:2.."),
        ({"dataset": {"PatientID": 1, "00100010": "DOE^JANE"}}, "PatientID:1 00100010:DOE^JANE"),
        ({"dataset": {0x00100020: ["A", "B"]}}, "00100020:A,B"),
        ({"query": {"PatientName": PersonName("DOE*"), "StudyDate": date(2025, 1, 31)}},
         "PatientName:DOE* StudyDate:20250131"),
        ({"dataset": {"StudyTime": time(12, 30), "AcquisitionDateTime": datetime(2025, 1, 31, 12)}},
         "StudyTime:123000 AcquisitionDateTime:20250131120000"),
        ({"dataset": {"SliceThickness": DSfloat("5.00"), "InstanceNumber": 3}}, "SliceThickness:5.0 InstanceNumber:3"),
        ({"dataset": {"PatientID": None}}, 'PatientID:""'),
        ({"filter": "2 or size:>1MB"}, "2 or size:>1MB"),
        ({"status": "failed", "filter": "2 or size:>1MB"}, "status:failed ( 2 or size:>1MB )"),
        ({"status": "failed", "filter": "-calling:CT1"}, "status:failed -calling:CT1"),
        ({"after": date(2025, 3, 31)}, "after:2025-03-31"),
    ],
)  # fmt: skip
def test_keywords_are_the_language(terms: dict[str, Any], text: str) -> None:
    assert wanted(**terms).text == text


def test_the_service_comes_first_and_may_be_several() -> None:
    assert wanted("C-STORE", status="success").text == "service:C-STORE status:success"
    assert wanted(["C-FIND", "N-*"]).text == "service:C-FIND,N-*"
    assert wanted("store").matches(exchange())


def test_every_key_of_the_language_is_a_keyword() -> None:
    for key in sorted({*KEYS, *MOMENTS} - {"service"}):
        value: dict[str, Any] = {
            "after": 1e9,
            "before": 1e9,
            "secure": False,
            "status": 0,
            "sop-class": "1.2",
            "syntax": "1.2",
        }
        assert wanted(**{key.replace("-", "_"): value.get(key, "1")}).text.startswith(f"{key}:")


def test_moments_may_be_times_of_exchanges() -> None:
    assert wanted(after=1e9).matches(exchange())
    assert not wanted(before=1e9).matches(exchange())
    assert not wanted(after=datetime.fromtimestamp(1e9 + 1)).matches(exchange())


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="*?"), max_size=20))
def test_any_text_is_found_again(text: str) -> None:
    peer = Association(1, "127.0.0.1:1", text)

    assert wanted(calling=text).matches(exchange(association=peer))
    assert wanted(rule=text).matches(exchange(rule=text))
    assert not wanted(calling=text).matches(exchange(association=Association(1, "", f"{text}x")))


@pytest.mark.parametrize(
    ("service", "terms", "said"),
    [
        (
            None,
            {"callin": "CT1"},
            'There is no keyword "callin"; did you mean "calling"? There are association, number',
        ),
        (None, {"sop_clas": "CT1"}, 'did you mean "sop_class"?'),
        (None, {"zzz": 1}, 'There is no keyword "zzz". There are association'),
        (None, {"PatientID": "P1"}, 'write dataset={"PatientID": ...}'),
        (None, {"dataset": {"PatientsID": "P1"}}, 'did you mean "PatientID"?'),
        (None, {"dataset": {"calling": "P1"}}, '"calling" is no attribute'),
        (None, {"dataset": "P1"}, 'dataset={"PatientID": "P1"}'),
        (None, {"status": "sucess"}, 'did you mean "success"?'),
        (None, {"size": "big"}, "is not a number of bytes"),
        (None, {"calling": []}, "an empty list of values would match nothing"),
        (None, {"rule": True}, '"*" for any value'),
        (None, {"rule": b"x"}, "write a text"),
        (None, {"status": "failed", "filter": "sevice:x"}, 'unknown key "sevice"; did you mean "service"?\n  sevice:x'),
        ("C-STOR", {}, 'is no service; did you mean "C-STORE"? There are C-STORE'),
        ("associate", {}, "Events, as associate, are no exchanges"),
        ("C-STORE,C-FIND", {}, "is no service"),
    ],
)
def test_what_could_never_match_is_told(service: str | None, terms: dict[str, Any], said: str) -> None:
    with pytest.raises(FilterError) as caught:
        wanted(service, **terms)

    assert said in str(caught.value)


def test_it_is_a_filter_like_any_other() -> None:
    made = wanted("C-STORE", dataset={"PatientID": "P1"})

    assert made.tags == {0x00100020}
    assert made.node == Filter.parse(made.text).node or made == Filter.parse(made.text, now=made.now)
