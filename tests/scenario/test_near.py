"""Why did it not match? The shape of the answer, what stands in it, and the hints that know DICOM."""

from __future__ import annotations

import textwrap

import pytest

from mockpacs.scenario.engine import Engine
from mockpacs.scenario.near import closest, render
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.scenario.verdict import Verdict
from tests.scenario.asking import CT, MR, STUDY_ROOT_FIND, Values, echo, engine, find, stimulus, store

WORKLIST = """
rules:
  - name: one match too slow
    when: { service: C-FIND, calling: "CT*", query: { Modality: MR } }
    then: { delay: 3s }
"""


def shown(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_the_answer_has_the_shape_of_the_design() -> None:
    asked = engine(WORKLIST)
    stimulus = find({"Modality": "CT"}, calling="CT01", association=3, exchange=2)
    assert render(asked.explain(stimulus)) == shown(
        """
        C-FIND from CT01 fired no rule.                          association 3, exchange 2
        closest: "one match too slow" (test.yaml:3), 2 of 3 conditions
          service   C-FIND                       ok
          calling   CT*                          ok
          query
            Modality     expected MR             got "CT"
        """
    )


def test_a_rule_that_never_fired_tells_what_came_closest_in_the_same_shape() -> None:
    asked = engine(WORKLIST)
    assert asked.decide(find({"Modality": "CT"}, calling="CT01", association=3, exchange=2)) is None
    (tally,) = asked.tally()
    assert closest(tally) == shown(
        """
        closest: C-FIND from CT01, 2 of 3 conditions             association 3, exchange 2
          service   C-FIND                       ok
          calling   CT*                          ok
          query
            Modality     expected MR             got "CT"
        """
    )


def test_what_fires_is_told_first_then_the_nearest_and_what_is_about_something_else_by_name() -> None:
    asked = engine(
        """
        - { name: slow, when: { service: any }, then: { delay: 1s }, continue: true }
        - { name: far, when: { service: C-ECHO, calling: A, called: B }, then: abort }
        - { name: near, when: { service: C-ECHO, calling: CT1, called: B }, then: abort }
        - { name: fits, when: { service: C-ECHO, calling: CT1 }, then: abort }
        - { name: late, when: { service: C-ECHO, called: PACS }, then: abort }
        - { name: other, when: { service: C-FIND }, then: abort }
        - { name: event, when: { event: release }, then: close }
        """
    )
    text = render(asked.explain(echo(called="PACS")))
    assert text == shown(
        """
        C-ECHO from CT1 fires "slow" (test.yaml:3), "fits" (test.yaml:6).
        fires: "slow" (test.yaml:3), 1 of 1 condition
          service   any                          ok
        fires: "fits" (test.yaml:6), 2 of 2 conditions
          service   C-ECHO                       ok
          calling   CT1                          ok
        closest: "late" (test.yaml:7), 2 of 2 conditions
          service   C-ECHO                       ok
          called    PACS                         ok
          an earlier rule takes it: "fits" (test.yaml:6)
        further: "near" (test.yaml:5), 2 of 3 conditions
          service   C-ECHO                       ok
          calling   CT1                          ok
          called    expected B                   got "PACS"
        further: "far" (test.yaml:4), 1 of 3 conditions
          service   C-ECHO                       ok
          calling   expected A                   got "CT1"
          called    expected B                   got "PACS"
        about something else: "other", "event"
        """
    )
    assert render(asked.explain(echo(called="PACS")), most=1).count("conditions") == 0


def test_sequences_and_states_nest_and_long_names_keep_their_columns() -> None:
    asked = engine(
        """
        state: { archive: open }
        rules:
          - name: steps
            when:
              service: C-FIND
              query:
                PatientID: absent
                ScheduledProcedureStepSequence: { Modality: CT, ScheduledStationAETitle: X1 }
              state: { archive: full }
            then: abort
          - { when: { service: C-ECHO }, set: { archive: full } }
        """
    )
    values: Values = {
        "ScheduledProcedureStepSequence": [{"Modality": "MR"}, {"Modality": "CT", "ScheduledStationAETitle": "X2"}]
    }
    asked.decide(find(values))
    assert closest(asked.tally()[0]) == shown(
        """
        closest: C-FIND from WS1, 2 of 4 conditions
          service   C-FIND                          ok
          query
            PatientID    absent                     ok
            ScheduledProcedureStepSequence
              Modality                 CT           ok
              ScheduledStationAETitle  expected X1  got "X2"
          state
            archive      expected full              got "open"
        """
    )


def test_a_very_long_condition_does_not_push_the_others_aside() -> None:
    titles = ", ".join(f"TITLE{number}" for number in range(12))
    asked = engine(f"- {{ when: {{ service: C-ECHO, calling: [{titles}], called: PACS }}, then: abort }}")
    lines = render(asked.explain(echo(called="X"))).splitlines()
    assert lines[2:3] + lines[4:] == [
        "  service   C-ECHO                       ok",
        '  called    expected PACS                got "X"',
    ]
    assert lines[3].endswith('TITLE11  got "CT1"')


def test_names_cannot_move_a_cursor() -> None:
    asked = engine(
        """
        - { name: "a\\e[1m", when: { service: C-ECHO, called: PACS }, then: abort }
        - { name: b, when: { service: C-ECHO, calling: CT1 }, then: abort }
        """
    )
    text = render(asked.explain(echo(called="PACS")))
    assert "\x1b" not in text
    assert text.count("a\\x1b[1m") == 3


def test_without_rules_there_is_nothing_to_explain() -> None:
    assert render(engine("rules: []").explain(echo())) == "there are no rules"


def the_line(asked: Engine, stimulus: Stimulus, key: str) -> str:
    """Received and hint of the condition of that name, as it is shown."""
    (line,) = [line for line in render(asked.explain(stimulus)).splitlines() if line.split()[0] == key]
    return line.partition(" got ")[2]


TITLES = [
    ("CT1", "ct1", '"ct1" (only the case differs)'),
    ("'CT*'", "ct1", '"ct1" (only the case differs)'),
    ("CT 1", "CT1", '"CT1" (only blanks differ)'),
    ("VERYLONGAETITLE1X", "VERYLONGAETITLE1", '"VERYLONGAETITLE1" (an AE title has at most 16 characters)'),
    ("CT1", "", "nothing (not known)"),
    ("CT1", "MR1", '"MR1"'),
    ("CT1", "MR\x1b[1m", '"MR\\x1b[1m"'),
]


@pytest.mark.parametrize(("expected", "came", "told"), TITLES)
@pytest.mark.parametrize("key", ["calling", "called"])
def test_hints_about_titles(key: str, expected: str, came: str, told: str) -> None:
    asked = engine(f"- {{ when: {{ service: C-ECHO, {key}: {expected} }}, then: abort }}")
    assert the_line(asked, stimulus("C-ECHO", **{key: came}), key) == told  # type: ignore[arg-type]


ATTRIBUTES: list[tuple[str, Values, str]] = [
    ("PatientID: P1", {"PatientID": "p1"}, '"p1" (only the case differs)'),
    ("PatientID: P 1", {"PatientID": "P1"}, '"P1" (only blanks differ)'),
    ("PatientID: '007'", {"PatientID": "7"}, '"7" (equal as a number, not as text)'),
    ("PatientID: P1", {"PatientID": "P*"}, '"P*" (the wild cards of a query are plain characters here)'),
    ("PatientID: P1", {"PatientID": "*"}, '"*" (the wild cards of a query are plain characters here)'),
    ("PatientID: P1", {"PatientID": ""}, "zero length"),
    ("PatientID: P1", {}, "absent"),
    ("PatientID: empty", {}, "absent (an absent attribute is not one of zero length)"),
    ("PatientID: universal", {}, "absent (an absent attribute is not one of zero length)"),
    ("PatientID: absent", {"PatientID": ""}, "zero length (an attribute of zero length is not absent)"),
    ("PatientID: universal", {"PatientID": "P*"}, '"P*" (universal is zero length or a lone *)'),
    ("PatientID: { not: P1 }", {"PatientID": "P1"}, '"P1"'),
    ("PatientID: { matches: 'P.' }", {"PatientID": "x" * 100}, f'"{"x" * 59}…"'),
    ("PatientID: { gt: '5' }", {"PatientID": b"1\\2\\3\\4\\5 "}, '"1", "2", "3", "4" and 1 more'),
]


@pytest.mark.parametrize(("condition", "values", "told"), ATTRIBUTES)
def test_hints_about_attributes(condition: str, values: Values, told: str) -> None:
    asked = engine(f"- {{ when: {{ service: C-FIND, query: {{ {condition} }} }}, then: abort }}")
    assert the_line(asked, find(values), "PatientID") == told


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("{ not: P1 }", "not P1"),
        ("[P1, P2]", "P1 or P2"),
        ("{ matches: 'P.' }", "/P./"),
        ("{ gt: '1', lt: '0' }", "> 1 and < 0"),
        ("{ between: ['8', '9'] }", "8 to 9"),
        ("{ size: 2 }", "2 values"),
        ("{ size: 1 }", "1 value"),
        ("absent", "absent"),
        ("{ not: { in: P1 }, size: 7 }", "7 values and not P1"),
    ],
)
def test_what_is_expected_of_an_attribute_is_told_in_words(condition: str, told: str) -> None:
    asked = engine(f"- {{ when: {{ service: C-STORE, dataset: {{ PatientID: {condition} }} }}, then: abort }}")
    (line,) = [line for line in render(asked.explain(store())).splitlines() if "PatientID" in line]
    assert " ".join(line.split()) == f"PatientID expected {told} got no data set"


def test_other_conditions_say_what_came() -> None:
    asked = engine(
        """
        - when:
            service: C-FIND
            peer: 10.*
            sop_class: CT Image Storage
            transfer_syntax: implicit
            model: "*Worklist*"
            level: STUDY
            status: success
            at: response
          then: { delay: 1s }
        """
    )
    came = find({"QueryRetrieveLevel": "study"}, peer="11.0.0.1", transfer_syntaxes=("1.2.3",), moment="response")
    lines = {line.path[-1]: (line.expected, line.received, line.hint) for line in asked.explain(came)[0].differences}
    root = '"Study Root Query/Retrieve Information Model - FIND"'
    assert lines == {
        "peer": ("10.*", '"11.0.0.1"', ""),
        "sop_class": ("CT Image Storage", root, ""),
        "transfer_syntax": ("implicit", '"1.2.3"', ""),
        "model": ("*Worklist*", root, ""),
        "level": ("STUDY", '"study"', "only the case differs"),
        "status": ("success", "no response yet", ""),
    }
    came.status = 0xFF00
    status = next(line for line in asked.explain(came)[0].differences if line.path == ("status",))
    assert status.received == "FF00 pending"


def reason(asked: Engine, name: str, came: Stimulus) -> str:
    (verdict,) = [verdict for verdict in asked.explain(came) if verdict.name == name]
    assert (verdict.fires, verdict.differing) == (False, 0)
    return verdict.reason


@pytest.mark.parametrize(
    ("gate", "before", "told"),
    [
        ("nth: 3", 1, "this was the 2nd, nth is 3"),
        ("nth: 5..", 2, "this was the 3rd, nth is 5.."),
        ("nth: 30..40", 10, "this was the 11th, nth is 30..40"),
        ("nth: every 10", 3, "this was the 4th, nth is every 10"),
        ("nth: 2, per: calling-ae", 0, "this was the 1st for this calling AE, nth is 2"),
        ("times: 2", 5, "spent: times is 2, it has fired twice"),
        ("times: 1, per: association", 1, "spent: times is 1, it has fired once for this association"),
        ("chance: 0%", 0, "not drawn: its chance is 0%"),
        ("sequence: [abort, reset], at_end: pass", 2, "its sequence of 2 is over and at_end is pass"),
    ],
)
def test_a_gate_that_is_in_the_way_is_told(gate: str, before: int, told: str) -> None:
    then = "" if "sequence" in gate else ", then: abort"
    asked = engine(f"- {{ name: r, when: {{ service: C-ECHO }}, {gate}{then} }}")
    for _ in range(before):
        asked.decide(echo())
    assert reason(asked, "r", echo()) == told


def test_a_limit_that_is_not_reached_is_told() -> None:
    asked = engine("- { name: r, when: { service: C-ECHO }, limit: 20/minute, over: abort }")
    asked.decide(echo(when=1.0))
    assert reason(asked, "r", echo(when=2.0)) == "within the limit: 2 of 20/minute"


def test_explaining_changes_nothing() -> None:
    asked = engine(
        """
        state: { s: a }
        rules:
          - { name: l, when: { service: C-ECHO }, limit: 2/minute, over: abort }
          - { name: n, when: { service: C-ECHO }, nth: 2, then: abort, set: { s: b } }
          - { name: c, when: { service: C-ECHO }, chance: 50%, then: abort }
          - { name: q, when: { service: C-ECHO }, sequence: [abort, reset], at_end: pass }
        """
    )
    before = asked.tally()
    first = asked.explain(echo(when=1.0))
    assert [asked.explain(echo(when=1.0)) for _ in range(5)] == [first] * 5
    assert asked.tally() == before
    assert asked.state("s") == "a"


def test_what_is_explained_is_what_is_decided_next() -> None:
    asked = engine("- { when: { service: C-ECHO }, nth: 2.., chance: 50%, then: abort }")
    for _ in range(40):
        (verdict,) = asked.explain(echo())
        assert verdict.fires == (asked.decide(echo()) is not None)


def nearest(asked: Engine, name: str) -> Verdict:
    (tally,) = [tally for tally in asked.tally() if tally.name == name]
    assert tally.closest is not None
    return tally.closest


THREE = (
    "- { name: r, when: { service: C-STORE, calling: CT1, called: PACS, sop_class: CT Image Storage }, then: abort }"
)


def test_the_nearest_of_all_that_came_is_kept() -> None:
    asked = engine(THREE)
    came = [
        store(calling="A", called="B", sop_classes=(MR,), exchange=1),
        store(calling="A", called="PACS", sop_classes=(MR,), exchange=2),
        store(calling="A", called="B", sop_classes=(CT,), exchange=3),
        store(calling="CT1", called="PACS", sop_classes=(MR,), exchange=4),
        store(calling="A", called="PACS", sop_classes=(CT,), exchange=5),
        store(calling="A", called="B", sop_classes=(MR,), exchange=6),
    ]
    found = []
    for one in came:
        asked.decide(one)
        verdict = nearest(asked, "r")
        found.append((verdict.subject.exchange, verdict.differing))
    assert found == [(1, 3), (2, 2), (2, 2), (4, 1), (4, 1), (4, 1)]


def test_a_rule_that_fired_has_no_nearest() -> None:
    asked = engine(THREE)
    asked.decide(store(calling="A"))
    asked.decide(store(calling="CT1", called="PACS"))
    assert asked.tally()[0].closest is None


def test_nothing_came_is_told() -> None:
    assert closest(engine(THREE).tally()[0]) == "nothing came"


def test_another_service_is_the_nearest_when_its_own_never_comes() -> None:
    asked = engine(f"{THREE}\n- {{ when: {{ service: C-ECHO }}, then: abort }}")
    asked.decide(echo(called="X"))
    asked.decide(echo(called="PACS"))
    verdict = nearest(asked, "r")
    assert [line.path[0] for line in verdict.differences] == ["service", "sop_class"]
    assert (verdict.subject.kind, verdict.reason) == ("C-ECHO", "no C-STORE came")


def test_of_two_that_are_as_near_the_one_of_its_own_service_is_told() -> None:
    asked = engine("- { name: r, when: { service: C-STORE, calling: CT1 }, then: abort }")
    asked.reported(echo(), "")
    assert nearest(asked, "r").subject.kind == "C-ECHO"
    asked.decide(store(calling="A"))
    verdict = nearest(asked, "r")
    assert (verdict.subject.kind, verdict.reason) == ("C-STORE", "")


def test_a_finished_exchange_that_no_rule_is_about_can_be_the_nearest() -> None:
    asked = engine(THREE)
    asked.reported(find(called="PACS", sop_classes=(STUDY_ROOT_FIND,)), "")
    assert nearest(asked, "r").subject.kind == "C-FIND"


def test_after_a_thousand_strangers_in_vain_no_more_are_looked_at() -> None:
    asked = engine("- { name: r, when: { service: C-STORE, calling: A, called: B }, then: abort }")
    for _ in range(1002):
        asked.reported(echo(called="X"), "")
    asked.reported(echo(calling="A", called="B"), "")
    assert nearest(asked, "r").differing == 3
    asked.decide(store(calling="A", called="X"))
    assert nearest(asked, "r").differing == 1


def test_the_latest_count_of_a_gate_is_told() -> None:
    asked = engine("- { name: r, when: { service: C-ECHO }, nth: 9, then: abort }")
    for number in (1, 2, 3):
        asked.decide(echo(association=number))
    verdict = nearest(asked, "r")
    assert (verdict.reason, verdict.subject.association) == ("this was the 3rd, nth is 9", 3)
    assert verdict.differences == []


def test_an_earlier_rule_that_was_faster_is_told() -> None:
    asked = engine(
        """
        - { name: all, when: { service: C-ECHO, called: PACS }, then: abort }
        - { name: r, when: { service: C-ECHO, calling: "CT*" }, then: abort }
        """
    )
    asked.decide(echo(called="PACS", calling="MR1"))
    assert nearest(asked, "r").differing == 1
    asked.decide(echo(called="PACS"))
    assert nearest(asked, "r").reason == 'an earlier rule took it: "all" (test.yaml:3)'


MOMENT = "- { name: r, when: { service: C-STORE, at: { received: 256kB }, calling: CT1 }, then: reset }"


def test_a_moment_that_never_came_is_told() -> None:
    asked = engine(f"{MOMENT}\n- {{ when: {{ service: C-STORE }}, then: {{ delay: 1s }} }}")
    asked.decide(store())
    verdict = nearest(asked, "r")
    assert [(line.path, line.expected, line.received) for line in verdict.differences] == [
        (("at",), "256000 bytes received", "request"),
    ]
    assert verdict.reason == "no C-STORE came to this moment: 256000 bytes received"


def test_a_moment_that_came_is_compared_as_such() -> None:
    asked = engine(MOMENT)
    asked.decide(store(moment="received", mark=256_000, calling="A"))
    verdict = nearest(asked, "r")
    assert [line.path for line in verdict.differences] == [("calling",)]
    assert [line.expected for line in verdict.lines if line.path == ("at",)] == ["256000 bytes received"]
    assert verdict.reason == ""


QUERY = '- { name: r, when: { service: C-FIND, model: "Study Root*" }, then: abort }'


@pytest.mark.parametrize(
    ("proposed", "refused", "told"),
    [
        ((STUDY_ROOT_FIND,), (STUDY_ROOT_FIND,), "its presentation context was refused, so no C-FIND came"),
        ((STUDY_ROOT_FIND,), (), "it was proposed, but no C-FIND came; was its presentation context accepted?"),
        ((CT,), (), "no C-FIND came"),
    ],
)
def test_a_context_that_was_refused_is_why_no_request_came(
    proposed: tuple[str, ...], refused: tuple[str, ...], told: str
) -> None:
    asked = engine(QUERY)
    asked.reported(stimulus("associate", sop_classes=proposed, refused=refused), "")
    assert nearest(asked, "r").reason == told


def test_what_is_kept_of_a_peer_is_short() -> None:
    asked = engine(THREE)
    asked.decide(store(calling="A" * 100_000, called="B" * 100_000, peer="C" * 100_000))
    verdict = nearest(asked, "r")
    assert len(repr(verdict)) < 2000
