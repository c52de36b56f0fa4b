"""pynetdicom retrieves, and receives: role selection, who is named as the origin, cancelling, all kinds of trouble."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import build_role

from mockpacs import MockPACS
from tests.interop import judge, phantom, scu
from tests.interop.collection import COLLECTION, uid
from tests.interop.phantom import CT, MR
from tests.interop.programs import accepts_connections, free_port, movescu, running, until
from tests.interop.retrieving import (
    COMPOSITE_MOVE,
    GET,
    MOVE,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    Receiver,
    Spectator,
    at_once,
    counters,
    get,
    move,
    receiving,
)
from tests.interop.test_tls import make

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BOTH = [(CT, EXPLICIT), (MR, EXPLICIT)]
ALL_OF_1 = sorted([uid(1, 1, 1), uid(1, 1, 2), uid(1, 2, 1)])
ALL_OF_P1 = [*ALL_OF_1, uid(2, 1, 1)]
STUDY_1 = scu.keys("STUDY", StudyInstanceUID=uid(1))


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockPACS]:
    """A server with `COLLECTION`, and a study 9 of twelve instances."""
    with MockPACS(storage=tmp_path_factory.mktemp("retrieve")) as serving:
        series = [phantom.instance(9, 1, number) for number in range(1, 13)]
        assert set(scu.store(serving, *COLLECTION, *series)) == {0x0000}
        yield serving


TWELVE = scu.keys("STUDY", StudyInstanceUID=uid(9))
NAMES_OF_TWELVE = [uid(9, 1, number) for number in range(1, 13)]


def kept(pacs: MockPACS) -> dict[str, judge.OnDisk]:
    return judge.stored(pacs.options.storage)


# C-MOVE, and what the destination sees


@pytest.mark.parametrize("priority", [0, 1, 2])
def test_a_destination_sees_who_asked_and_how_urgent_it_is(pacs: MockPACS, priority: int) -> None:
    with receiving(BOTH) as receiver:
        pacs.peers.add("RECEIVER", "127.0.0.1", receiver.port)
        ended = move(pacs, STUDY_1, "RECEIVER", calling="ASKER", msg_id=4711, priority=priority)
        until(lambda: receiver.releases == 1, "the association is released")
    assert (ended.status, ended.counts, ended.identifier) == (0x0000, (3, 0, 0), None)
    assert sorted(receiver.sop_instances) == ALL_OF_1
    assert {arrival.originator for arrival in receiver.arrivals} == {("ASKER", 4711)}
    assert {arrival.priority for arrival in receiver.arrivals} == {priority}
    assert len({arrival.message_id for arrival in receiver.arrivals}) == 3
    assert (receiver.associations, receiver.aborts) == (1, 0)
    assert receiver.calling == [pacs.aet]
    held = kept(pacs)
    assert all(arrival.content == held[arrival.sop_instance].content for arrival in receiver.arrivals)


@pytest.mark.parametrize(
    ("model", "identifier", "expected"),
    [
        (MOVE.format(1), scu.keys("PATIENT", PatientID="P1"), ALL_OF_P1),
        (
            MOVE.format(1),
            scu.keys("STUDY", PatientID="P1", StudyInstanceUID=[uid(1), uid(2)]),
            [*ALL_OF_1, uid(2, 1, 1)],
        ),
        (MOVE.format(2), scu.keys("SERIES", StudyInstanceUID=uid(1), SeriesInstanceUID=uid(1, 2)), [uid(1, 2, 1)]),
        (MOVE.format(3), scu.keys("STUDY", PatientID="P3", StudyInstanceUID=uid(4)), [uid(4, 1, 1), uid(4, 1, 2)]),
        (COMPOSITE_MOVE, scu.keys("IMAGE", SOPInstanceUID=[uid(5, 1, 1), uid(3, 1, 1)]), [uid(3, 1, 1), uid(5, 1, 1)]),
    ],
)
def test_every_model_is_moved_and_got(pacs: MockPACS, model: str, identifier: Dataset, expected: list[str]) -> None:
    with receiving(BOTH) as receiver:
        pacs.peers.add("RECEIVER", "127.0.0.1", receiver.port)
        ended = move(pacs, identifier, "RECEIVER", model)
    got, arrived = get(pacs, identifier, BOTH, GET.format(model.split(".")[-2]))
    assert (ended.status, ended.counts) == (got.status, got.counts) == (0x0000, (len(expected), 0, 0))
    assert sorted(receiver.sop_instances) == sorted(arrived.sop_instances) == sorted(expected)
    assert arrived.contents == receiver.contents


@pytest.mark.parametrize("model", [STUDY_ROOT_MOVE, STUDY_ROOT_GET])
def test_relational_retrieve_is_agreed_on(pacs: MockPACS, model: str) -> None:
    """A series without its study, which is refused where it was not agreed on (PS3.4 C.5.2.1.1)."""
    series = scu.keys("SERIES", SeriesInstanceUID=[uid(1, 1), uid(4, 1)])
    for relational, status, count in ((b"\1", 0x0000, 4), (b"\1\1", 0x0000, 4), (b"\0", 0xA900, -1)):
        with receiving(BOTH) as receiver:
            pacs.peers.add("RECEIVER", "127.0.0.1", receiver.port)
            offer = SOPClassExtendedNegotiation()
            offer.sop_class_uid = UID(model)
            offer.service_class_application_information = relational
            if model == STUDY_ROOT_MOVE:
                ended = move(pacs, series, "RECEIVER", ext_neg=[offer])
            else:
                ended, receiver = get(pacs, series, BOTH, ext_neg=[offer])
        assert (ended.status, ended.counts[0]) == (status, count)
        assert len(receiver.arrivals) == max(count, 0)


def test_pending_responses_count_down(pacs: MockPACS) -> None:
    with receiving(BOTH) as receiver:
        pacs.peers.add("RECEIVER", "127.0.0.1", receiver.port)
        moved = move(pacs, TWELVE, "RECEIVER")
    got, _ = get(pacs, TWELVE, BOTH)
    for ended in (moved, got):
        *pending, final = ended.responses
        assert {response.Status for response in pending} == {0xFF00}
        assert [response.NumberOfRemainingSuboperations for response in pending] == list(range(11, 0, -1))
        assert [counters(response) for response in pending] == [(done, 0, 0) for done in range(1, 12)]
        assert (final.Status, counters(final)) == (0x0000, (12, 0, 0))
        assert "NumberOfRemainingSuboperations" not in final


def test_an_unknown_destination_is_a801(pacs: MockPACS) -> None:
    ended = move(pacs, STUDY_1, "NOBODY")
    assert [response.Status for response in ended.responses] == [0xA801]
    assert "NOBODY" in ended.final.ErrorComment
    assert not ended.identifier
    assert counters(ended.final) == (-1, -1, -1)


def test_a_server_moves_to_itself(tmp_path: Path) -> None:
    with MockPACS(storage=tmp_path, on_duplicate="replace") as pacs:
        made = [phantom.instance(number=number) for number in range(1, 6)]
        assert scu.store(pacs, *made) == [0] * 5
        before = kept(pacs)
        pacs.peers.add(pacs.aet, pacs.host, pacs.port)
        ended = move(pacs, scu.keys("STUDY", StudyInstanceUID=uid(1)), pacs.aet, calling="ASKER")
        assert (ended.status, ended.counts) == (0x0000, (5, 0, 0))
        stores = [exchange for exchange in pacs.exchanges if exchange.association.calling == pacs.aet]
        assert [exchange.service for exchange in stores] == ["C-STORE"] * 5
        assert len(pacs.journal.legs) == 5
    after = judge.stored(tmp_path)
    assert {name: file.data for name, file in after.items()} == {name: file.data for name, file in before.items()}


# trouble at the destination


def test_warnings_and_failures_are_counted_one_by_one(pacs: MockPACS) -> None:
    statuses = [0x0000, 0xB000, 0xA700, 0x0000, 0xB007, 0xA900, 0xC000, 0xB006, 0x0122, 0x0000, 0x0000, 0x0111]
    with receiving(BOTH, lambda number, _: statuses[number - 1]) as receiver:
        pacs.peers.add("PICKY", "127.0.0.1", receiver.port)
        moved = move(pacs, TWELVE, "PICKY")
    got, _ = get(pacs, TWELVE, BOTH, behaviour=lambda number, _: statuses[number - 1])
    for ended, names in ((moved, receiver.sop_instances), (got, receiver.sop_instances)):
        assert (ended.status, ended.counts) == (0xB000, (4, 5, 3))
        failed = [
            name for name, status in zip(names, statuses, strict=True) if status >> 12 in (0, 0xA, 0xC) and status
        ]
        assert ended.failed_list == failed
        assert ended.final.ErrorComment.startswith("5 of 12 failed: A700")
    assert receiver.associations == 1


def test_only_warnings_are_a_warning_without_a_failed_list(pacs: MockPACS) -> None:
    with receiving(BOTH, lambda *_: 0xB000) as receiver:
        pacs.peers.add("COERCING", "127.0.0.1", receiver.port)
        ended = move(pacs, STUDY_1, "COERCING")
    assert (ended.status, ended.counts) == (0xB000, (0, 0, 3))
    assert ended.failed_list == []


def test_only_failures_are_a702(pacs: MockPACS) -> None:
    with receiving(BOTH, lambda *_: 0xA700) as receiver:
        pacs.peers.add("FULL", "127.0.0.1", receiver.port)
        moved = move(pacs, STUDY_1, "FULL")
    got, _ = get(pacs, STUDY_1, BOTH, behaviour=lambda *_: 0xA700)
    for ended in (moved, got):
        assert (ended.status, ended.counts) == (0xA702, (0, 3, 0))
        assert sorted(ended.failed_list) == ALL_OF_1


def test_a_destination_that_aborts_at_the_third_store_has_two(pacs: MockPACS) -> None:
    def abort_third(number: int, event: evt.Event) -> int:
        if number == 3:
            event.assoc.abort()
        return 0x0000

    with receiving(BOTH, abort_third) as receiver:
        pacs.peers.add("MORTAL", "127.0.0.1", receiver.port)
        ended = move(pacs, TWELVE, "MORTAL")
    assert (ended.status, ended.counts) == (0xB000, (2, 10, 0))
    assert ended.failed_list == NAMES_OF_TWELVE[2:]
    assert receiver.sop_instances == NAMES_OF_TWELVE[:3]
    assert receiver.associations == 1
    assert "aborted by the peer" in ended.final.ErrorComment


def test_a_destination_that_is_killed_in_the_middle(tmp_path: Path) -> None:
    """kill -9: what it had not answered has failed, and the server goes on."""
    with MockPACS(storage=tmp_path / "storage") as pacs:
        assert set(scu.store(pacs, *(phantom.instance(9, 1, number) for number in range(1, 13)))) == {0}
        port, folder = free_port(), tmp_path / "received"
        folder.mkdir()
        with running("storescp", "+B", "-od", folder, port, nagle=False) as process:
            until(lambda: process.poll() is None and accepts_connections(port), "storescp listens")
            pacs.peers.add("MORTAL", "127.0.0.1", port)

            def kill(_association: Association, response: Dataset) -> None:
                if counters(response)[0] == 1:
                    process.kill()
                    process.wait(20)

            ended = move(pacs, TWELVE, "MORTAL", spectator=kill)
        completed, failed, _ = ended.counts
        assert ended.status == 0xB000
        assert completed >= 1
        assert (completed + failed, len(ended.failed_list)) == (12, failed)
        again = move(pacs, TWELVE, "MORTAL")
        assert (again.status, again.counts) == (0xA702, (0, 12, 0))
        assert "refused" in again.final.ErrorComment.lower()


def test_a_destination_that_rejects_the_association(pacs: MockPACS) -> None:
    with receiving(BOTH, only_from="SOMEBODY") as receiver:
        pacs.peers.add("CLOSED", "127.0.0.1", receiver.port)
        ended = move(pacs, STUDY_1, "CLOSED")
    assert (ended.status, ended.counts) == (0xA702, (0, 3, 0))
    assert sorted(ended.failed_list) == ALL_OF_1
    assert receiver.arrivals == []
    assert "rejected" in ended.final.ErrorComment
    assert any(notice.kind == "rejected" for notice in pacs.journal.notices)


def test_a_destination_that_nobody_listens_at(pacs: MockPACS) -> None:
    pacs.peers.add("NOWHERE", "127.0.0.1", free_port())
    ended = move(pacs, STUDY_1, "NOWHERE")
    assert (ended.status, ended.counts) == (0xA702, (0, 3, 0))
    assert sorted(ended.failed_list) == ALL_OF_1


def test_a_destination_that_refuses_one_class(pacs: MockPACS) -> None:
    with receiving([(CT, EXPLICIT)]) as receiver:
        pacs.peers.add("CT_ONLY", "127.0.0.1", receiver.port)
        ended = move(pacs, STUDY_1, "CT_ONLY")
    assert (ended.status, ended.counts) == (0xB000, (2, 1, 0))
    assert ended.failed_list == [uid(1, 2, 1)]
    assert sorted(receiver.sop_instances) == [uid(1, 1, 1), uid(1, 1, 2)]
    assert "MR Image Storage" in ended.final.ErrorComment


# C-GET and its roles


def test_without_the_role_of_an_scp_nothing_comes_back(pacs: MockPACS) -> None:
    ended, receiver = get(pacs, STUDY_1, BOTH, roles=[])
    assert (ended.status, ended.counts) == (0xA702, (0, 3, 0))
    assert sorted(ended.failed_list) == ALL_OF_1
    assert receiver.arrivals == []


def test_the_role_of_an_scp_for_one_class_brings_that_class(pacs: MockPACS) -> None:
    ended, receiver = get(pacs, STUDY_1, BOTH, roles=[MR])
    assert (ended.status, ended.counts) == (0xB000, (1, 2, 0))
    assert ended.failed_list == [uid(1, 1, 1), uid(1, 1, 2)]
    assert receiver.sop_instances == [uid(1, 2, 1)]
    assert {arrival.originator for arrival in receiver.arrivals} == {(None, None)}


def test_a_class_without_a_context_fails_alone(pacs: MockPACS) -> None:
    ended, receiver = get(pacs, STUDY_1, [(CT, IMPLICIT)])
    assert (ended.status, ended.counts) == (0xB000, (2, 1, 0))
    assert ended.failed_list == [uid(1, 2, 1)]
    assert {arrival.transfer_syntax for arrival in receiver.arrivals} == {IMPLICIT}


def test_two_gets_with_a_store_and_an_echo_between_them_on_one_association(tmp_path: Path) -> None:
    with MockPACS(storage=tmp_path) as pacs:
        assert scu.store(pacs, phantom.instance(number=1)) == [0]
        receiver = Receiver()
        association = scu.associate(
            pacs,
            (STUDY_ROOT_GET, EXPLICIT),
            (VERIFICATION, EXPLICIT),
            (CT, [EXPLICIT]),
            ext_neg=[build_role(CT, scu_role=True, scp_role=True)],
            evt_handlers=receiver.handlers(),
        )
        wanted = scu.keys("STUDY", StudyInstanceUID=uid(1))
        for number in (1, 2):
            *_, (final, _) = association.send_c_get(wanted, STUDY_ROOT_GET, msg_id=number)
            assert (final.Status, counters(final)) == (0x0000, (number, 0, 0))
            assert association.send_c_echo(msg_id=number).Status == 0x0000
            assert association.send_c_store(phantom.instance(number=number + 1), msg_id=number).Status == 0x0000
        association.release()
        assert association.is_released
    assert receiver.sop_instances == [uid(1, 1, 1), uid(1, 1, 1), uid(1, 1, 2)]


# cancelling


def cancel_after(completed: int, model: str, name: int = 1, sent: threading.Event | None = None) -> Spectator:
    """Cancels the request with the message ID ``name`` when so many sub-operations are completed."""

    def look(association: Association, response: Dataset) -> None:
        if response.Status == 0xFF00 and counters(response)[0] == completed:
            association.send_c_cancel(name, query_model=model)
            if sent is not None:
                sent.set()

    return look


def test_a_get_is_cancelled_in_the_middle(pacs: MockPACS) -> None:
    """The cancel leaves before the fourth instance is answered: the fifth is not sent."""
    ended, receiver = get(pacs, TWELVE, BOTH, spectator=cancel_after(3, STUDY_ROOT_GET))
    assert (ended.status, ended.counts) == (0xFE00, (4, 0, 0))
    assert ended.final.NumberOfRemainingSuboperations == 8
    assert receiver.sop_instances == NAMES_OF_TWELVE[:4]
    assert ended.failed_list == []


def test_a_cancelled_get_names_what_had_failed(pacs: MockPACS) -> None:
    def fail_second(number: int, _event: evt.Event) -> int:
        return 0xA700 if number == 2 else 0x0000

    ended, _ = get(pacs, TWELVE, BOTH, behaviour=fail_second, spectator=cancel_after(3, STUDY_ROOT_GET))
    assert (ended.status, ended.counts) == (0xFE00, (4, 1, 0))
    assert ended.final.NumberOfRemainingSuboperations == 7
    assert ended.failed_list == NAMES_OF_TWELVE[1:2]


def test_a_move_is_cancelled_in_the_middle(tmp_path: Path) -> None:
    """The destination holds the fifth back until the cancel is on its way; many are left to be cancelled."""
    count, sent = 100, threading.Event()

    def hold_fifth(number: int, _event: evt.Event) -> int:
        if number == 5:
            assert sent.wait(20)
        return 0x0000

    with MockPACS(storage=tmp_path) as pacs, receiving(BOTH, hold_fifth) as receiver:
        assert set(scu.store(pacs, *(phantom.instance(9, 1, number) for number in range(1, count + 1)))) == {0}
        pacs.peers.add("RECEIVER", "127.0.0.1", receiver.port)
        ended = move(pacs, TWELVE, "RECEIVER", spectator=cancel_after(3, STUDY_ROOT_MOVE, sent=sent))
        until(lambda: receiver.releases == 1, "the association to the destination is released")
    assert ended.status == 0xFE00
    completed, failed, warning = ended.counts
    assert 3 <= completed == len(receiver.arrivals) < count
    assert (failed, warning) == (0, 0)
    assert ended.final.NumberOfRemainingSuboperations == count - completed


def test_a_cancel_with_another_message_id_changes_nothing(pacs: MockPACS) -> None:
    ended, receiver = get(pacs, TWELVE, BOTH, msg_id=5, spectator=cancel_after(3, STUDY_ROOT_GET, 6))
    assert (ended.status, ended.counts) == (0x0000, (12, 0, 0))
    assert receiver.sop_instances == NAMES_OF_TWELVE


# several at once


def test_two_moves_cross_to_two_destinations(pacs: MockPACS) -> None:
    meeting = threading.Barrier(2)

    def meet(number: int, _event: evt.Event) -> int:
        if number == 2:
            meeting.wait(20)  # neither is answered before both are in the middle
        return 0x0000

    with receiving(BOTH, meet) as one, receiving(BOTH, meet) as other:
        pacs.peers.add("ONE", "127.0.0.1", one.port)
        pacs.peers.add("OTHER", "127.0.0.1", other.port)
        first, second = at_once(
            lambda: move(pacs, TWELVE, "ONE", calling="FIRST", msg_id=11),
            lambda: move(pacs, STUDY_1, "OTHER", calling="SECOND", msg_id=22),
        )
    assert (first.status, first.counts) == (0x0000, (12, 0, 0))
    assert (second.status, second.counts) == (0x0000, (3, 0, 0))
    assert one.sop_instances == NAMES_OF_TWELVE
    assert sorted(other.sop_instances) == ALL_OF_1
    assert {arrival.originator for arrival in one.arrivals} == {("FIRST", 11)}
    assert {arrival.originator for arrival in other.arrivals} == {("SECOND", 22)}


# TLS


def test_a_destination_with_tls(pacs: MockPACS, tmp_path: Path) -> None:
    authority = make(tmp_path, "authority")
    identity, stranger = make(tmp_path, "receiver", authority), make(tmp_path, "stranger")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    with receiving(BOTH, ssl_context=context) as receiver:
        where = ("127.0.0.1", receiver.port)
        pacs.peers.add("SECURE", *where, tls=True, tls_ca=authority.certificate)
        pacs.peers.add("UNTRUSTED", *where, tls=True, tls_ca=stranger.certificate)
        pacs.peers.add("CARELESS", *where, tls=True, tls_verify="none")
        good, bad, careless = (move(pacs, STUDY_1, name) for name in ("SECURE", "UNTRUSTED", "CARELESS"))
    assert (good.status, good.counts) == (careless.status, careless.counts) == (0x0000, (3, 0, 0))
    assert (bad.status, bad.counts) == (0xA702, (0, 3, 0))
    assert len(receiver.arrivals) == 6


def test_storescp_as_a_destination_with_tls(pacs: MockPACS, tmp_path: Path) -> None:
    authority = make(tmp_path, "authority")
    identity = make(tmp_path, "receiver", authority)
    port, folder = free_port(), tmp_path / "received"
    folder.mkdir()
    tls = ("+tls", identity.key, identity.certificate, "-ic")
    with running("storescp", "+B", *tls, "-od", folder, port, nagle=False):
        until(lambda: accepts_connections(port), "storescp listens")
        pacs.peers.add("SECURE", "127.0.0.1", port, tls=True, tls_ca=authority.certificate)
        moved = movescu(pacs, "SECURE", "-S", ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid(1)}"])
    assert (moved.status, moved.counts) == (0x0000, (3, 0, 0)), moved.text
    held = kept(pacs)
    assert sorted(judge.by_instance(folder.iterdir())) == ALL_OF_1
    assert all(file.content == held[name].content for name, file in judge.by_instance(folder.iterdir()).items())
