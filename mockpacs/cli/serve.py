"""``mockpacs serve``: answer as a PACS until told to stop, and say what happens."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from mockpacs.config import load

if TYPE_CHECKING:
    from mockpacs.app import MockPACS
    from mockpacs.traffic.exchange import Record


def serve(config: str | None = None, **given: Any) -> None:
    """Answer as a PACS: C-ECHO, C-STORE, C-FIND, until Ctrl-C or SIGTERM.

    Every option is also a key of the file given with --config (max_pdu) and an environment variable (MOCKPACS_MAX_PDU).
    The command line is stronger than the environment, the environment than the file.

    \b
    Examples:
      mockpacs serve
      mockpacs serve --memory --port 0 --log-format json
      mockpacs serve --storage data/ --preload images/ --aet TESTPACS -v
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
