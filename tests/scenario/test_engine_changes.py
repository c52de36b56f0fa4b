"""Rules that come and go while an engine is asked."""

from __future__ import annotations

import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mockpacs.scenario.engine import Engine
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Placed, Script
from tests.scenario.asking import echo, engine, find, fired, store

TWICE = "- { name: twice, when: { service: C-ECHO }, times: 2, then: abort }"


def placed(name: str, service: str, **others: object) -> Placed:
    rule = Rule.model_validate({"name": name, "when": {"service": service}, "then": "reset", **others})
    return Placed(name, "python", Path(), rule)


def test_other_rules_begin_at_the_start() -> None:
    asked = engine(TWICE)
    assert fired(asked, [echo()] * 3) == ["twice", "twice", "-"]
    asked.change(engine("- { name: find, when: { service: C-FIND }, then: abort }").script)
    assert fired(asked, [echo(), find()]) == ["-", "find"]
    assert (asked.cast.concerns("C-ECHO"), asked.cast.concerns("C-FIND")) == (False, True)


def test_a_change_takes_the_seed_of_the_new_script() -> None:
    asked = engine("seed: 7\nrules: []")
    assert asked.seed == 7
    asked.change(Script(seed=8))
    assert asked.seed == 8


def test_a_rule_that_is_added_goes_above_all_others_and_their_counts_stay() -> None:
    asked = engine(TWICE)
    asked.decide(echo())
    asked.add(placed("new", "C-ECHO", times=1))
    asked.add(placed("newest", "C-ECHO", times=1))
    assert fired(asked, [echo()] * 4) == ["newest", "new", "twice", "-"]
    assert [tally.name for tally in asked.tally()] == ["newest", "new", "twice"]


def test_a_rule_that_is_added_is_about_something_new() -> None:
    asked = engine(TWICE)
    assert not asked.cast.concerns("C-STORE")
    asked.add(placed("new", "C-STORE"))
    assert asked.cast.concerns("C-STORE")
    assert fired(asked, [store()]) == ["new"]


def test_a_rule_can_be_removed() -> None:
    asked = engine(TWICE)
    assert asked.remove("nothing") is False
    assert asked.remove("twice") is True
    assert fired(asked, [echo()]) == ["-"]
    assert not asked.cast.concerns("C-ECHO")
    assert asked.script.rules == ()


def test_a_reset_keeps_the_rules_that_were_added() -> None:
    asked = engine(TWICE)
    asked.add(placed("new", "C-ECHO", times=1))
    first = fired(asked, [echo()] * 4)
    asked.reset()
    assert fired(asked, [echo()] * 4) == first


def test_without_a_clock_the_monotonic_one_is_asked() -> None:
    asked = Engine(Script.of([Rule.model_validate({"when": {"service": "any"}, "limit": "1/hour", "over": "abort"})]))
    now = time.monotonic()
    assert fired(asked, [echo(), echo(when=now + 3599), echo(when=now + 3601)]) == ["-", "rule 1", "-"]


@given(st.lists(st.sampled_from(["echo", "find", "store", "add", "remove", "reset", "forget", "explain"]), max_size=40))
def test_whatever_happens_counts_never_contradict_what_was_decided(happenings: list[str]) -> None:
    asked = engine(TWICE + "\n- { name: any, when: { service: any }, per: association, nth: every 2, then: abort }")
    decided: dict[str, int] = {}
    stimuli = {"echo": echo(association=1), "find": find(association=2), "store": store(association=3)}
    for number, happening in enumerate(happenings):
        if happening in stimuli:
            decision = asked.decide(stimuli[happening])
            if decision is not None:
                decided[decision.rule] = decided.get(decision.rule, 0) + 1
        elif happening == "add":
            asked.add(placed(f"added {number}", "C-FIND", nth=2))
        elif happening == "remove" and asked.script.rules:
            name = asked.script.rules[0].name
            asked.remove(name)
            decided.pop(name, None)
        elif happening == "reset":
            asked.reset()
            decided.clear()
        elif happening == "forget":
            asked.forget(1)
        else:
            asked.explain(echo(association=1))
    assert {tally.name: tally.fired for tally in asked.tally() if tally.fired} == decided
    assert all(tally.held >= tally.fired for tally in asked.tally())
