"""One connection in a recording: packets in the order of events, comments on the right ones, heads repeated after a
rotation so that each part alone can be read."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.traffic.pcapng import ACK, FIN, LONGEST_PAYLOAD, PSH, RST, SYN
from mockpacs.traffic.recorder import Recorder
from mockpacs.traffic.track import Track
from tests.traffic.pcapng_reader import MODULUS, Connection, Packet, in_file, joined, packets, pdus

OTHERS = count(1000)
PEER, OURS = ("192.0.2.1", 50_312), ("127.0.0.1", 104)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder(tmp_path, "0")
    yield made
    made.close()


@pytest.fixture
def track(recorder: Recorder) -> Iterator[Track]:
    made = recorder.track(1, PEER, OURS)
    yield made
    made.end()


def only(recorder: Recorder) -> Connection:
    """What is in the file now, without a further word to the recorder."""
    (connection,) = in_file(recorder.path)
    return connection


def parts(folder: Path) -> list[Path]:
    """The files of one recording in their order."""
    return sorted(folder.glob("*.pcapng"), key=lambda path: (len(path.name), path.name))


def pdu(kind: int, size: int, fill: int = 0) -> bytes:
    return struct.pack(">BxI", kind, size) + bytes([fill]) * size


RQ, AC = pdu(1, 200, 0x11), pdu(2, 180, 0x22)


def exchange(track: Track, request: bytes, response: bytes) -> None:
    """As a server does it."""
    assert track.received(request)
    assert track.sending(response)
    assert track.settle()


# packets


def test_a_session_is_what_tcp_would_have_shown(recorder: Recorder, track: Track) -> None:
    exchange(track, b"question", b"answer")
    track.closed(by_us=False, reset=False)
    track.closed(by_us=True, reset=False)
    assert track.end()

    shown = [(each.is_inbound, each.flags, each.sequence, each.acknowledged) for each in packets(recorder.path)]
    assert shown == [
        (True, SYN, 0, 0),
        (False, SYN | ACK, 0, 1),
        (True, ACK, 1, 1),
        (True, PSH | ACK, 1, 1),
        (False, PSH | ACK, 1, 9),
        (True, FIN | ACK, 9, 7),
        (False, ACK, 7, 10),
        (False, FIN | ACK, 7, 10),
        (True, ACK, 10, 8),
    ]
    assert only(recorder).chunks == [(True, b"question"), (False, b"answer")]


EVENTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["in", "in and out", "out"]), st.integers(1, 5)), max_size=30
)


@given(EVENTS)
def test_the_order_of_packets_is_the_order_of_events(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[int, str, int]]
) -> None:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), "0")
    tracks = [recorder.track(number, ("192.0.2.1", 5000 + number), OURS) for number in range(3)]
    expected = []
    for serial, (which, what, size) in enumerate(events):
        data = bytes([serial]) * size
        if what != "out":
            tracks[which].received(bytearray(data))  # type: ignore[arg-type]
            expected.append((5000 + which, True, data))
        if what != "in":
            tracks[which].sending(data)
            expected.append((5000 + which, False, data))
        tracks[which].settle()
    for track in tracks:
        track.end()
    recorder.close()

    found = [packet for packet in packets(recorder.path) if packet.payload]
    assert [(_port(packet), packet.is_inbound, packet.payload) for packet in found] == expected


def _port(packet: Packet) -> int:
    return (packet.source if packet.is_inbound else packet.target)[1]


def test_what_came_is_in_the_file_before_what_leaves_does(recorder: Recorder, track: Track) -> None:
    track.received(b"question")
    assert track.sending(b"answer")

    assert only(recorder).chunks == [(True, b"question"), (False, b"answer")]


def test_what_other_connections_said_is_in_the_file_too(recorder: Recorder, track: Track) -> None:
    other = recorder.track(2, ("192.0.2.2", 1), OURS)
    other.received(b"first")
    other._stage_chunk()
    assert track.sending(b"second")

    assert [packet.payload for packet in packets(recorder.path) if packet.payload] == [b"first", b"second"]
    other.end()


def test_a_buffer_may_be_used_again_when_its_bytes_are_settled(recorder: Recorder, track: Track) -> None:
    buffer = bytearray(b"first")
    track.received(memoryview(buffer))
    track.settle()
    buffer[:] = b"later"
    track.received(memoryview(buffer))
    track.sending(b"x")
    buffer[:] = b"-----"

    assert only(recorder).chunks == [(True, b"first"), (True, b"later"), (False, b"x")]


@pytest.mark.parametrize(
    ("size", "pieces"),
    [
        (LONGEST_PAYLOAD, [LONGEST_PAYLOAD]),
        (LONGEST_PAYLOAD + 1, [LONGEST_PAYLOAD, 1]),
        (2 * LONGEST_PAYLOAD, [LONGEST_PAYLOAD] * 2),
        (256 * 1024, [LONGEST_PAYLOAD] * 4 + [224]),
    ],
)
@pytest.mark.parametrize("is_inbound", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_large_chunk_is_cut_and_its_comments_are_on_the_last_piece(
    tmp_path: Path, size: int, pieces: list[int], *, is_inbound: bool, host: str
) -> None:
    recorder = Recorder(tmp_path, "0")
    track = recorder.track(1, (host, 5000), (host, 104))
    data = random.Random(size).randbytes(size)
    if is_inbound:
        track.received(data)
        track.about_received("said")
    else:
        track.about_sending("said")
        track.sending(data)
    track.end()
    recorder.close()

    (connection,) = in_file(recorder.path)
    assert connection.chunks == [(is_inbound, data[at : at + LONGEST_PAYLOAD]) for at in range(0, size, 65_480)]
    assert [len(piece) for _, piece in connection.chunks] == pieces
    shown = [(packet.comments, bool(packet.flags & PSH)) for packet in connection.packets if packet.payload]
    assert shown == [((), False)] * (len(pieces) - 1) + [(("said",), True)]


def test_large_uploads_are_acknowledged_before_a_window_could_be_full(recorder: Recorder, track: Track) -> None:
    chunk, silent, most = bytes(256 * 1024), 0, 0
    for _ in range(100):
        track.received(chunk)
        track.settle()
    for packet in only(recorder).packets:
        silent = silent + len(packet.payload) if packet.is_inbound else 0
        most = max(most, silent)

    assert 4 << 20 <= most <= 16 << 20


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([{"by_us": True, "reset": False}], [(False, FIN | ACK, ()), (True, ACK, ())]),
        ([{"by_us": False, "reset": True}], [(True, RST | ACK, ())]),
        ([{"by_us": True, "reset": True, "unsent": 2}], [(False, RST | ACK, ("unsent 2",))]),
        (
            [{"by_us": False, "reset": False}, {"by_us": True, "reset": False, "unsent": 3}],
            [
                (True, FIN | ACK, ()),
                (False, ACK, ()),
                (False, FIN | ACK, ("unsent 3",)),
                (True, ACK, ()),
            ],
        ),
        (
            [{"by_us": True, "reset": False}, {"by_us": False, "reset": False}],
            [(False, FIN | ACK, ()), (True, ACK, ()), (True, FIN | ACK, ()), (False, ACK, ())],
        ),
    ],
)
def test_the_end_is_told_as_it_was(recorder: Recorder, track: Track, ends: list[dict[str, Any]], expected: Any) -> None:
    exchange(track, b"question", b"answer")
    for end in ends:
        track.closed(**end)
    assert track.end()

    connection = only(recorder)
    assert [(packet.is_inbound, packet.flags, packet.comments) for packet in connection.packets[5:]] == expected


def test_bytes_that_come_after_our_goodbye_have_their_place(recorder: Recorder, track: Track) -> None:
    exchange(track, b"question", b"answer")
    track.closed(by_us=True, reset=False)
    track.received(b"and another")
    track.settle()
    track.closed(by_us=False, reset=False)
    track.end()

    connection = only(recorder)
    assert (bytes(connection.requestor.data), connection.requestor.closed) == (b"questionand another", "fin")
    assert (bytes(connection.acceptor.data), connection.acceptor.closed) == (b"answer", "fin")


# comments


def test_comments_are_on_the_packets_they_are_about(recorder: Recorder, track: Track) -> None:
    track.received(b"request")
    track.about_received("on the request")
    track.about_received("on the request too")
    track.about_sending("on the response")
    track.sending(b"response")
    track.about_received("nothing came: on what is sent next")
    track.about_sending("and this")
    track.sending(b"more")
    track.received(b"silent")
    track.settle()
    track.about_sending("on the last packet")
    track.closed(by_us=True, reset=True, unsent=1)
    track.about_sending("after the last packet")
    track.end()

    shown = [(packet.payload or packet.flags, packet.comments) for packet in only(recorder).packets]
    assert shown == [
        (SYN, ("connection 1 from 192.0.2.1:50312",)),
        (SYN | ACK, ()),
        (ACK, ()),
        (b"request", ("on the request", "on the request too")),
        (b"response", ("on the response",)),
        (b"more", ("nothing came: on what is sent next", "and this")),
        (b"silent", ()),
        (RST | ACK, ("on the last packet", "unsent 1")),
        (ACK, ("after the last packet",)),
    ]


def test_the_first_packet_names_the_peer_and_tls(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0")
    for number, (host, security) in enumerate([("::1", "TLS"), ("192.0.2.1", "")], 1):
        recorder.track(number, (host, 5000), (host, 104), security=security).end()
    recorder.close()

    six, four = in_file(recorder.path)
    assert (six.comments, six.first.source) == (["connection 1 from [::1]:5000 TLS"], ("::1", 5000))
    assert (four.comments, four.first.target) == (["connection 2 from 192.0.2.1:5000"], ("192.0.2.1", 104))


# sequence numbers


def at_position(track: Track, inbound: int, outbound: int) -> None:
    """As if so many bytes had been recorded already, in whole PDUs."""
    for direction, position in ((track._inbound, inbound), (track._outbound, outbound)):
        direction.position = direction.framing.start = position
        direction.framing._next = position + 6


@pytest.mark.parametrize("begin", [MODULUS - 1, MODULUS - 10, MODULUS - 40_000, 3 * MODULUS - 50])
def test_sequence_numbers_wrap(recorder: Recorder, track: Track, begin: int) -> None:
    at_position(track, begin, begin + 7)
    chunks = [random.Random(n).randbytes(20_000) for n in range(4)]
    for chunk in chunks:
        exchange(track, chunk, chunk)
    position = begin
    for packet in packets(recorder.path)[3:]:
        if packet.is_inbound:
            assert (packet.sequence, packet.acknowledged) == ((position + 1) % MODULUS, (position + 8) % MODULUS)
            position += len(packet.payload)
        else:
            assert (packet.sequence + len(packet.payload)) % MODULUS == (position + 8) % MODULUS

    assert position == begin + 80_000


@pytest.mark.parametrize("begin", [MODULUS - 1, MODULUS, MODULUS - 30, MODULUS - 70, 2 * MODULUS - 100])
def test_a_begun_pdu_is_repeated_across_the_wrap(tmp_path: Path, begin: int) -> None:
    recorder = Recorder(tmp_path, "0", part_size=10_000)
    track = recorder.track(1, PEER, OURS)
    at_position(track, begin, begin)
    whole, begun = pdu(4, 40, 1), pdu(4, 60, 2)
    track.received(whole + begun[:30])
    track.settle()
    track.received(begun[30:50])
    track.settle()
    _fill(recorder)
    track.received(begun[50:])
    track.sending(whole)
    track.end()
    recorder.close()

    repeated = [each for each in in_file(parts(tmp_path)[-1]) if each.number == 1]
    assert [bytes(each.requestor.data) for each in repeated] == [whole + begun]
    assert [each.requestor.next for each in repeated] == [(begin + 46 + 66 + 1) % MODULUS]


def _fill(recorder: Recorder) -> None:
    """Somebody else fills the current part."""
    number = next(OTHERS)
    track = recorder.track(number, ("192.0.2.77", number), OURS)
    begun = recorder.part
    while recorder.part is begun and recorder.size < recorder._part_size:
        track.sending(b"\0" * 500)
    track.end()


# places


def test_a_place_leads_to_the_bytes(recorder: Recorder, track: Track) -> None:
    exchange(track, RQ, AC)
    track.received(pdu(4, 50, 1) + pdu(4, 100, 2))
    place = track.place_of(len(RQ) + 56)
    track.sending(b"answer")
    place = track.ended(place)

    assert (place.path, place.last, place.requestor, place.acceptor) == (recorder.path, None, 263, 187)
    inside = [packet for packet in packets(recorder.path) if place.offset <= packet.offset < place.end]
    assert [packet.payload for packet in inside] == [pdu(4, 50, 1) + pdu(4, 100, 2), b"answer"]
    assert place.end == recorder.path.stat().st_size


@pytest.mark.parametrize("answered", [1, 2, 3])
def test_requests_in_one_chunk_have_their_places_in_it_though_answers_were_sent_meanwhile(
    recorder: Recorder, track: Track, answered: int
) -> None:
    exchange(track, RQ, AC)
    before = recorder.size
    track.received(pdu(4, 50) * 4)
    for _ in range(answered):
        track.sending(b"answer")
    place = track.place_of(len(RQ) + 56 * answered)

    assert (place.offset, place.requestor) == (before, len(RQ) + 56 * answered + 1)
    assert place.acceptor == len(AC) + 1, "what was sent when the chunk came: read from there on, all is in order"


def test_a_request_that_began_in_an_earlier_chunk_is_placed_there(recorder: Recorder, track: Track) -> None:
    exchange(track, RQ, AC)
    before = recorder.size
    for piece in (pdu(4, 50)[:20], pdu(4, 50)[20:30], pdu(4, 50)[30:]):
        track.settle()
        track.received(piece)

    assert track.place_of(len(RQ)).offset == before


def test_a_request_of_many_pdus_is_placed_before_its_first_byte(recorder: Recorder, track: Track) -> None:
    exchange(track, RQ, AC)
    before = recorder.size
    for _ in range(3):
        track.received(pdu(4, 50))
        track.settle()
    track.received(pdu(4, 50))

    assert track.place_of(len(RQ)).offset <= before


def test_a_place_may_begin_in_one_part_and_end_in_another(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0", part_size=10_000)
    track = recorder.track(1, PEER, OURS)
    exchange(track, RQ, AC)
    first = recorder.path
    track.received(pdu(4, 50) * 2)
    begin = track.place_of(len(RQ))
    _fill(recorder)
    track.sending(b"answer")
    later = track.place_of(len(RQ) + 56)

    ended = track.ended(begin)
    assert (begin.path, ended.path, ended.last) == (first, first, recorder.path)
    assert first != recorder.path
    assert ended.end == recorder.path.stat().st_size
    assert (later.path, later.offset) == (first, begin.offset), "the second request is in the old part alone"
    track.end()
    recorder.close()


# rotation


class Speaker:
    """One connection of a script: two endless streams of PDUs, said in pieces of any size.

    ``by_us``: we opened it, so it is we who say the requests.
    """

    def __init__(
        self, recorder: Recorder, number: int, requests: bytes, responses: bytes, *, by_us: bool = False
    ) -> None:
        host = "::1" if number % 2 else "192.0.2.1"
        self.number = number
        self._by_us = by_us
        local, peer = ((host, 5000 + number), (host, 104)) if by_us else ((host, 104), (host, 5000 + number))
        self.track = recorder.track(number, peer, local, by_us=by_us)
        self._streams = (requests, responses)
        self.said = [0, 0]

    def say(self, side: int, size: int) -> None:
        data = self._streams[side][self.said[side] : self.said[side] + size]
        self.said[side] += len(data)
        if data and (side == 1) is self._by_us:
            self.track.received(memoryview(bytearray(data)))
            self.track.settle()
        elif data:
            self.track.sending(data)

    @property
    def both(self) -> tuple[bytes, bytes]:
        return self._streams[0][: self.said[0]], self._streams[1][: self.said[1]]


def stream(kind: int, seed: int) -> bytes:
    """An A-ASSOCIATE PDU and P-DATA-TFs of all sizes; every PDU is unlike the others."""
    chance = random.Random(seed)
    sizes = [chance.choice([0, 1, 30, 300, 3000]) for _ in range(60)]
    said = [struct.pack(">BxI", 4, size) + chance.randbytes(size) for size in sizes]
    head = chance.randbytes(chance.choice([4, 200, 2500]))
    return struct.pack(">BxI", kind, len(head)) + head + b"".join(said)


def assert_each_part_alone_can_be_read(paths: list[Path], speakers: list[Speaker]) -> None:
    """The association PDU first, then bytes that begin with a PDU: that is what a dissector needs."""
    by_number = {speaker.number: speaker for speaker in speakers}
    for path in paths:
        for connection in in_file(path):
            if connection.number in by_number:
                both = by_number[connection.number].both
                for side, said in zip((connection.requestor, connection.acceptor), both, strict=True):
                    assert_begins_with_whole_pdus(bytes(side.data), said, side.start + len(side.data))


def assert_begins_with_whole_pdus(shown: bytes, said: bytes, end: int) -> None:
    """``shown``: what one part has of all that was ``said``, up to the position ``end``."""
    lengths = [6 + len(body) for _, body in pdus(said)[0]]
    begins = {sum(lengths[:number]) for number in range(len(lengths) + 1)}
    first = said[: lengths[0]] if lengths else b""
    if first and shown.startswith(first):
        rest = shown[len(first) :]
        assert end - len(rest) in begins
        assert rest == said[end - len(rest) : end]
    else:
        assert shown == said[:end]


ACTIONS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 1), st.sampled_from([1, 3, 6, 50, 200, 700, 4000])), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(ACTIONS, st.sampled_from([1000, 3000, 12_000]), st.integers(0, 5))
def test_whatever_the_moments_of_rotation_each_part_can_be_read_and_all_give_every_byte(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[int, int, int]], part_size: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("recordings")
    recorder = Recorder(folder, "0", part_size=part_size)
    speakers = [
        Speaker(recorder, number, stream(1, seed + number), stream(2, seed + number + 100), by_us=number > 0)
        for number in range(3)
    ]
    noise = random.Random(seed).randbytes(50_000)
    garbage = Speaker(recorder, 3, b"\x16\3\1" + noise, b"\7\0\0\0\0\4\0\0\0\0")
    for which, side, size in actions:
        [*speakers, garbage][which].say(side, size)
    for speaker in (*speakers, garbage):
        speaker.track.closed(by_us=speaker.number % 2 == 0, reset=speaker.number == 1)
        speaker.track.end()
    recorder.close()

    paths = parts(folder)
    assert joined(paths) == {speaker.number: speaker.both for speaker in (*speakers, garbage)}
    assert_each_part_alone_can_be_read(paths, speakers)


MOMENTS = [
    ("between two PDUs", RQ + pdu(4, 300, 1), AC, b""),
    ("in a header", RQ + pdu(4, 300, 1), AC, pdu(4, 80, 2)[:3]),
    ("behind a header", RQ + pdu(4, 300, 1), AC, pdu(4, 80, 2)[:6]),
    ("in a body", RQ + pdu(4, 300, 1), AC, pdu(4, 80, 2)[:50]),
    ("in a large body", RQ, AC, pdu(4, 200_000, 2)[:150_000]),
    ("in the A-ASSOCIATE-RQ", b"", b"", RQ[:100]),
    ("in the first header", b"", b"", RQ[:5]),
    ("before the first byte", b"", b"", b""),
    ("before the answer", RQ, b"", b""),
]


@pytest.mark.parametrize(("when", "before", "answer", "begun"), MOMENTS, ids=[moment[0] for moment in MOMENTS])
@pytest.mark.parametrize("is_ours", [False, True])
def test_a_connection_goes_on_in_the_next_part(
    tmp_path: Path, when: str, before: bytes, answer: bytes, begun: bytes, *, is_ours: bool
) -> None:
    """With ``is_ours`` it is we who were in the middle of a PDU."""
    recorder = Recorder(tmp_path, "0", part_size=200_000)
    track = recorder.track(1, PEER, OURS)
    for data, sent in ((before, False), (answer, True), (begun, is_ours)):
        if data and sent:
            track.sending(data)
        elif data:
            track.received(data)
            track.settle()
    old = recorder.part
    _fill(recorder)
    track.received(b"\4\0\0\0\0\0")
    track.sending(b"\4\0\0\0\0\0")
    assert recorder.part is not old
    track.end()
    recorder.close()

    last = [each for each in in_file(recorder.path) if each.number == 1]
    assert [each.is_continued for each in last] == [True]
    assert last[0].comments == [f"continues connection 1 of {old.path.name}"]
    sides = [bytes(last[0].requestor.data), bytes(last[0].acceptor.data)]
    first_in, first_out = (RQ if before else b""), (AC if answer else b"")
    expected = [first_in + b"\4\0\0\0\0\0", first_out + begun + b"\4\0\0\0\0\0"]
    if not is_ours:
        expected = [first_in + begun + b"\4\0\0\0\0\0", first_out + b"\4\0\0\0\0\0"]
    assert sides == expected, when
    total = (before + (b"" if is_ours else begun), answer + (begun if is_ours else b""))
    assert joined(parts(tmp_path))[1] == (total[0] + b"\4\0\0\0\0\0", total[1] + b"\4\0\0\0\0\0")


@pytest.mark.parametrize("rotations", [1, 2, 3, 7])
def test_a_connection_that_slept_over_rotations_is_read_in_its_new_part(tmp_path: Path, rotations: int) -> None:
    recorder = Recorder(tmp_path, "0", part_size=10_000)
    track = recorder.track(1, PEER, OURS)
    exchange(track, RQ, AC)
    begun = pdu(4, 80, 2)
    track.received(begun[:40])
    track.settle()
    for _ in range(rotations):
        _fill(recorder)
    track.received(begun[40:])
    track.sending(b"\4\0\0\0\0\0")
    track.closed(by_us=False, reset=True)
    track.end()
    recorder.close()

    holders = [path for path in parts(tmp_path) if any(each.number == 1 for each in in_file(path))]
    assert holders == [parts(tmp_path)[0], parts(tmp_path)[-1]]
    last = next(each for each in in_file(holders[-1]) if each.number == 1)
    assert bytes(last.requestor.data) == RQ + begun
    assert joined(parts(tmp_path))[1] == (RQ + begun, AC + b"\4\0\0\0\0\0")


def test_a_connection_is_repeated_from_part_to_part(tmp_path: Path) -> None:
    """Each new part is made out of the one before, which was itself a repetition."""
    recorder = Recorder(tmp_path, "0", part_size=10_000)
    track = recorder.track(1, PEER, OURS)
    exchange(track, RQ, AC)
    begun = pdu(4, 80, 2)
    for at in range(0, len(begun), 10):
        track.received(begun[at : at + 10])
        track.settle()
        _fill(recorder)
    track.sending(b"\4\0\0\0\0\0")
    track.end()
    recorder.close()

    heads = [bytes(each.requestor.data) for path in parts(tmp_path) for each in in_file(path) if each.number == 1]
    assert heads == [RQ + begun[: at + 10] for at in range(0, 80, 10)] + [RQ + begun, RQ]
    assert joined(parts(tmp_path))[1] == (RQ + begun, AC + b"\4\0\0\0\0\0")


def test_garbage_is_not_repeated_but_what_it_followed_is(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0", part_size=10_000)
    track = recorder.track(1, PEER, OURS)
    exchange(track, RQ, AC)
    track.received(b"GET / HTTP/1.1\r\n" * 1000)
    track.settle()
    track.received(b"the rest")
    track.settle()
    track.end()
    recorder.close()

    (last,) = in_file(recorder.path)
    assert bytes(last.requestor.data) == RQ + b"the rest"
    assert bytes(last.acceptor.data) == AC
    assert joined(parts(tmp_path))[1] == (RQ + b"GET / HTTP/1.1\r\n" * 1000 + b"the rest", AC)


def test_a_pdu_that_only_claims_to_be_huge_is_not_repeated_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four gigabytes, says its header. Each new part would begin with all that came of them."""
    monkeypatch.setattr("mockpacs.traffic.direction._MOST_REPEATED", 20_000)
    recorder = Recorder(tmp_path, "0", part_size=10_000)
    track = recorder.track(1, PEER, OURS)
    exchange(track, RQ, AC)
    track.received(b"\4\0\xff\xff\xff\xff")
    for number in range(100):
        track.settle()
        track.received(bytes([number]) * 1000)
    track.end()
    recorder.close()

    assert sum(path.stat().st_size for path in parts(tmp_path)) < 400_000
    said = b"".join(bytes([number]) * 1000 for number in range(100))
    assert joined(parts(tmp_path))[1] == (RQ + b"\4\0\xff\xff\xff\xff" + said, AC)
    (last,) = in_file(recorder.path)
    assert bytes(last.requestor.data)[: len(RQ)] == RQ


def test_the_end_of_a_connection_is_not_torn(tmp_path: Path) -> None:
    """Its own FIN fills the part: the other FIN, and what is said last, stay with it."""
    recorder = Recorder(tmp_path, "0", part_size=10_000)
    track = recorder.track(1, PEER, OURS)
    exchange(track, RQ, AC)
    while recorder.size < 9_999:
        track.sending(b"\4\0\0\0\0\0" * 5)
        if recorder.size >= 9_000:
            recorder._part_size = recorder.size + 1
            break
    track.closed(by_us=False, reset=False)
    track.about_sending("late")
    track.closed(by_us=True, reset=False)
    track.about_sending("later")
    track.end()
    recorder.close()

    (path,) = parts(tmp_path)
    (connection,) = in_file(path)
    assert (connection.requestor.closed, connection.acceptor.closed) == ("fin", "fin")
    assert connection.comments[1:] == ["late", "later"]


def test_what_is_said_last_is_on_the_last_acknowledgement_and_not_on_one_more(recorder: Recorder, track: Track) -> None:
    """A second one would look like a repetition."""
    track.closed(by_us=True, reset=False)
    track.received(b"late")
    track.closed(by_us=False, reset=False)
    track.about_sending("at the end")
    track.end()

    shown = [(each.is_inbound, each.payload or each.flags, each.comments) for each in only(recorder).packets[3:]]
    assert shown == [
        (False, FIN | ACK, ()),
        (True, ACK, ()),
        (True, b"late", ()),
        (True, FIN | ACK, ()),
        (False, ACK, ("at the end",)),
    ]
