"""Conditions on the attributes of a data set or an identifier."""

from __future__ import annotations

import pytest

from tests.scenario.asking import Values, engine, find, stimulus, store

NAME, PATIENT, DATE, TIME = "PatientName", "PatientID", "StudyDate", "StudyTime"
MULTIPLE: Values = {"ImageType": b"ORIGINAL\\PRIMARY\\AXIAL "}

CASES: list[tuple[str, Values, bool]] = [
    # a value, after trimming
    ("PatientID: P1", {PATIENT: "P1"}, True),
    ("PatientID: P1", {PATIENT: " P1 "}, True),
    ("PatientID: ' P1 '", {PATIENT: "P1"}, True),
    ("PatientID: P1", {PATIENT: "P2"}, False),
    ("PatientID: P1", {PATIENT: "p1"}, False),
    ("PatientID: P1", {PATIENT: ""}, False),
    ("PatientID: P1", {}, False),
    ("'(0010,0020)': P1", {PATIENT: "P1"}, True),
    ("PatientID: [P1, P2]", {PATIENT: "P2"}, True),
    ("PatientID: { in: [P1, P2] }", {PATIENT: "P3"}, False),
    ("PatientID: ''", {PATIENT: ""}, True),
    ("PatientID: ''", {PATIENT: "x"}, False),
    ("PatientID: ''", {}, False),
    ("PatientComments: 'a\\b'", {"PatientComments": b"a\\b "}, True),
    # globs are of the scenario, wild cards of the query are plain characters
    ("PatientID: 'P*'", {PATIENT: "P1"}, True),
    ("PatientID: 'P?'", {PATIENT: "P12"}, False),
    ("PatientID: P1", {PATIENT: "P*"}, False),
    ("PatientID: P1", {PATIENT: "*"}, False),
    ("PatientID: 'P?'", {PATIENT: "P*"}, True),
    ("PatientID: 'P**'", {PATIENT: "P1*"}, True),
    ("PatientID: '*'", {PATIENT: "*"}, True),
    ("PatientID: '*'", {PATIENT: ""}, False),
    # several values
    ("ImageType: PRIMARY", MULTIPLE, True),
    ("ImageType: 'AX*'", MULTIPLE, True),
    ("ImageType: SECONDARY", MULTIPLE, False),
    ("ImageType: { size: 3 }", MULTIPLE, True),
    ("ImageType: { size: 2 }", MULTIPLE, False),
    ("ImageType: { size: 0 }", {"ImageType": ""}, True),
    ("ImageType: { size: 0 }", {}, False),
    ("ImageType: { not: SECONDARY }", MULTIPLE, True),
    ("ImageType: { not: PRIMARY }", MULTIPLE, False),
    # names
    ("PatientName: DOE^JOHN", {NAME: "DOE^JOHN^^^"}, True),
    ("PatientName: DOE^JOHN^^", {NAME: "DOE^JOHN"}, True),
    ("PatientName: DOE", {NAME: "DOE^JOHN"}, False),
    ("PatientName: 'DOE^*'", {NAME: "DOE^JOHN^"}, True),
    ("PatientName: DOE=X^Y", {NAME: "DOE^=X^Y^="}, True),
    ("PatientName: 'DOE*'", {NAME: "DOE*"}, True),
    ("PatientName: DOE^JOHN", {NAME: "Doe^John"}, False),
    # regular expressions
    ("PatientID: { matches: 'P[0-9]+' }", {PATIENT: "P12"}, True),
    ("PatientID: { matches: 'P[0-9]+' }", {PATIENT: "P12x"}, False),
    ("PatientID: { matches: '.*' }", {PATIENT: ""}, False),
    ("ImageType: { matches: 'A.*' }", MULTIPLE, True),
    # order
    ("InstanceNumber: { gt: '9' }", {"InstanceNumber": "10"}, True),
    ("InstanceNumber: { gt: '9' }", {"InstanceNumber": "9"}, False),
    ("InstanceNumber: { gt: '9' }", {"InstanceNumber": " +12"}, True),
    ("PatientWeight: { lt: '80.5' }", {"PatientWeight": "8.0e1"}, True),
    ("PatientWeight: { lt: '80' }", {"PatientWeight": "80"}, False),
    ("PatientWeight: { between: ['70', '80'] }", {"PatientWeight": "80.0"}, True),
    ("PatientWeight: { between: ['70', '80'] }", {"PatientWeight": "80.1"}, False),
    ("PatientWeight: { between: ['70', '80'] }", {"PatientWeight": "69.9"}, False),
    ("PatientWeight: { gt: '1' }", {"PatientWeight": "1e9999"}, True),
    ("PatientWeight: { gt: '1' }", {"PatientWeight": ""}, False),
    ("Rows: { gt: '255' }", {"Rows": b"\x00\x01"}, True),
    ("Rows: '256'", {"Rows": b"\x00\x01"}, True),
    ("StudyDate: { gt: '20240101' }", {DATE: "20240102"}, True),
    ("StudyDate: { lt: '20240101' }", {DATE: "20240101"}, False),
    ("StudyTime: { lt: '0730' }", {TIME: "072959"}, True),
    ("StudyTime: { gt: '0730' }", {TIME: "073000"}, True),
    ("StudyTime: { between: ['08', '0930'] }", {TIME: "0915"}, True),
    ("PatientID: { gt: B }", {PATIENT: "C"}, True),
    ("PatientID: { gt: '10' }", {PATIENT: "9x"}, True),
    # presence
    ("PatientID: present", {PATIENT: "P1"}, True),
    ("PatientID: present", {PATIENT: ""}, True),
    ("PatientID: present", {}, False),
    ("PatientID: absent", {}, True),
    ("PatientID: absent", {PATIENT: ""}, False),
    ("PatientID: empty", {PATIENT: ""}, True),
    ("PatientID: empty", {PATIENT: "  "}, True),
    ("PatientID: empty", {}, False),
    ("PatientID: empty", {PATIENT: "*"}, False),
    ("PatientID: universal", {PATIENT: ""}, True),
    ("PatientID: universal", {PATIENT: "*"}, True),
    ("PatientID: universal", {PATIENT: "**"}, False),
    ("PatientID: universal", {}, False),
    ("PatientID: { in: ['absent'] }", {PATIENT: "absent"}, True),
    # not
    ("PatientID: { not: P1 }", {PATIENT: "P2"}, True),
    ("PatientID: { not: P1 }", {PATIENT: "P1"}, False),
    ("PatientID: { not: P1 }", {}, True),
    ("PatientID: { not: P1 }", {PATIENT: ""}, True),
    ("PatientID: { not: absent }", {}, False),
    ("PatientID: { not: { matches: 'P.*' } }", {PATIENT: "P1"}, False),
    ("PatientID: { not: { not: P1 } }", {PATIENT: "P1"}, True),
    # all keys of a condition
    ("PatientID: { in: 'P*', not: P9 }", {PATIENT: "P9"}, False),
    ("PatientID: { in: 'P*', not: P9 }", {PATIENT: "P8"}, True),
    ("PatientID: { in: 'P*', matches: '.*8' }", {PATIENT: "P8"}, True),
    ("PatientID: { in: 'P*', matches: '.*8' }", {PATIENT: "P9"}, False),
    ("InstanceNumber: { gt: '1', lt: '3' }", {"InstanceNumber": "2"}, True),
    ("InstanceNumber: { gt: '1', lt: '3' }", {"InstanceNumber": "3"}, False),
    # all attributes
    ("PatientID: P1, PatientName: DOE", {PATIENT: "P1", NAME: "DOE"}, True),
    ("PatientID: P1, PatientName: DOE", {PATIENT: "P1", NAME: "ROE"}, False),
]


@pytest.mark.parametrize(("condition", "values", "expected"), CASES)
@pytest.mark.parametrize("key", ["query", "dataset"])
def test_attributes_are_compared_as_dicom_does(key: str, condition: str, values: Values, expected: bool) -> None:
    service = "C-FIND" if key == "query" else "C-STORE"
    asked = engine(f"- {{ when: {{ service: {service}, {key}: {{ {condition} }} }}, then: {{ delay: 1s }} }}")
    assert (asked.decide(stimulus(service, values)) is not None) is expected


STEPS = "ScheduledProcedureStepSequence"
WORKLIST: list[tuple[str, Values, bool]] = [
    ("{ Modality: MR }", {STEPS: [{"Modality": "MR"}]}, True),
    ("{ Modality: MR }", {STEPS: [{"Modality": "CT"}]}, False),
    ("{ Modality: MR }", {STEPS: [{"Modality": "CT"}, {"Modality": "MR"}]}, True),
    ("{ Modality: MR }", {STEPS: []}, False),
    ("{ Modality: MR }", {}, False),
    ("{ Modality: absent }", {STEPS: [{}]}, True),
    ("{ Modality: absent }", {STEPS: []}, False),
    (
        "{ Modality: MR, ScheduledStationAETitle: X }",
        {
            STEPS: [
                {"Modality": "MR", "ScheduledStationAETitle": "Y"},
                {"Modality": "CT", "ScheduledStationAETitle": "X"},
            ]
        },
        False,
    ),
    (
        "{ Modality: MR, ScheduledStationAETitle: X }",
        {STEPS: [{"Modality": "CT"}, {"Modality": "MR", "ScheduledStationAETitle": "X"}]},
        True,
    ),
    ("{ item: { Modality: MR }, size: 1 }", {STEPS: [{"Modality": "MR"}]}, True),
    ("{ item: { Modality: MR }, size: 1 }", {STEPS: [{"Modality": "MR"}, {}]}, False),
    ("{ not: { Modality: MR } }", {STEPS: [{"Modality": "MR"}]}, False),
    ("{ not: { Modality: MR } }", {}, True),
    ("{ size: 2 }", {STEPS: [{}, {}]}, True),
    ("present", {STEPS: []}, True),
    ("empty", {STEPS: []}, True),
    ("empty", {STEPS: [{}]}, False),
    ("universal", {STEPS: []}, True),
    ("absent", {}, True),
    (
        "{ ScheduledProtocolCodeSequence: { CodeValue: C1 } }",
        {STEPS: [{"ScheduledProtocolCodeSequence": [{"CodeValue": "C0"}, {"CodeValue": "C1"}]}]},
        True,
    ),
    (
        "{ ScheduledProtocolCodeSequence: { CodeValue: C1 } }",
        {STEPS: [{"ScheduledProtocolCodeSequence": [{"CodeValue": "C0"}]}]},
        False,
    ),
]


@pytest.mark.parametrize(("condition", "values", "expected"), WORKLIST)
def test_sequences_nest_and_one_item_has_to_meet_all(condition: str, values: Values, expected: bool) -> None:
    asked = engine(f"- {{ when: {{ service: C-FIND, query: {{ {STEPS}: {condition} }} }}, then: abort }}")
    assert (asked.decide(find(values)) is not None) is expected


@pytest.mark.parametrize("condition", ["P1", "absent", "{ not: P1 }", "present"])
def test_without_a_data_set_no_condition_on_it_holds(condition: str) -> None:
    asked = engine(f"- {{ when: {{ service: C-STORE, dataset: {{ PatientID: {condition} }} }}, then: abort }}")
    assert asked.decide(store()) is None
