"""A recording becomes a folder: instances by their content, the dialogue, the packets, a scenario and a test."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pydicom
import pytest
import yaml

from mockpacs.errors import RecordingError
from mockpacs.replay.distill.distilling import Distilled, distill
from mockpacs.replay.tape import Said, Tape
from mockpacs.scenario.load import load
from mockpacs.traffic import comment
from mockpacs.traffic.filter import Filter
from mockpacs.wire import Abort, AssociateRJ, Role, Tag, encode_pdu
from mockpacs.wire import CommandField as F
from mockpacs.wire.part10 import decode_head
from tests.net.wire_client import ct_image, element
from tests.traffic.capture import builder
from tests.traffic.recording.script import (
    ANSWER,
    FIND,
    GET,
    REQUEST,
    SCP,
    SCU,
    Script,
    answer,
    ask,
    cancel,
    store,
    stored,
)
from tests.traffic.recording.written import write

IMAGE = ct_image()
LARGE = ct_image(pixels=300_000)
IDENTIFIER = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"DOE^JOHN")
MATCH = IDENTIFIER + element(0x0020000D, "UI", b"1.2.3")


def made_of(folder: Path, script: Script, words: str = "", part_size: int = 0, **how: object) -> Distilled:
    """The folder of a script; it is ``folder / "incident"``."""
    path = write(folder / "recordings", script, part_size=part_size).parts[0]
    with Tape.open(path, filter=Filter.parse(words.split()) if words else None) as tape:
        return distill(tape, folder / "incident", **how)  # type: ignore[arg-type]


def said_in(made: Distilled) -> list[dict[str, Any]]:
    text = (made.folder / "exchanges.yaml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)["associations"]
    return found


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_instances_of_both_sides_are_named_by_their_content(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate().say(SCU, store(1, LARGE, "1.1")).say(SCP, stored(1))
    line.say(SCU, ask(F.C_GET_RQ, 2, GET, IDENTIFIER)).say(SCP, store(1, IMAGE, "1.2")).say(SCU, stored(1))
    line.say(SCP, answer(F.C_GET_RQ, 2, GET)).release()

    made = made_of(tmp_path, script)

    paths = sorted((made.folder / "objects").iterdir())
    assert made.instances == len(paths) == 2
    found = {}
    for path in paths:
        raw = path.read_bytes()
        assert path.name == f"{hashlib.sha256(raw).hexdigest()}.dcm"
        head = decode_head(raw)
        assert head is not None
        found[head.meta.sop_instance] = raw[head.data_offset :]
    assert found == {"1.1": LARGE, "1.2": IMAGE}
    assert all(pydicom.dcmread(path).PatientID == "P1" for path in paths)


def test_an_instance_that_came_twice_is_there_once(tmp_path: Path) -> None:
    script = Script()
    for _ in range(2):
        script.open().associate().say(SCU, store(1, IMAGE, "1.1")).say(SCP, stored(1)).release()
    made = made_of(tmp_path, script)
    assert made.instances == len(list((made.folder / "objects").iterdir())) == 1
    names = {entry["object"] for one in said_in(made) for entry in one["dialogue"]}
    assert names == {f"objects/{path.name}" for path in (made.folder / "objects").iterdir()}


def test_an_instance_that_is_not_whole_is_named_and_has_no_file(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate().say(SCU, store(1, IMAGE, "1.1")).say(SCP, stored(1))
    line.say(SCU, store(2, LARGE, "1.2")[:-8]).close(how="reset")
    made = made_of(tmp_path, script)
    assert made.instances == len(list((made.folder / "objects").iterdir())) == 1
    assert not made.is_complete
    assert any(note.startswith("1.2 C-STORE: ") for note in made.notes)
    [one] = said_in(made)
    assert "without its end" in one["dialogue"][1]["dataset"]


def test_the_dialogue_is_a_page_that_people_read(tmp_path: Path) -> None:
    script = Script()
    line = script.open(comment.connection(1, "10.0.0.1:50001")).associate()
    decided = comment.message("1.1", "C-STORE-RSP", "CT1 > MOCKPACS", "A700 out-of-resources", rule="full disk")
    line.say(SCU, store(1, IMAGE, "1.2.3")).say(SCP, stored(1, 0xA700, "disk full"), comment=decided)
    line.say(SCU, ask(F.C_FIND_RQ, 2, FIND, IDENTIFIER)).say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFF00, MATCH))
    line.say(SCU, cancel(2)).say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFE00))
    line.say(SCU, ask(F.C_GET_RQ, 3, GET, IDENTIFIER))
    for _ in range(3):
        line.say(SCP, answer(F.C_GET_RQ, 3, GET, 0xFF00))
    line.say(SCP, answer(F.C_GET_RQ, 3, GET, elements={Tag.COMPLETED_SUB_OPERATIONS: 0})).say(SCU, b"\x09nonsense")
    line.close(SCU)

    [one] = said_in(made_of(tmp_path, script))

    assert (one["association"], one["calling"], one["called"], one["opened_by"]) == (1, "CT1", "MOCKPACS", "client")
    assert (one["answer"], one["end"]) == ("accepted", "closed by the client")
    assert {"id": 3, "abstract_syntax": "CT Image Storage"}.items() <= one["contexts"][1].items()
    stored_one, found, cancelled, got, nonsense = one["dialogue"]
    assert (
        stored_one.items()
        >= {
            "exchange": "1.1",
            "asked_by": "client",
            "service": "C-STORE",
            "sop_class": "CT Image Storage",
            "sop_instance": "1.2.3",
            "rule": "full disk",
            "answers": [{"status": "A700 out-of-resources", "comment": "disk full"}],
        }.items()
    )
    assert found["dataset"] == {"QueryRetrieveLevel": "STUDY", "PatientName": "DOE^JOHN"}
    assert found["answers"] == [
        {
            "status": "FF00 pending",
            "dataset": {"QueryRetrieveLevel": "STUDY", "PatientName": "DOE^JOHN", "StudyInstanceUID": "1.2.3"},
        },
        {"status": "FE00 cancel"},
    ]
    assert cancelled == {"sent_by": "client", "service": "C-CANCEL", "of": "1.2"}
    assert got["answers"][0] == {"status": "FF00 pending", "times": 3}
    assert nonsense["sent_by"] == "client"
    assert nonsense["bytes"] == 9


def test_of_very_many_matches_the_first_are_shown(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate().say(SCU, ask(F.C_FIND_RQ, 2, FIND, IDENTIFIER))
    for _ in range(60):
        line.say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFF00, MATCH))
    line.say(SCP, answer(F.C_FIND_RQ, 2, FIND)).release()
    made = made_of(tmp_path, script)
    [entry] = said_in(made)[0]["dialogue"]
    assert entry["more_matches"] == 10
    assert len(entry["answers"]) == 51
    assert len(list((made.folder / "answers").rglob("*.dcm"))) == 60


def three() -> Script:
    script = Script()
    for number in range(3):
        line = script.open(comment.connection(number + 1, f"10.0.0.1:5000{number + 1}"))
        line.associate().say(SCU, store(1, ct_image(f"1.{number}", pixels=9000), f"1.{number}"))
        line.say(SCP, stored(1, 0xA700 if number == 1 else 0)).release()
    return script


@pytest.mark.parametrize("part_size", [0, 4000])
def test_the_filter_says_which_associations(tmp_path: Path, part_size: int) -> None:
    made = made_of(tmp_path, three(), "status:failure", part_size)
    assert (made.associations, made.exchanges, made.instances, made.notes) == (1, 1, 1, ())
    with Tape.open(made.folder / made.recording) as tape:
        [taped] = tape.associations
        assert taped.number == 2
        assert [exchange.status for exchange in taped.exchanges] == [0xA700]
        assert tape.problems == []


@pytest.mark.parametrize("part_size", [0, 4000])
def test_the_trimmed_recording_says_what_the_whole_one_does(tmp_path: Path, part_size: int) -> None:
    made = made_of(tmp_path, three(), part_size=part_size)
    [first, *_] = sorted((tmp_path / "recordings").iterdir(), key=lambda path: (len(path.name), path.name))
    with Tape.open(first) as whole, Tape.open(made.folder / made.recording) as trimmed:
        assert len(whole) == len(trimmed) == 3
        for one, other in zip(whole, trimmed, strict=True):
            assert (one.number, one.is_whole, one.ours) == (other.number, other.is_whole, other.ours)
            assert _told(one.messages()) == _told(other.messages())


def _told(messages: Iterable[Said]) -> list[object]:
    return [(said.command, said.data.read() if said.data else None) for said in messages]


@pytest.mark.parametrize(("make", "name"), [(builder.pcap, "incident.pcap"), (builder.pcapng, "incident.pcapng")])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_capture_of_others_is_distilled_too(
    tmp_path: Path, make: Callable[[list[builder.Frame]], bytes], name: str, zipped: bool
) -> None:
    import gzip

    talk = builder.Talk().open().say(SCU, encode_pdu(REQUEST)).say(SCP, encode_pdu(ANSWER))
    talk.say(SCU, store(1, IMAGE)).say(SCP, stored(1, 0xA700)).say(SCU, encode_pdu(Abort(0, 0)))
    raw = make(talk.frames)
    path = tmp_path / f"capture{'.gz' if zipped else ''}"
    path.write_bytes(gzip.compress(raw) if zipped else raw)
    with Tape.open(path) as tape:
        made = distill(tape, tmp_path / "incident")
    assert made.recording == name
    assert (made.folder / name).read_bytes() == raw
    assert made.instances == 1
    assert "0xA700" in (made.folder / made.test).read_text()


def test_everything_is_in_the_folder_and_nothing_else(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate().say(SCU, store(1, IMAGE, "1.1")).say(SCP, stored(1))
    line.say(SCU, ask(F.C_FIND_RQ, 2, FIND, IDENTIFIER)).say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFF00, MATCH))
    line.say(SCP, answer(F.C_FIND_RQ, 2, FIND)).release()
    made = made_of(tmp_path, script)
    [instance] = (made.folder / "objects").iterdir()
    assert files(made.folder) == {
        "scenario.yaml",
        "exchanges.yaml",
        "incident.pcapng",
        "test_incident.py",
        "answers/1.2/1.dcm",
        f"objects/{instance.name}",
    }
    assert load([made.folder / "scenario.yaml"]).names == ("replay of incident",)


def test_what_a_retrieve_brought_is_in_the_archive_of_the_scenario(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate().say(SCU, store(1, LARGE, "1.1")).say(SCP, stored(1))
    line.say(SCU, ask(F.C_GET_RQ, 2, GET, IDENTIFIER)).say(SCP, store(1, IMAGE, "1.2")).say(SCU, stored(1))
    line.say(SCP, answer(F.C_GET_RQ, 2, GET)).release()
    made = made_of(tmp_path, script)
    scenario = yaml.safe_load((made.folder / "scenario.yaml").read_text())
    [name] = scenario["server"]["preload"]
    assert pydicom.dcmread(made.folder / name).file_meta.MediaStorageSOPInstanceUID == "1.2"
    assert not (made.folder / "instances").exists()


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "incident").mkdir()
    (tmp_path / "incident" / "mine.txt").write_text("mine")
    with pytest.raises(RecordingError, match="is not empty"):
        made_of(tmp_path, three())
    assert files(tmp_path / "incident") == {"mine.txt"}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "incident").write_text("mine")
    with pytest.raises(RecordingError, match="is no folder"):
        made_of(tmp_path, three())


@pytest.mark.parametrize("was_there", [False, True])
def test_what_goes_wrong_leaves_nothing_behind(tmp_path: Path, was_there: bool) -> None:
    if was_there:
        (tmp_path / "incident").mkdir()

    def attempt(*_: object) -> None:
        raise RecordingError("it went wrong")

    with pytest.raises(RecordingError, match="it went wrong"):
        made_of(tmp_path, three(), attempt=attempt)
    assert (tmp_path / "incident").exists() is was_there
    assert files(tmp_path / "incident") == set()


def test_without_an_association_there_is_nothing_to_distill(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="nothing to distill"):
        made_of(tmp_path, three(), "calling:NOBODY")
    assert not (tmp_path / "incident").exists()


@pytest.mark.parametrize("cause", ["7.1", ""])
def test_without_a_client_there_is_no_scenario_and_no_test(tmp_path: Path, cause: str) -> None:
    script = Script()
    line = script.open(comment.connection(1, "10.0.0.2:104", by_us=True, cause=cause)).associate()
    line.say(SCU, store(1, IMAGE, "1.1")).say(SCP, stored(1)).release()
    made = made_of(tmp_path, script)
    assert (made.test, made.instances) == ("", 1)
    assert not made.is_complete
    assert "no client" in made.notes[-1]
    assert not any(name.endswith(".py") or name == "scenario.yaml" for name in files(made.folder))
    [one] = said_in(made)
    assert (one["opened_by"], one.get("because_of", ""), one["end"]) == ("server", cause, "released by the server")


def test_the_other_half_of_a_proxy_is_told(tmp_path: Path) -> None:
    script = Script()
    line = script.open(comment.connection(1, "10.0.0.1:50001")).associate()
    leg = script.open(comment.connection(2, "10.0.0.2:104", by_us=True, cause="1.0")).associate()
    for one in (line, leg):
        one.say(SCU, store(1, IMAGE, "1.1")).say(SCP, stored(1, 0xA700))
    leg.release()
    line.release()
    made = made_of(tmp_path, script)
    assert [(one["opened_by"], one["end"]) for one in said_in(made)] == [
        ("client", "released by the client"),
        ("proxy", "released by the proxy"),
    ]
    assert made.instances == 1
    assert (made.folder / made.test).read_text().count("0xA700") == 1


def test_a_rejection_is_distilled(tmp_path: Path) -> None:
    script = Script()
    script.open().say(SCU, REQUEST).say(SCP, AssociateRJ(1, 1, 7)).close(SCP)
    made = made_of(tmp_path, script)
    assert said_in(made)[0]["answer"] == "rejected: result 1, source 1, reason 7"
    assert "ANSWERED" not in (made.folder / made.test).read_text()


def test_garbage_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    script = Script()
    script.open().say(SCU, bytes(range(256)) * 40).close(SCP, "reset")
    garbled = element(0x00100010, "PN", b"\xff\xfe\x00\x1b[31m\xc3") + b"\x10\x00\x20\x00ZZ\xff\xff"
    line = script.open().associate().say(SCU, ask(F.C_FIND_RQ, 1, FIND, garbled))
    line.say(SCP, answer(F.C_FIND_RQ, 1, FIND, 0xFF00, garbled), answer(F.C_FIND_RQ, 1, FIND)).release()
    made = made_of(tmp_path, script)
    one, two = said_in(made)
    assert one["dialogue"][0]["sent_by"] == "client"
    assert two["dialogue"][0]["dataset"]["unreadable"]


def test_with_a_key_nothing_of_the_patient_is_left(tmp_path: Path) -> None:
    script = Script()
    line = script.open(comment.connection(1, "10.0.0.1:50001")).associate()
    line.say(SCU, store(1, ct_image("1.2.3.4", patient="SECRET77"), "1.2.3.4")).say(SCP, stored(1, 0xA700))
    line.say(SCU, ask(F.C_FIND_RQ, 2, FIND, IDENTIFIER)).say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFF00, MATCH))
    line.say(SCP, answer(F.C_FIND_RQ, 2, FIND)).release()
    made = made_of(tmp_path, script, key=b"a key of 16 bytes")
    assert made.redacted
    for path in made.folder.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            assert not any(word in raw for word in (b"SECRET77", b"DOE^JOHN", b"CT1 ", b"1.2.3.4\0", b"10.0.0.1")), path
    assert [
        said.sender
        for taped in Tape.open(made.folder / made.recording)
        for said in taped.messages()
        if said.command.is_request
    ] == [Role.REQUESTOR] * 2


def test_a_recording_that_was_cut_is_distilled_up_to_the_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "recordings", three()).parts[0]
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) * 3 // 4])
    with Tape.open(path) as tape:
        assert tape.problems
        made = distill(tape, tmp_path / "incident")
    assert (made.associations, made.instances) == (3, 2)
    whole = yaml.safe_load((made.folder / "exchanges.yaml").read_text())
    assert whole["problems"]
    assert set(whole["problems"]) <= set(made.notes)
    assert [one["end"] for one in whole["associations"]] == [*["released by the client"] * 2, "not captured"]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
@pytest.mark.parametrize("key", [None, b"a key of 16 bytes"])
def test_what_is_not_redacted_is_for_its_owner(tmp_path: Path, key: bytes | None) -> None:
    made = made_of(tmp_path, three(), key=key)
    assert bool(made.folder.stat().st_mode & 0o077) is (key is not None)
