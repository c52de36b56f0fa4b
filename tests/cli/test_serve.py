"""``mockpacs serve`` around a stand-in for the server: banner, lines, summary, both formats."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mockpacs import __version__
from mockpacs.app import Summary
from mockpacs.cli.parameters import spread
from mockpacs.cli.report import TextReport, address
from mockpacs.config import Options
from mockpacs.errors import StartError
from mockpacs.traffic.exchange import Association, Exchange, Notice, Record
from tests.cli.test_program import run

PEER = Association(number=1, address="127.0.0.1:50000", calling="ECHOSCU", called="ANY-SCP")
ECHO = Exchange(PEER, 1, "C-ECHO", 0x0000, "", "", started=1.0, seconds=0.0004)
OPENED = Notice(1.0, "opened", "association opened", PEER, detail=True)
ABORTED = Notice(1.0, "aborted", "aborted by the peer", PEER)


class StandIn:
    """Looks like MockPACS, serves nobody."""

    records: tuple[Record, ...] = (OPENED, ECHO, ABORTED)
    recovery = ""
    seen: Options

    def __init__(self, options: Options) -> None:
        StandIn.seen = options
        self.host, self.port, self.aet = options.host, options.port or 40000, options.aet
        counts = SimpleNamespace(instances=1, bytes=524_000)
        self.recording = options.recordings_folder and options.recordings_folder / "20261121-140211.pcapng"
        self.archive = SimpleNamespace(counts=lambda: counts, recovery=self.recovery)
        self.summary = SimpleNamespace(
            associations=1,
            exchanges=Counter({("C-STORE", "success"): 2, ("C-ECHO", "success"): 1}),
            instances=2,
            bytes=1_048_000,
            seconds=1.5,
            rules=(),
            unmet=(),
        )
        self.engine = None
        self.url = self.where(options)

    @staticmethod
    def where(options: Options) -> str | None:
        """The control API is where it is by default, or where it was asked for."""
        port = 8112 if options.http == "auto" else options.http
        return None if options.http == "off" else f"http://127.0.0.1:{port}"

    def run(self, *, ready: Callable[[Any], None], observe: Callable[[Record], None]) -> None:
        ready(self)
        for record in self.records:
            observe(record)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    app = ModuleType("mockpacs.app")
    app.MockPACS = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mockpacs.app", app)
    return StandIn


@pytest.mark.usefixtures("stand_in")
def test_the_banner_says_where_what_and_what_to_type_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve"]) == 0
    assert capsys.readouterr().out.splitlines()[:7] == [
        f"mockpacs {__version__}   NOT FOR CLINICAL USE",
        "DICOM    127.0.0.1:11112   AE title MOCKPACS (any called title accepted)",
        "storage  storage/   1 instance",
        "recorder storage/recordings/20261121-140211.pcapng",
        "control  http://127.0.0.1:8112/api/v1/",
        "try      python -m pynetdicom echoscu 127.0.0.1 11112",
        "         storescu 127.0.0.1 11112 FILE...",
    ]


@pytest.mark.usefixtures("stand_in")
def test_there_is_a_line_per_exchange_and_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve"]) == 0
    lines = capsys.readouterr().out.splitlines()[7:]
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  1\.1  C-ECHO   ECHOSCU     success {30,}0\.4 ms", lines[0])
    assert "aborted by the peer" in lines[1]
    assert lines[2] == "stopped  after 1.5 s: 1 association, 2 instances stored (1.0 MB)"
    assert [line.split() for line in lines[3:]] == [["C-ECHO", "success", "1"], ["C-STORE", "success", "2"]]


def test_the_summary_keeps_its_columns_however_long_a_status_is() -> None:
    exchanges = {("C-MOVE", "unable-to-perform-sub-operations"): 12, ("C-ECHO", "success"): 1}
    lines = TextReport().stopped(Summary(exchanges=Counter(exchanges))).splitlines()[1:]

    assert len({len(line) for line in lines}) == 1
    assert lines[1].endswith("unable-to-perform-sub-operations      12")


@pytest.mark.usefixtures("stand_in")
def test_details_are_only_told_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    run(["serve"])
    assert "association opened" not in capsys.readouterr().out
    run(["serve", "-v"])
    assert "association opened" in capsys.readouterr().out


@pytest.mark.usefixtures("stand_in")
def test_json_is_one_object_per_line_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--log-format", "json", "--memory", "--port", "0", "--peer", "A=h:1"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["serving", "exchange", "aborted", "stopped"]
    assert events[0]["port"] == 40000
    assert events[0]["storage"] is None
    assert events[0]["control"] == "http://127.0.0.1:8112/api/v1/"
    assert events[0]["warning"] == "NOT FOR CLINICAL USE"
    assert events[0]["peers"] == [{"aet": "A", "host": "h", "port": 1, "tls": False}]
    assert events[-1]["exchanges"] == {"C-ECHO": {"success": 1}, "C-STORE": {"success": 2}}


BANNERS: list[tuple[list[str], str]] = [
    (["--memory"], "storage  in memory, gone at the end   1 instance"),
    (["--storage", "."], "storage  ./   1 instance"),
    (["--host", "::1"], "DICOM    [::1]:11112   AE title"),
    (["--host", "0.0.0.0", "--port", "104"], "         storescu 127.0.0.1 104 FILE..."),
    (["--called-aets", "A*", "--called-aets", "B"], "(called titles accepted: A*, B)"),
    (["--called-aets", "MOCKPACS"], "         storescu -aec MOCKPACS 127.0.0.1 11112 FILE..."),
    (["--called-aets", "MOCKPACS"], "try      python -m pynetdicom echoscu 127.0.0.1 11112 -aec MOCKPACS"),
    (["--tls-cert", "c", "--tls-key", "k"], "TLS      on, server only"),
    (["--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "a"], "TLS      on, client certificates required"),
    (["--tls-cert", "c", "--tls-key", "k"], "try      echoscu +tla -ic 127.0.0.1 11112"),
    (["--http", "9000"], "control  http://127.0.0.1:9000/api/v1/"),
    (["--no-http"], "control  off"),
    (["--http", "off"], "control  off"),
    (["--http-token", "opensesame"], "control  http://127.0.0.1:8112/api/v1/   with the token"),
    (["--peer", "A=h:104"], "peers    A h:104\n"),
    (["--peer", "A=tls://[::1]:104", "--peer", "B=h:1"], "peers    A [::1]:104 (TLS), B h:1\n"),
    ([word for n in range(9) for word in ("--peer", f"A{n}=h:1")], "A2 h:1, A3 h:1 and 5 more\n"),
    (
        ["--peer", "A B=h:104", "--peer", "C=h:105"],
        "         movescu -S -aem 'A B' 127.0.0.1 11112 -k QueryRetrieveLevel=STUDY -k StudyInstanceUID=UID\n",
    ),
    (["--users", "a:b"], "access   user identity checked, 1 user"),
    (["--users", "a", "--users", "b", "--user-identity", "require"], "access   user identity required, 2 users"),
]


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(("arguments", "line"), BANNERS)
def test_the_banner_tells_what_is_not_the_default(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", *arguments]) == 0
    assert line in capsys.readouterr().out


@pytest.mark.usefixtures("stand_in")
def test_no_move_is_suggested_that_would_have_to_speak_tls(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--peer", "A=h:104", "--tls-cert", "c", "--tls-key", "k"]) == 0
    told = capsys.readouterr().out
    assert "storescu +tla" in told
    assert "movescu" not in told


def test_a_control_api_that_had_to_take_another_port_says_so(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stand_in, "where", staticmethod(lambda _options: "http://127.0.0.1:40001"))
    run(["serve"])
    assert "control  http://127.0.0.1:40001/api/v1/   (port 8112 is in use)\n" in capsys.readouterr().out
    run(["serve", "--port", "0"])  # then it was not asked for
    assert "control  http://127.0.0.1:40001/api/v1/\n" in capsys.readouterr().out


def test_http_and_no_http_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "--http", "9000", "--no-http"]) == 2
    assert "--http and --no-http say the opposite of one another" in capsys.readouterr().err


def test_what_start_up_repaired_is_told(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stand_in, "recovery", "Repaired at start: 2 unfinished files removed.")
    run(["serve"])
    assert "\nRepaired at start: 2 unfinished files removed.\n" in capsys.readouterr().out


def test_a_server_that_cannot_start_is_a_sentence(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cannot(*_: object, **__: object) -> None:
        raise StartError("port 11112 of 127.0.0.1 is in use; choose another with --port")

    monkeypatch.setattr(stand_in, "run", cannot)
    assert run(["serve"]) == 2
    shown = capsys.readouterr()
    assert shown.err == "mockpacs: port 11112 of 127.0.0.1 is in use; choose another with --port\n"
    assert shown.out == ""


def test_the_options_given_are_the_options_used(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text("aet: FILE\nmax_pdu: 8192\n")
    monkeypatch.setenv("MOCKPACS_MAX_PDU", "16384")
    run(["serve", "--config", str(tmp_path / "c.yaml"), "--preload", "a", "b", "--no-memory", "-vv"])
    assert stand_in.seen == Options(aet="FILE", max_pdu=16384, preload=(Path("a"), Path("b")), memory=False, verbose=2)


def test_an_option_for_files_takes_what_a_shell_makes_of_a_star() -> None:
    assert spread(["serve", "--preload", "a", "b", "--port", "1", "x"]) == [
        *["serve", "--preload", "a", "--preload", "b", "--port", "1", "x"]
    ]
    assert spread(["--preload", "a", "-v", "b", "--called-aets", "A", "B"]) == [
        *["--preload", "a", "-v", "b", "--called-aets", "A", "B"]
    ]


def test_an_option_for_peers_takes_those_that_follow() -> None:
    assert spread(["serve", "--peer", "A=h:1", "B=h:2", "disk-full", "C=h:3"]) == [
        *["serve", "--peer", "A=h:1", "--peer", "B=h:2", "disk-full", "C=h:3"]
    ]
    assert spread(["--peer", "A=h:1", "a=b.yaml"]) == ["--peer", "A=h:1", "a=b.yaml"]
    assert spread(["--peer", "A", "--preload", "b=c", "d"]) == ["--peer", "A", "--preload", "b=c", "--preload", "d"]


def test_several_peers_and_a_scenario_stand_behind_one_another(stand_in: type[StandIn]) -> None:
    assert run(["serve", "--peer", "A=h:1", "B=h:2", "disk-full"]) == 0
    assert [peer.aet for peer in stand_in.seen.peer] == ["A", "B"]
    assert [path.name for path in stand_in.seen.scenario] == ["disk-full"]


@pytest.mark.parametrize("command", ["check", "scenarios"])
def test_the_help_shows_no_types(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert "Arguments:" in told
    assert "<" not in told


def test_an_ipv6_address_is_shown_with_brackets() -> None:
    assert address("::1", 104) == "[::1]:104"
    assert address("localhost", 104) == "localhost:104"
