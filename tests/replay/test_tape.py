"""A recording becomes the steps of its associations: messages whole, in order, each with its exchange."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.replay.tape import Control, Ending, Noise, Said, Step, Tape
from mockpacs.traffic.capture.event import Chunk
from mockpacs.traffic.filter import Filter
from mockpacs.wire import Abort, AssociateRJ, ReleaseRP, ReleaseRQ, encode_pdu
from mockpacs.wire import CommandField as F
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import (
    ANSWER,
    CT,
    FIND,
    GET,
    MOVE,
    REQUEST,
    SCP,
    SCU,
    Script,
    answer,
    ask,
    cancel,
    echo,
    echoed,
    store,
    stored,
)
from tests.traffic.recording.written import write

IMAGE = ct_image()
LARGE = ct_image(pixels=300_000)
IDENTIFIER = element(0x00080052, "CS", b"STUDY")


def match(number: int) -> bytes:
    return IDENTIFIER + element(0x0020000D, "UI", b"1.2.%d" % number)


def tape_of(folder: Path, script: Script, part_size: int = 0) -> Tape:
    return Tape.open(write(folder, script, part_size=part_size).parts[0])


def said(step: Step) -> tuple[object, ...]:
    """A step in short."""
    match step:
        case Said():
            data = step.data.read() if step.data else None
            return step.exchange, step.sender, step.command.field, step.command.status, data, step.is_whole
        case Control():
            return step.sender, step.pdu
        case Noise():
            return step.sender, step.raw
        case Ending():
            return step.sender, step.how
    return (step,)


def everything() -> Script:
    """Two associations in turns: pipelined requests, a cancel, requests of the acceptor, one without an answer."""
    script = Script()
    one, two = script.open().associate(), script.open().associate()
    one.say(SCU, store(1, LARGE, "1.1"))
    two.say(SCU, store(1, IMAGE, "2.1"))
    two.say(SCP, stored(1))
    one.say(SCP, stored(1))
    one.say(SCU, ask(F.C_FIND_RQ, 2, FIND, IDENTIFIER), echo(3))
    two.say(SCU, echo(3)).say(SCP, echoed(3))
    for number in range(3):
        one.say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFF00, match(number)))
    one.say(SCU, cancel(2)).say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFE00), echoed(3))
    two.say(SCU, ask(F.C_GET_RQ, 4, GET, IDENTIFIER)).say(SCP, store(1, LARGE, "2.9")).say(SCU, stored(1))
    two.say(SCP, answer(F.C_GET_RQ, 4, GET))
    one.release()
    two.say(SCU, echo(9)).say(SCU, Abort(0, 0)).close(SCU)
    return script


@pytest.mark.parametrize("part_size", [0, 5_000, 100_000])
def test_a_tape_has_everything_that_was_said_in_its_order(tmp_path: Path, part_size: int) -> None:
    with tape_of(tmp_path, everything(), part_size) as tape:
        one, two = tape.associations
        assert [said(step) for step in one.steps] == [
            (1, SCU, F.C_STORE_RQ, None, LARGE, True),
            (1, SCP, F.C_STORE_RSP, 0, None, True),
            (2, SCU, F.C_FIND_RQ, None, IDENTIFIER, True),
            (3, SCU, F.C_ECHO_RQ, None, None, True),
            *((2, SCP, F.C_FIND_RSP, 0xFF00, match(number), True) for number in range(3)),
            (2, SCU, F.C_CANCEL_RQ, None, None, True),
            (2, SCP, F.C_FIND_RSP, 0xFE00, None, True),
            (3, SCP, F.C_ECHO_RSP, 0, None, True),
            (SCU, ReleaseRQ()),
            (SCP, ReleaseRP()),
            (SCU, "fin"),
        ]
        assert [said(step) for step in two.steps] == [
            (1, SCU, F.C_STORE_RQ, None, IMAGE, True),
            (1, SCP, F.C_STORE_RSP, 0, None, True),
            (2, SCU, F.C_ECHO_RQ, None, None, True),
            (2, SCP, F.C_ECHO_RSP, 0, None, True),
            (3, SCU, F.C_GET_RQ, None, IDENTIFIER, True),
            (4, SCP, F.C_STORE_RQ, None, LARGE, True),
            (4, SCU, F.C_STORE_RSP, 0, None, True),
            (3, SCP, F.C_GET_RSP, 0, None, True),
            (5, SCU, F.C_ECHO_RQ, None, None, True),
            (SCU, Abort(0, 0)),
            (SCU, "fin"),
        ]
        assert [exchange.number for exchange in two.exchanges] == [1, 2, 3, 4, 5]
        assert (one.request, one.answer, one.number, one.is_whole, one.ours) == (REQUEST, ANSWER, 1, True, SCP)
        assert (one.association.calling, one.association.called, one.cause) == ("CT1", "MOCKPACS", "")
        store_rq = one.steps[0]
        assert isinstance(store_rq, Said)
        assert store_rq.context.abstract_syntax == CT
        assert store_rq.started <= store_rq.when
        assert tape.problems == []


@pytest.mark.parametrize("part_size", [0, 5_000, 100_000])
def test_all_pdus_can_be_read_again_byte_for_byte(tmp_path: Path, part_size: int) -> None:
    script = everything()
    with tape_of(tmp_path, script, part_size) as tape:
        for taped in tape:
            for sender in (SCU, SCP):
                sent = b"".join(
                    bytes(event.data)
                    for event in script.events
                    if isinstance(event, Chunk) and event.flow.number == taped.number and event.sender is sender
                )
                assert b"".join(pdu.raw for pdu in taped.pdus() if pdu.seen.sender is sender) == sent


def test_large_data_sets_can_be_read_until_the_tape_is_closed(tmp_path: Path) -> None:
    with tape_of(tmp_path, everything()) as tape:
        large, small = (taped.steps[0] for taped in tape.associations)
        assert isinstance(large, Said)
        assert isinstance(small, Said)
        assert large.data is not None
        assert small.data is not None
        assert large.data.size == len(LARGE)
        assert b"".join(large.data.blocks()) == LARGE
        assert large.data.head(100) == LARGE[:100]
    assert small.data.read() == IMAGE
    with pytest.raises(RecordingError, match="was closed"):
        large.data.read()


def test_an_answer_that_comes_before_the_data_set_has_ended_is_behind_its_request(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate()
    request = store(1, LARGE)
    line.say(SCU, request[:100_000]).say(SCP, stored(1, 0xA700)).say(SCU, request[100_000:]).release()
    with tape_of(tmp_path, script) as tape:
        assert [said(step) for step in tape.associations[0].steps[:2]] == [
            (1, SCU, F.C_STORE_RQ, None, LARGE, True),
            (1, SCP, F.C_STORE_RSP, 0xA700, None, True),
        ]


def test_what_has_no_end_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate()
    whole = store(1, IMAGE)
    line.say(SCU, whole[:-100]).close(SCU, "reset")
    with tape_of(tmp_path, script) as tape:
        message, half, ending = tape.associations[0].steps
        assert isinstance(message, Said)
        assert isinstance(half, Noise)
        assert message.exchange == 1
        assert message.is_whole is False
        assert message.data is not None
        assert IMAGE.startswith(message.data.read())
        assert whole.endswith(half.raw + whole[-100:])
        assert said(ending) == (SCU, "reset")
        assert b"".join(pdu.raw for pdu in tape.associations[0].pdus() if pdu.seen.sender is SCU).endswith(whole[:-100])


def test_half_a_pdu_stands_where_it_began(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate()
    line.say(SCU, echo()[:30]).say(SCU, echo()[30:-5]).say(SCP, Abort(2, 1)).close(SCP)
    with tape_of(tmp_path, script) as tape:
        assert [said(step) for step in tape.associations[0].steps] == [
            (SCU, echo()[:-5]),
            (SCP, Abort(2, 1)),
            (SCP, "fin"),
        ]


def test_a_command_set_without_its_last_fragment_is_noise(tmp_path: Path) -> None:
    script = Script()
    pdus = [bytearray(echo(number)) for number in (1, 2, 3)]
    for pdu in pdus[1:]:
        assert pdu[11] == 3
        pdu[11] = 1
    line = script.open().associate()
    line.say(SCU, bytes(pdus[0])).say(SCP, echoed()).say(SCU, bytes(pdus[1])).say(SCU, bytes(pdus[2][:20]))
    line.close(SCU)
    with tape_of(tmp_path, script) as tape:
        assert [said(step) for step in tape.associations[0].steps[2:]] == [
            (SCU, bytes(pdus[1])),
            (SCU, bytes(pdus[2][:20])),
            (SCU, "fin"),
        ]


def test_garbage_and_malformed_pdus_are_noise_with_their_bytes(tmp_path: Path) -> None:
    script = Script()
    http = b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n"
    script.open().say(SCU, http).say(SCP, Abort(2, 1)).close(SCP)
    broken = b"\x04\0\0\0\0\x08\0\0\0\xff\1\3\0\0"
    script.open().associate().say(SCU, broken).say(SCP, Abort(2, 6)).close(SCP)
    again = encode_pdu(REQUEST)
    script.open().associate().say(SCU, again).say(SCP, Abort(2, 2)).close(SCP)
    with tape_of(tmp_path, script) as tape:
        first, second, third = tape.associations
        assert first.request is None
        assert [said(step) for step in first.steps] == [(SCU, http), (SCP, Abort(2, 1)), (SCP, "fin")]
        assert said(second.steps[0]) == (SCU, broken)
        assert said(third.steps[0]) == (SCU, again)


def test_a_rejected_association_has_its_answer(tmp_path: Path) -> None:
    script = Script()
    script.open().say(SCU, REQUEST).say(SCP, AssociateRJ(1, 1, 7)).close(SCP)
    with tape_of(tmp_path, script) as tape:
        (taped,) = tape
        assert (taped.request, taped.answer) == (REQUEST, AssociateRJ(1, 1, 7))
        assert [said(step) for step in taped.steps] == [(SCP, "fin")]


def moved() -> Script:
    """A C-MOVE, and the connection that brings its instance."""
    script = Script()
    line = script.open("connection 1 from 10.0.0.1:50001").associate()
    line.say(SCU, ask(F.C_MOVE_RQ, 1, MOVE, IDENTIFIER))
    leg = script.open("connection 2 to 10.0.0.2:11112 for 1.1").associate()
    leg.say(SCU, store(1, IMAGE)).say(SCP, stored(1)).release()
    line.say(SCP, answer(F.C_MOVE_RQ, 1, MOVE)).release()
    script.open("connection 3 from 10.0.0.1:50003").associate().say(SCU, echo()).say(SCP, echoed()).release()
    return script


def test_a_leg_of_ours_says_which_retrieve_it_is_of(tmp_path: Path) -> None:
    with tape_of(tmp_path, moved()) as tape:
        _, leg, _ = tape
        assert (leg.cause, leg.ours, leg.association.by_us) == ("1.1", SCU, True)
        assert said(leg.steps[0]) == (1, SCU, F.C_STORE_RQ, None, IMAGE, True)


@pytest.mark.parametrize(
    ("text", "numbers"), [("service:C-MOVE", [1, 2]), ("service:C-ECHO", [3]), ("3", [3]), ("service:C-FIND", [])]
)
def test_a_filter_chooses_associations_and_their_legs(tmp_path: Path, text: str, numbers: list[int]) -> None:
    path = write(tmp_path, moved()).parts[0]
    with Tape.open(path, filter=Filter.parse(text)) as tape:
        assert [taped.number for taped in tape] == numbers


def test_a_filter_can_ask_for_what_is_in_a_data_set(tmp_path: Path) -> None:
    path = write(tmp_path, everything()).parts[0]
    with Tape.open(path, filter=Filter.parse("service:C-FIND QueryRetrieveLevel:STUDY")) as tape:
        assert [(taped.number, taped.chosen) for taped in tape] == [(1, frozenset((2,)))]


def test_a_recording_that_ends_in_the_middle_is_not_whole(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, echo())
    path = write(tmp_path, script).parts[0]
    with Tape.open(path) as tape:
        (taped,) = tape
        assert taped.is_whole is False
        assert [said(step) for step in taped.steps] == [(1, SCU, F.C_ECHO_RQ, None, None, True), (None, "cut")]


def test_what_is_no_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    with pytest.raises(RecordingError, match="is not a capture file"):
        Tape.open(path)
    with pytest.raises(RecordingError, match="cannot be read"):
        Tape.open(tmp_path / "absent.pcapng")
