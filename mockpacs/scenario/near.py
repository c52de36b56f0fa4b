"""Why did it not match? Verdicts as text, in columns: what was expected, what came, and why that is not it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mockpacs.scenario.line import Line
from mockpacs.scenario.verdict import Subject, Tally, Verdict
from mockpacs.wire.text import printable

_HEADLINE: Final = 57
_EXPECTED: Final = 12
_DEEPER: Final = 5
"""Columns: where the association stands; where what was expected begins; how much further right one level deeper."""
_RECEIVED: Final = 41
_WIDEST: Final = 60
"""What is longer than that does not move the column of all others."""
_LONGEST_NAME: Final = 60
_MOST_NAMED: Final = 8


def render(verdicts: Sequence[Verdict], *, most: int | None = None) -> str:
    """Verdicts on one stimulus as `Engine.explain` gives them: what fires, then the nearest first; so many at most.

    Rules that are about another service or event are only named.
    """
    if not verdicts:
        return "there are no rules"
    fired = ", ".join(_called(verdict) for verdict in verdicts if verdict.fires)
    lines = [_headline(verdicts[0].subject, f" fires {fired}." if fired else " fired no rule.")]
    words = iter(("closest",))
    near = [verdict for verdict in verdicts if verdict.is_about]
    for verdict in near[:most]:
        word = "fires" if verdict.fires else next(words, "further")
        lines += [f"{word}: {_called(verdict)}, {_share(verdict)}", *_block(verdict)]
    far = [f'"{printable(verdict.name, _LONGEST_NAME)}"' for verdict in verdicts if not verdict.is_about]
    if far:
        more = f" and {len(far) - _MOST_NAMED} more" if len(far) > _MOST_NAMED else ""
        lines.append(f"about something else: {', '.join(far[:_MOST_NAMED])}{more}")
    return "\n".join(lines)


def closest(tally: Tally) -> str:
    """What came nearest to a rule that never fired, to be shown below its name."""
    verdict = tally.closest
    if verdict is None:
        return "nothing came"
    head = _headline(verdict.subject, f", {_share(verdict)}", before="closest: ")
    return "\n".join([head, *_block(verdict)])


def _headline(subject: Subject, what: str, *, before: str = "") -> str:
    who = subject.calling or subject.peer
    left = f"{before}{subject.kind}{f' from {printable(who)}' if who else ''}{what}"
    right = f"association {subject.association}" if subject.association else ""
    right += f", exchange {subject.exchange}" if right and subject.exchange else ""
    return f"{left:<{_HEADLINE - 1}} {right}".rstrip()


def _block(verdict: Verdict) -> Iterator[str]:
    yield from _columns(verdict.lines)
    if verdict.reason:
        yield f"  {printable(verdict.reason)}"


def _called(verdict: Verdict) -> str:
    return f'"{printable(verdict.name)}" ({printable(verdict.place)})'


def _share(verdict: Verdict) -> str:
    return f"{verdict.met} of {verdict.conditions} condition{'s' if verdict.conditions != 1 else ''}"


def _columns(lines: Sequence[Line]) -> Iterator[str]:
    """A line for each condition; those with the same beginning of their path stand below it."""
    widths = {path: max(len(line.path[-1]) for line in lines if line.path[:-1] == path) for path in map(_above, lines)}
    left = [_left(line, widths[_above(line)]) for line in lines]
    column = max(_RECEIVED, *(len(text) + 2 for text in left if len(text) <= _WIDEST))
    shown: set[tuple[str, ...]] = {()}
    for line, text in zip(lines, left, strict=True):
        for depth in range(1, len(line.path)):
            if line.path[:depth] not in shown:
                shown.add(line.path[:depth])
                yield f"{'  ' * depth}{line.path[depth - 1]}"
        yield f"{text:<{max(column, len(text) + 2)}}{_right(line)}"


def _above(line: Line) -> tuple[str, ...]:
    return line.path[:-1]


def _left(line: Line, width: int) -> str:
    depth = len(line.path)
    start = max(_EXPECTED + _DEEPER * (depth - 1), 2 * depth + width + 2)
    expected = line.expected if line.holds else f"expected {line.expected}"
    return f"{'  ' * depth + line.path[-1]:<{start}}{printable(expected)}"


def _right(line: Line) -> str:
    if line.holds:
        return "ok"
    return f"got {line.received}{f' ({line.hint})' if line.hint else ''}"
