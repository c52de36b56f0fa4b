"""``mockpacs proxy``: stand between a client and its server, forward what they say, record it, and say what happens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mockpacs.cli.parameters import TextCommand

if TYPE_CHECKING:
    from mockpacs.proxying import Proxying
    from mockpacs.traffic.exchange import Record

UNMET = 1  # exit status: it served, and what the scenarios expected did not happen


def _text(flag: str, metavar: str, about: str) -> Any:
    return typer.Option(flag, metavar=metavar, show_default=False, help=about)


Words = Annotated[list[str] | None, typer.Argument(metavar="SCENARIO", show_default=False, hidden=True)]
To = Annotated[str | None, _text("--to", "HOST:PORT", "The server; tls://HOST:PORT where it speaks TLS.")]
Listen = Annotated[
    str | None, _text("--listen", "[HOST:]PORT", "Where to listen; port 0 takes a free one. [default: 127.0.0.1:11112]")
]
Offers = Annotated[
    list[str] | None,
    _text(
        "--offer",
        "AET=PORT:HOST:PORT",
        "Stand in for a move destination: listen on the first port, forward to where it really is. Repeatable.",
    ),
]
Scenarios = Annotated[
    list[str] | None, _text("--scenario", "PATH", "Scenarios to play: YAML files, or names of shipped ones.")
]
Seed = Annotated[str | None, _text("--seed", "N|random", "Seed of all that scenarios draw.")]
Expect = Annotated[
    bool | None,
    typer.Option("--expect", help="At the end check what scenarios expect; exit status 1 when something is not met."),
]
ToTls = Annotated[bool | None, typer.Option("--to-tls", help="Speak TLS with the server.")]
ToCa = Annotated[
    str | None,
    _text(
        "--to-tls-ca", "PATH", "Certificates (PEM) of those who may sign for it. [default: what this machine trusts]"
    ),
]
ToVerify = Annotated[
    str | None, _text("--to-tls-verify", "name|chain|none", "What of its certificate is verified. [default: name]")
]
Cert = Annotated[
    str | None, _text("--tls-cert", "PATH", "Own certificate chain (PEM); switches TLS on for those who connect.")
]
Key = Annotated[str | None, _text("--tls-key", "PATH", "Private key of the certificate (PEM).")]
ClientCa = Annotated[
    str | None, _text("--tls-client-ca", "PATH", "Certificates (PEM) of those who may sign for clients.")
]
Record_ = Annotated[
    bool | None,
    typer.Option("--record/--no-record", show_default=False, help="Record both connections. [default: yes]"),
]
Recordings = Annotated[
    str | None, _text("--recordings", "PATH", "Folder of the recordings. [default: storage/recordings]")
]
PartSize = Annotated[
    str | None,
    _text("--recording-size", "BYTES", "Size at which a recording goes on in another file. [default: 1 GiB]"),
]
TotalSize = Annotated[
    str | None,
    _text("--recordings-total", "BYTES", "Size of all recordings of the folder together. [default: 10 GiB]"),
]
Artim = Annotated[str | None, _text("--artim-timeout", "SECONDS", "Time to reach the server. [default: 30s]")]
Network = Annotated[
    str | None,
    _text("--network-timeout", "SECONDS", "Silence of both sides after which they are let go. [default: 10m]"),
]
Stop = Annotated[str | None, _text("--stop-timeout", "SECONDS", "Time a stop may take. [default: 2s]")]
Most = Annotated[str | None, _text("--max-associations", "N", "Associations at once. [default: 5000]")]
Format = Annotated[
    str | None, _text("--log-format", "text|json", "Lines for people, or one JSON object per line. [default: text]")
]
Verbose = Annotated[int | None, typer.Option("-v", "--verbose", count=True, help="Also tell associations.")]


def proxy(
    words: Words = None,
    to: To = None,
    listen: Listen = None,
    offer: Offers = None,
    scenario: Scenarios = None,
    seed: Seed = None,
    expect: Expect = None,
    to_tls: ToTls = None,
    to_tls_ca: ToCa = None,
    to_tls_verify: ToVerify = None,
    tls_cert: Cert = None,
    tls_key: Key = None,
    tls_client_ca: ClientCa = None,
    record: Record_ = None,
    recordings: Recordings = None,
    recording_size: PartSize = None,
    recordings_total: TotalSize = None,
    artim_timeout: Artim = None,
    network_timeout: Network = None,
    stop_timeout: Stop = None,
    max_associations: Most = None,
    log_format: Format = None,
    verbose: Verbose = None,
) -> None:
    """Stand between a client and its server: forward what they say byte by byte, record it, tell it, until Ctrl-C.

    The client calls the proxy instead of the server. Words without a dash are scenarios: their faults happen to what
    passes. Nothing is changed where no rule fires. `mockpacs show` reads the recording.

    \b
    Examples:
      mockpacs proxy --to 10.0.0.5:104 --listen 11112
      mockpacs proxy --to 10.0.0.5:104 slow-network.yaml --seed 7
      mockpacs proxy --to 10.0.0.5:104 --offer STORE=11113:10.0.0.9:104
      mockpacs proxy --to tls://10.0.0.5:2762 --to-tls-ca ca.pem --recordings incident/
    """
    given = {name: value for name, value in locals().items() if name != "words"}
    _run([*(scenario or ()), *(words or ())], given)


def _run(scenarios: list[str], given: dict[str, Any]) -> None:
    from mockpacs.cli.console import Console
    from mockpacs.cli.proxy_report import JsonReport, TextReport
    from mockpacs.proxying import Proxying, ProxyOptions

    options = ProxyOptions.of({**given, "scenario": scenarios or None, "verbose": given["verbose"] or None})
    report = JsonReport() if options.log_format == "json" else TextReport()
    proxying = Proxying(options)
    console = Console(sys.stdout, report.record)

    def ready(serving: Proxying) -> None:
        console.say(report.serving(serving))

    def observe(record: Record) -> None:
        if options.verbose or not record.detail:
            console.tell(record)

    try:
        proxying.run(ready=ready, observe=observe)
        console.say(report.stopped(proxying.summary))
    finally:
        console.close()
    if options.expect and proxying.summary.unmet:
        raise typer.Exit(UNMET)


class ProxyCommand(TextCommand):
    """A command whose words without a dash are scenarios."""

    rest = "words"
