"""What ``proxy`` says at the start and at the end: for people, or as JSON lines. Records look as in ``serve``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from mockpacs import __version__
from mockpacs.cli import report
from mockpacs.cli.report import WARNING, address
from mockpacs.traffic.render import iso_time, number_of
from mockpacs.wire.text import printable

if TYPE_CHECKING:
    from mockpacs.proxying import Proxying


class TextReport(report.TextReport):
    """Lines for people."""

    def serving(self, proxying: Proxying) -> str:  # type: ignore[override]
        """The banner: what is forwarded where, and what to type next."""
        options = proxying.options
        tls = " (TLS)"
        lines = [
            f"mockpacs {__version__}   {WARNING}",
            f"proxy    {address(proxying.host, proxying.port)}{tls if options.tls_cert else ''} -> "
            f"{options.to}{tls if options.speaks_tls else ''}",
        ]
        for offer in options.offer:
            lines.append(f"offers   {offer.aet} at {address(*proxying.offered[offer.aet])} -> {offer.to}")
        lines.append(f"recorder {proxying.recording or 'off'}")
        if (script := proxying.script) is not None:
            names = ", ".join(printable(name, 60) for name in script.names if name) or "without a name"
            lines.append(f"scenario {names}   {number_of(len(script.rules), 'rule')}, seed {script.seed}")
        return "\n".join(lines)


class JsonReport(report.JsonReport):
    """One JSON object per line, and nothing else."""

    def serving(self, proxying: Proxying) -> str:  # type: ignore[override]
        """``serving``: what is forwarded where."""
        options, script = proxying.options, proxying.script
        return json.dumps(
            {
                "event": "serving",
                "time": iso_time(time.time()),
                "version": __version__,
                "warning": WARNING,
                "host": proxying.host,
                "port": proxying.port,
                "to": str(options.to),
                "tls": options.tls_cert is not None,
                "to_tls": options.speaks_tls,
                "offers": [
                    {"aet": offer.aet, "port": proxying.offered[offer.aet][1], "to": str(offer.to)}
                    for offer in options.offer
                ],
                "recording": str(proxying.recording) if proxying.recording else None,
                "scenarios": list(script.names) if script else [],
                "seed": script.seed if script else None,
            }
        )
