"""Which rule decides, and what it says: order, continuing rules, moments, what an engine says of itself."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from mockpacs.errors import ScenarioError
from mockpacs.scenario.condition import Moment, When, Words
from mockpacs.scenario.engine import Engine
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from mockpacs.scenario.stimulus import Stimulus
from tests.scenario.asking import CT, echo, engine, find, fired, status, statuses, stimulus, store


def test_no_rule_means_no_decision() -> None:
    assert engine("- { when: { service: C-ECHO }, then: abort }").decide(find()) is None


def test_the_first_rule_that_fits_decides() -> None:
    asked = engine(
        """
        - { name: one, when: { service: C-STORE, calling: MR1 }, then: { status: A700 } }
        - { name: two, when: { service: C-STORE, calling: "*1" }, then: { status: A900 } }
        - { name: three, when: { service: C-STORE }, then: { status: C000 } }
        """
    )
    assert fired(asked, [store(calling=title) for title in ("MR1", "CT1", "CT2")]) == ["one", "two", "three"]


def test_a_rule_about_any_service_is_about_every_service_and_no_event() -> None:
    asked = engine("- { when: { service: any }, then: abort }")
    decided = {kind: asked.decide(stimulus(kind)) is not None for kind in ("C-ECHO", "C-GET", "N-CREATE", "associate")}
    assert decided == {"C-ECHO": True, "C-GET": True, "N-CREATE": True, "associate": False}


def test_a_rule_may_be_about_several_services_or_events() -> None:
    asked = engine(
        """
        - { name: s, when: { service: [C-ECHO, C-FIND] }, then: abort }
        - { name: e, when: { event: [release, abort] }, then: { delay: 1s } }
        """
    )
    kinds = ["C-ECHO", "C-FIND", "C-STORE", "release", "abort", "close"]
    assert fired(asked, [stimulus(kind) for kind in kinds]) == ["s", "s", "-", "e", "e", "-"]


def test_acts_are_the_steps_in_their_order_with_delays_and_codes() -> None:
    asked = engine(
        """
        - when: { service: C-STORE }
          then: [{ delay: 2s }, { status: out-of-resources, comment: full }, reset]
          later: [{ delay: 5s, send: !bytes "99" }]
        """
    )
    decision = asked.decide(store())
    assert decision is not None
    assert [(act.delay_seconds, act.status, act.step.comment, act.step.reset) for act in decision.acts] == [
        (2.0, None, None, False),
        (0.0, 0xA700, "full", False),
        (0.0, None, None, True),
    ]
    assert [(act.delay_seconds, act.step.send) for act in decision.later] == [(5.0, b"\x99")]


def test_an_act_has_the_very_step_of_the_rule() -> None:
    asked = engine("- { when: { event: connect }, then: { tls: stall } }")
    decision = asked.decide(stimulus("connect"))
    assert decision is not None
    steps = asked.script.rules[0].rule.then
    assert steps is not None
    assert decision.acts[0].step is steps[0]


def test_the_name_of_a_status_is_that_of_the_service_that_asks() -> None:
    asked = engine("- { when: { service: any }, then: { status: unable-to-process } }")
    assert statuses(asked, [find(), stimulus("C-MOVE")]) == ["C000", "C000"]


def test_a_continuing_rule_applies_and_the_next_one_decides() -> None:
    asked = engine(
        """
        - { name: slow, when: { service: any }, then: { delay: 1s }, continue: true, later: { delay: 9s } }
        - { name: no, when: { service: C-STORE, calling: X }, then: { status: A700 } }
        - { name: full, when: { service: C-STORE }, then: { status: C000 }, later: { delay: 8s } }
        """
    )
    decision = asked.decide(store())
    assert decision is not None
    assert decision.rule == "slow, full"
    assert [(act.delay_seconds, act.status) for act in decision.acts] == [(1.0, None), (0.0, 0xC000)]
    assert [act.delay_seconds for act in decision.later] == [9.0, 8.0]


def test_a_continuing_rule_alone_is_a_decision_too() -> None:
    asked = engine("- { name: slow, when: { service: any }, then: { delay: 1s }, continue: true }")
    assert fired(asked, [echo()]) == ["slow"]


def test_a_rule_that_only_changes_a_state_decides_without_an_act() -> None:
    asked = engine(
        """
        state: { door: open }
        rules:
          - { name: shut, when: { service: C-ECHO, calling: K }, set: { door: shut } }
          - { name: all, when: { service: C-ECHO }, then: { status: "0110" } }
        """
    )
    decision = asked.decide(echo(calling="K"))
    assert decision is not None
    assert (decision.rule, decision.acts) == ("shut", ())


MOMENTS = """
- { name: q, when: { service: C-STORE }, then: { delay: 1s } }
- { name: b, when: { service: C-STORE, at: before-response }, then: abort }
- { name: r1, when: { service: C-STORE, at: { received: 256kB } }, then: abort }
- { name: r2, when: { service: C-STORE, at: { received: 1kB } }, then: abort }
- { name: p, when: { service: C-STORE, at: { pdu: 3 } }, then: abort }
- { name: a, when: { service: any, at: after-response }, then: abort }
- { name: e, when: { event: release }, then: close }
"""


@pytest.mark.parametrize(
    ("moment", "mark", "rule"),
    [
        (Moment.REQUEST, 0, "q"),
        (Moment.BEFORE_RESPONSE, 0, "b"),
        (Moment.RECEIVED, 256_000, "r1"),
        (Moment.RECEIVED, 1000, "r2"),
        (Moment.RECEIVED, 2000, "-"),
        (Moment.PDU, 3, "p"),
        (Moment.PDU, 1000, "-"),
        (Moment.RESPONSE, 0, "-"),
        (Moment.BETWEEN_RESPONSES, 0, "-"),
        (Moment.AFTER_RESPONSE, 0, "a"),
    ],
)
def test_a_rule_acts_at_its_moment_only(moment: Moment, mark: int, rule: str) -> None:
    assert fired(engine(MOMENTS), [store(moment=moment, mark=mark)]) == [rule]


def test_an_engine_says_which_moments_its_rules_wait_for() -> None:
    asked = engine(MOMENTS)
    assert asked.cast.moments("C-STORE") == {
        Moment.REQUEST,
        Moment.BEFORE_RESPONSE,
        Moment.RECEIVED,
        Moment.PDU,
        Moment.AFTER_RESPONSE,
    }
    assert asked.cast.moments("C-ECHO") == {Moment.AFTER_RESPONSE}
    assert asked.cast.moments("release") == {Moment.REQUEST}
    assert asked.cast.moments("associate") == frozenset()
    assert asked.cast.marks("C-STORE") == ((Moment.PDU, 3), (Moment.RECEIVED, 1000), (Moment.RECEIVED, 256_000))
    assert asked.cast.marks("C-ECHO") == asked.cast.marks("abort") == ()


def test_an_engine_says_what_it_is_concerned_with() -> None:
    asked = engine("- { when: { service: C-STORE }, then: abort }\n- { when: { event: release }, then: close }")
    kinds = ("C-STORE", "release", "C-FIND", "associate", "nonsense")
    assert [asked.cast.concerns(kind) for kind in kinds] == [True, True, False, False, False]
    assert not Engine(Script()).cast.concerns("C-STORE")


@pytest.mark.parametrize(
    ("scenario", "kinds"),
    [
        ("rules: [{ when: { service: C-STORE, calling: CT1 }, per: calling-ae, nth: 1, then: abort }]", set()),
        ("rules: [{ when: { service: C-STORE }, per: SOPInstanceUID, times: 1, then: abort }]", set()),
        ("rules: [{ when: { service: C-FIND }, per: SOPInstanceUID, times: 1, then: abort }]", {"C-FIND"}),
        ("rules: [{ when: { service: C-STORE, dataset: { Rows: present } }, then: abort }]", {"C-STORE"}),
        ("rules: [{ when: { service: C-FIND, query: { PatientID: present } }, then: abort }]", {"C-FIND"}),
        ("rules: [{ when: { service: C-FIND, level: STUDY }, then: abort }]", {"C-FIND"}),
        ("rules: [{ when: { service: C-STORE }, per: StudyInstanceUID, times: 1, then: abort }]", {"C-STORE"}),
        (
            "state: { a: { start: x, per: PatientID } }\n"
            "rules: [{ when: { service: C-STORE, state: { a: x } }, then: abort }]",
            {"C-STORE"},
        ),
        (
            "state: { a: { start: x, per: PatientID } }\nrules: [{ when: { service: C-ECHO }, set: { a: y } }]",
            {"C-ECHO"},
        ),
        ("expect: [{ service: C-STORE, dataset: { Modality: CT } }]", {"C-STORE"}),
        ("expect: [{ service: C-STORE, per: StudyInstanceUID }]", {"C-STORE"}),
    ],
)
def test_an_engine_says_for_which_services_it_wants_the_data_set(scenario: str, kinds: set[str]) -> None:
    asked = engine(scenario)
    assert {kind for kind in ("C-STORE", "C-FIND", "C-ECHO", "release") if asked.cast.wants_data(kind)} == kinds
    assert bool(asked.cast.tags) == bool(kinds)


def test_an_engine_names_the_attributes_it_looks_at() -> None:
    asked = engine(
        """
        - { when: { service: C-FIND, level: STUDY, query: { PatientID: P1 } }, then: abort }
        - { when: { service: C-STORE, dataset: { Rows: "1" } }, per: StudyInstanceUID, nth: 1, then: abort }
        """
    )
    assert asked.cast.tags == {0x00080052, 0x00100020, 0x00280010, 0x0020000D}


def test_the_data_set_is_read_once_and_only_for_a_rule_that_gets_that_far() -> None:
    read: list[str] = []

    def asking(calling: str) -> Stimulus:
        return replace(store(calling=calling), dataset=lambda: read.append("read"))

    asked = engine(
        """
        - { name: a, when: { service: C-STORE, calling: CT1, dataset: { Rows: "1" } }, then: abort }
        - { name: b, when: { service: C-STORE, calling: CT1, dataset: { Rows: "2" } }, then: abort }
        - { name: c, when: { service: C-STORE, calling: MR1 }, then: abort }
        """
    )
    for _ in range(300):  # the first ones are read for those who will ask why nothing fired
        asked.decide(asking("MR1"))
    read.clear()
    asked.decide(asking("MR1"))
    assert read == []
    asked.decide(asking("CT1"))
    assert read == ["read"]


def test_a_name_nobody_knows_is_told_with_the_place_of_the_rule() -> None:
    rule = Rule.model_validate({"when": {"service": "C-STORE", "sop_class": "CT Imago"}, "then": "abort"})
    with pytest.raises(ScenarioError, match=r'^rule 1: "CT Imago" is no UID'):
        Engine(Script.of([rule]))


def test_rules_can_be_made_in_python() -> None:
    when = When(service=("C-STORE",), sop_class=Words(in_=("CT Image Storage",)))
    asked = Engine(
        Script.of([Rule(when=when, then="abort"), Rule(name="x", when=When(service=("any",)), then="abort")])
    )
    assert fired(asked, [store(), store(sop_classes=("1.2",)), store(sop_classes=(CT,))]) == ["rule 1", "x", "rule 1"]


def test_deciding_is_atomic_for_threads() -> None:
    asked = engine("- { when: { service: C-ECHO }, times: 500, then: { status: A700 } }")
    decided: list[str] = []
    threads = [
        threading.Thread(target=lambda: decided.extend(status(asked.decide(echo())) for _ in range(250)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert decided.count("A700") == 500


def test_tallies_say_how_often_a_rule_fired_and_how_often_its_conditions_held() -> None:
    asked = engine(
        """
        - { name: third, when: { service: C-ECHO }, nth: 3, then: abort }
        - { name: rest, when: { service: C-ECHO }, then: abort }
        - { name: other, when: { service: C-FIND }, then: abort }
        """
    )
    for _ in range(5):
        asked.decide(echo())
    found = [(tally.name, tally.place, tally.fired, tally.held) for tally in asked.tally()]
    assert found == [("third", "test.yaml:3", 1, 5), ("rest", "test.yaml:4", 4, 4), ("other", "test.yaml:5", 0, 0)]
