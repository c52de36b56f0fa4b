"""``mockpacs replay client`` as a user meets it: options, report, exit status, the recording of a replay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.replay.client.report import DIFFERENT, SAME, TROUBLE
from tests.cli.recorded import record
from tests.cli.test_program import run
from tests.net.destination import Destination
from tests.net.wire_client import RETRIEVE_CONTEXTS, WireClient, ct_image, element
from tests.traffic.recording.script import SCP, SCU, Script, echo, echoed
from tests.traffic.recording.written import write

CERTIFICATES = Path(__file__).parents[2] / "scenarios" / "certificates"


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS() as serving:
        yield serving


@pytest.fixture
def echoes(tmp_path: Path) -> Path:
    """A recording of two echoes, the second one of another client."""
    script = Script()
    script.open().associate().say(SCU, echo()).say(SCP, echoed()).release()
    script.open().associate().say(SCU, echo()).say(SCP, echoed(1, 0x0110)).release()
    return write(tmp_path / "echoes", script).parts[0]


def to(pacs: MockPACS) -> list[str]:
    return ["--to", f"{pacs.host}:{pacs.port}"]


def test_all_as_recorded(echoes: Path, pacs: MockPACS, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "client", str(echoes), "1", *to(pacs)]) == SAME
    assert capsys.readouterr().out.endswith(" per second): all as recorded\n")
    assert len(pacs.exchanges) == 1


def test_what_differs_is_named(echoes: Path, pacs: MockPACS, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "client", str(echoes), *to(pacs)]) == DIFFERENT
    first, last = capsys.readouterr().out.splitlines()
    assert first == "2.1  C-ECHO Verification SOP Class: recorded 0110 processing-failure, now 0000 success"
    assert last.startswith("played 2 associations, 2 requests")
    assert last.endswith("1 difference")


def test_the_report_as_json(echoes: Path, pacs: MockPACS, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "client", str(echoes), *to(pacs), "--json"]) == DIFFERENT
    told = json.loads(capsys.readouterr().out)
    assert (told["result"], told["associations"], told["exchanges"]) == ("different", 2, 2)
    assert told["differences"] == [
        {
            "where": "2.1",
            "what": "C-ECHO Verification SOP Class",
            "recorded": "0110 processing-failure",
            "live": "0000 success",
        }
    ]
    assert set(told["milliseconds"]) == {"median", "p99", "slowest"}


def test_nobody_there_is_trouble(echoes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Destination()
    port = server.port
    server.close_door()
    assert run(["replay", "client", str(echoes), "--to", f"127.0.0.1:{port}"]) == TROUBLE
    assert f"127.0.0.1:{port} cannot be reached" in capsys.readouterr().out


def test_titles_are_those_that_are_given(echoes: Path, pacs: MockPACS) -> None:
    where = f"OTHER={pacs.host}:{pacs.port}"
    assert run(["replay", "client", str(echoes), "1", "--to", where, "--calling", "ME"]) == SAME
    [exchange] = pacs.exchanges
    assert (exchange.association.called, exchange.association.calling) == ("OTHER", "ME")


def test_a_replay_is_recorded_into_a_file(
    echoes: Path, pacs: MockPACS, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "again.pcapng"
    assert run(["replay", "client", str(echoes), "1", *to(pacs), "-o", str(again)]) == SAME
    assert run(["show", str(again)]) == 0
    shown = capsys.readouterr().out
    assert "C-ECHO" in shown
    assert " of 7 contexts accepted" in shown
    assert run(["replay", "client", str(again), *to(pacs)]) == SAME
    assert run(["replay", "client", str(again), *to(pacs), "-o", str(again)]) == TROUBLE
    assert f"{again} exists" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("*.pcapng")] == ["again.pcapng"]


def test_what_a_move_brings_can_be_received(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = Destination()
    port = server.port
    server.close_door()
    peer = f"WORKSTATION=127.0.0.1:{port}"
    identifier = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"1.2.3")
    with MockPACS(recordings=tmp_path / "rec", peer=[peer]) as pacs:
        with WireClient(pacs.host, pacs.port) as client, MockPACS(record=False, port=port):
            client.associate(*RETRIEVE_CONTEXTS)
            assert client.store(ct_image("1.2.3.4.1"), "1.2.3.4.1") == 0
            client.send(client.move_request(identifier, "WORKSTATION"))
            assert [response.status for response, _ in client.responses()][-1] == 0
            client.release()
        recording = str(pacs.recording)
        pacs.desk.settle()
        assert run(["replay", "client", recording, *to(pacs), "--receive", str(port)]) == SAME
    lines = capsys.readouterr().out.splitlines()
    assert "1 instance came to --receive" in lines
    assert [line for line in lines if ": recorded " in line] == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "whom to call is missing; give --to HOST:PORT"),
        (["--to", "nowhere"], "--to: "),
        (["--to", "[::1:104"], "--to: "),
        (["--to", "h:1", "--fidelity", "high"], '--fidelity: "high" is none of dimse, pdu, bytes'),
        (["--to", "h:1", "--time", "soon"], '--time: "soon" is not asap, recorded, or a speed'),
        (["--to", "h:1", "--loop", "0"], "--loop: 0 is not a number from 1"),
        (["--to", "h:1", "--parallel", "x"], '--parallel: "x" is not a whole number'),
        (["--to", "h:1", "--parallel", "1001"], "--parallel: 1001 is not a number from 1 to 1000"),
        (["--to", "h:1", "--timeout", "0"], "--timeout: "),
        (["--to", "h:1", "--calling", "much too long for a title"], "--calling: "),
        (["--to", "h:1", "--tls-ca", "x.pem"], "go with --tls"),
        (["--to", "h:1", "--tls", "--tls-verify", "maybe"], "--tls-verify: "),
        (["--to", "h:1", "--tls", "--tls-ca", "nowhere.pem"], "nowhere.pem"),
        (["--to", "A=h:1", "--fidelity", "bytes"], "--fidelity bytes sends the recorded titles"),
        (["--to", "h:1", "--fidelity", "bytes", "--passcode", "x"], "--fidelity bytes sends asterisks"),
        (["--to", "h:1", "--fidelity", "pdu", "--fresh-uids", "1"], "--fidelity pdu keeps the data sets"),
        (["--to", "h:1", "--receive", "0"], '--receive: "0" is not PORT'),
        (["--to", "h:1", "-o", "nowhere/at/all.pcapng"], "nowhere/at is no folder"),
        (["--to", "h:1", "colour:red"], "colour"),
    ],
)
def test_nonsense_is_answered_with_a_sentence_and_status_2(
    echoes: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", "client", str(echoes), *arguments]) == 2
    shown = capsys.readouterr()
    assert sentence in shown.err
    assert shown.out == ""


def test_a_file_that_is_no_recording_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.pcapng"
    text.write_text("hello")
    assert run(["replay", "client", str(text), "--to", "h:1"]) == 2
    assert "text.pcapng" in capsys.readouterr().err


def test_what_only_a_server_did_cannot_be_played(
    tmp_path: Path, pacs: MockPACS, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = record(tmp_path / "data")
    assert run(["replay", "client", str(recording), "7", *to(pacs)]) == 2
    assert "no association that a client opened" in capsys.readouterr().out


def test_tls_is_spoken_where_asked_for(echoes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificate, key = CERTIFICATES / "valid.pem", CERTIFICATES / "valid.key"
    with MockPACS(tls_cert=certificate, tls_key=key) as pacs:
        ca = ["--tls-ca", str(CERTIFICATES / "ca.pem")]
        assert run(["replay", "client", str(echoes), "1", *to(pacs), "--tls", *ca]) == SAME
        assert run(["replay", "client", str(echoes), "1", "--to", f"A=tls://{pacs.host}:{pacs.port}", *ca]) == SAME
        capsys.readouterr()
        assert run(["replay", "client", str(echoes), "1", *to(pacs), "--tls"]) == TROUBLE
    assert "TLS failed: " in capsys.readouterr().out


@pytest.mark.parametrize("command", [["replay"], ["replay", "client"]], ids=" ".join)
def test_the_commands_explain_themselves(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Example" in shown
    assert f"mockpacs {' '.join(command)}" in shown
