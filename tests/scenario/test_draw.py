"""What is left to chance follows from the seed and from what it is about, not from the order of anything."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from mockpacs.scenario.draw import Draws
from mockpacs.scenario.stimulus import Stimulus
from tests.scenario.asking import echo, engine, fired, statuses, store

DRAW = Draws(1, "rule").about("", "somebody", 1)


def test_the_same_is_drawn_for_the_same() -> None:
    again = Draws(1, "rule").about("", "somebody", 1)
    assert [again.number("x"), again.share("x"), again.normal("x")] == [
        *(DRAW.number("x"), DRAW.share("x"), DRAW.normal("x")),
    ]


@pytest.mark.parametrize(
    "other",
    [
        Draws(2, "rule").about("", "somebody", 1),
        Draws(1, "other").about("", "somebody", 1),
        Draws(1, "rule").about("key", "somebody", 1),
        Draws(1, "rule").about("", "nobody", 1),
        Draws(1, "rule").about("", "somebody", 2),
    ],
    ids=["seed", "rule", "key", "who", "occurrence"],
)
def test_everything_that_it_is_about_changes_a_draw(other: object) -> None:
    assert other.number("x") != DRAW.number("x")  # type: ignore[attr-defined]


def test_each_purpose_has_a_draw_of_its_own() -> None:
    assert DRAW.number("x") != DRAW.number("y")


def test_what_a_peer_says_can_be_drawn_about() -> None:
    assert Draws(1, "\udcff").about(("a", 1), "\ud800\0", 1).share("x") < 1


def test_shares_are_even_and_normals_are_normal() -> None:
    draws = [Draws(3, "r").about("", "w", number) for number in range(20_000)]
    shares = [draw.share("s") for draw in draws]
    assert 0 <= min(shares) < max(shares) < 1
    assert [round(sum(share < tenth / 10 for share in shares) / len(shares), 1) for tenth in (1, 5, 9)] == [
        0.1,
        0.5,
        0.9,
    ]
    normals = [draw.normal("n") for draw in draws]
    assert abs(statistics.fmean(normals)) < 0.03
    assert abs(statistics.pstdev(normals) - 1) < 0.03


CHAOS = """
seed: 20260112
rules:
  - { name: abort, when: { service: any }, chance: 20%, then: { abort: { source: provider } } }
  - { name: fail, when: { service: C-STORE }, chance: 40%, then: { status: [A700, cannot-understand, "0110"] } }
  - name: slow
    when: { service: any }
    then: { delay: { median: 80ms, spread: 0.4, max: 3s } }
    continue: true
  - { name: bytes, when: { service: C-STORE }, then: { corrupt: { bytes: 3 } } }
  - { name: wait, when: { service: C-ECHO }, then: { delay: { between: [1s, 2s] } } }
"""


def associations() -> list[list[Stimulus]]:
    """Four that are open at the same time, each of a client of its own."""
    return [
        [
            one
            for number in range(40)
            for one in (store(f"1.{client}.{number % 30}", calling=f"CT{client}"), echo(calling=f"CT{client}"))
        ]
        for client in range(4)
    ]


def interleaved(order: random.Random, numbers: list[int]) -> list[Stimulus]:
    """All stimuli, each association in its order; the associations in any, with any numbers."""
    waiting = [list(reversed(one)) for one in associations()]
    mixed = []
    while any(waiting):
        index = order.choice([place for place, one in enumerate(waiting) if one])
        stimulus = waiting[index].pop()
        stimulus.association = numbers[index]
        mixed.append(stimulus)
    return mixed


def told(text: str, stimuli: list[Stimulus]) -> dict[str, list[object]]:
    """What each client and instance was decided, in the order in which it asked."""
    asked = engine(text)
    found: dict[str, list[object]] = {}
    for one in stimuli:
        found.setdefault(f"{one.calling} {one.kind} {one.sop_instance}", []).append(asked.decide(one))
    return found


@pytest.mark.parametrize("number", range(6))
def test_associations_side_by_side_draw_the_same_in_whatever_order_they_come(number: int) -> None:
    one_after_the_other = [stimulus for association in associations() for stimulus in association]
    order = random.Random(number)
    numbers = order.sample(range(1, 100), 4)
    assert told(CHAOS, interleaved(order, numbers)) == told(CHAOS, one_after_the_other)


@pytest.mark.parametrize("per", ["association", "exchange", "calling-ae", "SOPInstanceUID"])
def test_a_key_does_not_bring_the_numbers_of_associations_into_a_draw(per: str) -> None:
    text = f"- {{ name: x, when: {{ service: any }}, per: {per}, chance: 50%, then: abort }}"
    first = interleaved(random.Random(1), [1, 2, 3, 4])
    assert told(text, first) == told(text, interleaved(random.Random(2), [4, 3, 2, 1]))


def test_another_seed_draws_something_else() -> None:
    stimuli = [store(str(number)) for number in range(100)]
    first = fired(engine(CHAOS), stimuli)
    assert first == fired(engine(CHAOS), stimuli)
    assert first != fired(engine(CHAOS.replace("20260112", "20260113")), stimuli)


def test_a_new_rule_shifts_no_draw_of_the_others() -> None:
    """Not even when it takes some of what they would have been asked about."""
    stimuli = [store(str(number % 20)) for number in range(200)]
    rules = "  - { name: fail, when: { service: C-STORE }, chance: 30%, then: { status: A700 } }\n"
    new = "  - { name: new, when: { service: C-STORE }, chance: 30%, then: abort }\n"
    before = fired(engine(f"rules:\n{rules}"), stimuli)
    after = fired(engine(f"rules:\n{new}{rules}"), stimuli)
    assert "new" in after
    assert [rule for rule in zip(after, before, strict=True) if rule[0] not in ("new", rule[1])] == []


def test_every_occurrence_of_the_same_is_drawn_anew() -> None:
    asked = engine("- { name: x, when: { service: C-ECHO }, chance: 50%, then: abort }")
    drawn = fired(asked, [echo()] * 50)
    assert 10 < drawn.count("x") < 40


@pytest.mark.parametrize(("chance", "least", "most"), [("0%", 0, 0), ("20%", 300, 500), ("100%", 2000, 2000)])
def test_a_chance_is_as_large_as_it_says(chance: str, least: int, most: int) -> None:
    asked = engine(f"- {{ name: x, when: {{ service: C-STORE }}, chance: {chance}, then: abort }}")
    drawn = fired(asked, [store(str(number)) for number in range(2000)])
    assert least <= drawn.count("x") <= most


def test_a_chance_is_drawn_after_the_counts() -> None:
    """The third is drawn for or not, but no other one is, and what is not drawn is not counted as fired."""
    asked = engine("- { name: x, when: { service: C-ECHO }, times: 3, chance: 50%, then: abort }")
    assert fired(asked, [echo()] * 60).count("x") == 3
    asked = engine("- { name: x, when: { service: C-ECHO }, nth: 3, chance: 100%, then: abort }")
    assert fired(asked, [echo()] * 5) == ["-", "-", "x", "-", "-"]


def test_one_of_several_statuses_is_drawn() -> None:
    asked = engine('- { when: { service: C-STORE }, then: { status: [out-of-resources, "0110"] } }')
    drawn = statuses(asked, [store(str(number)) for number in range(400)])
    assert set(drawn) == {"A700", "0110"}
    assert 140 < drawn.count("A700") < 260


def delays(delay: str, count: int = 2000) -> list[float]:
    asked = engine(f"- {{ when: {{ service: C-STORE }}, then: {{ delay: {delay} }} }}")
    decisions = [asked.decide(store(str(number))) for number in range(count)]
    return [decision.acts[0].delay_seconds for decision in decisions if decision]


def test_a_delay_between_two_times_is_even() -> None:
    drawn = delays("{ between: [1s, 3s] }")
    assert 1 <= min(drawn) < 1.02
    assert 2.98 < max(drawn) <= 3
    assert abs(statistics.fmean(drawn) - 2) < 0.05


def test_a_delay_around_a_median_is_log_normal_and_has_a_longest() -> None:
    drawn = delays("{ median: 80ms, spread: 0.4 }")
    assert abs(statistics.median(drawn) - 0.08) < 0.005
    assert abs(statistics.pstdev(map(math.log, drawn)) - 0.4) < 0.03
    assert max(delays("{ median: 80ms, spread: 0.4, max: 100ms }")) == 0.1


def test_a_delay_without_spread_is_its_median() -> None:
    assert set(delays("{ median: 80ms, spread: 0 }", 10)) == {0.08}


def test_two_steps_of_a_rule_draw_apart() -> None:
    asked = engine(
        """
        - when: { service: C-ECHO }
          then: [{ delay: { between: [1s, 2s] } }, { delay: { between: [1s, 2s] } }]
          later: { delay: { between: [1s, 2s] } }
        """
    )
    decision = asked.decide(echo())
    assert decision is not None
    drawn = [act.delay_seconds for act in (*decision.acts, *decision.later)]
    assert len(set(drawn)) == 3


def test_bytes_to_corrupt_come_with_a_seed_that_is_drawn() -> None:
    asked = engine("- { when: { service: C-ECHO }, then: { corrupt: { bytes: 3 } } }")
    seeds = {decision.acts[0].seed for _ in range(5) if (decision := asked.decide(echo()))}
    assert len(seeds) == 5
    place = engine("- { when: { service: C-ECHO }, then: { corrupt: { offset: 3 } } }").decide(echo())
    assert place is not None
    assert place.acts[0].seed == 0


def test_occurrences_are_counted_also_when_the_last_rule_leaves_nothing_to_chance() -> None:
    asked = engine(
        """
        - { name: x, when: { service: C-ECHO }, chance: 50%, then: abort }
        - { name: y, when: { service: C-ECHO }, then: abort }
        """
    )
    assert set(fired(asked, [echo()] * 50)) == {"x", "y"}
