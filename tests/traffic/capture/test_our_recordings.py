"""What the recorder writes is what is read: bytes, numbers, comments, parts, places."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mockpacs.traffic.capture.event import Chunk, Closed, Opened
from mockpacs.traffic.capture.excerpt import excerpt
from mockpacs.traffic.folder import recordings
from mockpacs.traffic.recorder import Recorder
from tests.traffic.capture.builder import ACCEPTOR, REQUESTOR, Seen, kept, read

PEERS = {1: ("127.0.0.1", 50001), 2: ("::1", 50002), 3: ("127.0.0.1", 50003)}
LOCAL = {1: ("127.0.0.1", 11112), 2: ("::1", 11112), 3: ("127.0.0.1", 11112)}


def pdu(kind: int, body: bytes) -> bytes:
    return bytes([kind, 0]) + len(body).to_bytes(4, "big") + body


def record(folder: Path, part_size: int, messages: int = 60) -> dict[int, tuple[bytes, bytes]]:
    """Three connections at a time; returns what each received and sent."""
    chance = random.Random(1)
    recorder = Recorder(folder, "1.0", part_size=part_size)
    tracks = {number: recorder.track(number, PEERS[number], LOCAL[number]) for number in PEERS}
    sent = {number: (pdu(1, b"RQ"), pdu(2, b"AC")) for number in tracks}
    for number, track in tracks.items():
        track.received(sent[number][0])
        track.sending(sent[number][1])
    for count in range(messages):
        for number, track in tracks.items():
            request = pdu(4, chance.randbytes(chance.choice((10, 3000, 200_000))))
            answer = pdu(4, chance.randbytes(60))
            for at in range(0, len(request), 130_000):
                track.received(request[at : at + 130_000])
            track.about_sending(f"{number}.{count} C-STORE-RSP 0000 success CT1 > MOCKPACS")
            track.sending(answer)
            received, answered = sent[number]
            sent[number] = (received + request, answered + answer)
    for number, track in tracks.items():
        track.closed(by_us=number == 2, reset=number == 3, unsent=7 if number == 2 else 0)
        track.end()
    recorder.close()
    return sent


@pytest.mark.parametrize("part_size", [0, 500_000])
def test_a_recording_gives_back_what_was_recorded(tmp_path: Path, part_size: int) -> None:
    sent = record(tmp_path, part_size)
    paths = recordings(tmp_path)
    assert (len(paths) > 3) == bool(part_size)
    seen = read(*paths)
    assert seen.problems == []
    assert sorted(event.flow for event in seen.events if isinstance(event, Opened)) == [
        (1, "127.0.0.1:50001", "127.0.0.1:11112"),
        (2, "[::1]:50002", "[::1]:11112"),
        (3, "127.0.0.1:50003", "127.0.0.1:11112"),
    ]
    for number, (received, answered) in sent.items():
        assert seen.bytes_of(REQUESTOR, number) == received
        assert seen.bytes_of(ACCEPTOR, number) == answered
    ends = [(event.flow.number, event.how, event.sender) for event in seen.events if isinstance(event, Closed)]
    assert ends == [(1, "fin", REQUESTOR), (2, "fin", ACCEPTOR), (3, "reset", REQUESTOR)]
    assert [event.comments for event in seen.events if isinstance(event, Closed)] == [(), ("unsent 7",), ()]
    comments = [comment for event in seen.events if isinstance(event, Chunk) for comment in event.comments]
    assert len(comments) == 180


def test_each_part_alone_begins_with_the_associations(tmp_path: Path) -> None:
    record(tmp_path, 500_000)
    for path in recordings(tmp_path)[1:]:
        seen = read(path)
        assert seen.problems == []
        for event in (event for event in seen.events if isinstance(event, Opened)):
            assert event.from_start
            assert seen.bytes_of(REQUESTOR, event.flow.number)[:8] == pdu(1, b"RQ")
            assert seen.bytes_of(ACCEPTOR, event.flow.number)[:8] == pdu(2, b"AC")


@pytest.mark.parametrize("part_size", [0, 60_000])
def test_the_places_the_recorder_names_are_found(tmp_path: Path, part_size: int) -> None:
    recorder = Recorder(tmp_path, "1.0", part_size=part_size)
    tracks = {number: recorder.track(number, PEERS[number], LOCAL[number]) for number in PEERS}
    heard = dict.fromkeys(tracks, 0)
    wanted = []
    for count in range(30):
        for number, track in tracks.items():
            request, answer = pdu(4, b"%d" % count * 1000), pdu(4, b"answer %d" % count)
            track.received(request[:500])
            place = track.place_of(heard[number])
            track.received(request[500:])
            track.sending(answer)
            heard[number] += len(request)
            wanted.append((track.ended(place), number, request, answer))
    recorder.close()
    for place, number, request, answer in wanted:
        seen = Seen([kept(event) for event in excerpt(place)], [])
        assert seen.bytes_of(REQUESTOR, 0) == request, number
        assert seen.bytes_of(ACCEPTOR, 0) == answer
    assert bool(part_size) == any(place.last for place, *_ in wanted)
