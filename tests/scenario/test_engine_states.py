"""Named states: conditions on them, changes of them, the keys they are kept by."""

from __future__ import annotations

from tests.scenario.asking import echo, engine, fired, statuses, store

FILLS_UP = """
state:
  archive: { start: open, per: StudyInstanceUID }
rules:
  - name: last that fits
    when: { service: C-STORE, state: { archive: open } }
    per: StudyInstanceUID
    nth: 2
    then: { status: success }
    set: { archive: full }
  - name: no room
    when: { service: C-STORE, state: { archive: full } }
    then: { status: out-of-resources }
  - name: room again
    when: { service: C-ECHO, calling: NIGHTSHIFT }
    then: { status: success }
    set: { archive: { all: open } }
"""


def test_a_state_is_kept_per_key_and_changed_for_all() -> None:
    asked = engine(FILLS_UP)
    stores = [store(values={"StudyInstanceUID": uid}) for uid in ("1", "1", "1", "2", "1", "2", "2")]
    assert statuses(asked, stores) == ["-", "0000", "A700", "-", "A700", "0000", "A700"]
    asked.decide(echo(calling="NIGHTSHIFT"))
    assert fired(asked, [store(values={"StudyInstanceUID": uid}) for uid in ("1", "2")]) == ["-", "-"]


def test_a_change_for_all_is_one_for_keys_to_come_too() -> None:
    asked = engine(
        """
        state: { door: { start: open, per: calling-ae } }
        rules:
          - { name: shut, when: { service: C-ECHO, calling: JANITOR }, set: { door: { all: shut } } }
          - { name: no, when: { service: C-ECHO, state: { door: shut } }, then: abort }
        """
    )
    assert fired(asked, [echo(calling=title) for title in ("A", "JANITOR", "A", "NEW")]) == ["-", "shut", "no", "no"]


def test_a_change_without_all_is_for_the_key_of_what_fired_the_rule() -> None:
    asked = engine(
        """
        state: { greeted: { start: "no", per: association } }
        rules:
          - { name: first, when: { service: C-ECHO, state: { greeted: "no" } }, then: abort, set: { greeted: "yes" } }
        """
    )
    stimuli = [echo(association=number) for number in (1, 1, 2, 2)]
    assert fired(asked, stimuli) == ["first", "-", "first", "-"]
    asked.forget(1)
    assert fired(asked, stimuli) == ["first", "-", "-", "-"]


def test_a_condition_on_a_state_knows_lists_globs_and_not() -> None:
    asked = engine(
        """
        state: { mood: good }
        rules:
          - { name: set, when: { service: C-FIND }, set: { mood: bad-today } }
          - { name: set too, when: { service: C-GET }, set: { mood: fine } }
          - { name: fine, when: { service: C-ECHO, state: { mood: [good, fine] } }, then: abort }
          - { name: bad, when: { service: C-ECHO, calling: A, state: { mood: "bad-*" } }, then: abort }
          - { name: not good, when: { service: C-ECHO, state: { mood: { not: good } } }, then: abort }
        """
    )
    assert fired(asked, [echo(calling="A")]) == ["fine"]
    asked.set_state("mood", "fine")
    assert fired(asked, [echo()]) == ["fine"]
    asked.set_state("mood", "bad-today")
    assert fired(asked, [echo(calling="A"), echo(calling="B")]) == ["bad", "not good"]


def test_all_rules_see_the_states_as_they_were_before() -> None:
    """One stimulus is one step: what it changes is there for the next one."""
    asked = engine(
        """
        state: { s: a }
        rules:
          - { name: one, when: { service: C-ECHO, state: { s: a } }, set: { s: b }, continue: true }
          - { name: two, when: { service: C-ECHO, state: { s: b } }, then: abort }
        """
    )
    assert fired(asked, [echo(), echo()]) == ["one", "two"]


def test_a_rule_that_a_gate_holds_back_changes_no_state() -> None:
    asked = engine(
        """
        state: { s: a }
        rules:
          - { when: { service: C-ECHO }, nth: 2, then: abort, set: { s: b } }
        """
    )
    asked.decide(echo())
    assert asked.state("s") == "a"
    asked.decide(echo())
    assert asked.state("s") == "b"


def test_states_can_be_looked_at_and_set_from_outside() -> None:
    asked = engine(FILLS_UP)
    asked.set_state("archive", "full", "1.2")
    assert [asked.state("archive", "1.2"), asked.state("archive", "1.3"), asked.state("archive")] == [
        *("full", "open", "open"),
    ]
    assert statuses(asked, [store(values={"StudyInstanceUID": "1.2"})]) == ["A700"]
    asked.set_state("archive", "full")
    assert statuses(asked, [store(values={"StudyInstanceUID": "1.3"})]) == ["A700"]
    assert asked.state("nothing of that name") == ""


def test_a_reset_puts_states_and_counters_and_tallies_back() -> None:
    asked = engine(FILLS_UP)
    stores = [store(values={"StudyInstanceUID": "1"})] * 3
    first = statuses(asked, stores)
    asked.reset()
    assert sum(tally.fired + tally.held for tally in asked.tally()) == 0
    assert statuses(asked, stores) == first
