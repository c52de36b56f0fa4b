"""``mockpacs replay``: play a recorded client, or a recorded server, again."""

from __future__ import annotations

from typing import Annotated

import typer

from mockpacs.cli.parameters import Config
from mockpacs.cli.replay_server import server
from mockpacs.cli.show_words import FilterCommand, Storage, Words

replay = typer.Typer(name="replay", rich_markup_mode=None)


To = Annotated[
    str | None, typer.Option("--to", metavar="[AET=]HOST:PORT", show_default=False, help="The server that is called.")
]
Fidelity = Annotated[
    str | None,
    typer.Option("--fidelity", metavar="dimse|pdu|bytes", show_default=False, help="What is kept. [default: dimse]"),
]
Time = Annotated[
    str | None,
    typer.Option("--time", metavar="asap|recorded|2x", show_default=False, help="When it is said. [default: asap]"),
]
OneByOne = Annotated[bool | None, typer.Option("--one-by-one", help="No two associations at a time.")]
FreshUids = Annotated[
    str | None,
    typer.Option(
        "--fresh-uids", metavar="SEED", show_default=False, help="Other UIDs for the instances that are brought."
    ),
]
Loop = Annotated[str | None, typer.Option("--loop", metavar="N", show_default=False, help="Play it so many times.")]
Parallel = Annotated[
    str | None, typer.Option("--parallel", metavar="N", show_default=False, help="Play it so often at a time.")
]
Calling = Annotated[
    str | None, typer.Option("--calling", metavar="AET", show_default=False, help="Who calls. [default: as recorded]")
]
Passcode = Annotated[
    str | None,
    typer.Option(
        "--passcode", metavar="TEXT", show_default=False, help="For a user identity: recordings do not hold it."
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="SECONDS", show_default=False, help="Time for an answer. [default: 30]"),
]
Tls = Annotated[bool | None, typer.Option("--tls", help="Speak TLS with the server.")]
TlsCa = Annotated[
    str | None,
    typer.Option("--tls-ca", metavar="PATH", show_default=False, help="Certificates of who may sign for it."),
]
TlsVerify = Annotated[
    str | None,
    typer.Option(
        "--tls-verify", metavar="name|chain|none", show_default=False, help="What is verified. [default: name]"
    ),
]
TlsCert = Annotated[
    str | None, typer.Option("--tls-cert", metavar="PATH", show_default=False, help="Our own certificate.")
]
TlsKey = Annotated[str | None, typer.Option("--tls-key", metavar="PATH", show_default=False, help="Its private key.")]
Receive = Annotated[
    str | None,
    typer.Option(
        "--receive", metavar="[HOST:]PORT", show_default=False, help="Take what a C-MOVE brings, and drop it."
    ),
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", show_default=False, help="Record the replay into this file."),
]
Json = Annotated[bool | None, typer.Option("--json", help="The report as one JSON object.")]


@replay.callback(invoke_without_command=True)
def explain(context: typer.Context) -> None:
    """Play one side of a recording again, against a live other side.

    Example: mockpacs replay client incident.pcapng --to 127.0.0.1:4242
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@replay.command(cls=FilterCommand)
def client(
    words: Words = None,
    to: To = None,
    fidelity: Fidelity = None,
    time: Time = None,
    one_by_one: OneByOne = None,
    fresh_uids: FreshUids = None,
    loop: Loop = None,
    parallel: Parallel = None,
    calling: Calling = None,
    passcode: Passcode = None,
    timeout: Timeout = None,
    tls: Tls = None,
    tls_ca: TlsCa = None,
    tls_verify: TlsVerify = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    receive: Receive = None,
    output: Output = None,
    json: Json = None,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Play the recorded client against a server: each association negotiated anew, each message after its answer.

    REC and FILTER are those of mockpacs show; an association of which the filter wants something is played as a whole.
    What the server opened, such as the associations of a C-MOVE, is its own affair.

    Only --to is ever called, never an address of the recording.

    Exit status: 0 all was answered as recorded, 1 something was not, or could not be played, 2 trouble.

    \b
    Examples:
      mockpacs replay client incident.pcapng --to 127.0.0.1:4242
      mockpacs replay client incident.pcapng 2 --to TESTPACS=127.0.0.1:4242 -o again.pcapng
      mockpacs replay client storage/recordings calling:CT* --to 127.0.0.1:4242 --time recorded
      mockpacs replay client night.pcapng --to 127.0.0.1:4242 --loop 10 --parallel 4 --fresh-uids 1
      mockpacs replay client capture.pcap 3 --to 127.0.0.1:4242 --fidelity bytes
    """
    given = dict(locals())
    from mockpacs.cli.replay_client import Given, play

    if status := play(Given(**given)):
        raise typer.Exit(status)


replay.command(cls=FilterCommand)(server)
