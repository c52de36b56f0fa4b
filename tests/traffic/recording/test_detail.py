"""Exchanges and associations read back in full from where they are in the file."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.message import Message
from mockpacs.traffic.recording.detail import data_of, read_association, read_exchange
from mockpacs.wire import Abort, AssociateAC, AssociateRQ, Command, PDataTF, ReleaseRP, ReleaseRQ
from mockpacs.wire import CommandField as F
from mockpacs.wire.seen import JunkSeen, PduSeen
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import (
    FIND,
    GET,
    INSTANCE,
    SCP,
    SCU,
    VERIFICATION,
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
IDENTIFIER = element(0x00080052, "CS", b"STUDY")


def matches(count: int) -> list[bytes]:
    return [IDENTIFIER + element(0x0020000D, "UI", b"1.2.%d" % number) for number in range(count)]


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
    for match in matches(20):
        one.say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFF00, match))
    one.say(SCU, cancel(2)).say(SCP, answer(F.C_FIND_RQ, 2, FIND, 0xFE00), echoed(3))
    two.say(SCU, ask(F.C_GET_RQ, 4, GET, IDENTIFIER)).say(SCP, store(1, LARGE, "2.9")).say(SCU, stored(1))
    two.say(SCP, answer(F.C_GET_RQ, 4, GET))
    one.release()
    two.say(SCU, echo(9)).say(SCU, Abort(0, 0)).close(SCU)
    return script


def by_id(folder: Path, script: Script, part_size: int = 0) -> dict[str, Exchange]:
    return {one.id: one for one in exchanges(write(folder, script, part_size=part_size).records())}


def said(message: Message) -> tuple[object, ...]:
    return message.sender, message.command.field, message.command.status, message.data, message.is_whole


@pytest.mark.parametrize("part_size", [0, 5_000, 100_000])
def test_every_exchange_is_read_back_in_full(tmp_path: Path, part_size: int) -> None:
    found = by_id(tmp_path, everything(), part_size)
    detail = {name: [said(message) for message in read_exchange(one).messages] for name, one in found.items()}
    assert detail["1.1"] == [(SCU, F.C_STORE_RQ, None, LARGE, True), (SCP, F.C_STORE_RSP, 0, None, True)]
    assert detail["2.1"] == [(SCU, F.C_STORE_RQ, None, IMAGE, True), (SCP, F.C_STORE_RSP, 0, None, True)]
    assert detail["1.2"] == [
        (SCU, F.C_FIND_RQ, None, IDENTIFIER, True),
        *((SCP, F.C_FIND_RSP, 0xFF00, match, True) for match in matches(20)),
        (SCU, F.C_CANCEL_RQ, None, None, True),
        (SCP, F.C_FIND_RSP, 0xFE00, None, True),
    ]
    for name in ("1.3", "2.2"):
        assert detail[name] == [(SCU, F.C_ECHO_RQ, None, None, True), (SCP, F.C_ECHO_RSP, 0, None, True)]
    assert detail["2.3"] == [(SCU, F.C_GET_RQ, None, IDENTIFIER, True), (SCP, F.C_GET_RSP, 0, None, True)]
    assert detail["2.4"] == [(SCP, F.C_STORE_RQ, None, LARGE, True), (SCU, F.C_STORE_RSP, 0, None, True)]
    assert detail["2.5"] == [(SCU, F.C_ECHO_RQ, None, None, True)]
    assert len(detail) == 8


def test_only_the_pdus_of_the_exchange_are_shown(tmp_path: Path) -> None:
    found = by_id(tmp_path, everything())
    pdus = read_exchange(found["1.2"]).pdus
    assert b"".join(pdu.raw for pdu in pdus if pdu.seen.sender is SCU) == (
        ask(F.C_FIND_RQ, 2, FIND, IDENTIFIER) + cancel(2)
    )
    assert all(isinstance(pdu.seen, PduSeen) and isinstance(pdu.seen.pdu, PDataTF) for pdu in pdus)
    assert len(pdus) == 2 + 20 * 2 + 1 + 1
    times = [pdu.when for pdu in pdus]
    assert times == sorted(times)
    fragments = [pdv.data for pdu in pdus for pdv in pdu.seen.pdu.pdvs]  # type: ignore[union-attr]
    assert bytes(fragments[1]) == IDENTIFIER


@pytest.mark.parametrize("part_size", [0, 100_000])
def test_a_data_set_is_exported_in_pieces(tmp_path: Path, part_size: int) -> None:
    found = by_id(tmp_path, everything(), part_size)
    for name, data in (("1.1", LARGE), ("2.1", IMAGE), ("1.2", IDENTIFIER), ("2.4", LARGE), ("1.3", b"")):
        sink = io.BytesIO()
        assert data_of(found[name], sink) == len(data) == found[name].size
        assert sink.getvalue() == data


def test_a_data_set_is_never_held_as_a_whole(tmp_path: Path) -> None:
    found = by_id(tmp_path, everything())
    sizes: list[int] = []

    class Sink:
        def write(self, data: bytes | memoryview, /) -> None:
            sizes.append(len(data))

    data_of(found["1.1"], Sink())
    assert max(sizes) < 20_000


def test_a_data_set_that_was_cut_short_is_marked(tmp_path: Path) -> None:
    script = Script()
    asked = store(1, LARGE)
    script.open().associate().say(SCU, asked[:100_000]).close(SCU)
    (one,) = by_id(tmp_path, script).values()
    (message,) = read_exchange(one).messages
    assert (message.is_whole, message.data) == (False, LARGE[: one.size])
    assert 0 < one.size < 100_000
    sink = io.BytesIO()
    assert data_of(one, sink) == one.size


def test_a_message_id_that_is_used_again_is_not_confused(tmp_path: Path) -> None:
    script = Script()
    line = script.open().associate().say(SCU, echo(7), store(7, IMAGE), echo(7))
    line.say(SCP, echoed(7, 0x0110), stored(7), echoed(7)).release()
    found = by_id(tmp_path, script)
    for name, status in (("1.1", 0x0110), ("1.2", 0), ("1.3", 0)):
        assert [message.command.status for message in read_exchange(found[name]).messages] == [None, status]


def test_an_exchange_of_many_associations_is_read_from_its_own(tmp_path: Path) -> None:
    script = Script()
    lines = [script.open().associate() for _ in range(6)]
    for line in lines:
        line.say(SCU, store(1, IMAGE, f"1.{line.flow.number}"))
    for line in reversed(lines):
        line.say(SCP, stored(1, 0xA700 + line.flow.number))
    for line in lines:
        line.release()
    for name, one in by_id(tmp_path, script).items():
        request, response = read_exchange(one).messages
        number = int(name.partition(".")[0])
        assert request.command.affected_sop_instance == f"1.{number}"
        assert response.command.status == 0xA700 + number


def test_an_exchange_without_a_place_has_nothing_to_show(tmp_path: Path) -> None:
    one = replace(by_id(tmp_path, everything())["1.1"], place=None)
    assert read_exchange(one).messages == []
    assert data_of(one, io.BytesIO()) == 0


def test_the_context_of_a_message_is_the_one_that_was_agreed(tmp_path: Path) -> None:
    request, response = read_exchange(by_id(tmp_path, everything())["1.3"]).messages
    assert request.context.abstract_syntax == response.context.abstract_syntax == VERIFICATION
    assert response.when >= request.when


@pytest.mark.parametrize("part_size", [0, 5_000])
def test_an_association_is_read_with_its_beginning_and_its_end(tmp_path: Path, part_size: int) -> None:
    recording = write(tmp_path, everything(), part_size=part_size)
    pdus = list(read_association(recording.parts, 1))
    kinds = [type(pdu.seen.pdu) for pdu in pdus if isinstance(pdu.seen, PduSeen)]
    assert kinds[:2] == [AssociateRQ, AssociateAC]
    assert kinds[-2:] == [ReleaseRQ, ReleaseRP]
    assert len(pdus) == len(kinds)
    assert sum(len(pdu.raw) for pdu in pdus if pdu.seen.sender is SCU) > len(LARGE)
    assert {pdu.seen.sender for pdu in list(read_association(recording.parts, 2))} == {SCU, SCP}


def test_what_is_no_pdu_is_shown_as_it_came(tmp_path: Path) -> None:
    script = Script()
    script.open().say(SCU, b"GET / HTTP/1.1\r\n\r\n").close(SCU)
    (junk,) = read_association(write(tmp_path, script).parts, 1)
    assert isinstance(junk.seen, JunkSeen)
    assert junk.raw == b"GET / HTTP/1.1\r\n\r\n"


def test_a_command_set_without_a_group_length_is_read_back(tmp_path: Path) -> None:
    script = Script()
    raw = echo(5)
    bare = raw[:2] + (len(raw) - 18).to_bytes(4, "big") + (len(raw) - 22).to_bytes(4, "big") + raw[10:12] + raw[24:]
    script.open().associate().say(SCU, bare).say(SCP, echoed(5)).release()
    (one,) = by_id(tmp_path, script).values()
    assert isinstance(one.command, Command)
    assert len(read_exchange(one).messages) == 2


def test_the_instance_is_the_one_that_was_stored(tmp_path: Path) -> None:
    script = Script()
    script.open().associate().say(SCU, store(1, IMAGE)).say(SCP, stored(1)).release()
    (one,) = by_id(tmp_path, script).values()
    assert one.sop_instance == INSTANCE
