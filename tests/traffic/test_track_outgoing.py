"""Connections that we opened: the SYN is ours, what we send is what the requestor says, places count accordingly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockpacs.traffic.pcapng import ACK, FIN, RST, SYN
from mockpacs.traffic.recorder import Recorder
from mockpacs.traffic.track import Track
from mockpacs.wire import AssociateRQ, ProposedContext, UserIdentity, UserInformation, encode_pdu
from tests.traffic.pcapng_reader import in_file, packets
from tests.traffic.test_track import AC, RQ, parts, pdu

DESTINATION, OURS = ("192.0.2.9", 11113), ("192.0.2.1", 40_000)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path, "0")
    yield made
    made.close()


@pytest.fixture
def track(recorder: Recorder) -> Iterator[Track]:
    made = recorder.track(4, DESTINATION, OURS, by_us=True, cause="3.1")
    yield made
    made.end()


def associated(track: Track) -> None:
    track.sending(RQ)
    track.received(AC)
    track.settle()


def test_the_first_packet_is_ours_and_says_where_to_and_what_for(recorder: Recorder, track: Track) -> None:
    associated(track)
    first, second, third, asked, answered = packets(recorder.path)

    assert (first.source, first.target, first.is_inbound, first.flags) == (OURS, DESTINATION, False, SYN)
    assert first.comments == ("connection 4 to 192.0.2.9:11113 for 3.1",)
    assert (second.is_inbound, second.flags, third.is_inbound, third.flags) == (True, SYN | ACK, False, ACK)
    assert (asked.is_inbound, asked.payload) == (False, RQ)
    assert (answered.is_inbound, answered.payload) == (True, AC)
    (connection,) = in_file(recorder.path)
    assert (bytes(connection.requestor.data), bytes(connection.acceptor.data)) == (RQ, AC)


@pytest.mark.parametrize("by_us", [True, False])
@pytest.mark.parametrize("reset", [True, False])
def test_who_ends_the_connection_is_its_side(recorder: Recorder, track: Track, *, by_us: bool, reset: bool) -> None:
    associated(track)
    track.closed(by_us=by_us, reset=reset)
    track.end()
    track = recorder.track(5, DESTINATION, OURS)  # for the fixture to end
    (ending,) = [packet for packet in packets(recorder.path) if packet.flags & (FIN | RST)]

    assert ending.is_inbound is not by_us
    assert bool(ending.flags & RST) is reset


def test_our_request_has_its_place(recorder: Recorder, track: Track) -> None:
    associated(track)
    before = recorder.size
    place = track.place_of_sending()
    track.sending(pdu(4, 50, 1))
    track.received(pdu(4, 20, 2))
    track.settle()
    place = track.ended(place)

    assert (place.path, place.offset, place.last) == (recorder.path, before, None)
    assert (place.requestor, place.acceptor) == (len(RQ) + 1, len(AC) + 1)
    inside = [packet.payload for packet in packets(recorder.path) if place.offset <= packet.offset < place.end]
    assert inside == [pdu(4, 50, 1), pdu(4, 20, 2)]


def test_what_waits_before_our_request_counts(recorder: Recorder, track: Track) -> None:
    associated(track)

    assert track.place_of_sending(100).requestor == len(RQ) + 101


def test_a_request_of_the_peer_has_its_place_in_what_the_acceptor_says(recorder: Recorder, track: Track) -> None:
    associated(track)
    before = recorder.size
    track.received(pdu(4, 60, 3))
    place = track.place_of(len(AC))

    assert (place.offset, place.requestor, place.acceptor) == (before, len(RQ) + 1, len(AC) + 1)


def test_a_request_of_ours_on_an_association_of_the_peer_is_placed_in_what_we_say(recorder: Recorder) -> None:
    """A sub-operation of a C-GET."""
    track = recorder.track(1, ("192.0.2.1", 5000), ("192.0.2.1", 104))
    track.received(RQ)
    track.sending(AC)
    place = track.place_of_sending()
    track.sending(pdu(4, 50))
    track.end()

    assert (place.requestor, place.acceptor) == (len(RQ) + 1, len(AC) + 1)


@pytest.mark.parametrize("is_written", [True, False])
def test_a_pdu_that_is_coming_while_we_ask_is_read_from_its_begin(
    recorder: Recorder, track: Track, *, is_written: bool
) -> None:
    associated(track)
    before = recorder.size
    track.received(pdu(4, 80, 3)[:20])
    if is_written:
        track.settle()
    place = track.place_of_sending()

    assert (place.offset, place.acceptor) == (before, len(AC) + 1)


def test_what_is_behind_in_the_stream_leads_to_whole_pdus(recorder: Recorder, track: Track) -> None:
    """An answer that is staged when we go on asking belongs to what was before."""
    associated(track)
    before = recorder.size
    track.received(pdu(4, 20, 2))
    place = track.place_of_sending()
    track.sending(pdu(4, 50, 1))

    assert (place.offset, place.acceptor) == (before, len(AC) + 1)


def test_a_place_made_when_the_part_is_full_is_in_the_next_one(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0", part_size=2000)
    track = recorder.track(4, DESTINATION, OURS, by_us=True, cause="3.1")
    associated(track)
    track.sending(pdu(4, 3000))
    place = track.place_of_sending()
    track.sending(pdu(4, 50))
    track.end()
    recorder.close()
    first, second = parts(tmp_path)

    assert (place.path, place.requestor) == (second, len(RQ) + 3007)
    (continued,) = in_file(second)
    assert continued.comments == [f"continues connection 4 of {first.name} to 192.0.2.9:11113 for 3.1"]
    assert bytes(continued.requestor.data) == RQ + pdu(4, 50)
    assert bytes(continued.acceptor.data) == AC


def test_our_own_password_is_no_more_recorded_than_those_of_others(recorder: Recorder, track: Track) -> None:
    user = UserInformation(16384, "1.2.3", user_identity=UserIdentity(2, primary=b"jane", secondary=b"secret"))
    request = encode_pdu(AssociateRQ("STORE", "MOCKPACS", (ProposedContext(1, "1.2.3", ("1.2.4",)),), user))
    track.sending(request[:200])
    track.sending(request[200:])
    (connection,) = in_file(recorder.path)

    assert bytes(connection.requestor.data) == request.replace(b"secret", b"******")
    assert b"secret" in request
