"""A recorded client against a live server: what is sent, when, what is reported."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.net.peer import Peer
from mockpacs.replay.client.report import Report
from mockpacs.replay.client.run import replay
from mockpacs.replay.client.settings import Fidelity, Settings
from mockpacs.replay.tape import Tape
from mockpacs.services.recoding import rewritten
from mockpacs.traffic import comment
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recorder import Recorder
from mockpacs.traffic.recording.recording import Recording
from mockpacs.wire import (
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    CommandField,
    ContextAnswer,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    Role,
    Tag,
    UserInformation,
    encode_pdu,
)
from mockpacs.wire.dataset import EXPLICIT_LITTLE
from tests.net.destination import Destination, Leg
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import (
    ANSWER,
    COMMITMENT,
    CT,
    EXPLICIT,
    FIND,
    GET,
    REQUEST,
    SCP,
    SCU,
    SYNTAXES,
    Script,
    answer,
    ask,
    cancel,
    echo,
    echoed,
    store,
    stored,
)
from tests.traffic.recording.written import write, writing

PATIENCE_SECONDS = 20.0
IMPLICIT = "1.2.840.10008.1.2"
IDENTIFIER = element(0x00080052, "CS", b"STUDY") + element(0x00100020, "LO", b"") + element(0x0020000D, "UI", b"")


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS() as serving:
        yield serving


@pytest.fixture
def server() -> Iterator[Destination]:
    serving = Destination("PACS")
    yield serving
    serving.close()


@pytest.fixture
def script() -> Script:
    return Script()


def play(folder: Path, script: Script, port: int, recorder: Recorder | None = None, **settings: Any) -> Report:
    path = write(folder, script).parts[0]
    settings.setdefault("patience_seconds", PATIENCE_SECONDS)
    with Tape.open(path) as tape:
        return asyncio.run(replay(tape, Peer("PACS", "127.0.0.1", port), Settings(**settings), recorder))


@contextmanager
def playing(folder: Path, script: Script, port: int, **settings: Any) -> Iterator[list[Report]]:
    """The replay beside the test, which plays the server; its report is there after the block."""
    reports: list[Report] = []
    thread = threading.Thread(target=lambda: reports.append(play(folder, script, port, **settings)))
    thread.start()
    try:
        yield reports
    finally:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def written_in_time(folder: Path, script: Script, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recording with the times of the script."""
    now = 0
    monkeypatch.setattr(Recorder, "now", lambda _: now)
    steps = writing(folder, script)
    path = next(steps)
    for event in script.events:
        now = int(event.when * 1e9)
        next(steps)
    for _ in steps:
        pass
    return path


def texts(report: Report) -> list[str]:
    return [*(f"{one.what}: {one.recorded} / {one.live}" for one in report.differences), *missed(report)]


def missed(report: Report) -> list[str]:
    return [f"{one.where} {one.what}: {one.why}" for one in report.unplayed]


# what is the same


def test_all_that_was_answered_alike_is_the_same(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    line = script.open().associate()
    line.say(SCU, echo(1)).say(SCP, echoed(1))
    line.say(SCU, store(2, ct_image("1.2.3.4"), "1.2.3.4")).say(SCP, stored(2))
    line.say(SCU, ask(CommandField.C_FIND_RQ, 3, FIND, IDENTIFIER))
    line.say(SCP, answer(CommandField.C_FIND_RQ, 3, FIND, 0xFF00, IDENTIFIER), answer(CommandField.C_FIND_RQ, 3, FIND))
    line.release()
    report = play(tmp_path, script, pacs.port)
    assert (report.exit_status, texts(report), report.notes) == (0, [], [])
    assert (report.associations, report.exchanges, report.instances) == (1, 3, 1)
    assert [exchange.service for exchange in pacs.exchanges] == ["C-ECHO", "C-STORE", "C-FIND"]
    assert {exchange.association.calling for exchange in pacs.exchanges} == {"CT1"}


def test_associations_that_followed_one_another_still_do(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    for number in range(1, 6):
        line = script.open().associate()
        line.say(SCU, store(1, ct_image(f"1.2.3.{number}"), f"1.2.3.{number}")).say(SCP, stored(1)).release()
    assert play(tmp_path, script, pacs.port).exit_status == 0
    assert [exchange.sop_instance for exchange in pacs.exchanges] == [f"1.2.3.{number}" for number in range(1, 6)]


def test_associations_that_overlapped_overlap_again(server: Destination, script: Script, tmp_path: Path) -> None:
    first, second = script.open(), script.open()
    first.associate()
    second.associate().say(SCU, echo(1)).say(SCP, echoed(1)).release()
    first.say(SCU, echo(1)).say(SCP, echoed(1)).release()
    with playing(tmp_path, script, server.port) as reports:
        one = server.associated()
        other = server.associated()  # before anything is answered on the first
        for leg in (other, one):
            answer_echo(leg)
            leg.released()
    assert reports[0].exit_status == 0


def test_one_by_one_nothing_overlaps(server: Destination, script: Script, tmp_path: Path) -> None:
    first, second = script.open(), script.open()
    first.associate()
    second.associate().release()
    first.say(SCU, echo(1)).say(SCP, echoed(1)).release()
    with playing(tmp_path, script, server.port, one_by_one=True) as reports:
        one = server.associated()
        answer_echo(one)
        server.nobody_came()
        one.released()
        server.associated().released()
    assert reports[0].exit_status == 0


def test_what_a_server_opened_is_left_to_the_server(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    script.open(comment.connection(1, "10.0.0.1:50001")).associate().say(SCU, echo(1)).say(SCP, echoed(1)).release()
    script.open(comment.connection(2, "10.0.0.9:104", by_us=True, cause="1.1")).associate().release()
    report = play(tmp_path, script, pacs.port)
    assert (report.exit_status, report.associations) == (0, 1)
    assert report.notes == ["association 2 was opened by the server, and will be by this one"]


def test_a_recording_is_played_many_times_with_instances_of_their_own(
    pacs: MockPACS, script: Script, tmp_path: Path
) -> None:
    line = script.open().associate()
    line.say(SCU, store(1, ct_image("1.2.3.4"), "1.2.3.4")).say(SCP, stored(1)).release()
    report = play(tmp_path, script, pacs.port, loops=3, lanes=2, fresh_uids="7")
    assert (report.exit_status, report.instances, report.associations) == (0, 6, 6)
    names = {exchange.sop_instance for exchange in pacs.exchanges}
    assert len(names) == 6
    assert all(name.startswith("2.25.") for name in names)
    kept = {str(exchange.dataset.SOPInstanceUID) for exchange in pacs.exchanges if exchange.dataset}
    assert kept == names


# what is not the same


def test_another_status_and_other_matches_are_told(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    pacs.when("C-STORE").reply("out-of-resources")
    line = script.open().associate()
    line.say(SCU, store(2, ct_image("1.2.3.4"), "1.2.3.4")).say(SCP, stored(2))
    line.say(SCU, ask(CommandField.C_FIND_RQ, 3, FIND, IDENTIFIER))
    line.say(SCP, answer(CommandField.C_FIND_RQ, 3, FIND, 0xFF00, IDENTIFIER), answer(CommandField.C_FIND_RQ, 3, FIND))
    line.release()
    report = play(tmp_path, script, pacs.port)
    assert report.exit_status == 1
    assert [(one.where, one.recorded, one.live) for one in report.differences] == [
        ("1.1", "0000 success", "A700 out-of-resources"),
        ("1.2", "1 match", "0 matches"),
    ]


def test_a_rejection_is_a_difference_and_says_what_was_not_played(
    pacs: MockPACS, script: Script, tmp_path: Path
) -> None:
    pacs.when("associate").reject("transient", reason="local-limit-exceeded", source="presentation")
    script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1)).release()
    report = play(tmp_path, script, pacs.port)
    assert texts(report) == [
        "association: accepted / rejected (result 2, source 3, reason 2)",
        "1 1 request: there was no association",
    ]


def test_the_same_rejection_is_no_difference(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    pacs.when("associate").reject("transient", reason="local-limit-exceeded", source="presentation")
    script.open().say(SCU, _request()).say(SCP, AssociateRJ(2, 3, 2)).close(SCP).close(SCU)
    assert texts(play(tmp_path, script, pacs.port)) == []


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_nobody_answers_as_nobody_answered(server: Destination, script: Script, tmp_path: Path, how: str) -> None:
    script.open().say(SCU, _request()).close(SCU, how)
    with playing(tmp_path, script, server.port) as reports:
        server.asked()
    assert texts(reports[0]) == []


def test_a_server_that_answers_for_once(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    script.open().say(SCU, _request()).close(SCP).close(SCU)
    assert texts(play(tmp_path, script, pacs.port)) == ["association: no answer, closed by the server / accepted"]


def test_an_association_that_was_rejected_and_is_accepted_now(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    script.open().say(SCU, _request()).say(SCP, AssociateRJ(1, 1, 1)).close(SCP).close(SCU)
    report = play(tmp_path, script, pacs.port)
    assert texts(report) == ["association: rejected (result 1, source 1, reason 1) / accepted"]


def test_an_abort_of_the_live_server_leaves_the_rest_unplayed(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    pacs.when("C-STORE").abort()
    line = script.open().associate()
    line.say(SCU, store(2, ct_image("1.2.3.4"), "1.2.3.4")).say(SCP, stored(2))
    line.say(SCU, echo(3)).say(SCP, echoed(3)).release()
    report = play(tmp_path, script, pacs.port)
    assert [(one.where, one.recorded, one.live) for one in report.differences] == [
        ("1.1", "0000 success", "no answer"),
        ("1", "released by the client", "aborted by the server"),
    ]
    assert [one.where for one in report.unplayed] == ["1.2"]


def test_an_abort_as_recorded_is_the_same(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    pacs.when("C-STORE").abort()
    line = script.open().associate()
    line.say(SCU, store(2, ct_image("1.2.3.4"), "1.2.3.4")).say(SCP, Abort(0, 0)).close(SCP).close(SCU)
    assert texts(play(tmp_path, script, pacs.port)) == []


def test_an_abort_instead_of_the_release_is_the_same(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    pacs.when("release").abort()
    line = script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1))
    line.say(SCU, ReleaseRQ()).say(SCP, Abort(0, 0)).close(SCP).close(SCU)
    assert texts(play(tmp_path, script, pacs.port)) == []


def test_a_release_that_is_not_answered_is_the_same(server: Destination, script: Script, tmp_path: Path) -> None:
    script.open().associate().say(SCU, ReleaseRQ()).say(SCU, Abort(0, 0)).close(SCU).close(SCP)
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated()
        assert isinstance(leg.read(), ReleaseRQ)
        assert leg.read_abort() == (0, 0)
    assert texts(reports[0]) == []


def test_a_server_that_aborted_and_answers_now(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    line = script.open().associate()
    line.say(SCU, echo(2)).say(SCP, Abort(0, 0)).close(SCP).close(SCU)
    assert texts(play(tmp_path, script, pacs.port)) == [
        "C-ECHO Verification SOP Class: no answer / 0000 success",
        "end: aborted by the server / released by the client",
    ]


def test_nobody_there_is_trouble(script: Script, tmp_path: Path, server: Destination) -> None:
    server.close_door()
    port = _free_port()
    script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1)).release()
    report = play(tmp_path, script, port)
    assert report.exit_status == 2
    assert report.trouble == f"127.0.0.1:{port} cannot be reached: Connection refused"


def test_a_server_that_does_not_answer_is_given_up(server: Destination, script: Script, tmp_path: Path) -> None:
    script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1)).release()
    with playing(tmp_path, script, server.port, patience_seconds=0.2) as reports:
        leg = server.associated()
        leg.message_in()
        assert leg.read_abort() == (0, 0)
    assert texts(reports[0]) == [
        "C-ECHO Verification SOP Class: 0000 success / C-ECHO Verification SOP Class was not answered within 0.2 s",
        "end: released by the client / C-ECHO Verification SOP Class was not answered within 0.2 s",
    ]


# contexts


def test_a_refused_context_leaves_its_messages_unplayed(server: Destination, script: Script, tmp_path: Path) -> None:
    line = script.open().associate()
    line.say(SCU, store(2, ct_image("1.2.3.4"), "1.2.3.4")).say(SCP, stored(2))
    line.say(SCU, echo(3)).say(SCP, echoed(3)).release()
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated(choose=lambda abstract, syntaxes: None if abstract == CT else syntaxes[0])
        answer_echo(leg)
        leg.released()
    assert texts(reports[0]) == [
        "1.1 C-STORE CT Image Storage 1.2.3.4: the peer accepts no context for CT Image Storage"
    ]


def test_another_transfer_syntax_is_converted_to(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    proposal = tuple(_both(context) for context in REQUEST.contexts)
    implicit = AssociateAC(
        "MOCKPACS",
        "CT1",
        tuple(ContextAnswer(number, 0, IMPLICIT) for number in SYNTAXES),
        UserInformation(16384, "1.2.4"),
    )
    line = script.open().associate(_request(contexts=proposal), implicit)
    line.say(SCU, store(2, _implicit_image(), "1.2.3.4.5")).say(SCP, stored(2)).release()
    assert texts(play(tmp_path, script, pacs.port)) == []
    [exchange] = pacs.exchanges
    assert exchange.context is not None
    assert exchange.context.transfer_syntax == EXPLICIT
    dataset = exchange.dataset
    assert dataset is not None
    assert dataset.SOPInstanceUID == "1.2.3.4.5"


def test_message_ids_are_fresh_and_cancel_names_the_right_one(
    server: Destination, script: Script, tmp_path: Path
) -> None:
    line = script.open().associate()
    line.say(SCU, ask(CommandField.C_FIND_RQ, 777, FIND, IDENTIFIER))
    line.say(SCP, answer(CommandField.C_FIND_RQ, 777, FIND, 0xFF00, IDENTIFIER))
    line.say(SCU, cancel(777))
    line.say(SCP, answer(CommandField.C_FIND_RQ, 777, FIND, 0xFE00)).release()
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated()
        _, find, _ = leg.message_in()
        assert find.message_id == 1
        leg.answer(find, 0xFF00, context_id=5, data=IDENTIFIER)
        _, cancelled, _ = leg.message_in()
        assert cancelled.service == "C-CANCEL"
        assert cancelled.message_id_responded_to == 1
        leg.answer(find, 0xFE00, context_id=5)
        leg.released()
    assert texts(reports[0]) == []


def test_a_cancel_that_comes_too_late_is_not_sent(server: Destination, script: Script, tmp_path: Path) -> None:
    line = script.open().associate()
    line.say(SCU, ask(CommandField.C_FIND_RQ, 7, FIND, IDENTIFIER))
    line.say(SCP, answer(CommandField.C_FIND_RQ, 7, FIND, 0xFF00, IDENTIFIER))
    line.say(SCU, cancel(7))
    line.say(SCP, answer(CommandField.C_FIND_RQ, 7, FIND, 0xFE00)).release()
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated()
        _, find, _ = leg.message_in()
        leg.answer(find, 0x0000, context_id=5)
        leg.released()
    assert [one.why for one in reports[0].unplayed] == ["all was answered already"]


def test_what_the_live_server_calls_otherwise_is_asked_for_by_its_name(
    server: Destination, script: Script, tmp_path: Path
) -> None:
    def match(study: str) -> bytes:
        return element(0x00100020, "LO", b"P1") + element(0x0020000D, "UI", study.encode())

    def get(study: str) -> bytes:
        return element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", study.encode())

    line = script.open().associate()
    line.say(SCU, ask(CommandField.C_FIND_RQ, 7, FIND, IDENTIFIER))
    line.say(SCP, answer(CommandField.C_FIND_RQ, 7, FIND, 0xFF00, match("1.2.3")))
    line.say(SCP, answer(CommandField.C_FIND_RQ, 7, FIND))
    line.say(SCU, ask(CommandField.C_FIND_RQ, 8, FIND, get("1.2.3"))).say(
        SCP, answer(CommandField.C_FIND_RQ, 8, FIND)
    ).release()
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated()
        _, find, _ = leg.message_in()
        leg.answer(find, 0xFF00, context_id=5, data=match("9.8.7.6.5"))
        leg.answer(find, 0, context_id=5)
        _, second, data = leg.message_in()
        assert data == get("9.8.7.6.5")
        leg.answer(second, 0, context_id=5)
        leg.released()
    assert texts(reports[0]) == []


def test_sub_operations_of_a_get_are_answered_as_recorded(server: Destination, script: Script, tmp_path: Path) -> None:
    identifier = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"1.2.3")
    line = script.open().associate()
    line.say(SCU, ask(CommandField.C_GET_RQ, 1, GET, identifier))
    line.say(SCP, store(1, ct_image("1.1"), "1.1")).say(SCU, stored(1, 0xA700))
    line.say(SCP, store(2, ct_image("1.2"), "1.2")).say(SCU, stored(2))
    line.say(SCP, answer(CommandField.C_GET_RQ, 1, GET, 0xB000)).release()
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated()
        _, get, _ = leg.message_in()
        statuses = []
        for instance in ("1.2", "1.1", "1.3"):
            leg.send(leg.store_request(ct_image(instance), instance))
            _, response, _ = leg.message_in()
            statuses.append(response.status)
        leg.answer(get, 0xB000, context_id=9)
        leg.released()
    assert statuses == [0, 0xA700, 0]
    assert texts(reports[0]) == ["C-STORE of the server: 2 times / 3 times"]


def test_an_event_report_is_waited_for_and_answered_as_recorded(
    server: Destination, script: Script, tmp_path: Path
) -> None:
    report = ask(CommandField.N_EVENT_REPORT_RQ, 3, COMMITMENT, IDENTIFIER, {Tag.AFFECTED_SOP_INSTANCE: "1.2"})
    line = script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1))
    line.say(SCP, report).say(SCU, answer(CommandField.N_EVENT_REPORT_RQ, 3, COMMITMENT, 0x0110)).release()
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated()
        answer_echo(leg)
        leg.send(report)
        _, response, _ = leg.message_in()
        assert (response.service, response.status) == ("N-EVENT-REPORT", 0x0110)
        leg.released()
    assert texts(reports[0]) == []


def test_a_long_data_set_is_sent_in_blocks_with_its_uids_replaced(
    server: Destination, script: Script, tmp_path: Path
) -> None:
    image = ct_image("1.2.3.4.5", pixels=3_000_000)
    script.open().associate().say(SCU, store(1, image, "1.2.3.4.5")).say(SCP, stored(1)).release()
    with playing(tmp_path, script, server.port, fresh_uids="1") as reports:
        leg = server.associated()
        context_id, command, data = leg.message_in()
        leg.answer(command, context_id=context_id)
        leg.released()
    fresh = command.affected_sop_instance
    assert fresh is not None
    assert fresh.startswith("2.25.")
    assert data is not None
    assert fresh.encode() in data[:1000]
    assert data.endswith(image[-3_000_000:])
    assert texts(reports[0]) == []


@pytest.mark.parametrize("fidelity", ["dimse", "pdu", "bytes"])
def test_a_server_that_takes_nothing_is_given_up(script: Script, tmp_path: Path, fidelity: str) -> None:
    server = Destination("PACS", receive_buffer=4096)
    image = ct_image("1.2.3.4.5", pixels=30_000_000)
    script.open().associate().say(SCU, store(1, image, "1.2.3.4.5")).say(SCP, stored(1)).release()
    with playing(tmp_path, script, server.port, fidelity=fidelity, patience_seconds=0.3) as reports:
        server.associated()
    server.close()
    assert reports[0].exit_status == 1


def test_a_server_that_takes_no_message_at_all(server: Destination, script: Script, tmp_path: Path) -> None:
    script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1)).release()
    with playing(tmp_path, script, server.port) as reports:
        server.associated(max_pdu=6).released()
    assert texts(reports[0]) == [
        "1.1 C-ECHO Verification SOP Class: the peer takes no message: its maximum PDU length is 6"
    ]


# ends and faults


def test_the_client_aborts_as_it_did(server: Destination, script: Script, tmp_path: Path) -> None:
    script.open().associate().say(SCU, echo(1)).say(SCU, Abort(0, 0)).close(SCU).close(SCP)
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated()
        leg.message_in()
        assert leg.read_abort() == (0, 0)
    assert texts(reports[0]) == []


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_the_client_goes_without_a_word_as_it_did(
    server: Destination, script: Script, tmp_path: Path, how: str
) -> None:
    script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1)).close(SCU, how)
    with playing(tmp_path, script, server.port) as reports:
        leg = server.associated()
        answer_echo(leg)
        if how == "reset":
            with pytest.raises(ConnectionResetError):
                leg.socket.recv(1)
        else:
            leg.read_end()
    assert texts(reports[0]) == []


@pytest.mark.parametrize("fidelity", ["dimse", "bytes"])
def test_who_waited_in_vain_waits_again_and_sees_the_answer(
    pacs: MockPACS, script: Script, tmp_path: Path, fidelity: Fidelity, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = script.open().associate().say(SCU, echo(1))
    script.clock += 15.0
    line.say(SCU, Abort(0, 0)).close(SCU).close(SCP)
    with Tape.open(written_in_time(tmp_path, script, monkeypatch)) as tape:
        settings = Settings(fidelity=fidelity, patience_seconds=PATIENCE_SECONDS)
        report = asyncio.run(replay(tape, Peer("PACS", "127.0.0.1", pacs.port), settings))
    assert [one.live.removeprefix("C-ECHO ") for one in report.differences] == ["0000 success"]
    assert report.seconds < 15.0


def test_a_recording_that_is_cut_is_played_up_to_the_cut(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1)).say(SCU, echo(2)).close(None, "cut")
    report = play(tmp_path, script, pacs.port)
    assert (report.exit_status, report.exchanges) == (0, 2)
    assert report.notes == ["1: the recording ends before the association does; played up to there"]


def test_half_a_data_set_and_garbage_are_not_played_as_messages(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    line = script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1))
    line.say(SCU, store(2, ct_image(pixels=20_000))[:17_000]).close(SCU, "reset")
    report = play(tmp_path, script, pacs.port)
    assert report.exit_status == 1
    assert any("--fidelity pdu or bytes" in one.why for one in report.unplayed)


@pytest.mark.parametrize("fidelity", ["bytes", "pdu"])
def test_the_bytes_are_the_recorded_ones(server: Destination, script: Script, tmp_path: Path, fidelity: str) -> None:
    large = store(10, ct_image(pixels=40_000))
    line = script.open().associate()
    line.say(SCU, echo(9)).say(SCP, echoed(9)).say(SCU, large, longest=1000).say(SCP, stored(10)).release()
    expected = b"".join((encode_pdu(REQUEST), echo(9), large, encode_pdu(ReleaseRQ())))
    with playing(tmp_path, script, server.port, fidelity=fidelity) as reports:
        leg = server.associated()
        came = bytearray(leg.request_bytes)
        came += leg.exactly(len(echo(9)))
        leg.send(echoed(9))
        came += leg.exactly(len(large))
        leg.send(stored(10))
        came += leg.exactly(10)
        leg.send(encode_pdu(ReleaseRP()))
        leg.read_end()
    assert came == expected
    assert texts(reports[0]) == []


@pytest.mark.parametrize("fidelity", ["bytes", "pdu"])
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_half_a_pdu_and_the_end_are_on_the_wire_again(
    server: Destination, script: Script, tmp_path: Path, fidelity: str, how: str
) -> None:
    half = store(2, ct_image(pixels=20_000))[:17_000]
    script.open().say(SCU, _request()).say(SCP, ANSWER).say(SCU, half).close(SCU, how)
    with playing(tmp_path, script, server.port, fidelity=fidelity) as reports:
        leg = server.associated()
        if how == "fin":
            assert leg.exactly(len(half)) == half
            assert leg.socket.recv(1) == b""
        else:
            assert was_reset(leg.socket)
    assert texts(reports[0]) == []


def test_garbage_and_silence_are_no_associations(server: Destination, script: Script, tmp_path: Path) -> None:
    script.open().say(SCU, b"GET / HTTP/1.1\r\n\r\n").say(SCP, Abort(2, 1)).close(SCP).close(SCU)
    script.open().close(SCU).close(SCP)
    report = play(tmp_path, script, server.port)
    server.nobody_came()
    assert (report.exit_status, report.associations) == (1, 0)
    assert [one.where for one in report.unplayed] == ["1"]
    assert report.notes == ["2: nothing was said on the connection; it is not opened"]


def test_garbage_is_on_the_wire_again(server: Destination, script: Script, tmp_path: Path) -> None:
    garbage = b"GET / HTTP/1.1\r\n\r\n"
    script.open().say(SCU, garbage).say(SCP, Abort(2, 1)).close(SCP).close(SCU)
    with playing(tmp_path, script, server.port, fidelity="bytes") as reports:
        leg = server.connected()
        assert leg.exactly(len(garbage)) == garbage
        leg.send(encode_pdu(Abort(2, 1)))
        leg.socket.close()
    assert (reports[0].exit_status, texts(reports[0])) == (0, [])


def test_a_peer_that_takes_less_gets_shorter_pdus(server: Destination, script: Script, tmp_path: Path) -> None:
    line = script.open().associate()
    line.say(SCU, store(2, ct_image(pixels=20_000))).say(SCP, stored(2)).release()
    with playing(tmp_path, script, server.port, fidelity="pdu") as reports:
        leg = server.associated(max_pdu=4096)
        _, command, data = leg.message_in()
        assert data == ct_image(pixels=20_000)
        assert max(leg.lengths) <= 4096
        leg.answer(command, 0, context_id=3)
        leg.released()
    assert texts(reports[0]) == []


def test_other_answers_are_told_in_the_bytes_mode_too(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    pacs.when("C-ECHO").reply(0x0110)
    script.open().associate().say(SCU, echo(1)).say(SCP, echoed(1)).release()
    report = play(tmp_path, script, pacs.port, fidelity="bytes")
    assert texts(report) == ["answer 2: C-ECHO 0000 success / C-ECHO 0110 processing-failure"]


# recorded again


def test_a_replay_is_recorded_and_the_recording_can_be_replayed(pacs: MockPACS, script: Script, tmp_path: Path) -> None:
    line = script.open().associate()
    line.say(SCU, store(2, ct_image("1.2.3.4"), "1.2.3.4")).say(SCP, stored(2)).release()
    recorder = Recorder(tmp_path / "again", "1")
    assert play(tmp_path / "first", script, pacs.port, recorder).exit_status == 0
    recorder.close()
    [record] = [one for one in Recording.open(recorder.path).records() if isinstance(one, Exchange)]
    assert (record.service, record.status, record.sop_instance) == ("C-STORE", 0, "1.2.3.4")
    with Tape.open(recorder.path) as tape:
        assert tape.associations[0].ours is Role.REQUESTOR
        again = asyncio.run(replay(tape, Peer("PACS", "127.0.0.1", pacs.port), Settings()))
    assert (again.exchanges, texts(again)) == (1, [])


def _request(**changes: Any) -> AssociateRQ:
    return dataclasses.replace(REQUEST, **changes)


def was_reset(sock: socket.socket) -> bool:
    """Whether the connection ended with RST, after whatever came before."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionResetError:
        return True
    return False


def _both(context: ProposedContext) -> ProposedContext:
    return dataclasses.replace(context, transfer_syntaxes=(EXPLICIT, IMPLICIT))


def answer_echo(leg: Leg) -> None:
    context_id, command, _ = leg.message_in()
    leg.answer(command, context_id=context_id)


def _implicit_image() -> bytes:
    return b"".join(rewritten([ct_image("1.2.3.4.5")], EXPLICIT_LITTLE, implicit=True))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
