"""``mockpacs show``: look at a recording, or at any capture of DICOM traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mockpacs.cli.parameters import Config
from mockpacs.cli.show_words import Asked, Storage, Words, asked, whole_number
from mockpacs.errors import ConfigurationError

if TYPE_CHECKING:
    from mockpacs.traffic.dump.detail import Wanted
    from mockpacs.traffic.filter import Filter

FOUND = 1  # exit status: the command worked, and there is something to look at


def show(
    words: Words = None,
    dataset: Annotated[bool | None, typer.Option("--dataset", help="Data sets, attribute by attribute.")] = None,
    pdu: Annotated[bool | None, typer.Option("--pdu", help="PDUs, with times and sizes.")] = None,
    hex_: Annotated[bool | None, typer.Option("--hex", help="The bytes of the PDUs as a hex dump.")] = None,
    json: Annotated[bool | None, typer.Option("--json", help="One JSON object per line.")] = None,
    follow: Annotated[bool | None, typer.Option("--follow", help="Go on with what comes, until Ctrl-C.")] = None,
    raw: Annotated[bool | None, typer.Option("--raw", help="The packets themselves, for tshark -r -.")] = None,
    findings: Annotated[
        bool | None, typer.Option("--findings", help="Breaches of the standard; the exit status is then 1.")
    ] = None,
    limit: Annotated[str | None, typer.Option("--limit", metavar="N", help="Stop after so many exchanges.")] = None,
    verbose: Annotated[int | None, typer.Option("-v", "--verbose", count=True, help="More details.")] = None,
    color: Annotated[
        str | None,
        typer.Option("--color", metavar="auto|always|never", show_default=False, help="Colours. [default: auto]"),
    ] = None,
    storage: Storage = None,
    config: Config = None,
) -> None:
    """Show a recording: who associated with whom, what was asked, what was answered.

    REC is a recording of mockpacs or a capture of tcpdump or Wireshark (.pcapng, .pcap, .gz), a folder of them (its
    newest is taken) or - for the standard input; by default the newest recording of the storage folder. FILTER chooses
    exchanges: 2 is an association, 2.1 its first exchange in full, service:C-STORE status:failure calling:CT*
    PatientID:P1 after:14:02 are conditions, a minus before one negates it.

    Exit status: 0 all is well, 1 --findings found something, 2 trouble.

    \b
    Examples:
      mockpacs show
      mockpacs show storage/recordings service:C-FIND -status:success
      mockpacs show capture.pcap 2.1 --dataset --pdu
      mockpacs show --follow --json
      mockpacs show --raw --follow | tshark -r -
      mockpacs show --findings
    """
    from mockpacs.traffic.dump.detail import Wanted
    from mockpacs.traffic.filter import Filter

    most = whole_number(limit, "--limit")
    where = asked(words, storage, config)
    chosen = Filter.parse(where.words)
    wanted = Wanted(bool(dataset), bool(pdu), bool(hex_))
    _refuse_nonsense(raw=raw, findings=findings, json=json, follow=follow, limit=most, wanted=wanted)
    if raw:
        from mockpacs.cli.show_raw import copy

        copy(where, chosen, follow=bool(follow))
    elif findings:
        from mockpacs.cli.show_findings import tell

        if tell(where, chosen, as_json=bool(json), color=color):
            raise typer.Exit(FOUND)
    else:
        _show(where, chosen, wanted, json=json, follow=follow, limit=most, verbose=verbose, color=color)


def _show(
    where: Asked,
    chosen: Filter,
    wanted: Wanted,
    *,
    json: bool | None,
    follow: bool | None,
    limit: int | None,
    verbose: int | None,
    color: str | None,
) -> None:
    from mockpacs.cli import show_records
    from mockpacs.cli.show_output import Output

    output = Output(color)
    view = show_records.View(
        output,
        wanted,
        as_json=bool(json),
        is_live=bool(follow),
        is_full=where.names_one_exchange or any(wanted),
        details=bool(verbose),
        every=where.association is not None,
    )
    show_records.show(where, chosen, view, follow=bool(follow), limit=limit)
    output.flush()


def _refuse_nonsense(
    *,
    raw: bool | None,
    findings: bool | None,
    json: bool | None,
    follow: bool | None,
    limit: int | None,
    wanted: Wanted,
) -> None:
    """Options that contradict one another."""
    if raw and (findings or json or limit is not None or any(wanted)):
        raise ConfigurationError("--raw shows the packets as they are; it goes with --follow and a filter only")
    if findings and (follow or limit is not None or any(wanted)):
        raise ConfigurationError("--findings goes with a filter and --json only")
