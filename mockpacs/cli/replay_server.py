"""``mockpacs replay server``: answer as a recorded server did, and say what was asked otherwise."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast

import typer

from mockpacs.cli.parameters import as_typed
from mockpacs.cli.show_words import Words, asked
from mockpacs.errors import ConfigurationError

if TYPE_CHECKING:
    from mockpacs.app import MockPACS
    from mockpacs.config import Options
    from mockpacs.replay.server import Choices, Compiled, Ledger
    from mockpacs.traffic.exchange import Record

DIFFERENT: Final = 1  # exit status: it served, and was not asked what was recorded

_OWN: Final = {
    "words": Words,
    "unmatched": Annotated[
        str | None,
        typer.Option(
            "--unmatched",
            metavar="fail|last|honest",
            show_default=False,
            help="What was not recorded, or not so often: 0110, the last answer again, or what the archive has. "
            "[default: fail]",
        ),
    ],
    "order": Annotated[
        str | None,
        typer.Option(
            "--order",
            metavar="loose|strict",
            show_default=False,
            help="Whether requests must come in the recorded order. [default: loose]",
        ),
    ],
    "time": Annotated[
        str | None,
        typer.Option("--time", metavar="asap|recorded|2x", show_default=False, help="When it is said. [default: asap]"),
    ],
    "ignore": Annotated[
        list[str] | None,
        typer.Option(
            "--ignore",
            metavar="KEYWORD",
            show_default=False,
            help="A key that does not tell queries apart. Repeatable.",
        ),
    ],
    "write_scenario": Annotated[
        str | None,
        typer.Option(
            "--write-scenario",
            metavar="FILE",
            show_default=False,
            help="Write it as a scenario, with its data beside it, instead of serving.",
        ),
    ],
}


def _server(config: str | None = None, **given: Any) -> None:
    """Answer as a recorded server did, until Ctrl-C or SIGTERM; then say what was asked otherwise than recorded.

    REC and FILTER are those of mockpacs show; an association of which the filter wants something is played as a whole.
    All options of mockpacs serve hold; scenarios given with --scenario are stronger than the recording. Unless
    --storage is given everything is in memory.

    A query is known by its model, level and keys, a retrieve by its level and UIDs, anything else by its SOP class and
    its position. Destinations of C-MOVE are only called when --peer says where they are.

    Exit status: 0 all was asked as recorded, 1 something was not (--no-expect: 0), 2 trouble.

    \b
    Examples:
      mockpacs replay server incident.pcapng
      mockpacs replay server incident.pcapng 2 --port 4242 --unmatched honest
      mockpacs replay server incident.pcapng --order strict --time recorded
      mockpacs replay server incident.pcapng --peer WORKSTATION=127.0.0.1:11113
      mockpacs replay server capture.pcap --write-scenario incident/scenario.yaml
    """
    from mockpacs.cli.show_source import opened
    from mockpacs.replay.server import compiled, written
    from mockpacs.replay.tape import Tape
    from mockpacs.traffic.filter import Filter

    own = {name: given.pop(name) for name in _OWN}
    choices = _choices(own)
    where = asked(own["words"], given["storage"], config)
    wanted = Filter.parse(where.words)
    options = _options(config, given)
    with contextlib.ExitStack() as stack:
        recording = stack.enter_context(opened(where)).recording
        tape = stack.enter_context(Tape.open(recording.parts[0], filter=wanted if where.words else None))
        made = compiled(tape, choices, name=recording.parts[0].name)
        _refuse_nothing(made, where.name)
        if own["write_scenario"] is not None:
            path = Path(own["write_scenario"])
            typer.echo(f"written  {written(made, path.parent, name=path.name)}")
            _tell_notes(made, options)
            return
        ledger, is_met = _serve(made, options)
    if not (ledger.is_same and is_met) and given["expect"] is not False:
        raise typer.Exit(DIFFERENT)


server = as_typed(_server, _OWN)
server.__name__ = "server"


def _serve(made: Compiled, options: Options) -> tuple[Ledger, bool]:
    """What was asked, and whether the scenarios above the recording got what they expect."""
    from mockpacs.app import MockPACS
    from mockpacs.cli.console import Console
    from mockpacs.cli.report import JsonReport, TextReport
    from mockpacs.replay.server import Ledger
    from mockpacs.serving import Play

    is_json = options.log_format == "json"
    report = JsonReport() if is_json else TextReport()
    ledger = Ledger(made)
    own = {placed.name for placed in made.script.rules}
    # what it expects of the client is told by the ledger, which knows more
    pacs = MockPACS(options, play=Play(replace(made.script, expect=()), made.fill))
    console = Console(sys.stdout, report.record)

    def ready(serving: MockPACS) -> None:
        _tell_notes(made, options)
        console.say(report.serving(serving, options))

    def observe(record: Record) -> None:
        ledger.observe(record)
        if options.verbose or not getattr(record, "detail", False):
            console.tell(record)

    try:
        pacs.run(ready=ready, observe=observe)
        others = tuple(one for one in pacs.summary.rules if one.name not in own)
        console.say(report.stopped(replace(pacs.summary, rules=others)))
        console.say(json.dumps(ledger.as_json()) if is_json else "\n".join(ledger.lines()))
    finally:
        console.close()
    return ledger, not pacs.summary.unmet


def _options(config: str | None, given: dict[str, Any]) -> Options:
    """Those of serve; what is stored stays in memory unless a place was named."""
    from mockpacs.config import load

    if given["storage"] is None and given["memory"] is None:
        given = {**given, "memory": True}
    return load(config, os.environ, {**given, "expect": None, "verbose": given.get("verbose") or None})


def _choices(own: dict[str, Any]) -> Choices:
    from mockpacs.replay.client.settings import speed_of
    from mockpacs.replay.server.choices import ORDERS, UNMATCHED, Choices, attribute

    unmatched = _one_of("--unmatched", own["unmatched"], UNMATCHED)
    order = _one_of("--order", own["order"], ORDERS)
    return Choices(
        cast(Literal["fail", "last", "honest"], unmatched),
        cast(Literal["loose", "strict"], order),
        speed_of(own["time"] or "asap") or None,
        frozenset(map(attribute, own["ignore"] or ())),
    )


def _one_of(flag: str, given: str | None, words: tuple[str, ...]) -> str:
    if given is not None and given not in words:
        raise ConfigurationError(f'{flag}: "{given}" is none of {", ".join(words)}')
    return given or words[0]


def _refuse_nothing(made: Compiled, name: str) -> None:
    if not made.recorded and not made.associations:
        raise ConfigurationError(
            f"{name} has no association that a client opened, and so no server to play; "
            "mockpacs show says what is in it"
        )


def _tell_notes(made: Compiled, options: Options) -> None:
    known = {peer.aet for peer in options.peer}
    unknown = [title for title in made.destinations if title not in known]
    notes = [
        *made.notes,
        *(
            f"{title} was a destination of C-MOVE; give --peer {title}=HOST:PORT to bring it anything"
            for title in unknown
        ),
    ]
    for note in notes:
        typer.echo(f"mockpacs: {note}", err=True)
