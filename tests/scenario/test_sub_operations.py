"""The moment of a sub-operation: which rule acts on which instance of a retrieve, and what may be said about it."""

from __future__ import annotations

import pytest

from mockpacs.errors import ScenarioError
from mockpacs.scenario.condition import LAST, Moment
from mockpacs.scenario.near import closest, render
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.scenario.telling import told
from mockpacs.scenario.wording import as_written
from tests.scenario.asking import CT, MR, PATIENT_ROOT_MOVE, engine, fired, status, statuses, stimulus
from tests.scenario.written import problem_of, script

JPEG = "1.2.840.10008.1.2.4.50"


def turn(number: int, of: int = 3, **fields: object) -> Stimulus:
    """The turn of one instance has come."""
    usual = {
        "calling": "WS1",
        "association": 1,
        "exchange": 1,
        "sop_classes": (PATIENT_ROOT_MOVE,),
        "instance_classes": (CT,),
        "sop_instance": f"1.2.{number}",
    }
    return stimulus("C-MOVE", {}, moment=Moment.SUB_OPERATION, mark=number, of=of, **{**usual, **fields})


def move(of: int, **fields: object) -> list[Stimulus]:
    """All turns of a retrieve."""
    return [turn(number, of, **fields) for number in range(1, of + 1)]


@pytest.mark.parametrize(
    ("at", "one", "three"),
    [
        ("sub-operation", ["r"], ["r", "r", "r"]),
        ("{ sub-operation: 1 }", ["r"], ["r", "-", "-"]),
        ("{ sub-operation: 2 }", ["-"], ["-", "r", "-"]),
        ("{ sub-operation: 4 }", ["-"], ["-", "-", "-"]),
        ("{ sub-operation: last }", ["r"], ["-", "-", "r"]),
        ("{ moment: sub-operation }", ["r"], ["r", "r", "r"]),
        ("request", ["-"], ["-", "-", "-"]),
    ],
)
def test_a_rule_acts_on_each_sub_operation_on_one_or_on_the_last(at: str, one: list[str], three: list[str]) -> None:
    asked = engine(f"- {{ name: r, when: {{ service: C-MOVE, at: {at} }}, then: {{ delay: 1s }} }}")

    assert fired(asked, move(1)) == one
    assert fired(asked, move(3)) == three


def test_a_request_is_no_sub_operation_nor_are_those_of_another_service() -> None:
    asked = engine("- { name: r, when: { service: C-MOVE, at: sub-operation }, then: { status: A700 } }")

    assert fired(asked, [stimulus("C-MOVE", {}), stimulus("C-GET", {}, moment=Moment.SUB_OPERATION)]) == ["-", "-"]


def test_the_first_rule_of_the_file_decides_whichever_sub_operations_it_is_about() -> None:
    asked = engine(
        """
        - { name: last, when: { service: C-MOVE, at: { sub-operation: last } }, then: { status: A700 } }
        - { name: any, when: { service: [C-GET, C-MOVE], at: sub-operation }, then: { status: B000 } }
        """
    )
    assert statuses(asked, move(3)) == ["B000", "B000", "A700"]
    turned = engine(
        """
        - { name: any, when: { service: C-MOVE, at: sub-operation }, times: 2, then: { status: B000 } }
        - { name: two, when: { service: C-MOVE, at: { sub-operation: 2 } }, then: { status: A700 } }
        - { name: last, when: { service: C-MOVE, at: { sub-operation: last } }, then: { status: C000 } }
        """
    )
    assert statuses(turned, move(3)) == ["B000", "B000", "C000"]


def test_rules_that_continue_are_applied_to_each() -> None:
    asked = engine(
        """
        - { name: slow, when: { service: C-MOVE, at: sub-operation }, then: { delay: 1s }, continue: true }
        - { name: last, when: { service: C-MOVE, at: { sub-operation: last } }, then: { status: A700 } }
        """
    )
    assert fired(asked, move(2)) == ["slow", "slow, last"]


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        ("sop_class: CT Image Storage", ["r", "-"]),
        ("sop_class: { not: CT Image Storage }", ["-", "r"]),
        ("model: patient-root", ["r", "r"]),
        ("model: study-root", ["-", "-"]),
        ("transfer_syntax: JPEG Baseline*", ["-", "r"]),
        ("calling: WS1", ["r", "r"]),
    ],
)
def test_the_sop_class_is_that_of_the_instance_and_the_model_that_of_the_request(
    condition: str, rule: list[str]
) -> None:
    asked = engine(
        f"- {{ name: r, when: {{ service: C-MOVE, at: sub-operation, {condition} }}, then: {{ status: A700 }} }}"
    )
    assert fired(asked, [turn(1), turn(2, instance_classes=(MR,), transfer_syntaxes=(JPEG,))]) == rule


def test_sub_operations_are_counted_by_instance_by_class_and_by_exchange() -> None:
    rule = "- { name: r, when: { service: C-MOVE, at: sub-operation }, per: %s, times: 1, then: { status: A700 } }"
    both = [*move(2), *move(2, exchange=2)]

    assert fired(engine(rule % "SOPInstanceUID"), both) == ["r", "r", "-", "-"]
    assert fired(engine(rule % "exchange"), both) == ["r", "-", "r", "-"]
    assert fired(engine(rule % "SOPClassUID"), [turn(1), turn(2), turn(3, instance_classes=(MR,))]) == ["r", "-", "r"]


def test_chance_is_drawn_for_each_instance_of_its_own() -> None:
    asked = "seed: 5\nrules: [{ name: r, when: { service: C-MOVE, at: sub-operation }, chance: 50%, then: abort }]"
    drawn = fired(engine(asked), move(40))

    assert 5 < drawn.count("r") < 35
    assert drawn == fired(engine(asked), move(40))


def test_an_engine_knows_that_it_waits_for_sub_operations() -> None:
    asked = engine("- { when: { service: C-MOVE, at: { sub-operation: 3 } }, then: abort }")

    assert asked.cast.moments("C-MOVE") == {Moment.SUB_OPERATION}
    assert asked.cast.marks("C-MOVE") == ()


# why not


def test_why_a_sub_operation_was_another_one() -> None:
    asked = engine("- { name: third, when: { service: C-MOVE, at: { sub-operation: 3 } }, then: { status: A700 } }")

    assert render(asked.explain(turn(2, 12))).splitlines() == [
        "C-MOVE from WS1 fired no rule.                           association 1, exchange 1",
        'closest: "third" (test.yaml:3), 1 of 2 conditions',
        "  service   C-MOVE                       ok",
        "  at        expected sub-operation 3     got sub-operation 2 of 12",
    ]
    assert render(asked.explain(turn(3, 12))).splitlines()[-1].split() == ["at", "sub-operation", "3", "ok"]


def test_why_a_request_was_no_sub_operation() -> None:
    asked = engine("- { name: last, when: { service: C-MOVE, at: { sub-operation: last } }, then: { status: A700 } }")
    asked.decide(stimulus("C-MOVE", {}, calling="WS1"))

    (tally,) = asked.tally()
    assert tally.closest is not None
    assert [line for line in closest(tally).splitlines() if line.startswith("  at ")] == [
        "  at        expected last sub-operation  got request"
    ]
    assert tally.closest.reason == "no C-MOVE came to this moment: last sub-operation"


RETRIEVE = "- { name: r, when: { service: C-MOVE, at: %s }, then: { status: A700 } }"


@pytest.mark.parametrize("at", ["sub-operation", "{ sub-operation: 3 }", "{ sub-operation: last }"])
@pytest.mark.parametrize(
    ("code", "ending"), [(0xA801, ": A801 move-destination-unknown"), (0x0000, ": 0000 success"), (None, "")]
)
def test_a_retrieve_that_never_reached_an_instance_is_told(at: str, code: int | None, ending: str) -> None:
    asked = engine(RETRIEVE % at)
    asked.reported(stimulus("connect", association=1), "")
    asked.reported(stimulus("associate", association=1, calling="WS1"), "")
    asked.reported(_ended(code), "")
    asked.reported(stimulus("close", association=1), "")

    (tally,) = asked.tally()
    assert tally.closest is not None
    assert tally.closest.subject.kind == "C-MOVE"
    assert tally.closest.reason == f"C-MOVE 1.1 came and ended before its first instance{ending}"


def test_which_retrieve_is_told_is_the_nearest() -> None:
    asked = engine("- { name: r, when: { service: C-MOVE, at: sub-operation, calling: WS1 }, then: { status: A700 } }")
    asked.reported(_ended(0xA900, calling="X", exchange=1), "")
    asked.reported(_ended(0xA801, exchange=2), "")
    asked.reported(_ended(0xA900, exchange=3), "")

    assert "C-MOVE 1.2 came and ended before its first instance: A801" in closest(asked.tally()[0])


def test_a_retrieve_that_reached_an_instance_is_not_said_to_have_ended_before() -> None:
    asked = engine(RETRIEVE % "{ sub-operation: 3 }")
    asked.decide(turn(1))
    asked.reported(_ended(0), "")

    verdict = asked.tally()[0].closest
    assert verdict is not None
    assert ([line.received for line in verdict.differences], verdict.reason) == (["sub-operation 1 of 3"], "")


def _ended(code: int | None, **fields: object) -> Stimulus:
    usual = {"calling": "WS1", "association": 1, "exchange": 1, "status": code, **fields}
    return stimulus("C-MOVE", {}, moment=Moment.AFTER_RESPONSE, **usual)


def test_what_was_done_is_told_a_success_without_delivery_too() -> None:
    asked = engine(
        """
        - { when: { service: C-MOVE, at: { sub-operation: 1 } }, then: { status: success } }
        - { when: { service: C-MOVE, at: { sub-operation: 2 } }, then: { status: A700, comment: full } }
        - { when: { service: C-MOVE, at: sub-operation }, then: { delay: 1s, destination: reset } }
        """
    )
    decisions = [asked.decide(one) for one in move(3)]
    assert [told(one, Moment.SUB_OPERATION) for one in decisions if one] == [
        "not sent: 0000",
        "not sent: A700",
        "delay 1.0 s, destination reset",
    ]


# what can be written


@pytest.mark.parametrize(
    ("at", "mark"), [("sub-operation", 0), ({"sub-operation": 3}, 3), ({"sub-operation": "last"}, LAST)]
)
def test_a_place_is_written_as_it_was_read(at: object, mark: int) -> None:
    rule = Rule.model_validate({"when": {"service": "C-GET", "at": at}, "then": {"status": "A700"}})

    assert (rule.when.at.when, rule.when.at.mark) == (Moment.SUB_OPERATION, mark)
    assert as_written(rule)["when"]["at"] == at
    assert Rule.model_validate(as_written(rule)) == rule


def sub_operation(then: str, *, service: str = "C-MOVE", at: str = "sub-operation") -> str:
    return f"{{ when: {{ service: {service}, at: {at} }}, then: {then} }}"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            sub_operation("reset", at="{ sub-operation: lst }"),
            '"lst" is not the number of a sub-operation, nor last. Did you mean "last"?',
        ),
        (
            sub_operation("reset", at="{ sub-operation: 0 }"),
            '"0" is not the number of a sub-operation, nor last.',
        ),
        (
            sub_operation("reset", service="C-FIND"),
            "C-FIND has no such moment; C-GET and C-MOVE have.",
        ),
        (
            sub_operation("reset", at="{ sub-operation: 1, pdu: 3 }"),
            "a rule has one moment: request, received, pdu, ...; write a rule for each.",
        ),
        (
            sub_operation("{ destination: abort }", service="C-GET"),
            "destination is a step for C-MOVE, and this rule is about C-GET.",
        ),
        (
            sub_operation("{ destination: abort }", at="request"),
            "destination is not possible at moment request; it is at moment sub-operation.",
        ),
        (
            sub_operation("{ destination: silence }"),
            '"silence" is not one of refuse, abort, reset.',
        ),
        (
            sub_operation("{ destination: WS1 }"),
            '"WS1" is not one of refuse, abort, reset; which destination it is, is a condition: '
            "write destination under when.",
        ),
        (
            sub_operation("{ destination: abort, status: A700 }"),
            "status and destination exclude one another in one step.",
        ),
        (
            sub_operation("{ lie: { remaining: 1 } }"),
            "lie is not possible at moment sub-operation; it is at the moments request, before-response and response.",
        ),
    ],
)
def test_what_cannot_be_is_told(rule: str, told: str) -> None:
    assert problem_of(rule) == told


@pytest.mark.parametrize("at", ["sub-operation", "{ sub-operation: last }"])
def test_the_status_of_a_sub_operation_is_one_of_c_store(at: str) -> None:
    line = problem_of(sub_operation("{ status: out-of-resorces }", at=at))

    assert line == '"out-of-resorces" is not a status of C-STORE. Did you mean "out-of-resources"?'


@pytest.mark.parametrize("at", ["sub-operation", "{ sub-operation: last }"])
@pytest.mark.parametrize(
    ("service", "word", "having"),
    [
        ("C-MOVE", "move-destination-unknown", "C-MOVE"),
        ("C-MOVE", "A801", "C-MOVE"),
        ("C-GET", "A801", "C-MOVE"),
        ("[C-GET, C-MOVE]", "A801", "C-MOVE"),
        ("[C-GET, C-MOVE]", "AA02", "C-GET and C-MOVE"),
        ("any", "pending", "C-GET and C-MOVE"),
        ("C-MOVE", "FF00", "C-MOVE"),
        ("C-MOVE", "FF01", "C-FIND"),
        ("C-MOVE", "cancel", "C-MOVE"),
        ("C-GET", "FE00", "C-GET"),
        ("C-MOVE", "sub-operations-failed", "C-MOVE"),
        ("C-MOVE", "unable-to-perform-sub-operations", "C-MOVE"),
    ],
)
def test_a_status_of_the_retrieve_is_none_of_an_instance(service: str, word: str, having: str, at: str) -> None:
    assert problem_of(sub_operation(f"{{ status: {word} }}", service=service, at=at)) == (
        f'"{word}" is a status of {having}; at a sub-operation the status is that of a C-STORE, '
        "such as out-of-resources."
    )


@pytest.mark.parametrize("word", ["success", "A700", "A701", "B000", "C123", "0110", "1234", "not-authorized"])
def test_any_end_of_a_c_store_and_any_code_that_nobody_knows_is_one(word: str) -> None:
    script(f"rules:\n- {sub_operation(f'{{ status: {word} }}')}\n")


def test_a_status_of_c_store_is_the_code_it_is_there() -> None:
    asked = engine("- { when: { service: [C-GET, C-MOVE], at: sub-operation }, then: { status: data-set-mismatch } }")
    assert status(asked.decide(turn(1))) == "A900"


@pytest.mark.parametrize("at", ["{ sub-operation: 2 }", "{ sub-operation: last }", "sub-operation"])
def test_a_rule_about_any_sub_operation_takes_those_about_one(at: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        script(f"rules:\n- {sub_operation('{ delay: 1s }')}\n- {sub_operation('reset', at=at)}\n")

    assert str(caught.value) == "s.yaml:4:3: this rule can never fire: rule in line 3 takes every C-MOVE first."


@pytest.mark.parametrize("at", ["sub-operation", "{ sub-operation: last }"])
def test_a_rule_about_one_sub_operation_leaves_the_others(at: str) -> None:
    script(f"rules:\n- {sub_operation('reset', at='{ sub-operation: 2 }')}\n- {sub_operation('reset', at=at)}\n")


def test_a_sequence_that_must_not_end_fails_the_sub_operation() -> None:
    asked = engine("- { when: { service: C-MOVE, at: sub-operation }, sequence: [{ status: success }], at_end: fail }")
    assert statuses(asked, move(2)) == ["0000", "0110"]
    assert len(asked.unmet()) == 1
