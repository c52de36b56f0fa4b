"""What ``mockpacs replay client`` does with what it was given."""

from __future__ import annotations

import asyncio
import contextlib
import json as json_text
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from mockpacs.cli.show_source import opened
from mockpacs.cli.show_words import asked, whole_number
from mockpacs.errors import ConfigurationError
from mockpacs.looping import new_loop
from mockpacs.net.peer import Peer
from mockpacs.replay.client.report import Report
from mockpacs.replay.client.run import Replay, clients
from mockpacs.replay.client.settings import FIDELITIES, Settings, speed_of
from mockpacs.replay.tape import Tape
from mockpacs.traffic.filter import Filter
from mockpacs.traffic.recorder import Recorder
from mockpacs.version import __version__
from mockpacs.wire.text import printable
from mockpacs.written.kinds import Refused
from mockpacs.written.numbers import Seconds
from mockpacs.written.peer import PeerKind
from mockpacs.written.words import Choice, Host, Title

if TYPE_CHECKING:
    from mockpacs.app import MockPACS

_MOST_LANES: Final = 1000
_ANYBODY: Final = "ANY-SCP"


@dataclass(frozen=True, slots=True)
class Given:
    """The options as they were written."""

    words: Sequence[str] | None = None
    to: str | None = None
    fidelity: str | None = None
    time: str | None = None
    one_by_one: bool | None = None
    fresh_uids: str | None = None
    loop: str | None = None
    parallel: str | None = None
    calling: str | None = None
    passcode: str | None = None
    timeout: str | None = None
    tls: bool | None = None
    tls_ca: str | None = None
    tls_verify: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    receive: str | None = None
    output: str | None = None
    json: bool | None = None
    storage: str | None = None
    config: str | None = None


def play(given: Given) -> int:
    """Play, print the report, return the exit status."""
    peer, settings = _peer(given), _settings(given)
    where = asked(given.words, given.storage, given.config)
    wanted = Filter.parse(where.words)
    with contextlib.ExitStack() as stack:
        recording = stack.enter_context(opened(where)).recording
        tape = stack.enter_context(Tape.open(recording.parts[0], filter=wanted if where.words else None))
        recorder = stack.enter_context(_recorder(given.output))
        receiver = stack.enter_context(_receiver(given.receive)) if given.receive else None
        report = _run(Replay(tape, peer, settings, recorder))
        if receiver is not None:
            _count(receiver, tape, settings, report)
    if given.json:
        typer.echo(json_text.dumps(report.as_json()))
    else:
        typer.echo("\n".join(map(printable, report.lines())))
    return report.exit_status


def _run(replay: Replay) -> Report:
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(replay.run())
    except KeyboardInterrupt:
        replay.report.fail("it was interrupted")
        return replay.report


def _settings(given: Given) -> Settings:
    fidelity = given.fidelity or FIDELITIES[0]
    if fidelity not in FIDELITIES:
        raise ConfigurationError(f'--fidelity: "{fidelity}" is none of {", ".join(FIDELITIES)}')
    named = _named(given.to or "")
    if fidelity == "bytes" and (named or given.calling):
        raise ConfigurationError("--fidelity bytes sends the recorded titles; other ones go with dimse and pdu")
    if fidelity != "dimse" and given.fresh_uids is not None:
        raise ConfigurationError(f"--fidelity {fidelity} keeps the data sets; --fresh-uids goes with dimse")
    if fidelity == "bytes" and given.passcode is not None:
        raise ConfigurationError("--fidelity bytes sends asterisks for a passcode; --passcode goes with dimse and pdu")
    return Settings(
        fidelity=fidelity,
        speed=speed_of(given.time or "asap"),
        one_by_one=bool(given.one_by_one),
        fresh_uids=given.fresh_uids,
        loops=_times(given.loop, "--loop"),
        lanes=_times(given.parallel, "--parallel", _MOST_LANES),
        called=named,
        calling=_read("--calling", Title(), given.calling) if given.calling is not None else "",
        passcode=given.passcode,
        patience_seconds=_read("--timeout", Seconds(), given.timeout) if given.timeout is not None else 30.0,
    )


def _peer(given: Given) -> Peer:
    """Whom to call. TLS contexts are made here: what is wrong with a certificate is said before anything is read."""
    if given.to is None:
        raise ConfigurationError("whom to call is missing; give --to HOST:PORT")
    written = _read("--to", PeerKind(), given.to if _named(given.to) else f"{_ANYBODY}={given.to}")
    is_secure = written.tls or given.tls
    context = None
    if is_secure:
        from mockpacs.net.tls import client_context

        verify = _read("--tls-verify", Choice(("name", "chain", "none")), given.tls_verify or "name")
        context = client_context(_path(given.tls_ca), verify, _path(given.tls_cert), _path(given.tls_key))
    elif given.tls_ca or given.tls_verify or given.tls_cert or given.tls_key:
        raise ConfigurationError("--tls-ca, --tls-verify, --tls-cert and --tls-key go with --tls")
    return Peer(written.aet, written.host, written.port, tls=context)


def _named(to: str) -> str:
    """The title in ``AET=HOST:PORT``, "" where there is none."""
    return to.rpartition("=")[0].strip()


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()


def _times(text: str | None, flag: str, most: int = 1_000_000) -> int:
    number = whole_number(text, flag)
    if number is None:
        return 1
    if not 1 <= number <= most:
        raise ConfigurationError(f"{flag}: {number} is not a number from 1 to {most}")
    return number


def _read(flag: str, kind: Any, text: str) -> Any:
    try:
        return kind.read(text)
    except Refused as no:
        raise ConfigurationError("\n".join(f"{flag}: {why}" for _, why in no.problems)) from no


@contextlib.contextmanager
def _recorder(output: str | None) -> Iterator[Recorder | None]:
    """What records the replay. The file gets its name when it is complete."""
    if output is None:
        yield None
        return
    path = Path(output).expanduser()
    if path.exists():
        raise ConfigurationError(f"{path} exists; name a file that does not, for the recording of the replay")
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path.parent} is no folder; make it first, for the recording of the replay")
    recorder = Recorder(path.parent, __version__, facts=["replay of a client"])
    try:
        yield recorder
    finally:
        recorder.close()
        if recorder.path.exists():
            recorder.path.rename(path)


@contextlib.contextmanager
def _receiver(word: str) -> Iterator[MockPACS]:
    """A server that takes what a C-MOVE brings."""
    from mockpacs.app import MockPACS

    host, _, port = word.rpartition(":")
    number = whole_number(port, "--receive")
    if number is None or not 1 <= number <= 65535:
        raise ConfigurationError(f'--receive: "{word}" is not PORT or HOST:PORT, with a port from 1 to 65535')
    address = _read("--receive", Host(), host) if host else "127.0.0.1"
    with MockPACS(memory=True, record=False, host=address, port=number) as receiver:
        yield receiver


def _count(receiver: MockPACS, tape: Tape, settings: Settings, report: Report) -> None:
    """What came to the receiver, next to what came over the recorded legs."""
    came = receiver.summary.instances
    played = {str(taped.number) for taped in clients(tape)}
    legs = [taped for taped in tape.associations if taped.cause.partition(".")[0] in played]
    expected = sum(
        exchange.service == "C-STORE" and exchange.category in ("success", "warning")
        for taped in legs
        for exchange in taped.exchanges
    )
    expected *= settings.loops * settings.lanes
    report.note(f"{came} instance{'' if came == 1 else 's'} came to --receive")
    if legs and came != expected:
        report.differ("-", "instances that C-MOVE brought", str(expected), str(came))
