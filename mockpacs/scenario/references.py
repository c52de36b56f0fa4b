"""Names in rules that must lead to something: states and their values, sets of answers, UIDs, files, other rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from mockpacs.scenario.answers import AnswerSet
from mockpacs.scenario.condition import Moment, When, Words
from mockpacs.scenario.draft import Draft, Way, written_steps
from mockpacs.scenario.models import MODELS, models_of
from mockpacs.scenario.moments import services_of
from mockpacs.scenario.pattern import has_glob
from mockpacs.scenario.possible import Problem
from mockpacs.scenario.record_written import read_field
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from mockpacs.scenario.status_words import no_status, no_status_of_an_instance
from mockpacs.scenario.step import Step
from mockpacs.scenario.tree import ITS_VALUE
from mockpacs.scenario.uids import SOP_CLASS, TRANSFER_SYNTAX, uids_of
from mockpacs.scenario.values import SERVICES, meant, status_code, status_names
from mockpacs.written.kinds import Refused, quoted
from mockpacs.written.yaml_file import Items, Mapping, Text

Resolve = Callable[[str], object]
"""What a name of a SOP class or transfer syntax leads to; ValueError when that is nothing."""

_sop_class: Final[Resolve] = partial(uids_of, kind=SOP_CLASS)
_transfer_syntax: Final[Resolve] = partial(uids_of, kind=TRANSFER_SYNTAX)
_RESOLVERS: Final = {"sop_class": _sop_class, "model": models_of, "transfer_syntax": _transfer_syntax}


class Names:
    """Everything that has a name in the files that are loaded together, and in what they are added to."""

    def __init__(self, drafts: Iterable[Draft], known: Script | None = None) -> None:
        self.states: dict[str, set[str]] = {}
        """Values that a state can have, by its name."""
        self.open_states: set[str] = set()
        """States of which not all values are known: something about them is written wrong."""
        self.data: set[str] = set()
        self.rules: set[str] = set()
        self.are_all_rules_known = True
        if known is not None:
            self._know(known)
        for draft in drafts:
            for name, spec in draft.states.items():
                self.states.setdefault(name, set()).update({spec.start} if spec else ())
                self.open_states.update(() if spec else (name,))
            self.data.update(map(str, draft.node("data")))
            self.rules.update(rule.name for _, rule in draft.rules)
            for _, rule in (*draft.rules, *draft.ruins):
                for name, change in rule.set.items():
                    self.states_set(name, change.value, change.all)
            self.are_all_rules_known &= not draft.complaints

    def _know(self, script: Script) -> None:
        self.data.update(map(str, script.data))
        self.rules.update(placed.name for placed in script.rules)
        self.states.update({name: {spec.start} for name, spec in script.states.items()})
        for placed in script.rules:
            for name, change in placed.rule.set.items():
                self.states_set(name, change.value, change.all)

    def states_set(self, name: str, *values: str | None) -> None:
        """A rule gives a state these values."""
        if name in self.states:
            self.states[name].update(value for value in values if value is not None)


def _unknown(what: str, word: str, known: Iterable[str], otherwise: str) -> str:
    names = sorted(known)
    near = meant(word, names)
    hint = f'Did you mean "{near}"?' if near else f"Known: {', '.join(names)}" if names else otherwise
    return f"unknown {what} {quoted(word)}. {hint}"


def dangling(rule: Rule, way: Way, names: Names, folder: Path) -> Iterator[Problem]:
    """Everything a rule names that is not there."""
    yield from dangling_conditions(rule.when, (*way, "when"), names)
    for name in rule.set:
        if name not in names.states:
            yield (*way, "set", name, "[key]"), _unknown_state(name, names)
    for steps_way, _, steps in written_steps(rule, way):
        for number, step in enumerate(steps):
            yield from _dangling_step(step, rule.when, (*steps_way, number), names, folder)


def _unknown_state(name: str, names: Names) -> str:
    return _unknown("state", name, names.states, f"States are named under state, such as {name}: {{start: ...}}")


def dangling_conditions(when: When, way: Way, names: Names) -> Iterator[Problem]:
    """States, UIDs and statuses of conditions."""
    for name, words in when.state.wanted.items():
        if name not in names.states:
            yield (*way, "state", name, "[key]"), _unknown_state(name, names)
        elif name not in names.open_states and names.are_all_rules_known:
            yield from _never(name, words, names.states[name], (*way, "state", name))
    for key, resolve in _RESOLVERS.items():
        yield from _unknown_uids(getattr(when, key), resolve, (*way, key))
    for index, status in enumerate(when.status):
        yield from _unknown_status(status, when, (*way, "status", index))


def _never(name: str, words: Words, values: set[str], way: Way) -> Iterator[Problem]:
    """Values that a state is compared with and never has."""
    for index, word in enumerate(words.in_):
        if word not in values and not has_glob(word):
            near = meant(word, values)
            if not near and len(values) == 1:
                continue  # no rule ever sets it: a test or the control API will
            hint = f'Did you mean "{near}"?' if near else f"It begins as or is set to {', '.join(sorted(values))}"
            yield (*way, "in", index), f"state {quoted(name)} is never {quoted(word)}. {hint}"
    if words.not_ is not None:
        yield from _never(name, words.not_, values, (*way, "not"))


def _unknown_uids(words: Words | None, resolve: Resolve, way: Way) -> Iterator[Problem]:
    if words is not None:
        yield from _wrong_uids(words.in_, resolve, (*way, "in"))
        yield from _unknown_uids(words.not_, resolve, (*way, "not"))


def _wrong_uids(texts: Iterable[str], resolve: Resolve, way: Way) -> Iterator[Problem]:
    for index, text in enumerate(texts):
        try:
            resolve(text)
        except ValueError as no:
            near = meant(text, MODELS) if resolve is models_of else ""
            yield (*way, index), f'{quoted(text)} is no query model. Did you mean "{near}"?' if near else str(no)


def _unknown_status(status: str, when: When, way: Way, *, is_counted: bool = False) -> Iterator[Problem]:
    """A name must be a status of every service that is named. ``is_counted``: it is that of a sub-operation."""
    if is_counted:
        if sentence := no_status_of_an_instance(status, services_of(when)):
            yield way, sentence
        return
    if status not in status_names() and status_code(status, "") is not None:
        return  # a code
    services = [one for one in when.service if one in SERVICES]
    if others := [one for one in services if status not in status_names(one)]:
        yield way, no_status(status, others)


def _dangling_step(step: Step, when: When, way: Way, names: Names, folder: Path) -> Iterator[Problem]:
    is_counted = when.at.when is Moment.SUB_OPERATION
    for index, status in enumerate(step.status):
        yield from _unknown_status(status, when, (*way, "status", index), is_counted=is_counted)
    if step.pending is not None:
        if step.pending.source is not None:
            yield from _unknown_data(step.pending.source, (*way, "pending", "from", ITS_VALUE), names)
        if step.pending.status is not None:
            yield from _unknown_status(step.pending.status, when, (*way, "pending", "status", ITS_VALUE))
        for tag, value in step.pending.set.items():
            yield from _refused(partial(read_field, tag, value), (*way, "pending", "set"))
    if isinstance(step.answer, str):
        yield from _unknown_data(step.answer, (*way, "answer", ITS_VALUE), names)
    elif step.answer is not None:
        yield from _refused(lambda: AnswerSet.of(step.answer), (*way, "answer"))
    for index, context in enumerate(step.accept.contexts or () if step.accept else ()):
        here = (*way, "accept", "contexts", index)
        yield from _wrong_uids(context.sop_class, _sop_class, (*here, "sop_class"))
        yield from _wrong_uids(context.transfer_syntax, _transfer_syntax, (*here, "transfer_syntax"))
    if step.tls is not None:
        for key, path in (("certificate", step.tls.certificate), ("key", step.tls.private_key)):
            if path is not None and not _is_file(folder, path):
                yield (*way, "tls", key, ITS_VALUE), f"{quoted(path)}: there is no such file in {folder}"


def _unknown_data(name: str, way: Way, names: Names) -> Iterator[Problem]:
    if name not in names.data:
        yield way, _unknown("set of answers", name, names.data, "Sets are named under data")


def _refused(read: Callable[[], object], way: Way) -> Iterator[Problem]:
    """What is wrong with values; the parts that know their place are told there."""
    try:
        read()
    except Refused as no:
        for part, sentence in no.problems:
            yield (part if isinstance(part, Text | Items | Mapping) else way), sentence


def _is_file(folder: Path, path: str) -> bool:
    try:
        return (folder / Path(path).expanduser()).is_file()
    except (OSError, ValueError, RuntimeError):
        return False
