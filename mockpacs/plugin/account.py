"""What a failed test is told about a server: how to have it again, what was said, what nearly matched. Never long."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from mockpacs.control.checkup import dialogue
from mockpacs.traffic.render import number_of
from mockpacs.wire.text import printable

if TYPE_CHECKING:
    from mockpacs.app import MockPACS
    from mockpacs.control.rules import Rules
    from mockpacs.scenario.verdict import Tally

_RECORDS: Final = (15, 100, 10_000)
"""Lines of the dialogue that are shown: as it is, with -v, with -vv."""
_NEAR: Final = 3
_LONGEST_COMPLAINTS: Final = 40


def account(
    pacs: MockPACS, complaints: Sequence[str], *, test: str, recording: str, is_checked: bool, verbosity: int = 0
) -> str:
    """The account of one server. ``complaints`` are those that are not the failure itself.

    ``is_checked``: rules of the test that never fired are complained of, here or in the failure.
    """
    desk = pacs.desk
    lines = [f"{desk.addresses[0][0]}:{desk.addresses[0][1]}  title {printable(pacs.aet)}"]
    if len(pacs.rules):
        lines += _again(pacs.rules, test)
    lines.append(f"recording  {recording}")
    said = dialogue(desk, most=_RECORDS[max(0, min(verbosity, 2))])
    lines += ["dialogue", *_indented(said)]
    if complaints:
        lines += ["also", *_cut([line for text in complaints for line in _indented(text)])]
    if len(pacs.rules):
        lines += _near(pacs.rules, rules_of_the_test=not is_checked)
    return "\n".join(lines)


def _again(rules: Rules, test: str) -> Iterator[str]:
    names = ", ".join(printable(name, 60) for name in rules.names if name)
    yield f"rules      {number_of(len(rules), 'rule')}{f' of {names}' if names else ''}, seed {rules.seed}"
    yield f"again      pytest {shlex.quote(test)} --mockpacs-seed {rules.seed}"


def _near(rules: Rules, *, rules_of_the_test: bool) -> list[str]:
    """The rules that never fired and came nearest to it."""
    from mockpacs.scenario.near import closest

    told = () if rules_of_the_test else rules.added
    never = [tally for tally in rules.tally() if not tally.fired and tally.closest and tally.name not in told]
    lines = []
    for tally in sorted(never, key=_distance)[:_NEAR]:
        lines += [
            f'  "{printable(tally.name, 60)}" ({printable(tally.place)}) never fired',
            *_indented(closest(tally), 4),
        ]
    if len(never) > _NEAR:
        lines.append(f"  and {len(never) - _NEAR} more never fired")
    return ["nearly matched", *lines] if lines else []


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - _LONGEST_COMPLAINTS
    return [*lines[:_LONGEST_COMPLAINTS], f"  and {more} lines more"] if more > 1 else lines


def _distance(tally: Tally) -> int:
    return tally.closest.differing if tally.closest else 0


def _indented(text: str, by: int = 2) -> list[str]:
    return [f"{' ' * by}{line}".rstrip() for line in text.splitlines()]
