"""Captures of others, cut and garbled ones among them: what is there becomes steps, what is not is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.replay.tape import Control, Ending, Gap, Noise, Said, Tape
from mockpacs.traffic.capture.reader import events
from mockpacs.traffic.export import export_objects
from mockpacs.wire import Abort, ReleaseRP, ReleaseRQ, Tag, Value, encode_pdu
from mockpacs.wire import CommandField as F
from tests.net.wire_client import ct_image, element
from tests.traffic import hostile
from tests.traffic.capture import builder
from tests.traffic.recording.script import (
    ANSWER,
    CT,
    INSTANCE,
    MOVE,
    REQUEST,
    SCP,
    SCU,
    Script,
    answer,
    ask,
    command,
    echo,
    echoed,
    message,
    store,
    stored,
)
from tests.traffic.recording.written import write

LARGE = ct_image(pixels=300_000)


def associated(**ends: tuple[str, int]) -> builder.Talk:
    talk = builder.Talk(**ends).open()  # type: ignore[arg-type]
    return talk.say(SCU, encode_pdu(REQUEST)).say(SCP, encode_pdu(ANSWER))


def tape_of(folder: Path, *talks: builder.Talk, name: str = "capture.pcap") -> Tape:
    path = folder / name
    path.write_bytes(builder.pcap([frame for talk in talks for frame in talk.frames]))
    return Tape.open(path)


def in_packets(talk: builder.Talk, data: bytes, size: int = 1460) -> builder.Talk:
    for start in range(0, len(data), size):
        talk.say(SCU, data[start : start + size])
    return talk


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("make", [builder.pcap, builder.pcapng])
def test_a_capture_of_others_is_taped_as_one_of_ours_is(tmp_path: Path, make: object, zipped: bool) -> None:
    talk = in_packets(associated(), store(1, LARGE)).say(SCP, stored(1))
    talk.say(SCU, encode_pdu(ReleaseRQ())).say(SCP, encode_pdu(ReleaseRP())).close()
    data = make(talk.frames)  # type: ignore[operator]
    path = tmp_path / "capture"
    path.write_bytes(builder.zipped(data) if zipped else data)
    with Tape.open(path) as tape:
        (taped,) = tape
        asked, answered, *rest = taped.steps
        assert isinstance(asked, Said)
        assert isinstance(answered, Said)
        assert asked.data is not None
        assert asked.data.read() == LARGE
        assert (asked.exchange, answered.exchange, asked.is_whole) == (1, 1, True)
        assert asked.started < asked.when
        assert [type(step) for step in rest] == [Control, Control, Ending, Ending]
        assert (taped.ours, taped.is_whole, taped.request) == (None, True, REQUEST)
        assert taped.association.server == "10.0.0.2:11112"
        assert not tape.about.is_ours
        raw = b"".join(pdu.raw for pdu in taped.pdus() if pdu.seen.sender is SCU)
        assert raw == encode_pdu(REQUEST) + store(1, LARGE) + encode_pdu(ReleaseRQ())


def test_the_sides_are_put_right_when_the_begin_of_the_connection_is_missing(tmp_path: Path) -> None:
    """Who opens from port 104 is taken for the acceptor, until the request is seen."""
    talk = builder.Talk(("10.0.0.1", 104), ("10.0.0.2", 50000)).open()
    talk.say(SCU, encode_pdu(REQUEST)[:3]).say(SCU, encode_pdu(REQUEST)[3:]).say(SCP, encode_pdu(ANSWER))
    talk.say(SCU, echo()).say(SCP, echoed()).say(SCU, encode_pdu(Abort(0, 0))).close()
    del talk.frames[:3]
    with tape_of(tmp_path, talk) as tape:
        (taped,) = tape
        assert taped.source is not None
        assert taped.source.sides_swapped
        messages = [(said.sender, said.command.field, said.exchange) for said in taped.messages()]
        assert messages == [(SCU, F.C_ECHO_RQ, 1), (SCP, F.C_ECHO_RSP, 1)]
        assert (taped.association.address, taped.association.server) == ("10.0.0.1:104", "10.0.0.2:50000")
        assert taped.is_whole is False
        assert [pdu.seen.sender for pdu in taped.pdus()] == [SCU, SCP, SCU, SCP, SCU]


def test_a_gap_breaks_the_message_it_is_in_and_no_other(tmp_path: Path) -> None:
    talk = associated()
    data = store(1, LARGE)
    in_packets(talk, data[:50_000])
    talk.client_next += 1000
    in_packets(talk, data[51_000:200_000]).say(SCP, b"")  # who acknowledges them has seen what the capture has not
    in_packets(talk, data[200_000:]).say(SCP, stored(1)).say(SCU, echo(2)).say(SCP, echoed(2)).close()
    with tape_of(tmp_path, talk) as tape:
        (taped,) = tape
        broken = next(taped.messages())
        assert (broken.is_whole, broken.exchange) == (False, 1)
        assert broken.data is not None
        assert LARGE.startswith(broken.data.read())
        assert [step.size for step in taped.steps if isinstance(step, Gap)] == [1000]
        assert [said.exchange for said in taped.messages()] == [1, 1, 2, 2]
        assert list(taped.messages())[2].is_whole


def test_packets_out_of_order_are_read_again_to_the_last(tmp_path: Path) -> None:
    talk = in_packets(associated(), store(1, LARGE))
    talk.frames[-2:] = reversed(talk.frames[-2:])
    with tape_of(tmp_path, talk) as tape:
        (taped,) = tape
        raw = b"".join(pdu.raw for pdu in taped.pdus() if pdu.seen.sender is SCU)
        assert raw == encode_pdu(REQUEST) + store(1, LARGE)
        assert [(said.is_whole, said.data and said.data.size) for said in taped.messages()] == [(True, len(LARGE))]


def test_a_capture_that_begins_in_the_middle_has_no_request(tmp_path: Path) -> None:
    talk = associated().say(SCU, echo(4)).say(SCP, echoed(4)).close()
    del talk.frames[:5]
    with tape_of(tmp_path, talk) as tape:
        (taped,) = tape
        assert (taped.request, taped.answer, taped.is_whole) == (None, None, False)
        assert [said.command.field for said in taped.messages()] == [F.C_ECHO_RQ, F.C_ECHO_RSP]
        assert next(taped.messages()).context.abstract_syntax == ""


def test_connections_without_dicom_are_left_out_and_counted(tmp_path: Path) -> None:
    web = builder.Talk(client=("10.0.0.1", 50001)).open().say(SCU, b"GET / HTTP/1.1\r\n\r\n").close()
    with tape_of(tmp_path, web, associated().say(SCU, echo()).say(SCP, echoed()).close()) as tape:
        assert [taped.number for taped in tape] == [2]
        assert tape.left_out == "1 connection without DICOM left out"


def test_the_leg_of_a_retrieve_between_others_is_known_by_what_its_store_says(tmp_path: Path) -> None:
    move = associated().say(SCU, ask(F.C_MOVE_RQ, 7, MOVE, element(0x00080052, "CS", b"STUDY")))
    leg = associated(client=("10.0.0.2", 50001), server=("10.0.0.3", 11113))
    named: dict[int, Value] = {
        Tag.AFFECTED_SOP_INSTANCE: INSTANCE,
        Tag.MOVE_ORIGINATOR_AET: "CT1",
        Tag.MOVE_ORIGINATOR_MESSAGE_ID: 7,
    }
    image = ct_image()
    leg.say(SCU, message(CT, command(F.C_STORE_RQ, 1, CT, image, named), image)).say(SCP, stored(1)).close()
    later = builder.Talk(client_next=move.client_next, server_next=move.server_next)
    later.say(SCP, answer(F.C_MOVE_RQ, 7, MOVE)).close()
    with tape_of(tmp_path, move, leg, later) as tape:
        assert [(taped.number, taped.cause) for taped in tape] == [(1, ""), (2, "1.1")]


def test_of_a_file_that_was_cut_everything_before_is_there(tmp_path: Path) -> None:
    """Cut anywhere: what is whole before is the same."""
    script = Script()
    line = script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1))
    line.say(SCU, store(2, ct_image())).say(SCP, stored(2)).release()
    path = write(tmp_path / "whole", script).parts[0]
    data = path.read_bytes()
    with Tape.open(path) as tape:
        whole = [(said.command, said.data and said.data.read()) for said in tape.associations[0].messages()]
    for size in range(200, len(data), 97):
        path = tmp_path / "cut.pcapng"
        path.write_bytes(data[:size])
        with Tape.open(path) as tape:
            for taped in tape:
                messages = list(taped.messages())
                found = [(said.command, said.data and said.data.read()) for said in messages if said.is_whole]
                assert found == whole[: len(found)]
                assert not taped.is_whole or size > len(data) - 400
                list(taped.pdus())


@pytest.mark.parametrize("name", [*hostile.DATA, "escapes and paths", "lengths that lie", "a deflated text"])
def test_what_is_nasty_within_a_data_set_is_only_bytes(hostile_files: dict[str, Path], name: str) -> None:
    with Tape.open(hostile_files[name]) as tape:
        assert tape.associations
        for taped in tape:
            numbers = {exchange.number for exchange in taped.exchanges}
            assert {said.exchange for said in taped.messages()} <= numbers | {0}


def test_no_file_that_means_harm_is_an_exception(hostile_files: dict[str, Path]) -> None:
    for path in hostile_files.values():
        with Tape.open(path) as tape:
            for taped in tape:
                for pdu in taped.pdus():
                    assert pdu.raw
                for step in taped.steps:
                    if isinstance(step, Said) and step.data is not None:
                        assert sum(map(len, step.data.blocks())) == step.data.size
                    assert not isinstance(step, Noise) or step.why


@pytest.fixture(scope="module")
def hostile_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hostile")
    paths = {}
    for number, (name, data) in enumerate(hostile.files(folder).items()):
        paths[name] = folder / f"{number}.pcapng"
        paths[name].write_bytes(data)
    return paths


def test_messages_that_take_turns_do_not_mix(tmp_path: Path) -> None:
    """The data sets of many connections come at the same time and share a file."""
    talks = [associated(client=("10.0.0.1", 50000 + number)) for number in range(8)]
    images = [bytes([number]) * (200_000 + number) for number in range(8)]
    encoded = [store(1, image) for image in images]
    for talk, data in zip(talks, encoded, strict=True):
        in_packets(talk, data, 30_000)
        talk.close()
    frames = [frame for turn in zip(*(talk.frames for talk in talks), strict=True) for frame in turn]
    path = tmp_path / "turns.pcap"
    path.write_bytes(builder.pcap(frames))
    with Tape.open(path) as tape:
        found = [next(taped.messages()).data for taped in tape]
        assert [blob and blob.read() for blob in found] == images
    exported = list(export_objects(events(path), tmp_path / "objects"))
    assert len(exported) == 8
