"""What ``serve`` says at the start and at the end, and how it shows a record: for people, or as JSON lines."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final, Protocol

from mockpacs import __version__
from mockpacs.config.options import HTTP_PORT
from mockpacs.traffic.render import as_json, duration, iso_time, line, number_of, size
from mockpacs.wire.text import printable
from mockpacs.written.port import AUTO

if TYPE_CHECKING:
    from mockpacs.app import MockPACS, Summary
    from mockpacs.config import Options, Peer
    from mockpacs.scenario.script import Script
    from mockpacs.traffic.exchange import Record

WARNING = "NOT FOR CLINICAL USE"
MOST_PEERS: Final = 4
"""Peers the banner names; there may be hundreds."""
_STUDY: Final = "-k QueryRetrieveLevel=STUDY -k StudyInstanceUID=UID"


class Report(Protocol):
    """The three things a run has to say."""

    def serving(self, pacs: MockPACS, options: Options) -> str:
        """The port answers."""

    def record(self, record: Record) -> str:
        """Something happened."""

    def stopped(self, summary: Summary) -> str:
        """It is over."""


class TextReport:
    """Lines for people."""

    def serving(self, pacs: MockPACS, options: Options) -> str:
        """The banner: what serves where, what it holds, and what to type next."""
        counts = pacs.archive.counts()
        lines = [
            f"mockpacs {__version__}   {WARNING}",
            f"DICOM    {address(pacs.host, pacs.port)}   AE title {pacs.aet} ({_called(options)})",
            f"storage  {_place(options)}   {number_of(counts.instances, 'instance')}",
            f"recorder {pacs.recording or 'off'}",
            f"control  {_control(pacs.url, options)}",
        ]
        if pacs.engine:
            lines += _scenarios(pacs.engine.script)
        if options.peer:
            lines.append(f"peers    {_peers(options.peer)}")
        if repaired := str(pacs.archive.recovery):
            lines.append(repaired)
        if options.tls_cert:
            lines.append(f"TLS      on, {'client certificates required' if options.tls_client_ca else 'server only'}")
        if options.identity_rule != "accept":
            done = {"check": "checked", "require": "required"}[options.identity_rule]
            lines.append(f"access   user identity {done}, {number_of(len(options.users), 'user')}")
        return "\n".join([*lines, *_suggestions(pacs, options)])

    def record(self, record: Record) -> str:
        """One line."""
        return line(record)

    def stopped(self, summary: Summary) -> str:
        """What was done, by service and status."""
        lines = [
            f"stopped  after {duration(summary.seconds)}: {number_of(summary.associations, 'association')}, "
            f"{number_of(summary.instances, 'instance')} stored ({size(summary.bytes)})"
        ]
        width = max((len(status) for _, status in summary.exchanges), default=0)
        lines += [
            f"         {service:<8}  {status:<{max(width, 20)}} {count:>7}"
            for (service, status), count in sorted(summary.exchanges.items())
        ]
        return "\n".join([*lines, *_rules(summary)])


class JsonReport:
    """One JSON object per line, and nothing else."""

    def serving(self, pacs: MockPACS, options: Options) -> str:
        """``serving``: where, and what it holds."""
        counts = pacs.archive.counts()
        return json.dumps(
            {
                "event": "serving",
                "time": iso_time(time.time()),
                "version": __version__,
                "warning": WARNING,
                "host": pacs.host,
                "port": pacs.port,
                "aet": pacs.aet,
                "called_aets": list(options.called_aets),
                "tls": options.tls_cert is not None,
                "storage": None if options.memory else str(options.storage),
                "instances": counts.instances,
                "recording": str(pacs.recording) if pacs.recording else None,
                "control": f"{pacs.url}/api/v1/" if pacs.url else None,
                "scenarios": list(pacs.engine.script.names) if pacs.engine else [],
                "seed": pacs.engine.seed if pacs.engine else None,
                "peers": [
                    {"aet": peer.aet, "host": peer.host, "port": peer.port, "tls": peer.tls} for peer in options.peer
                ],
                "repaired": str(pacs.archive.recovery),
            }
        )

    def record(self, record: Record) -> str:
        """``exchange``, or the kind of the notice."""
        return json.dumps(as_json(record))

    def stopped(self, summary: Summary) -> str:
        """``stopped``: what was done."""
        exchanges: dict[str, dict[str, int]] = {}
        for (service, status), count in sorted(summary.exchanges.items()):
            exchanges.setdefault(service, {})[status] = count
        return json.dumps(
            {
                "event": "stopped",
                "time": iso_time(time.time()),
                "seconds": round(summary.seconds, 3),
                "associations": summary.associations,
                "instances": summary.instances,
                "bytes": summary.bytes,
                "exchanges": exchanges,
                "rules": {tally.name: tally.fired for tally in summary.rules},
                "unmet": list(summary.unmet),
            }
        )


def _scenarios(script: Script) -> list[str]:
    """What is played: its names, how many rules, the seed, and what may not be meant."""
    names = ", ".join(printable(name, 60) for name in script.names if name) or "without a name"
    first = f"scenario {names}   {number_of(len(script.rules), 'rule')}, seed {script.seed}"
    return [first, *(f"         {printable(remark)}" for remark in script.remarks)]


def _rules(summary: Summary) -> list[str]:
    """How often each rule fired; for those that never did, what came closest and what was different."""
    if not (summary.rules or summary.unmet):
        return []
    from mockpacs.scenario.near import closest

    width = min(max((len(tally.name) for tally in summary.rules), default=0), 48)
    lines = ["rules"] if summary.rules else []
    for tally in summary.rules:
        often = f"fired {tally.fired}" if tally.fired else "never fired"
        lines.append(f"         {printable(tally.name, 48):<{width}}  {often:>12}")
        lines += [f"             {line}" for line in closest(tally).splitlines()] if not tally.fired else []
    return [*lines, *(f"unmet    {text}" for text in summary.unmet)]


def address(host: str, port: int) -> str:
    """``host:port``, with brackets around IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _called(options: Options) -> str:
    if not options.called_aets:
        return "any called title accepted"
    return f"called titles accepted: {', '.join(options.called_aets)}"


def _control(url: str | None, options: Options) -> str:
    """Where the control API is, and what there is to know before asking it."""
    if url is None:
        return "off"
    token = "   with the token" if options.http_token else ""
    moved = options.http == AUTO and options.port and not url.endswith(f":{HTTP_PORT}")
    return f"{url}/api/v1/{token}{f'   (port {HTTP_PORT} is in use)' if moved else ''}"


def _peers(peers: Sequence[Peer]) -> str:
    """Who may be called, and where: the first of them."""
    named = [f"{peer.aet} {peer.address}{' (TLS)' if peer.tls else ''}" for peer in peers[:MOST_PEERS]]
    more = len(peers) - len(named)
    return f"{', '.join(named)}{f' and {more} more' if more else ''}"


def _place(options: Options) -> str:
    if options.memory:
        return "in memory, gone at the end"
    return "./" if options.storage == Path() else f"{str(options.storage).rstrip('/')}/"


def _suggestions(pacs: MockPACS, options: Options) -> list[str]:
    """Commands that work as they stand, from the same machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(pacs.host, pacs.host)
    called = f" -aec {pacs.aet}" if options.called_aets else ""
    target = f"{called} {host} {pacs.port}"
    if options.tls_cert:  # movescu speaks no TLS
        return [f"try      echoscu +tla -ic{target}", f"         storescu +tla -ic{target} FILE..."]
    return [
        f"try      python -m pynetdicom echoscu{_after(called, host, pacs.port)}",
        f"         storescu{target} FILE...",
        *(f"         movescu -S -aem {quote(peer.aet)}{target} {_STUDY}" for peer in options.peer[:1]),
    ]


def _after(called: str, host: str, port: int) -> str:
    """pynetdicom's tools take the address first."""
    return f" {host} {port}{called}"
