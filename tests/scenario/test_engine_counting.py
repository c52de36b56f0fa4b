"""What keeps a rule from firing although its conditions hold: nth, times, limit, and the end of a sequence; per key."""

from __future__ import annotations

import pytest

from mockpacs.scenario import counters
from mockpacs.scenario.counters import Keyed
from mockpacs.scenario.stimulus import Stimulus
from tests.scenario.asking import echo, engine, find, fired, statuses, stimulus, store


@pytest.mark.parametrize(
    ("nth", "fires"),
    [
        ("3", [3]),
        ("2..4", [2, 3, 4]),
        ("5..", [5, 6, 7, 8, 9, 10]),
        ("every 3", [3, 6, 9]),
    ],
)
def test_nth_counts_what_meets_the_conditions(nth: str, fires: list[int]) -> None:
    asked = engine(f"- {{ when: {{ service: C-ECHO, calling: CT1 }}, nth: {nth}, then: abort }}")
    found = []
    for number in range(1, 11):
        asked.decide(echo(calling="OTHER"))
        if asked.decide(echo()) is not None:
            found.append(number)
    assert found == fires


def test_rules_side_by_side_each_take_their_number() -> None:
    """The file of small lies: an earlier rule that takes one does not hide it from the count of the later ones."""
    asked = engine(
        "\n".join(f"- {{ name: r{n}, when: {{ service: C-ECHO }}, nth: {n}, then: abort }}" for n in (1, 2, 3))
    )
    assert fired(asked, [echo()] * 4) == ["r1", "r2", "r3", "-"]


def test_times_counts_what_fired_and_the_next_rules_are_tried() -> None:
    asked = engine(
        """
        - { name: a, when: { service: C-ECHO }, times: 2, then: abort }
        - { name: b, when: { service: C-ECHO }, times: 1, then: abort }
        - { name: c, when: { service: C-ECHO }, then: abort }
        """
    )
    assert fired(asked, [echo()] * 5) == ["a", "a", "b", "c", "c"]


def test_times_are_those_that_nth_let_through() -> None:
    asked = engine("- { name: a, when: { service: C-ECHO }, nth: every 2, times: 2, then: abort }")
    assert fired(asked, [echo()] * 7) == ["-", "a", "-", "a", "-", "-", "-"]


PATIENTS = [store(uid, {"PatientID": patient}) for uid, patient in (("1.1", "P1"), ("1.2", "P2"), ("1.3", "P1"))]


@pytest.mark.parametrize(
    ("per", "stimuli", "fires"),
    [
        ("scenario", [echo(association=1), echo(association=2)], "a-"),
        ("association", [echo(association=1), echo(association=2), echo(association=1)], "aa-"),
        ("exchange", [echo(association=1, exchange=n) for n in (1, 2, 1)] + [echo(association=2, exchange=1)], "aa-a"),
        ("calling-ae", [echo(calling=" A"), echo(calling="B"), echo(calling="A ")], "aa-"),
        ("SOPInstanceUID", [store("1"), store("2"), store("1")], "aa-"),
        ("SOPClassUID", [store(sop_classes=(uid,)) for uid in ("1", "2", "1")], "aa-"),
        ("PatientID", PATIENTS, "aa-"),
        ("(0010,0020)", PATIENTS, "aa-"),
        ("PatientID", [store(values={}), echo(), store(values={"PatientID": ""})], "a--"),
        ("Modality", [find({"Modality": b"CT\\MR"}), find({"Modality": "CT"}), find({"Modality": b"CT\\MR "})], "aa-"),
    ],
)
def test_counters_are_kept_per_key(per: str, stimuli: list[Stimulus], fires: str) -> None:
    asked = engine(f"- {{ name: a, when: {{ service: any }}, per: '{per}', times: 1, then: abort }}")
    assert "".join(fired(asked, stimuli)) == fires


@pytest.mark.parametrize("gate", ["nth: 1", "times: 1"])
def test_each_gate_counts_per_key(gate: str) -> None:
    asked = engine(f"- {{ name: a, when: {{ service: any }}, per: association, {gate}, then: abort }}")
    assert fired(asked, [echo(association=1), echo(association=1), echo(association=2)]) == ["a", "-", "a"]


@pytest.mark.parametrize(
    ("at_end", "expected"),
    [
        ("last", ["A700", "A900", "A900", "A900", "A900"]),
        ("loop", ["A700", "A900", "A700", "A900", "A700"]),
        ("pass", ["A700", "A900", "C000", "C000", "C000"]),
        ("fail", ["A700", "A900", "0110", "0110", "0110"]),
    ],
)
def test_a_sequence_gives_one_answer_after_the_other(at_end: str, expected: list[str]) -> None:
    rule = f"{{ when: {{ service: C-STORE }}, sequence: [{{ status: A700 }}, {{ status: A900 }}], at_end: {at_end} }}"
    later = "\n- { when: { service: C-STORE }, then: { status: C000 } }" if at_end == "pass" else ""
    assert statuses(engine(f"- {rule}{later}"), [store()] * 5) == expected


def test_a_sequence_goes_on_per_key() -> None:
    asked = engine(
        "- { when: { service: C-STORE }, per: SOPInstanceUID, sequence: [{ status: A700 }, { status: success }] }"
    )
    assert statuses(asked, [store("1"), store("2"), store("1"), store("2"), store("3")]) == [
        *("A700", "A700", "0000", "0000", "A700"),
    ]


def test_a_sequence_may_have_several_steps_for_one_request() -> None:
    asked = engine("- { when: { service: C-ECHO }, sequence: [[{ delay: 1s }, abort], reset] }")
    assert [len(decision.acts) for decision in (asked.decide(echo()), asked.decide(echo())) if decision] == [2, 1]


def test_a_sequence_that_must_not_end_says_so_in_its_answer_and_at_the_end() -> None:
    asked = engine("- { name: once, when: { service: C-STORE }, sequence: [{ status: A700 }], at_end: fail }")
    asked.decide(store())
    assert asked.unmet() == []
    decision = asked.decide(store())
    asked.decide(store())
    assert decision is not None
    assert decision.acts[0].step.comment == "The sequence of this rule is over"
    assert asked.unmet() == ['test.yaml:3: the sequence of "once" was over, and it was asked twice more']


def test_an_event_after_a_sequence_that_must_not_end_goes_its_honest_way_and_is_told() -> None:
    asked = engine("- { when: { event: associate }, sequence: [{ reject: transient }], at_end: fail }")
    asked.decide(stimulus("associate"))
    decision = asked.decide(stimulus("associate"))
    assert decision is not None
    assert decision.acts == ()
    assert len(asked.unmet()) == 1


def at(*seconds: float) -> list[Stimulus]:
    return [echo(when=second) for second in seconds]


@pytest.mark.parametrize(
    ("limit", "seconds", "fires"),
    [
        ("2/minute", [1, 2, 3, 4], "--ll"),
        ("2/minute", [1, 31, 60, 61, 62], "--l-l"),  # what passed at 1 is a minute old at 61
        ("1/s", [1, 1.5, 2, 2.5, 3], "-l-l-"),
        ("2/10s", [1, 2, 3, 10.9, 11, 12, 13], "--ll--l"),  # what is beyond does not count
    ],
)
def test_a_limit_lets_so_many_pass_in_any_such_time(limit: str, seconds: list[float], fires: str) -> None:
    asked = engine(f"- {{ name: l, when: {{ service: C-ECHO }}, limit: {limit}, over: abort }}")
    assert "".join(fired(asked, at(*seconds))) == fires


def test_a_limit_is_kept_per_key() -> None:
    asked = engine("- { name: l, when: { service: C-ECHO }, per: calling-ae, limit: 1/minute, over: abort }")
    assert fired(asked, [echo(calling=title, when=5.0) for title in ("A", "B", "A", "B")]) == ["-", "-", "l", "l"]


def test_what_is_within_a_limit_is_left_to_later_rules() -> None:
    asked = engine(
        """
        - { name: l, when: { service: C-ECHO }, limit: 1/minute, over: abort }
        - { name: rest, when: { service: C-ECHO }, then: abort }
        """
    )
    assert fired(asked, at(1, 2)) == ["rest", "l"]


def test_a_limit_without_a_time_in_the_stimulus_asks_the_clock() -> None:
    now = [100.0]
    asked = engine("- { name: l, when: { service: C-ECHO }, limit: 1/minute, over: abort }", clock=lambda: now[0])
    assert fired(asked, [echo(), echo()]) == ["-", "l"]
    now[0] = 161.0
    assert fired(asked, [echo()]) == ["-"]


def test_the_gates_of_a_limit_follow_it() -> None:
    asked = engine("- { name: l, when: { service: C-ECHO }, limit: 1/minute, over: abort, times: 1 }")
    assert fired(asked, at(1, 2, 3)) == ["-", "l", "-"]


def test_keys_of_an_association_are_forgotten_with_it() -> None:
    asked = engine(
        """
        - { name: a, when: { service: C-ECHO }, per: association, times: 1, then: abort }
        - { name: e, when: { service: C-FIND }, per: exchange, times: 1, then: abort }
        - { name: i, when: { service: C-STORE }, per: SOPInstanceUID, times: 1, then: abort }
        - { name: l, when: { service: C-GET }, per: association, limit: 1/hour, over: abort }
        """
    )
    kinds = ("C-ECHO", "C-FIND", "C-STORE", "C-GET")
    stimuli = [stimulus(kind, association=number, exchange=7, when=1.0) for number in (1, 2) for kind in kinds]
    assert fired(asked, stimuli) == ["a", "e", "i", "-", "a", "e", "-", "-"]
    asked.forget(1)
    assert fired(asked, stimuli) == ["a", "e", "-", "-", "-", "-", "-", "l"]


def test_a_table_forgets_its_oldest_tenth_when_it_is_full() -> None:
    table: Keyed[int] = Keyed(most=20)
    for number in range(20):
        table.put(str(number), number)
    assert len(table) == 20
    table.put("new", 1)
    assert len(table) == 19
    assert [table.get(key) for key in ("0", "1", "2", "new")] == [None, None, 2, 1]


def test_a_full_table_still_forgets_the_exchanges_of_an_association() -> None:
    table: Keyed[int] = Keyed(most=10)
    for number in range(25):
        table.put((1, number), number)
    table.put((2, 1), 0)
    assert sum(map(len, table._exchanges.values())) == len(table)
    table.forget(1)
    assert [key for key, _ in table.items()] == [(2, 1)]


def test_tables_hold_a_million_keys() -> None:
    assert counters.MOST == 1_000_000
