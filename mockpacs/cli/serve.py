"""``mockpacs serve``: answer as a PACS until told to stop, and say what happens."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import typer

from mockpacs.cli.parameters import TextCommand
from mockpacs.config import load

if TYPE_CHECKING:
    from mockpacs.app import MockPACS
    from mockpacs.traffic.exchange import Record

UNMET = 1  # exit status: it served, and what the scenarios expected did not happen


def serve(config: str | None = None, **given: Any) -> None:
    """Answer as a PACS: C-ECHO, C-STORE, C-FIND, C-GET, C-MOVE, until Ctrl-C or SIGTERM.

    Words without a dash are scenarios, as --scenario takes them: files, or names that `mockpacs scenarios` lists. What
    their rules do not touch is answered by the standard. SIGHUP reads them again.

    Every option is also a key of the file given with --config (max_pdu) and an environment variable (MOCKPACS_MAX_PDU).
    The command line is stronger than the environment, the environment than the file.

    \b
    Examples:
      mockpacs serve
      mockpacs serve scenarios/third-time-lucky.yaml
      mockpacs serve --scenario small-lies --seed 7 --expect
      mockpacs serve --memory --port 0 --log-format json
      mockpacs serve --storage data/ --preload images/ --aet TESTPACS -v
      mockpacs serve --peer WORKSTATION=127.0.0.1:11113
    """
    options = load(config, os.environ, {**given, "verbose": given.get("verbose") or None})

    from mockpacs.app import MockPACS
    from mockpacs.cli.console import Console
    from mockpacs.cli.report import JsonReport, TextReport

    report = JsonReport() if options.log_format == "json" else TextReport()
    pacs = MockPACS(options)
    console = Console(sys.stdout, report.record)

    def ready(serving: MockPACS) -> None:
        console.say(report.serving(serving, options))

    def observe(record: Record) -> None:
        if options.verbose or not getattr(record, "detail", False):
            console.tell(record)

    try:
        pacs.run(ready=ready, observe=observe)
        console.say(report.stopped(pacs.summary))
    finally:
        console.close()
    if options.expect and pacs.summary.unmet:
        raise typer.Exit(UNMET)


class ServeCommand(TextCommand):
    """A command whose words without a dash are scenarios."""

    rest = "scenario"
