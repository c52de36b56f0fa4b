"""What the model cannot see because it sees one part at a time: names, rules against rules, steps against moments.

All of it is wrong, apart from `remarks`, which are only worth knowing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice

from mockpacs.scenario.answers import AnswerSet
from mockpacs.scenario.complaint import MOST_SHOWN, Complaint, complaint
from mockpacs.scenario.condition import Moment
from mockpacs.scenario.draft import Draft, Way, written_steps
from mockpacs.scenario.possible import Problem, impossible, impossible_conditions
from mockpacs.scenario.reachable import unreachable
from mockpacs.scenario.references import Names, dangling, dangling_conditions
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from mockpacs.scenario.tree import ITS_VALUE, OF_A_KEY, line_of
from mockpacs.scenario.values import meant
from mockpacs.written.kinds import Refused, quoted
from mockpacs.written.yaml_file import Items, Mapping, Node, Text

Check = Callable[[str, Node], Iterable[tuple[object, str]]]
"""What is wrong with an option of the server: the part, which may be a node, and a sentence."""

_BYTES_GO_HERE = frozenset({"send", "data", "answer", "set"})
"""Keys below which ``!bytes`` is read: what follows them is bytes, or values of attributes."""

_MAY_BE_EMPTY = frozenset({"answer", "set"})
"""Keys below which nothing is a value: of zero length."""


def lint(
    drafts: Sequence[Draft], calls: Collection[str] | None = None, known: Script | None = None
) -> Iterator[Complaint]:
    """Everything that is wrong with files that are loaded together, beside what the model said.

    ``calls``: the names that ``call`` may say; None where no Python is: in a file. ``known``: what these rules are
    added to, whose names they may say.
    """
    names = Names(drafts, known)
    for draft in drafts:
        for where, text in islice(chain(_calls(draft, calls), _problems(draft, names)), MOST_SHOWN + 1):
            yield complaint(draft.number, place_of(draft, where), text)
        for node in _strange_tags(draft):
            yield complaint(draft.number, node.place, "!bytes is not wanted here; it goes before the bytes of send")
    yield from _twice(drafts)
    yield from _unreachable(drafts, across=False)


def remarks(drafts: Sequence[Draft]) -> Iterator[Complaint]:
    """What is allowed and may not be meant."""
    for draft in drafts:
        for way, rule in draft.rules:
            if rule.when.dataset and rule.when.at.when in (Moment.RECEIVED, Moment.PDU):
                place = place_of(draft, (*way, "when", "dataset"))
                text = f"at {rule.when.at.when} a condition on the data set can only see what has arrived"
                yield complaint(draft.number, place, f"note: {text}")
    if len(drafts) > 1:
        yield from _unreachable(drafts, across=True)


def checked(drafts: Sequence[Draft], check: Check) -> Iterator[Complaint]:
    """What is wrong with options of the server and with sets of answers, whose files are read for that."""
    for draft in drafts:
        problems: list[tuple[Way, object, str]] = []
        for name, node in draft.node("server").items():
            problems += [(("server", name), part, text) for part, text in check(name, node)]
        for name, node in draft.node("data").items():
            try:
                AnswerSet.of(node, draft.path.parent)
            except Refused as no:
                problems += [(("data", name), part, text) for part, text in no.problems]
        for way, part, text in problems:
            place = place_of(draft, part if isinstance(part, Text | Items | Mapping) else way)
            yield complaint(draft.number, place, text)


def place_of(draft: Draft, where: Way | Text | Items | Mapping) -> str:
    """The place of a node, or of what a way leads to: of the key when the way ends with one."""
    if isinstance(where, Text | Items | Mapping):
        return where.place
    found = draft.tree.find(where)
    return found.key_place if where[-1] == found.key else found.place


def _problems(draft: Draft, names: Names) -> Iterator[Problem]:
    for way, _ in (*draft.rules, *draft.expect):
        for silent in _silent(draft.tree.find(way).node, way):
            yield silent, f"{silent[-1]} says nothing: give it a value, or leave it out"
    for way, rule in (*draft.rules, *draft.ruins):
        yield from impossible(rule, way)
        yield from dangling(rule, way, names, draft.path.parent)
    for way, one in draft.expect:
        yield from impossible_conditions(one, way, is_expectation=True)
        yield from dangling_conditions(one, way, names)
        if one.rule is not None and names.are_all_rules_known and one.rule not in names.rules:
            near = meant(one.rule, names.rules)
            hint = f'. Did you mean "{near}"?' if near else "; only rules with a name can be expected to fire"
            yield (*way, "rule", ITS_VALUE), f"no rule is called {quoted(one.rule)}{hint}"


def _calls(draft: Draft, calls: Collection[str] | None) -> Iterator[Problem]:
    """Functions that are called where nobody knows them."""
    for way, rule in (*draft.rules, *draft.ruins):
        for steps_way, _, steps in written_steps(rule, way):
            for number, step in enumerate(steps):
                if step.call is not None and (calls is None or step.call not in calls):
                    yield (*steps_way, number, "call"), _why_not(step.call, calls)


def _why_not(name: str, calls: Collection[str] | None) -> str:
    if calls is None:
        return "call names a Python function: MockPACS.on in a test; a file cannot have it"
    near = meant(name, calls)
    hint = f'Did you mean "{near}"?' if near else f"Known: {', '.join(calls)}" if calls else "MockPACS.on makes them"
    return f"no handler is called {quoted(name)}. {hint}"


def _silent(node: Node, way: Way) -> Iterator[Way]:
    """Keys without a value. The model takes them for keys that are not there: a condition that is none."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if value is None:
                yield (*way, str(key))
            elif key not in _MAY_BE_EMPTY:
                yield from _silent(value, (*way, str(key)))
    elif isinstance(node, Items):
        for index, value in enumerate(node):
            yield from _silent(value, (*way, index))


def _strange_tags(draft: Draft) -> Iterator[Text]:
    waiting: list[tuple[Node, bool]] = [(draft.tree.root, False)]
    while waiting:
        node, is_wanted = waiting.pop()
        if isinstance(node, Text):
            if node.tag and not is_wanted:
                yield node
        elif isinstance(node, Items):
            waiting += [(one, is_wanted) for one in node]
        elif isinstance(node, Mapping):
            waiting += [(key, False) for key in node if isinstance(key, Text)]
            waiting += [(one, is_wanted or key in _BYTES_GO_HERE) for key, one in node.items()]


def _twice(drafts: Sequence[Draft]) -> Iterator[Complaint]:
    """Names that two rules, states, sets of answers or options share."""
    first: dict[tuple[str, str], str] = {}
    for draft in drafts:
        named = [("rule", rule.name, (*way, "name", ITS_VALUE)) for way, rule in draft.rules if rule.name]
        for key, what in (("state", "state"), ("data", "set of answers"), ("server", "option")):
            named += [(what, str(name), (key, str(name), OF_A_KEY)) for name in draft.node(key)]
        for what, name, way in named:
            place = place_of(draft, way)
            if (what, name) in first:
                before = _told_place(first[what, name], draft)
                yield complaint(draft.number, place, f"there is another {what} {quoted(name)} already ({before})")
            first.setdefault((what, name), place)


def _told_place(place: str, draft: Draft) -> str:
    """``line 8``, or with its file when that is another."""
    path, _, line = line_of(place).rpartition(":")
    return f"line {line}" if path == str(draft.path) else f"{path}:{line}"


def _unreachable(drafts: Sequence[Draft], *, across: bool) -> Iterator[Complaint]:
    """Rules that can never fire. ``across``: because of another file, which is no mistake where files play together."""
    placed = [(draft, way, rule) for draft in drafts for way, rule in draft.rules]
    for index, in_the_way, what in unreachable([rule for _, _, rule in placed]):
        draft, way, _ = placed[index]
        if across is all(placed[one][0] is draft for one in in_the_way):
            continue
        told = [_told_rule(placed[one][2], place_of(placed[one][0], placed[one][1]), draft) for one in in_the_way]
        subject = f"rule {told[0]} takes" if len(told) == 1 else f"rules {' and '.join(told)} take"
        text = f"{'note: ' if across else ''}this rule can never fire: {subject} {what} first"
        yield complaint(draft.number, place_of(draft, way), text)


def _told_rule(rule: Rule, place: str, draft: Draft) -> str:
    where = _told_place(place, draft)
    return f"{quoted(rule.name)} ({where})" if rule.name else f"in {where}" if where.startswith("line") else where
