"""``mockpacs show``: what it prints of a recording, how it ends, what it says about nonsense."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mockpacs.traffic.capture.event import Opened
from mockpacs.traffic.capture.reader import events
from mockpacs.traffic.recording.recording import Recording
from tests.cli.recorded import record, script
from tests.cli.test_program import ROOT, run
from tests.traffic.recording.written import writing


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """A storage folder with a recording of three associations."""
    record(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def shown(storage: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Runs ``show`` and gives the lines it printed."""

    def show(*arguments: str, status: int = 0) -> list[str]:
        assert run(["show", *arguments, "--storage", str(storage)]) == status
        return capsys.readouterr().out.splitlines()

    return show


def ids(lines: list[str]) -> list[str]:
    """Which exchanges a list shows."""
    return [line.split()[1] for line in lines if line.startswith("  ") and "." in line.split()[1]]


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "mockpacs", "show", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # whoever runs the tests in the background has SIGINT ignored, and so would every program they start
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL) if os.name == "posix" else None,
    )


def test_the_newest_recording_is_listed_by_association(shown: Callable[..., list[str]]) -> None:
    lines = shown()
    assert [line.split()[1] for line in lines if line.startswith("association")] == ["1", "2", "3"]
    assert "10.0.0.1:50001  CT1 > MOCKPACS  7 of 7 contexts accepted" in lines[0]
    assert ids(lines) == ["1.1", "2.1", "2.2", "3.1"]
    assert 'rule "full disk"' in lines[4]
    assert lines[-1].split()[1] == "aborted"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["2"], ["2.1", "2.2"]),
        (["2", "service:C-FIND"], ["2.2"]),
        (["-service:C-ECHO", "-service:C-STORE"], ["2.2"]),
        (["service:C-ECHO", "or", "-2", "-3"], ["1.1"]),
        (["-(service:C-ECHO or 2)"], ["3.1"]),
        (["rule:*"], ["2.1"]),
        (["QueryRetrieveLevel:STUDY"], ["2.2"]),
        (["PixelData:*", "or", "SeriesInstanceUID:*"], ["2.1"]),
        (["status:A700"], ["2.1"]),
    ],
)
def test_a_filter_chooses_exchanges_also_through_an_index(
    shown: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, words: list[str], expected: list[str]
) -> None:
    assert ids(shown(*words)) == expected
    monkeypatch.setattr("mockpacs.traffic.index.identity.WORTH_INDEXING", 1)
    assert ids(shown(*words)) == expected


def test_a_recording_is_a_file_a_folder_or_the_storage_folder(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [file] = (storage / "recordings").iterdir()
    for path in (file, storage / "recordings", storage):
        assert run(["show", str(path), "1"]) == 0
        assert ids(capsys.readouterr().out.splitlines()) == ["1.1"]


def test_the_standard_input_is_a_recording_too(
    storage: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [file] = (storage / "recordings").iterdir()
    for arguments in (["2.2"], ["PatientName:DOE*", "--follow"]):
        with file.open() as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", stream)
            assert run(["show", "-", *arguments]) == 0
        assert "C-FIND" in capsys.readouterr().out


def test_an_exchange_asked_for_by_its_number_is_shown_with_its_command_sets(shown: Callable[..., list[str]]) -> None:
    lines = shown("2.1")
    assert lines[0].startswith("exchange 2.1  ")
    assert [line.split()[1] for line in lines if line.startswith(("  > ", "  < "))] == ["C-STORE-RQ", "C-STORE-RSP"]
    assert any(line.endswith("A700 out-of-resources: refused, out of resources") for line in lines)
    assert not any("PatientID" in line for line in lines)


def test_data_sets_pdus_and_bytes_are_shown_when_asked_for(shown: Callable[..., list[str]]) -> None:
    lines = shown("2.2", "--dataset", "--pdu", "--hex")
    assert sum("PatientName" in line and line.endswith("DOE^JOHN") for line in lines) == 2
    assert sum("P-DATA-TF" in line for line in lines) == 5
    assert any("|" in line and line.split()[0] == "0000" for line in lines)
    assert not any("|" in line for line in shown("2.2", "--pdu"))


def test_the_pdus_of_an_association_include_its_negotiation(shown: Callable[..., list[str]]) -> None:
    names = [line.split()[3] for line in shown("1", "--pdu") if " bytes" in line]
    assert names == ["A-ASSOCIATE-RQ", "A-ASSOCIATE-AC", "P-DATA-TF", "P-DATA-TF", "A-RELEASE-RQ", "A-RELEASE-RP"]
    found = [json.loads(line) for line in shown("1", "--pdu", "--json")]
    assert [one["pdu"] for one in found] == names


def test_json_is_one_object_per_line(shown: Callable[..., list[str]]) -> None:
    found = [json.loads(line) for line in shown("--json")]
    assert [f"{one['association']}.{one['exchange']}" for one in found if one["event"] == "exchange"] == [
        *("1.1", "2.1", "2.2", "3.1")
    ]
    assert {"opened", "released"}.isdisjoint(one["event"] for one in found)
    assert "opened" in [json.loads(line)["event"] for line in shown("--json", "-v")]


def test_json_has_messages_data_sets_and_pdus_when_asked_for(shown: Callable[..., list[str]]) -> None:
    [line] = shown("2.2", "--json", "--dataset", "--pdu")
    found = json.loads(line)
    request, match, final = found["messages"]
    assert request["message"] == "C-FIND-RQ"
    assert request["dataset"]["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "DOE^JOHN"}]}
    assert match["command"]["00000900"] == {"vr": "US", "Value": [0xFF00]}
    assert "dataset" not in final
    assert [one["pdu"] for one in found["pdus"]] == ["P-DATA-TF"] * 5


def test_a_limit_counts_exchanges(shown: Callable[..., list[str]]) -> None:
    assert ids(shown("--limit", "2")) == ["1.1", "2.1"]


def test_findings_change_the_exit_status(shown: Callable[..., list[str]]) -> None:
    lines = shown("--findings", status=1)
    assert lines[-1].endswith("findings")
    assert all("[PS3." in line for line in lines[:-1])
    found = [json.loads(line) for line in shown("3", "--findings", "--json", status=1)]
    assert {one["association"] for one in found} == {3}
    assert shown("2.2", "service:C-ECHO", "--findings") == ["0 findings"]


def test_raw_is_the_file_itself_and_with_a_filter_the_packets_of_what_matches(storage: Path, tmp_path: Path) -> None:
    [file] = (storage / "recordings").iterdir()
    whole, _ = start(str(file), "--raw").communicate(timeout=60)
    assert whole == file.read_bytes()
    part, _ = start(str(file), "service:C-FIND", "--raw").communicate(timeout=60)
    copy = tmp_path / "copy.pcapng"
    copy.write_bytes(part)
    assert {event.flow.number for event in events(copy)} == {2}
    assert len(list(events(copy))) == sum(event.flow.number == 2 for event in events(file))


def test_the_parts_of_a_recording_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = record(tmp_path, part_size=2000)
    assert len(list(first.parent.iterdir())) > 1
    assert run(["show", str(first)]) == 0
    assert ids(capsys.readouterr().out.splitlines()) == ["1.1", "2.1", "2.2", "3.1"]


def follow(first: Path, steps: Iterator[Path], arguments: list[str], is_enough: Callable[[bytes], bool]) -> bytes:
    """Follow a recording while it is written, until there is enough, then Ctrl-C."""
    with start(str(first), *arguments, "--follow") as following:
        assert following.stdout is not None
        try:
            for _ in steps:
                pass
            got = b""
            while not is_enough(got):
                piece = os.read(following.stdout.fileno(), 1 << 16)
                assert piece, following.communicate()
                got += piece
            following.send_signal(signal.SIGINT)
            rest, complaints = following.communicate(timeout=60)
        except BaseException:
            following.kill()
            raise
    assert complaints == b""
    assert following.returncode == 0
    return got + rest


def parts(first: Path) -> tuple[Path, ...]:
    found = Recording.open(first).parts
    assert len(found) > 1
    return found


NO_SIGNALS = pytest.mark.skipif(os.name == "nt", reason="there Ctrl-C cannot be sent to one process")


@NO_SIGNALS
def test_following_shows_what_comes_and_goes_over_to_the_next_part(tmp_path: Path) -> None:
    steps = writing(tmp_path, script(), part_size=2000)
    # how the third ended is not known before the server has said it, or is gone
    got = follow(next(steps), steps, [], lambda text: b"half a PDU" in text)
    shown = [line.split()[1] for line in got.decode().splitlines()]
    assert shown == ["1.1", "2.1", "2.2", "3"]


@NO_SIGNALS
def test_following_raw_gives_all_parts(tmp_path: Path) -> None:
    steps = writing(tmp_path, script(), part_size=2000)
    first = next(steps)
    got = follow(first, steps, ["--raw"], lambda data: len(data) >= _written(first))
    assert got == b"".join(path.read_bytes() for path in parts(first))


@NO_SIGNALS
def test_following_raw_with_a_filter_gives_associations_from_their_begin(tmp_path: Path) -> None:
    steps = writing(tmp_path / "recording", script(), part_size=2000)
    first = next(steps)
    got = follow(first, steps, ["--raw", "service:C-FIND"], lambda data: data.count(b"DOE^JOHN") == 2)
    copy = tmp_path / "copy.pcapng"
    copy.write_bytes(got)
    found = list(events(copy))
    assert {event.flow.number for event in found} == {2}
    assert isinstance(found[0], Opened)


def _written(first: Path) -> int:
    """How much there is of a recording that is complete."""
    return sum(path.stat().st_size for path in Recording.open(first).parts)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.pcapng"], "mockpacs: nowhere.pcapng: no such file; the newest recordings are "),
        (["pyproject.toml"], "is not a capture file"),
        (["tests"], "tests is a folder without recordings"),
        (["srvice:C-ECHO"], "\nmockpacs:   ^"),
        (["--raw", "--json"], "--raw shows the packets as they are"),
        (["--findings", "--follow"], "--findings goes with a filter and --json only"),
        (["--limit", "many"], '--limit: "many" is not a whole number'),
        (["--limit", "-1"], '--limit: "-1" is not a whole number'),
        (["nowhere/at_all"], "nowhere/at_all: no such file"),
        (["a.pcapng", "b.pcapng"], "b.pcapng is a second recording; name one"),
        (["(" * 5000], "parentheses"),
        (["--color", "red"], '--color: "red" is none of auto, always, never'),
        (["--bogus"], "No such option: --bogus"),
    ],
)
def test_nonsense_is_answered_with_a_sentence_and_status_2(
    storage: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(ROOT)
    assert run(["show", *arguments, "--storage", str(storage)]) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.out == ""


@pytest.mark.parametrize("options", [[], ["--raw"], ["--findings"]])
def test_an_empty_file_is_called_empty_and_the_standard_input_by_its_name(tmp_path: Path, options: list[str]) -> None:
    empty = tmp_path / "empty.pcapng"
    empty.touch()
    for name, told in ((str(empty), str(empty)), ("-", "the standard input")):
        process = start(name, *options)
        assert process.communicate(b"", timeout=20) == (b"", f"mockpacs: {told} is empty\n".encode())
        assert process.returncode == 2


def test_a_storage_folder_without_recordings_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "--storage", str(tmp_path)]) == 2
    assert "there are no recordings in" in capsys.readouterr().err


def test_a_filter_that_matches_nothing_is_told_beside_the_result(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["show", "--storage", str(storage), "service:N-GET"]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert 'matches "service:N-GET"' in told.err


def test_what_cannot_be_read_of_a_recording_is_told_beside_the_result(
    storage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [file] = (storage / "recordings").iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    assert run(["show", str(file)]) == 0
    told = capsys.readouterr()
    assert "2.2" in told.out
    assert "mockpacs: the file ends in the middle of the block at byte " in told.err


@pytest.mark.parametrize(
    ("environment", "arguments", "is_coloured"),
    [({}, [], True), ({"NO_COLOR": "1"}, [], False), ({}, ["--color", "never"], False)],
)
@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals on Windows")
def test_a_terminal_gets_colours_unless_told_otherwise(
    storage: Path, environment: dict[str, str], arguments: list[str], is_coloured: bool
) -> None:
    import pty

    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "mockpacs", "show", "--storage", str(storage), *arguments]
    environ = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | environment
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=terminal) as process:
        os.close(terminal)
        assert process.wait(60) == 0
    with os.fdopen(master, "rb") as seen:
        assert (b"\x1b[" in seen.read1()) is is_coloured


def test_a_pipe_gets_colours_when_they_are_asked_for(shown: Callable[..., list[str]]) -> None:
    assert not any("\x1b" in line for line in shown())
    assert any("\x1b[35m" in line for line in shown("--color", "always"))


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals on Windows")
def test_raw_refuses_a_terminal(storage: Path) -> None:
    import pty

    master, terminal = pty.openpty()
    command = [sys.executable, "-m", "mockpacs", "show", "--raw", "--storage", str(storage)]
    ran = subprocess.run(command, cwd=ROOT, stdout=terminal, stderr=subprocess.PIPE, check=False)
    os.close(terminal)
    os.close(master)
    assert ran.returncode == 2
    assert b"--raw writes binary data" in ran.stderr


def test_a_reader_that_goes_away_is_not_complained_about(storage: Path) -> None:
    process = start("--storage", str(storage), "--hex")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.stdin is not None
    process.stdin.close()
    process.wait(60)


@pytest.mark.parametrize("command", ["show", "export"])
def test_every_command_explains_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    told = capsys.readouterr().out
    assert "Example" in told
    assert f"Usage: mockpacs {command} [OPTIONS] [REC] [FILTER]..." in told


def test_heavy_packages_are_not_imported_to_show_a_list(storage: Path) -> None:
    code = (
        f"import mockpacs.cli, sys\ntry: mockpacs.cli.main(['show', '--storage', {str(storage)!r}, '2'])\n"
        "except SystemExit: pass\n"
        "heavy = ('pydicom', 'pynetdicom', 'pydantic', 'rich', 'peewee', 'yaml', 'asyncio')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
