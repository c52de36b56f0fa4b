"""The rules that answer as a recorded server did: about its associations, and about what was asked on them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mockpacs.replay.server import associating
from mockpacs.replay.server.acts import Act, Addition, act_of, ending
from mockpacs.replay.server.answers import Sets
from mockpacs.replay.server.choices import Choices
from mockpacs.replay.server.heard import Asked, Heard, never_asked
from mockpacs.replay.server.identity import Identity, Kinship, identity_of, told
from mockpacs.replay.server.retrieving import Stock
from mockpacs.replay.server.terms import class_name
from mockpacs.replay.tape import TapedAssociation
from mockpacs.scenario.model import Expectation, StateSpec
from mockpacs.scenario.moments import QUERIES
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Placed, Script
from mockpacs.services.sop_classes import is_uid

UNMATCHED: Final = "not in the recording"
"""The rule that answers what was not recorded."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a rule stands for."""

    subject: str
    times: int


class RuleWriter:
    """Makes the rules of the associations that a server was asked for."""

    def __init__(self, name: str, served: Sequence[Heard], stock: Stock, choices: Choices) -> None:
        self._name = name
        self._served = served
        self._stock = stock
        self._choices = choices
        self.sets = Sets()
        self.recorded: dict[str, Recorded] = {}
        self.associations: dict[str, Recorded] = {}
        self.notes: list[str] = []
        self._rules: list[dict[str, Any]] = []
        self._expect: list[dict[str, Any]] = []
        self._names = {UNMATCHED}
        named = [one for one in served if one.calling.strip()]
        if named and len(named) < len(served):  # a rule cannot be about a title that is empty
            self._served = named
            self.notes += [f"association {one.number} has no calling AE title" for one in served if one not in named]
        self._callers = list(dict.fromkeys(one.calling for one in self._served))

    def write(self) -> None:
        """All rules, in their order."""
        self._write_associations()
        for rule in associating.release_rules(self._served, self._choices):
            self._rules.append({**rule, "name": self._named(rule["name"])})
        self._write_cancels()
        known = [
            (one, identity_of(one, self._choices.ignored), act_of(one, self.sets, self._stock, self._choices))
            for heard_one in self._served
            for one in heard_one.asked
        ]
        self.notes += [note for _, _, act in known for note in act.notes]
        kinship = Kinship(identity for _, identity, _ in known)
        if self._choices.order == "strict":
            self._write_in_order(known, kinship)
        else:
            self._write_by_identity(known, kinship)
        if self._choices.unmatched != "honest":
            failure = {"status": "0110", "comment": "Not in the recording"}
            self._rules.append({"name": UNMATCHED, "when": {"service": "any"}, "then": failure})
            self._expect.append({"rule": UNMATCHED, "count": "0"})

    def script(self) -> Script:
        """What was written."""
        rules = [Rule.model_validate(rule) for rule in self._rules]
        expect = [Expectation.model_validate(one) for one in self._expect]
        states = associating.states(self._served, self._choices)
        return Script(
            rules=tuple(Placed(rule.name, f"{self._name}: {rule.name}", Path(), rule) for rule in rules),
            states={name: StateSpec.model_validate(spec) for name, spec in states.items()},
            data={name: (answers, Path()) for name, answers in self.sets.by_name.items()},
            expect=tuple((self._name, one) for one in expect),
            names=(f"replay of {self._name}",),
            abouts=("What a server answered when it was recorded.",),
        )

    def _named(self, name: str) -> str:
        """A name that no other rule has: a broken recording can have two of a number."""
        unique, number = name, 2
        while unique in self._names:
            unique, number = f"{name} ({number})", number + 1
        self._names.add(unique)
        return unique

    # associations

    def write_connections(self, connections: Sequence[TapedAssociation]) -> None:
        """Those that were ended before anything was asked."""
        for place, taped in enumerate(connections, 1):
            parting = never_asked(taped)
            if parting is not None and parting.how != "nothing":
                name = self._named(f"connection {taped.number}")
                steps = list(ending(parting, self._choices, with_noise=True))
                self._rules.append({"name": name, "when": {"event": "connect"}, "nth": place, "then": steps})
                self.associations[name] = Recorded("connection", 1)

    def _write_associations(self) -> None:
        common = associating.common_terms(self._served)
        together = list(associating.runs(self._served, self._choices, common))
        by_caller: dict[str | None, list[Heard]]
        by_caller = {caller: [one for one in self._served if one.calling == caller] for caller in self._callers}
        if len(by_caller) < 2 or len(together) < 2:
            by_caller = {None: list(self._served)}
        for caller, all_heard in by_caller.items():
            for run in associating.runs(all_heard, self._choices, common):
                self._write_run(run, caller, is_last=all_heard[-1] in run.heard)

    def _write_run(self, run: associating.Run, caller: str | None, *, is_last: bool) -> None:
        name = self._named(f"association {run.heard[0].number}")
        when: dict[str, Any] = {"event": "associate"}
        if caller is not None:
            when["calling"] = {"matches": _exactly(caller)}
        last = run.first + len(run.heard) - 1
        rule: dict[str, Any] = {"name": name, "when": when, "nth": f"{run.first}..{'' if is_last else last}"}
        if is_last and run.first == 1:
            del rule["nth"]
        changes = {}
        if run.release:
            changes[associating.RELEASE] = run.release
        if self._choices.order == "strict":
            changes[associating.PLACE] = _place(run.heard[0].number, 1)
        rule |= {"then": list(run.steps)}
        if changes:
            rule["set"] = changes
        if run.later:
            rule["later"] = list(run.later)
        self._rules.append(rule)
        self.associations[name] = Recorded(f"association {caller or ''}".strip(), len(run.heard))

    def _write_cancels(self) -> None:
        """A server that never stopped when it was told to does not stop now."""
        told_to_stop: dict[str, list[Asked]] = {}
        for heard_one in self._served:
            for one in heard_one.asked:
                if one.cancelled_at is not None and one.service in QUERIES:
                    told_to_stop.setdefault(one.request.command.affected_sop_class or "", []).append(one)
        for sop_class, asked in told_to_stop.items():
            if is_uid(sop_class) and all(one.ignores_cancel for one in asked):
                when = {"event": "cancel", "sop_class": class_name(sop_class)}
                self._rules.append({"name": self._named(f"{asked[0].id} cancel"), "when": when, "then": "nothing"})

    # requests in any order

    def _write_by_identity(self, known: Sequence[tuple[Asked, Identity, Act]], kinship: Kinship) -> None:
        groups: dict[Identity, list[tuple[Asked, Act]]] = {}
        for asked, identity, act in known:
            groups.setdefault(identity, []).append((asked, act))
        for identity, group in groups.items():
            when = kinship.when(identity)
            is_uniform = all(act == group[0][1] for _, act in group)
            callers = dict.fromkeys(asked.calling for asked, _ in group)
            if is_uniform or len(callers) < 2:
                self._write_group(when, identity, group)
                continue
            for caller in callers:
                own = [(asked, act) for asked, act in group if asked.calling == caller]
                self._write_group({**when, "calling": {"matches": _exactly(caller)}}, identity, own)

    def _write_group(self, when: dict[str, Any], identity: Identity, group: Sequence[tuple[Asked, Act]]) -> None:
        self._write_additions(when, group)
        group = [(asked, act) for asked, act in group if act.steps]
        if not group:
            return
        acts = [list(act.steps) for _, act in group]
        name = self._named(f"{group[0][0].id} {group[0][0].service}")
        rule: dict[str, Any] = {"name": name, "when": when}
        is_last = self._choices.unmatched == "last"
        if all(one == acts[0] for one in acts):
            rule |= {"then": acts[0]} if is_last else {"times": len(acts), "then": acts[0]}
        else:
            rule |= {"sequence": acts, "at_end": "last" if is_last else "pass"}
        self._rules.append(rule)
        self.recorded[name] = Recorded(told(identity), len(group))
        self._expect.append({"rule": name, "count": f"{len(group)}{'..' if is_last else ''}"})

    def _write_additions(self, when: dict[str, Any], group: Sequence[tuple[Asked, Act]]) -> None:
        """Rules at other moments; when all requests have the same, they are written once."""
        is_uniform = all(act == group[0][1] for _, act in group)
        for place, (asked, act) in enumerate(group[:1] if is_uniform else group):
            for addition in act.additions:
                before = sum(_meets(addition, *other) for other in group[:place])
                name = self._named(f"{asked.id} {asked.service} {_called(addition)}")
                rule: dict[str, Any] = {"name": name, "when": _at(when, addition), "then": list(addition.steps)}
                if addition.at == "sub-operation":
                    self._rules.append(rule)  # it is about all of them, whichever retrieve they are of
                    continue
                if is_uniform and self._choices.unmatched != "last":
                    rule["times"] = len(group)
                elif not is_uniform:
                    rule["nth"] = before + 1
                self._rules.append(rule)
                if not act.steps:
                    self._note_recorded(name, asked, len(group) if is_uniform else 1)

    def _note_recorded(self, name: str, asked: Asked, times: int) -> None:
        self.recorded[name] = Recorded(told(identity_of(asked, self._choices.ignored)), times)
        self._expect.append({"rule": name, "count": f"{times}{'..' if self._choices.unmatched == 'last' else ''}"})

    # requests in the recorded order

    def _write_in_order(self, known: Sequence[tuple[Asked, Identity, Act]], kinship: Kinship) -> None:
        places: dict[int, int] = {}
        totals: dict[int, int] = {}
        for asked, _, _ in known:
            totals[_association(asked)] = totals.get(_association(asked), 0) + 1
        for asked, identity, act in known:
            number = _association(asked)
            places[number] = place = places.get(number, 0) + 1
            state = {associating.PLACE: _place(number, place)}
            following = {associating.PLACE: _place(number, place + 1)}
            when = {**kinship.when(identity), "state": state}
            name = self._named(f"{asked.id} {asked.service}")
            is_last = place == totals[number] and self._choices.unmatched == "last"
            for addition in act.additions:
                # the state is the next one already when the answer leaves
                early = not act.steps
                then = {"when": {**_at(when, addition), "state": state if early or is_last else following}}
                extra = self._named(f"{name} {_called(addition)}")
                rule = {"name": extra, **then, "then": list(addition.steps)}
                self._rules.append({**rule, "set": following} if early and not is_last else rule)
                if early:
                    self._note_recorded(extra, asked, 1)
            if not act.steps:
                continue
            rule = {"name": name, "when": when, "then": list(act.steps)}
            self._rules.append(rule if is_last else {**rule, "set": following})
            self.recorded[name] = Recorded(told(identity), 1)
            self._expect.append({"rule": name, "count": "1.." if is_last else "1"})


def _association(asked: Asked) -> int:
    return int(asked.id.partition(".")[0])


def _place(association: int, place: int) -> str:
    return f"{association}.{place}"


def _exactly(text: str) -> str:
    return re.escape(text.strip())


def _at(when: Mapping[str, Any], addition: Addition) -> dict[str, Any]:
    at = {**when, "at": addition.at}
    return {**at, "status": list(addition.statuses)} if addition.statuses else at


def _called(addition: Addition) -> str:
    if isinstance(addition.at, dict):
        return " ".join(f"{key} {value}" for key, value in addition.at.items())
    return f"at {addition.at}"


def _meets(addition: Addition, asked: Asked, act: Act) -> bool:
    """Whether an earlier request is counted at the moment of an addition."""
    if isinstance(addition.at, dict):
        if "sub-operation" in addition.at:
            return act.sub_operations >= addition.at["sub-operation"]
        return asked.request.data is not None and asked.request.data.size >= addition.at.get("received", 1)
    if not act.steps:
        return False
    leaves = [step for step in act.steps if "answer" in step or "status" in step or "pending" in step]
    if not leaves:
        return False
    return str(leaves[0].get("status", "0000")) in addition.statuses
