"""``mockpacs show --findings``: what either side did against the standard."""

from __future__ import annotations

import json

from mockpacs.cli.show_output import Output
from mockpacs.cli.show_records import complain, there
from mockpacs.cli.show_source import opened
from mockpacs.cli.show_words import Asked
from mockpacs.traffic.capture.reader import Reader
from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.findings import render
from mockpacs.traffic.findings.finding import Finding
from mockpacs.traffic.findings.inspect import inspect
from mockpacs.traffic.render import number_of


class _Scope:
    """What a filter asks for: exchanges, and associations as a whole where it wants what belongs to no exchange."""

    def __init__(self, wanted: Filter, records: list[tuple[int, int]]) -> None:
        self._all = not wanted.text
        self._associations = {number for number, _ in records}
        self._exchanges = set(records)

    def holds(self, finding: Finding) -> bool:
        """Whether a finding is wanted: its exchange is, or it belongs to none and something of its association is."""
        number = finding.association.number
        if self._all or not finding.exchange:
            return self._all or number in self._associations
        return (number, finding.exchange) in self._exchanges


def tell(where: Asked, wanted: Filter, *, as_json: bool, color: str | None) -> bool:
    """Print them; whether there were any."""
    output = Output(color)
    count = 0
    with opened(where) as source:
        recording = source.recording
        records = there(source, wanted) if wanted.text else ()
        scope = _Scope(
            wanted,
            [
                (record.association.number, record.number if isinstance(record, Exchange) else 0)
                for record in records
                if record.association
            ],
        )
        with Reader(*recording.parts) as reader:
            for finding in inspect(reader.end()):
                if scope.holds(finding):
                    count += 1
                    if as_json:
                        output.text(json.dumps(render.as_json(finding)))
                    else:
                        output.line(Line(render.line(finding), Tone.WARNING))
            for problem in reader.problems:
                complain(problem)
    if not as_json:
        output.text(number_of(count, "finding"))
    output.flush()
    return count > 0
