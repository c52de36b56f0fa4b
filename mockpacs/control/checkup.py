"""What makes a test fail that looked at nothing itself, a paragraph for each; and what was said, for its report.

It only reads: the journal, the rules and the recording.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mockpacs.errors import RecordingError, StartError
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.render import legs_line, line
from mockpacs.wire.text import printable

if TYPE_CHECKING:  # what a test does not use is not loaded to check it
    from mockpacs.control.desk import Desk
    from mockpacs.control.fluent import When
    from mockpacs.control.rules import Rules
    from mockpacs.scenario.verdict import Tally
    from mockpacs.traffic.exchange import Record
    from mockpacs.traffic.findings.finding import Finding

_FAILURES: Final = 3
_FINDINGS: Final = 3
"""How many of a kind are shown."""
_LONGEST_VALUE: Final = 60


def complaints(desk: Desk, *, unfinished: Sequence[When] = (), allowed: Sequence[str] = ()) -> list[str]:
    """What is wrong, empty when all is well. It blocks: the recording is read.

    ``unfinished``: the `when` that no verb followed; ``allowed``: findings that peers may cause, by the name of their
    check or a pattern, ``*`` for all. Raises `RecordingError` when a recording is gone.
    """
    desk.settle()
    return [
        *_failed_recording(desk),
        *_unmet(desk),
        *_handlers(desk),
        *_never_fired(desk),
        *map(_never_ended, unfinished),
        *_breaches(desk, allowed),
    ]


def findings(desk: Desk) -> list[Finding]:
    """What peers did that the standard does not allow, whatever it is about, since the journal was last reset.

    Empty without a recording. Raises `RecordingError` when it is gone.
    """
    return [finding for finding, _ in _judged(desk)]


def dialogue(desk: Desk, most: int = 30) -> str:
    """The last exchanges and notices, a line each; sub-operations that went well are one line of each retrieve."""
    entries = _entries(desk.journal.since(0))
    left_out = max(0, len(entries) - most) + sum(desk.journal.dropped)
    lines = [legs_line(entry) if isinstance(entry, list) else line(entry) for entry in entries[-most:]]
    if not lines:
        return "nothing was said"
    return "\n".join([f"... {left_out} earlier", *lines] if left_out else lines)


def _entries(records: Iterable[Record]) -> list[Record | list[Exchange]]:
    """What is of interest; legs of a retrieve that ended well and the same way together, where the last of them was."""
    entries: dict[object, Record | list[Exchange]] = {}
    legs: dict[object, list[Exchange]] = {}
    for number, record in enumerate(records):
        if not record.detail:
            entries[number] = record
        elif isinstance(record, Exchange):
            kind = record.cause, record.status
            legs.setdefault(kind, []).append(record)
            entries.pop(kind, None)
            entries[kind] = legs[kind]
    return list(entries.values())


def _failed_recording(desk: Desk) -> Iterator[str]:
    if desk.failure is not None:
        yield f"The server stopped all traffic: {desk.failure}"


def _unmet(desk: Desk) -> Iterator[str]:
    """Expectations of scenarios, and beside them what there was."""
    unmet = rules.unmet() if (rules := _rules(desk)) else []
    if unmet:
        from mockpacs.traffic.shortfall import summary

        came = summary(desk.journal.exchanges) or "no exchange"
        yield "\n".join(["What the scenario expects did not happen:", *_indented(unmet), f"  What came: {came}"])


def _handlers(desk: Desk) -> Iterator[str]:
    if "mockpacs.control.handler" not in sys.modules:  # there is none
        return
    failures = desk.handlers.failures
    for failure in failures[:_FAILURES]:
        yield f"A handler failed: {failure}"
    if len(failures) > _FAILURES:
        yield f"Handlers failed {len(failures) - _FAILURES} times more."


def _never_fired(desk: Desk) -> Iterator[str]:
    rules = _rules(desk)
    if rules is None or not (added := set(rules.added)):
        return
    for tally in rules.tally():
        if tally.name in added and not tally.fired:
            yield _of_rule(tally)


def _of_rule(tally: Tally) -> str:
    from mockpacs.scenario.near import closest

    name, place = printable(tally.name, _LONGEST_VALUE), printable(tally.place)
    return "\n".join([f'Rule "{name}" ({place}) never fired.', *_indented(closest(tally).splitlines())])


def _never_ended(when: When) -> str:
    about = {key: value for key, value in when.conditions.items() if key not in ("service", "event")}
    what = [repr(when.conditions[key]) for key in ("service", "event") if key in when.conditions]
    said = ", ".join([*what, *(f"{key}={value!r}" for key, value in about.items())])
    return (
        f"{printable(when.place)}: when({printable(said, 2 * _LONGEST_VALUE)}) was never ended, so it is no rule.\n"
        '  Say what happens then, as .reply("out-of-resources") or .nothing().'
    )


def _rules(desk: Desk) -> Rules | None:
    """None when there cannot be any: the language of scenarios is not loaded to find that out."""
    return desk.rules if "mockpacs.scenario.engine" in sys.modules else None


def _breaches(desk: Desk, allowed: Sequence[str]) -> Iterator[str]:
    """Peers that broke the protocol, a paragraph for each kind of breach."""
    from mockpacs.traffic.findings.check import CHECKS, PROTOCOL
    from mockpacs.written.kinds import nearest, quoted

    for pattern in allowed:
        if not any(fnmatchcase(name, pattern) for name in CHECKS):
            hint = nearest(pattern, CHECKS) or "; docs/findings.md lists them"
            yield f"allow: there is no finding {quoted(pattern)}{hint}"
    kinds: dict[str, list[Finding]] = {}
    for finding, is_excused in _judged(desk):
        if finding.check in PROTOCOL and not is_excused:
            kinds.setdefault(finding.check, []).append(finding)
    for check, found in kinds.items():
        if not any(fnmatchcase(check, pattern) for pattern in allowed):
            yield _of_breach(check, CHECKS[check].what, found)


def _of_breach(check: str, what: str, found: Sequence[Finding]) -> str:
    from mockpacs.traffic.findings.render import line as line_of

    more = [f"and {len(found) - _FINDINGS} more"] if len(found) > _FINDINGS else []
    return "\n".join(
        [
            f"A peer broke the protocol: {what} ({check}).",
            *_indented([*map(line_of, found[:_FINDINGS]), *more]),
            f'  If that is what the test is about: pacs.allow("{check}"), or allow="{check}" in the marker.',
        ]
    )


def _judged(desk: Desk) -> list[tuple[Finding, bool]]:
    """The findings of peers, each with whether something that we did before excuses it."""
    parts = _parts(desk)
    if not parts:
        return []
    from mockpacs.control.excuses import Excuses
    from mockpacs.traffic.capture.reader import Reader
    from mockpacs.traffic.findings.inspect import inspect
    from mockpacs.wire import Role

    excuses = Excuses(desk.journal.since(0))
    with Reader(*parts) as reader:
        found = list(inspect(excuses.watched(reader.end())))
    excuses.heard(found)
    return [
        (finding, excuses.covers(finding))
        for finding in found
        if finding.sender is (Role.ACCEPTOR if finding.association.by_us else Role.REQUESTOR)
        and finding.when >= desk.began
    ]


def _parts(desk: Desk) -> Sequence[Path]:
    """The files of the recording, once what peers did up to now is in them."""
    from mockpacs.traffic.folder import recordings, stem_of

    current = desk.recording
    if current is None:
        return ()
    with contextlib.suppress(StartError):  # after the stop all is there
        for _ in range(2):  # the first turn of the loop may have begun before a connection was closed
            desk.call(_nothing)
    parts = [path for path in recordings(current.parent) if stem_of(path) == stem_of(current)]
    if not parts and any(record.association for record in desk.journal.since(0)):  # without one no file is left
        raise RecordingError(
            f"The recording {printable(str(current))} is gone. A MockPACS that was given no folder deletes it when it "
            "stops: ask before that, or keep it with recordings=FOLDER."
        )
    return parts


def _nothing() -> None:
    """What is done in a turn of the loop that is only waited for."""


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {text}".rstrip() for text in lines)
