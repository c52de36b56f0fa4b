"""Rules said in Python: ``pacs.when("C-STORE", calling="CT*").reply("out-of-resources", times=2)``.

Keywords are the keys of the language, with ``_`` for ``-`` and behind words of Python (``continue_``). What they make
is the mapping that YAML would have, so the same reader reads it, and what is wrong is told with the same sentences.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from mockpacs.errors import ScenarioError
from mockpacs.scenario import condition
from mockpacs.scenario.command_element import home_of, is_command_element
from mockpacs.scenario.part import Part
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.step import Step
from mockpacs.scenario.tree import part_in
from mockpacs.scenario.values import EVENTS, SERVICES, meant
from mockpacs.wire.dictionary import tag_of

if TYPE_CHECKING:
    from mockpacs.control.active import ActiveRule


class Book(Protocol):
    """Where a rule goes when all of it is said: `mockpacs.control.rules.Rules`."""

    def add(self, *rules: Mapping[str, Any], place: str) -> list[ActiveRule]:
        """Add rules as mappings."""


def _spellings(part: type[Part]) -> dict[str, str]:
    """The keys of a part by the keywords that are Python."""
    return {name: field.alias or name for name, field in part.model_fields.items()}


_CONDITIONS: Final = _spellings(condition.When)
_STEP: Final = _spellings(Step)
_RULE: Final = {name: key for name, key in _spellings(Rule).items() if name not in ("when", "then", "sequence")}
_LONGEST_SHOWN: Final = 40


def conditions(what: str | Iterable[str] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping under ``when``: a service or an event, or several, and conditions by keyword.

    A keyword that is none stays there for the reader to tell, unless it is an attribute: Raises `ScenarioError`.
    """
    found: dict[str, Any] = {}
    for name in given:
        is_known = _key(name, _CONDITIONS) in _CONDITIONS.values() or not name[:1].isupper()
        if not is_known and (tag := tag_of(name)) is not None:
            if is_command_element(tag):
                raise ScenarioError(home_of(tag))
            raise ScenarioError(f'{name} is an attribute: write dataset={{"{name}": ...}}, of a query query={{...}}')
    if what is not None:
        words = [what] if isinstance(what, str) else list(what)
        found[_about(words)] = what if isinstance(what, str) else words
    return found | {_key(name, _CONDITIONS): value for name, value in given.items()}


def _about(words: list[str]) -> str:
    """``event`` when one of the words is an event, or is none but near to one."""
    if any(word in EVENTS for word in words):
        return "event"
    is_event = any(not meant(str(word), ("any", *SERVICES)) and meant(str(word), EVENTS) for word in words)
    return "event" if is_event else "service"


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keywords that may be conditions or keys of a rule: the conditions, by keyword, and the keys of the rule."""
    of_rule = {name for name in given if _is_nearer(name, _RULE, _CONDITIONS)}
    return (
        {name: value for name, value in given.items() if name not in of_rule},
        {_key(name, _RULE): value for name, value in given.items() if name in of_rule},
    )


def _is_nearer(name: str, one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether a keyword is one of these, or none of the others and most like one of these."""
    key = _key(name, {**other, **one})
    if key in one.values() or key in other.values():
        return key in one.values()
    return meant(key, (*one.values(), *other.values())) in one.values()


def _key(name: str, known: Mapping[str, str]) -> str:
    """The key of the language that a keyword stands for; what is unknown stays as it was said."""
    bare = name.removesuffix("_")
    return known.get(name) or known.get(bare) or (bare if bare in known.values() else name)


def _is_one(name: str, *known: Mapping[str, str]) -> bool:
    """Whether a keyword is one of these, spelled right."""
    return any(_key(name, one) in one.values() for one in known)


def _shown(value: Any) -> str:
    """A value as it is written in Python, unless that is long."""
    written = repr(value)
    return written.replace("'", '"') if len(written) <= _LONGEST_SHOWN else "..."


class When:
    """The first half of a rule. It becomes a rule when something is said that happens then."""

    def __init__(self, rules: Book, place: str, when: Mapping[str, Any], unfinished: list[When] | None = None) -> None:
        """``when``: the conditions, perhaps with the ``name`` of the rule. Until it is one, it is in ``unfinished``."""
        self.place = place
        """Where it was said: ``test_sender.py:12``."""
        self.conditions = {key: value for key, value in when.items() if key != "name"}
        self._name = {"name": when["name"]} if "name" in when else {}
        self._rules = rules
        self._unfinished = unfinished if unfinished is not None else []
        self._unfinished.append(self)

    def __repr__(self) -> str:
        said = ", ".join(f"{key}: {value}" for key, value in self.conditions.items())
        return f"<when {said} at {self.place}>"

    # everything that can be said

    def then(self, *steps: Any, **more: Any) -> ActiveRule:
        """What happens, step after step: words and mappings as under ``then``, and keys of the rule.

        Without a step keywords say what happens: one step, ``then(destination="reset")``, or keys of the rule, such as
        ``over`` of a ``limit``, ``set``, ``later``. Raises `ScenarioError`, as all of these do, for what cannot be.
        """
        strange = [name for name in more if not _is_nearer(name, _RULE, _STEP)]
        if strange and not steps:
            return self._step(more)
        for name in strange:
            if _key(name, _STEP) in _STEP.values():
                key, written = _key(name, _STEP), ", ".join(_shown(one) for one in steps)
                self._refuse(f"{name} is a step: write then({written}, {{{_shown(key)}: {_shown(more[name])}}})")
        said = {"then": steps[0] if len(steps) == 1 else list(steps)} if steps else {}
        return self._add({**said, **{_key(name, _RULE): value for name, value in more.items()}})

    def sequence(self, *answers: Any, **more: Any) -> ActiveRule:
        """One answer per match, in order: each a word, a mapping, or a list of steps; and keys of the rule."""
        return self._add({"sequence": list(answers), **{_key(name, _RULE): value for name, value in more.items()}})

    # answers

    def reply(self, *statuses: str | int, **more: Any) -> ActiveRule:
        """Answer with a status, of several with a drawn one; ``comment``, ``delay`` or any key of a step or rule."""
        if statuses:
            more = {"status": statuses[0] if len(statuses) == 1 else list(statuses), **more}
        elif not more:
            self._refuse('reply says nothing: give it a status, such as "out-of-resources"')
        return self._step(more)

    def answer(self, answers: Any, **more: Any) -> ActiveRule:
        """Answer a query with these instead of what the archive has: a name under ``data``, or a list of
        ``{keyword: value}`` and data sets of pydicom. They are copied.
        """
        if not isinstance(answers, str | Mapping) and not hasattr(answers, "to_json_dict"):
            answers = list(answers)
        return self._step({"answer": copy.deepcopy(answers), **more})

    def nothing(self, **more: Any) -> ActiveRule:
        """Do not answer."""
        return self._step({"nothing": True, **more})

    def lie(self, **lies: Any) -> ActiveRule:
        """Answer right but for one detail: ``lie(message_id=4242)``."""
        return self._of("lie", (), lies)

    def delay(self, *seconds: float | str, **more: Any) -> ActiveRule:
        """Wait before whatever else happens: ``delay("2s")``, ``delay(median="200ms", max="5s")``."""
        return self._of("delay", seconds, more)

    def wait(self, *until: str, **more: Any) -> ActiveRule:
        """Wait for the peer before the rest: ``wait("end")``, ``wait("cancel", max="10s")``."""
        return self._of("wait", until, more)

    def pending(self, **more: Any) -> ActiveRule:
        """Shape the pending responses: ``pending(take=2)``, ``pending(from_="clinic", every="1s", forever=True)``.

        ``status`` is theirs; for that of the final response say ``reply("success", pending={...})``.
        """
        return self._of("pending", (), more)

    def bandwidth(self, rate: int | str, **more: Any) -> ActiveRule:
        """Answer no faster than that: ``bandwidth("64kB/s")``."""
        return self._step({"bandwidth": rate, **more})

    def drip(self, **more: Any) -> ActiveRule:
        """Answer in small pieces with pauses: ``drip(bytes=1, every="200ms")``."""
        return self._of("drip", (), more)

    # associations and connections

    def accept(self, **more: Any) -> ActiveRule:
        """Accept the association on these terms: ``accept(max_pdu=4096, contexts=[...])``."""
        return self._of("accept", (), more)

    def reject(self, *result: str | int, **more: Any) -> ActiveRule:
        """A-ASSOCIATE-RJ: ``reject("transient", reason="temporary-congestion")``."""
        return self._of("reject", result, more)

    def abort(self, *source: str | int, **more: Any) -> ActiveRule:
        """A-ABORT: ``abort()``, ``abort("provider")``, ``abort(reason="unexpected-pdu")``."""
        return self._of("abort", source, more)

    def destination(self, end: str, **more: Any) -> ActiveRule:
        """What becomes of the association to the move destination: ``destination("reset")``, refuse or abort.

        At moment sub-operation: ``when("C-MOVE", at={"sub-operation": 3}).destination("reset")``.
        """
        return self._step({"destination": end, **more})

    def close(self, *how: str, **more: Any) -> ActiveRule:
        """FIN; ``close("half")`` goes on reading."""
        return self._of("close", how, more)

    def reset(self, **more: Any) -> ActiveRule:
        """RST."""
        return self._step({"reset": True, **more})

    def silence(self, **more: Any) -> ActiveRule:
        """The connection stays, nothing more is said."""
        return self._step({"silence": True, **more})

    def stop_reading(self, **more: Any) -> ActiveRule:
        """Take nothing more from the peer."""
        return self._step({"stop_reading": True, **more})

    def refuse(self, *seconds: float | str, **more: Any) -> ActiveRule:
        """RST, and for that time nobody listens: ``refuse("2s")``."""
        return self._of("refuse", seconds, more)

    def tls(self, *how: str, **more: Any) -> ActiveRule:
        """What a new connection meets as TLS: ``tls("stall")``, ``tls(certificate="old.pem", key="old.key")``."""
        return self._of("tls", how, more)

    # bytes

    def send(self, data: bytes | str, **more: Any) -> ActiveRule:
        """Send any bytes, as they are or in hexadecimal."""
        return self._step({"send": data, **more})

    def truncate(self, *after: int | str, **more: Any) -> ActiveRule:
        """Leave out what comes after so many bytes of the answer."""
        return self._of("truncate", after, more)

    def corrupt(self, **more: Any) -> ActiveRule:
        """Change bytes of the answer: ``corrupt(bytes=3)``, ``corrupt(offset=12, xor="ff")``."""
        return self._of("corrupt", (), more)

    # inside

    def _of(self, key: str, said: tuple[Any, ...], more: dict[str, Any]) -> ActiveRule:
        """A step whose value is a mapping: what belongs into that, and what beside it."""
        part = part_in(Step.model_fields[key].annotation)
        if part is None or len(said) > 1:
            raise TypeError(f"{key} takes one value, {len(said)} were given")
        own_keys = _spellings(part)
        names = {name for name in more if _is_nearer(name, own_keys, {**_STEP, **_RULE})}
        own = {_key(name, own_keys): value for name, value in more.items() if name in names}
        rest = {name: value for name, value in more.items() if name not in names}
        if said and not own:
            return self._step({key: said[0], **rest})
        if said:
            own = {part.key: said[0], **own}
        return self._step({key: own or part.is_enough or {}, **rest})

    def _step(self, said: Mapping[str, Any]) -> ActiveRule:
        """A rule of one step; keywords may be of the step or of the rule."""
        step: dict[str, Any] = {}
        rule: dict[str, Any] = {}
        for name, value in said.items():
            key = _key(name, _CONDITIONS)
            if key in _CONDITIONS.values() and not _is_one(name, _STEP, _RULE):
                self._refuse(f"{name} is a condition: say when(..., {name}={_shown(value)})")
        for name, value in said.items():
            is_of_rule = _is_nearer(name, _RULE, _STEP)
            (rule if is_of_rule else step)[_key(name, _RULE if is_of_rule else _STEP)] = value
        return self._add({"then": step, **rule})

    def _add(self, rest: Mapping[str, Any]) -> ActiveRule:
        for name, value in self.conditions.items():
            if not _is_one(name, _CONDITIONS) and _is_one(name, _RULE, _STEP):
                what = "a key of a rule" if _is_one(name, _RULE) else "a step"
                self._refuse(f"{name} is {what}: say it where the rule ends, as reply(..., {name}={_shown(value)})")
        self._end()
        (rule,) = self._rules.add({**self._name, "when": self.conditions, **rest}, place=self.place)
        return rule

    def _refuse(self, sentence: str) -> NoReturn:
        """What is wrong because it is Python, and is written elsewhere there than in YAML."""
        self._end()
        raise ScenarioError(f"{self.place}: {sentence}.")

    def _end(self) -> None:
        if self in self._unfinished:
            self._unfinished.remove(self)
