"""Instances out of a recording: whole, byte for byte, under harmless names."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.traffic.export import Exported, export_objects, keys_of
from mockpacs.traffic.object_file import harmless_name
from mockpacs.wire import CommandField as F
from mockpacs.wire.part10 import decode_head
from tests.net.wire_client import ct_image
from tests.traffic.recording.script import (
    EXPLICIT,
    GET,
    SCP,
    SCU,
    Line,
    Script,
    answer,
    ask,
    records,
    store,
    stored,
)

IMAGE = ct_image()
LARGE = ct_image(pixels=300_000)
SENT = store(1, IMAGE, "1.2.3")


def exported(script: Script, folder: Path) -> list[Exported]:
    return list(export_objects(script.events, folder))


def data_of(path: Path) -> bytes:
    raw = path.read_bytes()
    head = decode_head(raw)
    assert head is not None
    return raw[head.data_offset :]


def test_an_instance_is_a_file_with_the_negotiated_transfer_syntax(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, SENT).say(SCP, stored(1)).release()
    [one] = exported(script, tmp_path / "new" / "folder")
    assert one == Exported("1.2.3", tmp_path / "new" / "folder" / "1.2.3.dcm", "")
    assert one.path is not None
    head = decode_head(one.path.read_bytes())
    assert head is not None
    assert tuple(head.meta) == ("1.2.840.10008.5.1.4.1.1.2", "1.2.3", EXPLICIT, "CT1")
    assert data_of(one.path) == IMAGE


def test_instances_that_the_acceptor_sends_are_exported_too(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate().say(SCU, ask(F.C_GET_RQ, 1, GET, IMAGE))
    line.say(SCP, store(7, LARGE, "1.9")).say(SCU, stored(7)).say(SCP, answer(F.C_GET_RQ, 1, GET)).release()
    [one] = exported(script, tmp_path)
    assert one.path is not None
    assert data_of(one.path) == LARGE
    head = decode_head(one.path.read_bytes())
    assert head is not None
    assert head.meta.source_aet == "MOCKPACS"


def test_associations_in_turns_do_not_mix(tmp_path: Path) -> None:
    script = Script()
    one, two = script.open().associate(), script.open().associate()
    first, second = store(1, LARGE, "1.1"), store(1, bytes(reversed(LARGE)), "1.2")
    for start in range(0, len(second), 50_000):
        one.say(SCU, first[start : start + 50_000])
        two.say(SCU, second[start : start + 50_000])
    assert [item.sop_instance for item in exported(script, tmp_path)] == ["1.1", "1.2"]
    assert data_of(tmp_path / "1.1.dcm") == LARGE
    assert data_of(tmp_path / "1.2.dcm") == bytes(reversed(LARGE))


def test_a_second_one_of_the_same_name_overwrites_nothing(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, SENT, store(2, LARGE, "1.2.3")).release()
    exported(script, tmp_path)
    assert data_of(tmp_path / "1.2.3.dcm") == IMAGE
    assert data_of(tmp_path / "1.2.3-2.dcm") == LARGE
    exported(script, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def broken_off(line: Line) -> None:
    line.say(SCU, SENT[:-10]).close(how="reset")


def cut_by_the_end(line: Line) -> None:
    line.say(SCU, SENT[:-10]).close(None, "cut")


def ended_by_fin(line: Line) -> None:
    line.say(SCU, SENT[:-10]).close(SCU)


def with_a_gap(line: Line) -> None:
    sent = store(1, LARGE, "1.2.3")
    line.say(SCU, sent[:40_000]).lose(SCU, 1000).say(SCU, sent[41_000:])


def with_junk(line: Line) -> None:
    sent = store(1, LARGE, "1.2.3")
    line.say(SCU, sent[: 16_384 * 2 + 110], b"\xff" * 100).close()


@pytest.mark.parametrize("break_it", [broken_off, cut_by_the_end, ended_by_fin, with_a_gap, with_junk])
def test_what_is_not_whole_is_told_and_leaves_nothing_behind(break_it: object, tmp_path: Path) -> None:
    script = Script()
    break_it(script.open().associate())  # type: ignore[operator]
    [one] = exported(script, tmp_path)
    assert (one.sop_instance, one.path) == ("1.2.3", None)
    assert "bytes of it are there" in one.problem
    assert list(tmp_path.iterdir()) == []


def test_an_association_whose_begin_was_not_captured_is_exported_by_what_its_data_sets_look_like(
    tmp_path: Path,
) -> None:
    script = Script()
    script.open(from_start=False).say(SCU, SENT, store(2, b"nonsense in it", "1.3"))
    good, bad = exported(script, tmp_path)
    assert good.path is not None
    assert data_of(good.path) == IMAGE
    assert bad.path is None
    assert "transfer syntax is not known" in bad.problem


def test_only_what_is_wanted_is_exported(tmp_path: Path) -> None:
    script = Script()
    line = script.open(sequences=(0xFFFFFF00, 7)).associate()  # the sequence numbers begin anew on the way
    line.say(SCU, SENT).say(SCP, stored(1)).say(SCU, store(2, LARGE, "1.4")).say(SCP, stored(2)).release()
    keys = [list(keys_of(record)) for record in records(script)]
    stores = [found for found in keys if found]
    assert len(stores) == 2
    assert [one.sop_instance for one in export_objects(script.events, tmp_path, stores[1].__contains__)] == ["1.4"]


def test_leaving_off_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, SENT)
    script.open().associate().say(SCU, SENT[:-10])
    script.open().associate().say(SCU, store(1, IMAGE, "1.5"))
    going = export_objects(script.events, tmp_path)
    next(going)
    next(going)
    going.close()  # type: ignore[attr-defined]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.2.3.dcm", "1.5.dcm"]


@pytest.mark.parametrize(
    ("uid", "name"),
    [
        ("1.2.3", "1.2.3"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "without-uid"),
        ("", "without-uid"),
        ("///", "without-uid"),
        (".hidden", "hidden"),
        ("1.2\0\x1b[2J", "1.2_2J"),
        ("1" * 300, "1" * 64),
        ("ü.1", "_.1"),
    ],
)
def test_names_are_harmless(uid: str, name: str) -> None:
    assert harmless_name(uid) == name


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="file is no folder"):
        exported(Script(), tmp_path / "file")
