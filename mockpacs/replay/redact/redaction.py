"""A recording read twice: first for the words that must not be said any more, then to write it without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mockpacs.errors import RecordingError
from mockpacs.replay.redact.comments import Comments
from mockpacs.replay.redact.copy import Copy, Leg
from mockpacs.replay.redact.disguise import DAY, Disguise
from mockpacs.replay.redact.report import Report
from mockpacs.replay.redact.rules import Plan, Rules
from mockpacs.replay.redact.speech import Contexts, Hole, Said, Speech
from mockpacs.replay.redact.words import Words
from mockpacs.traffic import comment
from mockpacs.traffic.capture.event import Chunk, Closed, Event, Missing, Opened
from mockpacs.traffic.capture.reader import Reader
from mockpacs.traffic.pcapng import USER_APPLICATION
from mockpacs.traffic.recording.recording import Recording
from mockpacs.version import __version__
from mockpacs.wire import Role

Progress = Callable[[], object]
_REMARK: Final = "redacted"


def redact(
    recording: Recording,
    out: Path,
    *,
    key: bytes,
    keep: frozenset[int] = frozenset(),
    pixels: Plan = Plan.BLANK,
    progress: Progress = lambda: None,
) -> Report:
    """Write ``recording`` to ``out`` without what it says of patients, people and places; what was done.

    ``key``: the same key gives the same replacements. ``keep``: tags whose values stay. ``pixels``: KEEP, BLANK or
    REMOVE for pixel data. ``progress`` is called for each connection. Raises RecordingError when a file is no capture
    or the disk refuses; then there is no ``out``.
    """
    disguise = Disguise(key)
    words = Words(disguise)
    rules = Rules(disguise, words, keep=keep, pixels=pixels)
    with Copy(out) as copy:
        rules.is_gathering = True
        _Pass(recording, rules, Report(), None, progress).run()
        rules.is_gathering = False
        words.gathered()
        application = (
            f"{USER_APPLICATION if recording.about.is_ours else 'redacted by ' + USER_APPLICATION} {__version__}"
        )
        copy.begin(application, [*Comments(rules).facts(recording.about.facts), _REMARK])
        report = Report()
        _Pass(recording, rules, report, copy, progress).run()
        copy.finish()
    return report


class _Pass:
    """One reading of a recording; ``copy`` None: only to look at it."""

    def __init__(
        self, recording: Recording, rules: Rules, report: Report, copy: Copy | None, progress: Progress
    ) -> None:
        self._recording = recording
        self._rules = rules
        self._report = report
        self._copy = copy
        self._progress = progress
        self._connections: dict[int, _Connection] = {}

    def run(self) -> None:
        """Read all of it. Raises RecordingError."""
        with Reader(*self._recording.parts) as reader:
            for event in reader.end():
                self._take(event)
            for problem in reader.problems:
                self._report.trouble(problem)
        for connection in self._connections.values():
            connection.finish()

    def _take(self, event: Event) -> None:
        number = event.flow.number
        if isinstance(event, Opened):
            if known := self._connections.pop(number, None):
                known.finish()
            self._connections[number] = _Connection(
                event, self._rules, self._report, self._copy, is_ours=self._recording.about.is_ours
            )
            self._report.connections += 1
            self._progress()
            return
        connection = self._connections.get(number)
        if connection is not None:
            connection.take(event)
            if connection.is_over:
                del self._connections[number]


class _Connection:
    """Both directions of a connection."""

    def __init__(self, opened: Opened, rules: Rules, report: Report, copy: Copy | None, *, is_ours: bool) -> None:
        self._rules = rules
        self._report = report
        self._comments = Comments(rules) if is_ours and copy else None
        self._contexts = Contexts()
        self._when = opened.when
        self._ended: set[Role] = set()
        self.is_over = False
        where = f"connection {opened.flow.number}"
        self._speeches = {role: Speech(role, self._contexts, rules, report, where) for role in Role}
        self._leg: Leg | None = None
        ends = [_split(address) for address in (opened.flow.requestor, opened.flow.acceptor)]
        if rules.is_gathering:
            return
        if copy is not None:
            requestor, acceptor = ((rules.disguise.host(host), port) for host, port in ends)
            by_us = is_ours and comment.outgoing_of(opened.comments) is not None
            self._leg = Leg(copy, requestor, acceptor, by_us=by_us)
            report.other["addresses"] += len(ends)
            if opened.from_start:
                self._leg.opened(self._time(opened.when), self._noted(opened.comments))

    def take(self, event: Chunk | Missing | Closed) -> None:
        """What happened next."""
        self._when = event.when
        if isinstance(event, Chunk):
            said = self._speeches[event.sender].feed(event.data)
            self._tell(event.sender, said, event.comments)
        elif isinstance(event, Missing):
            self._tell(event.sender, self._speeches[event.sender].gap(event.size), ())
        else:
            self._close(event)

    def finish(self) -> None:
        """The recording has ended."""
        self._end(*Role)
        self.is_over = True

    def _close(self, event: Closed) -> None:
        sender = event.sender
        if event.how == "fin" and sender is not None:
            self._end(sender)
        else:
            self._end(*Role)
        if self._leg is not None and sender is not None:
            notes = self._noted(event.comments)
            self._leg.closed(sender, self._time(event.when), notes, is_reset=event.how != "fin")

    def _end(self, *senders: Role) -> None:
        for sender in senders:
            if sender not in self._ended:
                self._ended.add(sender)
                self._tell(sender, self._speeches[sender].finish(), ())

    def _tell(self, sender: Role, said: list[Said], comments: Sequence[str]) -> None:
        """Bytes that came together go together, comments on their last packet."""
        leg = self._leg
        if leg is None:
            return
        when, data = self._time(self._when), bytearray()
        for one in said:
            if isinstance(one, Hole):
                if data:
                    leg.sent(sender, when, bytes(data), ())
                    data = bytearray()
                leg.missed(sender, one)
            else:
                data += one
        notes = self._noted(comments)
        if data or notes:
            leg.sent(sender, when, bytes(data), notes)

    def _noted(self, comments: Sequence[str]) -> list[str]:
        """Comments of ours; those of others may say anything and are left out."""
        return self._comments.redacted(comments, self._contexts.titles) if self._comments and comments else []

    def _time(self, when: float) -> float:
        """Shifted as dates are: otherwise the day of a recording would tell by how much."""
        shifted = when + self._rules.disguise.shift * DAY
        return shifted if shifted > 0 else when


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def key_of(path: Path) -> bytes:
    """The key in a file. Raises RecordingError when it cannot be read or is too short to keep a secret."""
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror}") from error
    if len(key) < LEAST_KEY:
        raise RecordingError(
            f"{path} has {len(key)} bytes, a key has {LEAST_KEY} or more; make one with: openssl rand -hex 32 > {path}"
        )
    return key


LEAST_KEY: Final = 16
"""Bytes."""
