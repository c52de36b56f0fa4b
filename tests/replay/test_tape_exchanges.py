"""What the tape says belongs to an exchange is what reading that exchange back says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.replay.tape import Tape
from mockpacs.traffic.recording.detail import read_exchange
from mockpacs.traffic.recording.recording import Recording
from mockpacs.wire import CommandField as F
from mockpacs.wire import ReleaseRQ, encode_pdu
from tests.net.wire_client import ct_image
from tests.replay.test_tape import IDENTIFIER, everything, match
from tests.traffic.recording.script import (
    ANSWER,
    COMMITMENT,
    FIND,
    REQUEST,
    SCP,
    SCU,
    Script,
    answer,
    ask,
    cancel,
    echo,
    echoed,
    exchanges,
    store,
    stored,
)
from tests.traffic.recording.written import write

IMAGE = ct_image()
LARGE = ct_image(pixels=300_000)


def shared_numbers() -> Script:
    """Requests that share a Message ID, of one side and of both; events that the acceptor reports meanwhile."""
    script = Script()
    line = script.open().associate()
    line.say(SCU, echo(1), ask(F.C_FIND_RQ, 1, FIND, IDENTIFIER))
    line.say(SCP, ask(F.N_EVENT_REPORT_RQ, 1, COMMITMENT, IDENTIFIER), echo(1))
    line.say(SCP, answer(F.C_FIND_RQ, 1, FIND, 0xFF00, match(1)), echoed(1))
    line.say(SCU, echoed(1), answer(F.N_EVENT_REPORT_RQ, 1, COMMITMENT), cancel(1))
    line.say(SCP, answer(F.C_FIND_RQ, 1, FIND, 0xFE00)).release()
    return script


def late_and_lost() -> Script:
    """Answers to nothing, a second final one, a data set that is broken off, a request after the release."""
    script = Script()
    line = script.open().associate()
    line.say(SCP, stored(9)).say(SCU, echo(1)).say(SCP, echoed(1), echoed(1))
    line.say(SCU, store(2, LARGE)[: 20 * 16390], echo(3)).say(SCP, echoed(3))
    line.say(SCU, ReleaseRQ()).say(SCU, echo(4)).say(SCP, echoed(4)).close()
    other = script.open().associate()
    other.say(SCU, b"\x99 nonsense", echo(5)).say(SCP, echoed(5)).close(SCP)
    return script


def same_numbers() -> Script:
    """A client that calls all its requests 1."""
    script = Script()
    line = script.open().associate()
    for number in range(20):
        line.say(SCU, store(1, IMAGE, f"1.{number}")).say(SCP, stored(1))
    line.say(SCU, echo(1), echo(1)).say(SCP, echoed(1), echoed(1)).release()
    return script


SCRIPTS = [everything, late_and_lost, same_numbers]


@pytest.mark.parametrize("make", SCRIPTS)
def test_the_messages_of_an_exchange_are_those_that_are_read_back(tmp_path: Path, make: object) -> None:
    recording = write(tmp_path, make())  # type: ignore[operator]
    with Tape.open(recording.parts[0]) as tape:
        found = [exchange for taped in tape for exchange in taped.exchanges]
        assert sorted(found, key=lambda one: one.id) == sorted(exchanges(recording.records()), key=lambda one: one.id)
        assert found
        for taped in tape:
            for exchange in taped.exchanges:
                said = [
                    (one.sender, one.command, one.data.read() if one.data else None, one.is_whole, one.when)
                    for one in taped.messages()
                    if one.exchange == exchange.number
                ]
                assert said == [
                    (one.sender, one.command, one.data, one.is_whole, one.when)
                    for one in read_exchange(exchange).messages
                ]


def test_messages_of_no_exchange_are_there_all_the_same(tmp_path: Path) -> None:
    with Tape.open(write(tmp_path, late_and_lost()).parts[0]) as tape:
        fields = [one.command.field for one in tape.associations[0].messages() if not one.exchange]
        assert fields == [F.C_STORE_RSP, F.C_ECHO_RSP, F.C_ECHO_RQ, F.C_ECHO_RSP]


def test_exchange_numbers_are_those_of_a_recording_whose_first_part_is_gone(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate()
    for number in range(1, 30):
        line.say(SCU, store(number, IMAGE, f"1.{number}"), comment=f"1.{number} C-STORE-RQ CT1 > MOCKPACS")
        line.say(SCP, stored(number))
    line.release()
    recording = write(tmp_path, script, part_size=10_000)
    assert len(recording.parts) > 2
    later = recording.parts[1]
    recording.parts[0].unlink()
    expected = {one.number for one in exchanges(Recording.open(later).records())}
    assert min(expected) > 1
    with Tape.open(later) as tape:
        (taped,) = tape
        assert {one.exchange for one in taped.messages()} - {0} == expected
        assert (taped.request, taped.answer) == (REQUEST, ANSWER)
        assert taped.is_whole is False
        raw = [pdu.raw for pdu in taped.pdus()]
        assert raw[:2] == [encode_pdu(REQUEST), encode_pdu(ANSWER)]


def test_requests_that_share_a_message_id_keep_their_answers(tmp_path: Path) -> None:
    with Tape.open(write(tmp_path, shared_numbers()).parts[0]) as tape:
        (taped,) = tape
        assert [one.status for one in taped.exchanges] == [0, 0xFE00, 0, 0]
        said = [(one.exchange, one.sender, one.command.service, one.command.status) for one in taped.messages()]
        assert said == [
            (1, SCU, "C-ECHO", None),
            (2, SCU, "C-FIND", None),
            (3, SCP, "N-EVENT-REPORT", None),
            (4, SCP, "C-ECHO", None),
            (2, SCP, "C-FIND", 0xFF00),
            (1, SCP, "C-ECHO", 0),
            (4, SCU, "C-ECHO", 0),
            (3, SCU, "N-EVENT-REPORT", 0),
            (2, SCU, "C-CANCEL", None),
            (2, SCP, "C-FIND", 0xFE00),
        ]
