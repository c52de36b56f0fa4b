"""The test of an incident: the recorded client against the recorded server, and what came of it in the recording."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from mockpacs.replay.distill.incident import Answered, Incident, Trial
from mockpacs.wire.text import printable

_LONGEST_LINE: Final = 110
_LONGEST_REMARK: Final = 100
_MOST_RUNS: Final = 200
"""Lines of expected statuses; where there would be more, they are counted."""
_LONGEST_JOURNAL: Final = 10_000
"""Exchanges a server remembers."""


def file_name(incident: Incident) -> str:
    """``test_incident.py``: each folder another one, as pytest wants it."""
    return f"test_{incident.name}.py"


def test_text(incident: Incident, trial: Trial) -> str:
    """The file. It needs nothing but mockpacs and what is beside it."""
    return "\n".join(
        (
            '"""What was recorded happens again: the recorded client meets the recorded server.',
            "",
            "Written by mockpacs distill. exchanges.yaml tells what was said, scenario.yaml is the server. A client of",
            "your own takes the place of the recorded one where play_client is called.",
            '"""',
            "",
            *_imports(incident),
            "",
            "HERE = Path(__file__).parent",
            *_constant("DESTINATIONS", incident.destinations),
            *_constant("ALLOWED", trial.allowed),
            *_expected(incident),
            "",
            "",
            *_function(incident, trial),
            "",
        )
    )


def _imports(incident: Incident) -> Iterator[str]:
    if _is_counted(incident):
        yield "from collections import Counter"
    yield "from pathlib import Path"
    yield ""
    if not incident.destinations:
        yield "import pytest"
        yield ""
    yield "from mockpacs.replay.distill import play_client"


def _expected(incident: Incident) -> Iterator[str]:
    if not incident.answered or _total(incident) > _LONGEST_JOURNAL:
        return
    if _is_counted(incident):
        counts: dict[tuple[str, int | None], int] = {}
        for one in incident.answered:
            counts[one.service, one.status] = counts.get((one.service, one.status), 0) + one.times
        yield "ANSWERED = {"
        for (service, status), times in counts.items():
            yield f"    {_pair(Answered(service, status, times))}: {times},  # {Answered(service, status, 1).meaning}"
        yield "}"
        return
    yield "ANSWERED = ["
    for one in incident.answered:
        pair = _pair(one)
        yield f"    {pair if one.times == 1 else f'*[{pair}] * {one.times}'},  # {one.meaning}"
    yield "]"


def _function(incident: Incident, trial: Trial) -> Iterator[str]:
    options = ["allow=ALLOWED"] if trial.allowed else []
    if incident.destinations:
        yield f"def test_{incident.name}(make_mockpacs):"
        yield "    destinations = [make_mockpacs(name=title) for title in DESTINATIONS]"
        yield '    peers = [f"{one.aet}={one.host}:{one.port}" for one in destinations]'
        yield _call("    mockpacs = make_mockpacs", ['HERE / "scenario.yaml"', "peer=peers", *options])
    else:
        yield _call("@pytest.mark.mockpacs", ['"scenario.yaml"', *options])
        yield f"def test_{incident.name}(mockpacs):"
    play = [f'HERE / "{incident.recording}"', "mockpacs"]
    if trial.fidelity != "dimse":
        play.append(f'fidelity="{trial.fidelity}"')
    yield _call("    played = play_client", play)
    yield ""
    yield from _assertions(incident, trial)


def _assertions(incident: Incident, trial: Trial) -> Iterator[str]:
    if trial.differences:
        yield "    # When this was written, not all was as recorded:"
        yield from (f"    #   {_cut(text)}" for text in trial.differences)
        yield "    assert not played.trouble"
    else:
        yield '    assert played.exit_status == 0, "\\n".join(played.lines())'
    if not incident.answered or _total(incident) > _LONGEST_JOURNAL:
        return
    if any(one.status is None for one in incident.answered):
        yield "    # what nobody answered is over when the server has seen that the client is gone"
        yield f"    mockpacs.wait_for(count={_total(incident)}, where=lambda one: not one.asked_by_us)"
    pair, source = "(one.service, one.status)", "for one in _asked_by_clients(mockpacs)"
    if _is_counted(incident):
        yield f"    assert Counter({pair} {source}) == ANSWERED"
    else:
        yield f"    assert [{pair} {source}] == ANSWERED"
    yield ""
    yield ""
    yield "def _asked_by_clients(mockpacs):"
    yield "    asked = [one for one in mockpacs.exchanges if not one.asked_by_us]"
    yield "    return sorted(asked, key=lambda one: (one.association.number, one.number))"


def _constant(name: str, texts: Sequence[str]) -> Iterator[str]:
    """A list of texts, nothing when there are none."""
    if not texts:
        return
    line = f"{name} = [{', '.join(map(_text, texts))}]"
    if len(line) <= _LONGEST_LINE:
        yield line
        return
    yield f"{name} = ["
    yield from (f"    {_text(text)}," for text in texts)
    yield "]"


def _text(text: str) -> str:
    """With double quotes, as formatters have it."""
    return json.dumps(text) if text.isascii() else repr(text)


def _call(name: str, arguments: Sequence[str]) -> str:
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= _LONGEST_LINE:
        return line
    indent = " " * (len(name) - len(name.lstrip()))
    return "\n".join([f"{name}(", *(f"{indent}    {one}," for one in arguments), f"{indent})"])


def _is_counted(incident: Incident) -> bool:
    return incident.is_parallel or len(incident.answered) > _MOST_RUNS


def _total(incident: Incident) -> int:
    return sum(one.times for one in incident.answered)


def _pair(one: Answered) -> str:
    status = "None" if one.status is None else f"0x{one.status:04X}"
    return f'("{one.service}", {status})'


def _cut(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST_REMARK else f"{shown[: _LONGEST_REMARK - 3]}..."
