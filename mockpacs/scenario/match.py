"""The conditions of ``when``, compiled: a function each that says whether it holds, and one that says why not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from mockpacs.scenario import attribute
from mockpacs.scenario.case import PADDING, Case
from mockpacs.scenario.condition import LAST, Attribute, Moment, When, Words
from mockpacs.scenario.hint import about_text, about_title
from mockpacs.scenario.line import Line, either, moment_text, said
from mockpacs.scenario.models import models_of
from mockpacs.scenario.moments import services_of
from mockpacs.scenario.pattern import Test, any_of, matches
from mockpacs.scenario.uids import SOP_CLASS, TRANSFER_SYNTAX, uids_of
from mockpacs.scenario.values import status_code
from mockpacs.wire.status import name_of

Holds: TypeAlias = Callable[[Case], bool]
Resolve: TypeAlias = Callable[[str], Container[str]]

_LEVEL: Final = 0x00080052


class Check(NamedTuple):
    """One condition."""

    key: str
    holds: Holds
    tell: Callable[[Case], Sequence[Line]]
    """What was expected and what came; the line of a sequence is one for each condition on its item."""
    cost: int = 0
    """What is cheap is asked first."""
    tag: int = 0
    """The attribute it looks at; 0 for one that needs no data set."""


def kinds(when: When) -> tuple[str, ...]:
    """The services or events it is about."""
    return services_of(when) or when.event


def checks(when: When) -> tuple[Check, ...]:
    """All conditions but what it is about and at which moment, in the order in which they are told.

    Which sub-operation it is, is one of them: rules about one and about all of them are asked in the order of the file.

    Raises ValueError for a SOP class or transfer syntax that nobody knows.
    """
    return (*_places(when), *_texts(when), *_uids(when), *_data(when), *_status(when), *_states(when))


def told(words: Words) -> str:
    """What is expected, in words."""
    parts = [either(words.in_)] if "in_" in words.model_fields_set else []
    if words.matches is not None:
        parts.append(f"/{words.matches.pattern}/")
    if words.not_ is not None:
        parts.append(f"not {told(words.not_)}")
    return " and ".join(parts) or "known"


def _places(when: When) -> Iterator[Check]:
    at = when.at
    if (wanted := at.sub_operation) is None:
        return

    def holds(case: Case) -> bool:
        came = case.stimulus
        return came.moment is Moment.SUB_OPERATION and came.mark == (came.of if wanted == LAST else wanted)

    def tell(case: Case) -> list[Line]:
        came = case.stimulus
        shown = moment_text(came.moment, came.mark, came.of)
        return [Line(("at",), moment_text(at.when, at.mark), shown, holds(case))]

    yield Check("at", holds, tell)


def _texts(when: When) -> Iterator[Check]:
    if when.calling is not None:
        calling = _words(when.calling)
        yield Check("calling", lambda case: calling(case.calling), _tell_title("calling", when.calling, calling))
    if when.called is not None:
        called = _words(when.called)
        yield Check("called", lambda case: called(case.called), _tell_title("called", when.called, called))
    if when.destination is not None:
        destination = _words(when.destination)
        tell_destination = _tell_title("destination", when.destination, destination)
        yield Check("destination", lambda case: destination(case.destination), tell_destination)
    if (peer := when.peer) is not None:
        test = _words(peer)

        def tell(case: Case) -> list[Line]:
            came = case.stimulus.peer
            return [Line(("peer",), told(peer), said([came]) if came else "nothing", test(came))]

        yield Check("peer", lambda case: test(case.stimulus.peer), tell)


def _tell_title(key: str, words: Words, test: Test) -> Callable[[Case], list[Line]]:
    def tell(case: Case) -> list[Line]:
        came: str = getattr(case, key)
        holds = test(came)
        hint = "" if holds else about_title(words.in_, came)
        return [Line((key,), told(words), said([came]) if came else "nothing", holds, hint)]

    return tell


def _words(words: Words) -> Test:
    """Whether a text is as it should be. What is not known meets no condition, not even one that excludes something."""
    test = _all_keys(words, lambda texts: any_of(text.strip(PADDING) for text in texts))
    return (lambda text: text != "" and test(text)) if test("") else test


def _all_keys(words: Words, one_of: Callable[[Sequence[str]], Test]) -> Test:
    tests: list[Test] = []
    if "in_" in words.model_fields_set:
        tests.append(one_of(words.in_))
    if words.matches is not None:
        tests.append(matches(words.matches))
    if words.not_ is not None:
        inner = _all_keys(words.not_, one_of)
        tests.append(lambda text: not inner(text))
    return tests[0] if len(tests) == 1 else lambda text: all(test(text) for test in tests)


_RESOLVERS: Final[dict[str, Resolve]] = {
    "sop_class": lambda text: uids_of(text, SOP_CLASS),
    "transfer_syntax": lambda text: uids_of(text, TRANSFER_SYNTAX),
    "model": models_of,
}


def _uids(when: When) -> Iterator[Check]:
    for key, resolve in _RESOLVERS.items():
        words: Words | None = getattr(when, key)
        if words is not None:
            yield _uid_check(key, words, resolve, _asked_of(key, when))


def _asked_of(key: str, when: When) -> str:
    """The facts that a condition looks at: of a sub-operation the SOP class is that of its instance."""
    if key == "transfer_syntax":
        return "transfer_syntaxes"
    is_of_the_instance = key == "sop_class" and when.at.when is Moment.SUB_OPERATION
    return "instance_classes" if is_of_the_instance else "sop_classes"


def _uid_check(key: str, words: Words, resolve: Resolve, of: str) -> Check:
    test = _uid_test(words, resolve)
    facts = attrgetter(of)
    names = _uid_names()  # now, as the first miss must not have to import a dictionary

    def tell(case: Case) -> list[Line]:
        came: tuple[str, ...] = facts(case.stimulus)
        shown = said(names.get(uid, uid) for uid in came) if any(came) else "nothing"
        return [Line((key,), told(words), shown, test(came))]

    return Check(key, lambda case: test(facts(case.stimulus)), tell, cost=1)


def _uid_test(words: Words, resolve: Resolve) -> Callable[[tuple[str, ...]], bool]:
    """Whether any of some UIDs is as it should be; an association proposes several. ``not``: none of them is."""
    if words.not_ is None:
        known = [resolve(text) for text in words.in_]
        exact = [one for one in known if isinstance(one, frozenset)]
        if words.matches is None and exact and len(exact) == len(known):
            return _meets(frozenset().union(*exact))
        any_uid = _all_keys(words, lambda _: _within(known))
        return lambda uids: any(any_uid(uid) for uid in uids if uid)
    outer = _uid_test(words.model_copy(update={"not_": None}), resolve)
    inner = _uid_test(words.not_, resolve)
    return lambda uids: outer(uids) and not inner(uids)


def _meets(known: frozenset[str]) -> Callable[[tuple[str, ...]], bool]:
    """By far the most frequent condition, and one call instead of several."""
    return lambda uids: not known.isdisjoint(uids)


def _within(known: Sequence[Container[str]]) -> Test:
    exact = frozenset().union(*(one for one in known if isinstance(one, frozenset)))
    others = [one for one in known if not isinstance(one, frozenset)]
    if not others:
        return exact.__contains__
    return lambda uid: uid in exact or any(uid in one for one in others)


@cache
def _uid_names() -> dict[str, str]:
    from pydicom._uid_dict import UID_dictionary

    return {uid: name for uid, (name, *_) in UID_dictionary.items()}


def _data(when: When) -> Iterator[Check]:
    if when.level:
        levels = frozenset(when.level)

        def has_level(case: Case) -> bool:
            facts = case.facts
            return facts is not None and not levels.isdisjoint(facts.values(_LEVEL) or ())

        def tell(case: Case) -> list[Line]:
            facts = case.facts
            values = facts.values(_LEVEL) if facts else None
            hint = about_text(when.level, values or ())
            came = attribute.received(values) if facts else "no data set"
            return [Line(("level",), either(when.level), came, has_level(case), hint)]

        yield Check("level", has_level, tell, cost=3, tag=_LEVEL)
    for key, wanted in (("query", when.query), ("dataset", when.dataset)):
        for tag, condition in wanted.items():
            yield _attribute(key, tag, condition)


def _attribute(key: str, tag: int, condition: Attribute) -> Check:
    test = attribute.compiled(tag, condition)

    def holds(case: Case) -> bool:
        facts = case.facts
        return facts is not None and test(facts)

    def tell(case: Case) -> list[Line]:
        return [*attribute.lines((key,), {tag: condition}, case.facts)]

    return Check(key, holds, tell, cost=3 if condition.item is None else 4, tag=tag)


def _status(when: When) -> Iterator[Check]:
    if not when.status:
        return
    codes = {kind: codes_of(when.status, kind) for kind in kinds(when)}

    def holds(case: Case) -> bool:
        return case.stimulus.status in codes.get(case.stimulus.kind, ())

    def tell(case: Case) -> list[Line]:
        status, kind = case.stimulus.status, case.stimulus.kind
        came = "no response yet" if status is None else f"{status:04X} {name_of(status, kind)}"
        return [Line(("status",), either(when.status), came, holds(case))]

    yield Check("status", holds, tell)


def codes_of(statuses: Collection[str], kind: str) -> frozenset[int]:
    """The codes of some statuses for a service; those it does not have are left out."""
    return frozenset(code for status in statuses if (code := status_code(status, kind)) is not None)


def _states(when: When) -> Iterator[Check]:
    for name, words in when.state.wanted.items():
        yield _state(name, words)


def _state(name: str, words: Words) -> Check:
    test = _all_keys(words, any_of)

    def tell(case: Case) -> list[Line]:
        value = case.states.of(name, case)
        return [Line(("state", name), told(words), said([value]), test(value))]

    return Check("state", lambda case: test(case.states.of(name, case)), tell, cost=2)
