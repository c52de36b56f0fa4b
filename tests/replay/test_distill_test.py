"""The test that is distilled passes as it is, and fails when the server does not do what was recorded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.replay.distill import play_client
from mockpacs.replay.distill.incident import Answered, Incident, Trial, name_of_folder
from mockpacs.replay.distill.pytest_file import test_text as text_of
from mockpacs.wire import CommandField as F
from mockpacs.wire import ProposedContext, Tag
from tests.cli.test_program import run
from tests.net.wire_client import CONTEXTS, WireClient, ct_image, element
from tests.plugin.conftest import is_installed
from tests.traffic.recording.script import (
    ANSWER,
    COMMITMENT,
    REQUEST,
    SCP,
    SCU,
    Script,
    answer,
    ask,
    echo,
    echoed,
    store,
    stored,
)
from tests.traffic.recording.written import write

ROOT = Path(__file__).parent.parent.parent
KEYS = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"*") + element(0x0020000D, "UI", b"")
Distill = Callable[..., Path]


@pytest.fixture
def distilled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Distill:
    """``distilled(recording, "status:failure")``: the folder; the exit status has to be 0."""

    def one(recording: Path, *words: str) -> Path:
        folder = tmp_path / "incident"
        status = run(["distill", str(recording), *words, "-o", str(folder)])
        said = capsys.readouterr()
        assert status == 0, said.out + said.err
        assert "all as recorded" in said.out
        return folder

    return one


def outcome(folder: Path) -> tuple[int, str]:
    """What pytest says in a process of its own: the exit status, the output."""
    environ = {key: value for key, value in os.environ.items() if key not in ("PYTEST_ADDOPTS", "CI")}
    environ["PYTHONPATH"] = str(ROOT)
    plugin = [] if is_installed() else ["-p", "mockpacs.pytest_plugin"]
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    command = [sys.executable, "-m", "pytest", *plugin, "-q", "-p", "no:cacheprovider", str(folder)]
    ran = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    return ran.returncode, ran.stdout + ran.stderr


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def recorded(folder: Path) -> Path:
    """A server without room for the first instance of a scanner."""
    with MockPACS(recordings=folder / "recordings") as pacs:
        pacs.when("C-STORE", calling="CT*").reply("out-of-resources", times=1)
        with WireClient(pacs.host, pacs.port) as client:
            client.associate(*CONTEXTS, calling="CT01")
            assert client.store(ct_image("1.2.3.4"), "1.2.3.4") == 0xA700
            assert client.store(ct_image("1.2.3.4"), "1.2.3.4") == 0
            assert [status for status, _ in client.find(KEYS)] == [0xFF00, 0]
            client.release()
        path = pacs.recording
    assert path is not None
    return path


def test_a_failure_happens_again(tmp_path: Path, distilled: Distill) -> None:
    folder = distilled(recorded(tmp_path))
    status, output = outcome(folder)
    assert status == 0, output
    assert '("C-STORE", 0xA700),  # out-of-resources' in (folder / "test_incident.py").read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("status: A700", 'status: "0000"'),
        ("status: A700", "status: A701"),
        ('{ answer: "1.3" }', '{ status: "0000" }'),
    ],
)
def test_another_server_fails_it(tmp_path: Path, distilled: Distill, old: str, new: str) -> None:
    folder = distilled(recorded(tmp_path))
    replace(folder / "scenario.yaml", old, new)
    status, output = outcome(folder)
    assert status == 1
    assert "recorded" in output


def test_what_is_expected_stands_in_the_test(tmp_path: Path, distilled: Distill) -> None:
    """The statuses are those of the server, not only what the replay finds equal."""
    folder = distilled(recorded(tmp_path))
    replace(folder / "test_incident.py", "0xA700", "0xA701")
    assert outcome(folder)[0] == 1


def test_a_move_has_its_destination(tmp_path: Path, distilled: Distill) -> None:
    contexts = (*CONTEXTS, _proposed(7, "1.2.840.10008.5.1.4.1.2.2.2"))
    with (
        MockPACS(aet="WORK ST'1") as workstation,
        MockPACS(recordings=tmp_path / "recordings", peer=[f"WORK ST'1={workstation.host}:{workstation.port}"]) as pacs,
        WireClient(pacs.host, pacs.port) as client,
    ):
        client.associate(*contexts, calling="CT01")
        client.store(ct_image("1.2.3.4"), "1.2.3.4")
        client.send(client.move_request(_study(), "WORK ST'1"))
        assert [command.status for command, _ in client.responses()] == [0]
        client.release()
        path = pacs.recording
    assert path is not None
    folder = distilled(path)
    status, output = outcome(folder)
    assert status == 0, output
    assert '"WORK ST\'1"' in (folder / "test_incident.py").read_text()


def _study() -> bytes:
    return element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"1.2.3")


def _proposed(number: int, syntax: str) -> ProposedContext:
    return ProposedContext(number, syntax, ("1.2.840.10008.1.2.1",))


def test_a_rejection_and_an_abort_happen_again(tmp_path: Path, distilled: Distill) -> None:
    with MockPACS(recordings=tmp_path / "recordings") as pacs:
        pacs.when("associate", calling="NOBODY").reject("permanent", source="user", reason="calling-ae-not-recognized")
        pacs.when("C-ECHO").abort()
        with WireClient(pacs.host, pacs.port) as client:
            client.associate(*CONTEXTS, calling="NOBODY")
        with WireClient(pacs.host, pacs.port) as client:
            client.associate(*CONTEXTS, calling="CT01")
            client.send(client.echo_request())
            client.read_abort()
        path = pacs.recording
    assert path is not None
    status, output = outcome(distilled(path))
    assert status == 0, output


def test_a_client_that_breaks_off_is_played_byte_by_byte(tmp_path: Path, distilled: Distill) -> None:
    script = Script()
    line = script.open("connection 1 from 10.0.0.1:50001").associate().say(SCU, echo()).say(SCP, echoed())
    line.say(SCU, store(2, ct_image())[:-40]).close(SCU).close(SCP)
    folder = distilled(write(tmp_path / "recordings", script).parts[0])
    text = (folder / "test_incident.py").read_text()
    assert re.search(r'fidelity="(pdu|bytes)"', text)
    assert "allow=ALLOWED" in text
    status, output = outcome(folder)
    assert status == 0, output


def test_what_cannot_happen_again_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replayed server answers, and asks nothing."""
    monkeypatch.setattr("mockpacs.cli.distill_trial.play_client", partial(play_client, patience_seconds=0.1))
    script = Script()
    line = script.open("connection 1 from 10.0.0.1:50001").associate().say(SCU, echo()).say(SCP, echoed())
    line.say(SCP, ask(F.N_EVENT_REPORT_RQ, 9, COMMITMENT, None, {Tag.EVENT_TYPE: 1}))
    line.say(SCU, answer(F.N_EVENT_REPORT_RQ, 9, COMMITMENT)).release()
    path = write(tmp_path / "recordings", script).parts[0]
    assert run(["distill", str(path), "-o", str(tmp_path / "incident")]) == 1
    said = capsys.readouterr()
    assert "played once: not all was as recorded" in said.out
    assert "N-EVENT-REPORT" in said.out
    text = (tmp_path / "incident" / "test_incident.py").read_text()
    assert "# When this was written, not all was as recorded:" in text
    replace(tmp_path / "incident" / "test_incident.py", ", mockpacs)", ", mockpacs, patience_seconds=0.1)")
    status, output = outcome(tmp_path / "incident")
    assert status == 0, output  # what can happen again does


def test_it_is_not_played_when_nobody_wants_that(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(tmp_path)
    assert run(["distill", str(path), "-o", str(tmp_path / "incident"), "--no-check"]) == 0
    said = capsys.readouterr().out
    assert "played once" not in said
    assert said.splitlines() == [
        f"{tmp_path / 'incident'}: 1 association, 3 exchanges, 1 instance",
        f"pytest {tmp_path / 'incident' / 'test_incident.py'}",
    ]


def test_redacted_it_happens_again_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(tmp_path)
    folder = tmp_path / "shared"
    assert run(["distill", str(path), "-o", str(folder), "--redact"]) == 0, capsys.readouterr()
    assert "changed" in capsys.readouterr().out
    for file in folder.rglob("*"):
        assert file.is_dir() or not any(word in file.read_bytes() for word in (b"CT01", b"DOE^JANE"))
    status, output = outcome(folder)
    assert status == 0, output


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "name the folder to make with -o"),
        (["-o", "there", "--key", "some"], "--key goes with --redact"),
        (["-o", "there", "--redact", "--key", "nowhere"], "nowhere cannot be read"),
        (["calling:X*", "-o", "there"], "nothing to distill"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
) -> None:
    path = recorded(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["distill", str(path), *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "there").exists()


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["distill", "--help"]) == 0
    assert "mockpacs distill incident.pcapng -o incident/" in capsys.readouterr().out


# the text


@pytest.mark.parametrize(
    "incident",
    [
        Incident("one", "incident.pcapng", (), (), is_parallel=False),
        Incident(
            "one", "incident.pcapng", (Answered("C-ECHO", 0, 3), Answered("C-STORE", None, 1)), (), is_parallel=True
        ),
        Incident("one", "incident.pcap", (Answered("C-MOVE", 0, 1),), ('A"B', "C'D\\"), is_parallel=False),
        Incident("one", "incident.pcap", tuple(Answered("C-STORE", n, 1) for n in range(300)), (), is_parallel=False),
        Incident("one", "incident.pcap", (Answered("C-ECHO", 0, 20_000),), (), is_parallel=False),
    ],
)
@pytest.mark.parametrize(
    "trial", [Trial(), Trial("bytes", tuple(f"check-{n}" for n in range(20)), ('say """hello"""\n\x1b[31m' * 20,))]
)
def test_the_text_is_python(incident: Incident, trial: Trial) -> None:
    text = text_of(incident, trial)
    compile(text, "test_one.py", "exec")
    assert "def test_one(" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("folder", "name"),
    [("incident", "incident"), ("CT refused-2", "ct_refused_2"), ("...", "incident"), ("Übung", "bung")],
)
def test_the_test_is_named_after_the_folder(folder: str, name: str) -> None:
    assert name_of_folder(folder) == name


def test_the_client_can_be_played_by_hand(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    with MockPACS() as pacs:
        report = play_client(path, pacs)
        assert report.exit_status == 1
        assert [one.recorded[:4] for one in report.differences] == ["A700"]
        assert [one.service for one in pacs.exchanges] == ["C-STORE", "C-STORE", "C-FIND"]


def test_overlapping_associations_are_counted(tmp_path: Path, distilled: Distill) -> None:
    script = Script()
    one, two = script.open("connection 1 from 10.0.0.1:1"), script.open("connection 2 from 10.0.0.1:2")
    one.say(SCU, REQUEST).say(SCP, ANSWER)
    two.say(SCU, REQUEST).say(SCP, ANSWER)
    one.say(SCU, echo()).say(SCP, echoed())
    two.say(SCU, store(1, ct_image(), "1.2")).say(SCP, stored(1, 0xA700))
    one.release()
    two.release()
    folder = distilled(write(tmp_path / "recordings", script).parts[0])
    assert "Counter(" in (folder / "test_incident.py").read_text()
    status, output = outcome(folder)
    assert status == 0, output


DOCUMENT = ROOT / "docs" / "replay" / "distill.md"
FENCE = re.compile(r"^```([\w ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_document_shows_what_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["distill", str(path), "-o", "incident/"]) == 0
    told = capsys.readouterr().out
    blocks = [(one[1], one[2]) for one in FENCE.finditer(DOCUMENT.read_text(encoding="utf-8"))]
    shown = {language: [text for name, text in blocks if name == language] for language, _ in blocks}
    [test], [dialogue] = shown["python distilled"], shown["yaml distilled"]
    assert test in (tmp_path / "incident" / "test_incident.py").read_text()
    assert dialogue in (tmp_path / "incident" / "exchanges.yaml").read_text()
    assert shown["text"][0] == told
