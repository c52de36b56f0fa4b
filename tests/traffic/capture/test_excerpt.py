"""One exchange out of a file: from an offset on, one connection, from given sequence numbers on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.traffic.capture.event import Chunk, Flow
from mockpacs.traffic.capture.excerpt import excerpt
from mockpacs.traffic.capture.packet import Problems
from mockpacs.traffic.capture.pcapng import Pcapng
from mockpacs.traffic.exchange import Place
from tests.traffic.capture.builder import (
    ACCEPTOR,
    ACK,
    PSH,
    REQUESTOR,
    Frame,
    Seen,
    Talk,
    enhanced,
    interface,
    kept,
    pcap,
    pcapng,
    read,
    section,
    zipped,
)


def sections(frames: Sequence[Frame]) -> bytes:
    """Every frame in its own section, byte orders in turn, some after an interface that is not used."""
    parts = []
    for number, frame in enumerate(frames):
        order = "<>"[number % 2]
        unused = [interface(order, 1)] * (number % 3)
        parts += [section(order), *unused, interface(order), enhanced(frame, 10**9, order, len(unused))]
    return b"".join(parts)


FORMATS: dict[str, Callable[[Sequence[Frame]], bytes]] = {
    "pcapng": pcapng,
    "ours": lambda frames: pcapng(frames, application="mockpacs 1.0"),
    "pcap": pcap,
    "sections": sections,
    "gzip": lambda frames: zipped(pcapng(frames)),
}


def taken(place: Place, flow: Flow | None = None) -> Seen:
    return Seen([kept(event) for event in excerpt(place, flow)], [])


def exchanges() -> tuple[Talk, list[Frame]]:
    """Two connections, frame by frame in turn; the first one is returned alone too."""
    talks = [Talk(("10.0.0.1", 5000 + number), client_next=0, server_next=0).open() for number in range(2)]
    for number in range(20):
        for letter, talk in zip(b"ab", talks, strict=True):
            name = bytes([letter])
            talk.say(REQUESTOR, b"%sq%02d." % (name, number)).say(REQUESTOR, b"data").say(
                ACCEPTOR, b"%sr%02d." % (name, number)
            )
    return talks[0], [frame for pair in zip(talks[0].frames, talks[1].frames, strict=True) for frame in pair]


@pytest.mark.parametrize("build", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("is_flow_known", [True, False])
def test_every_exchange_is_found_again(
    tmp_path: Path, build: Callable[[Sequence[Frame]], bytes], is_flow_known: bool
) -> None:
    path = tmp_path / "capture"
    _, frames = exchanges()
    path.write_bytes(build(frames))
    whole = read(path)
    for flow in {event.flow for event in whole.events}:
        chunks = [event for event in whole.events if isinstance(event, Chunk) and event.flow == flow]
        for first in range(0, len(chunks), 3):
            request, data, answer = chunks[first : first + 3]
            place = Place(path, request.offset, answer.end, request.sequence, answer.sequence)
            seen = taken(place, flow if is_flow_known else None)
            assert taken(place, flow._replace(acceptor="")) == taken(place, flow), "an address of ours is not known"
            assert seen.events[1:] == [event._replace(flow=seen.events[0].flow) for event in (request, data, answer)]
            assert seen.events[0].flow == (flow if is_flow_known else flow._replace(number=0))


@pytest.mark.parametrize("is_6", [False, True])
def test_a_place_begins_and_ends_in_the_middle_of_packets(tmp_path: Path, is_6: bool) -> None:
    ends = (("::1", 5000), ("::1", 104)) if is_6 else (("127.0.0.1", 5000), ("127.0.0.1", 104))
    talk = Talk(*ends, client_next=0, server_next=0).open()
    talk.say(REQUESTOR, b"before, request ").say(ACCEPTOR, b"old, answer").say(REQUESTOR, b"after")
    path = tmp_path / "capture"
    path.write_bytes(pcapng(talk.frames))
    begin, end = len(pcapng(talk.frames[:3])), len(pcapng(talk.frames[:5]))
    assert taken(Place(path, begin, end, 9, 6)).story == ["open 0 late", "> request ", "< answer"]
    assert taken(Place(path, begin, end, 9, 6), Flow(4, *read(path).events[0].flow[1:])).story[0] == "open 4 late"


def test_retransmissions_of_what_was_before_are_dropped_and_gaps_shown(tmp_path: Path) -> None:
    talk = Talk(client_next=2**32 - 12, server_next=100).open().say(REQUESTOR, b"old").say(REQUESTOR, b"request")
    talk.raw(REQUESTOR, 2**32 - 11, ACK, b"old").say(ACCEPTOR, b"an").lose(ACCEPTOR, b"sw").say(ACCEPTOR, b"er")
    path = tmp_path / "capture"
    path.write_bytes(pcapng(talk.frames))
    begin = len(pcapng(talk.frames[:4]))
    place = Place(path, begin, path.stat().st_size, 2**32 - 8, 101)
    assert taken(place).story == ["open 0 late", "> request", "< an", "< -2", "< er"]


def test_the_acceptor_may_speak_first(tmp_path: Path) -> None:
    """A C-GET sends requests of the acceptor; both directions are near the same number."""
    talk = Talk(client_next=0, server_next=0).open().say(REQUESTOR, b"q" * 10).say(ACCEPTOR, b"r" * 20)
    talk.say(ACCEPTOR, b"C-STORE-RQ").say(REQUESTOR, b"C-STORE-RSP")
    path = tmp_path / "capture"
    path.write_bytes(pcapng(talk.frames))
    place = Place(path, len(pcapng(talk.frames[:5])), path.stat().st_size, 11, 21)
    assert taken(place).story == ["open 0 late", "< C-STORE-RQ", "> C-STORE-RSP"]


@pytest.mark.parametrize(("requestor", "acceptor", "sender"), [(1, 1, REQUESTOR), (1, 5, REQUESTOR), (5, 1, ACCEPTOR)])
def test_when_both_sides_have_the_number_the_acknowledgement_or_the_bytes_decide(
    tmp_path: Path, requestor: int, acceptor: int, sender: object
) -> None:
    talk = Talk(client_next=requestor, server_next=acceptor)
    own = REQUESTOR if sender is REQUESTOR else ACCEPTOR
    other = ACCEPTOR if own is REQUESTOR else REQUESTOR
    talk.say(own, b"0123456789", flags=PSH | ACK).say(other, b"answer")
    path = tmp_path / "capture"
    path.write_bytes(pcapng(talk.frames))
    seen = taken(Place(path, len(pcapng([])), path.stat().st_size, requestor, acceptor))
    assert seen.bytes_of(own, 0) == b"0123456789"
    assert seen.bytes_of(other, 0) == b"answer"


def test_an_exchange_may_end_in_a_later_part(tmp_path: Path) -> None:
    first = Talk(client_next=0, server_next=0).open("connection 1 from a").say(REQUESTOR, b"RQ").say(ACCEPTOR, b"AC")
    begin = len(pcapng(first.frames))
    first.say(REQUESTOR, b"request").say(ACCEPTOR, b"pending")
    middle = Talk(client_next=first.client_next - 3, server_next=first.server_next - 3)
    middle.open("continues connection 1 of x").say(REQUESTOR, b"RQ").say(ACCEPTOR, b"AC").say(ACCEPTOR, b"pending too")
    last = Talk(client_next=middle.client_next - 3, server_next=middle.server_next - 3)
    last.open("continues connection 1 of x").say(REQUESTOR, b"RQ").say(ACCEPTOR, b"AC").say(ACCEPTOR, b"success")
    end = len(pcapng(last.frames))
    last.say(REQUESTOR, b"next")
    names = ["20260101-120000.pcapng", "20260101-120000-2.pcapng", "20260101-120000-10.pcapng"]
    paths = [tmp_path / name for name in names]
    (tmp_path / "20260101-120000a-2.pcapng").write_bytes(b"of another recording")
    for path, talk in zip(paths, (first, middle, last), strict=True):
        path.write_bytes(pcapng(talk.frames, application=""))
    seen = taken(Place(paths[0], begin, end, 3, 3, paths[2]))
    assert seen.story == ["open 0 late", "> request", "< pending", "< pending too", "< success"]


def test_a_parser_that_has_read_all_finds_earlier_blocks_again() -> None:
    data = memoryview(sections(exchanges()[1][:12]))
    parser = Pcapng(Problems())
    packets = list(parser.packets(data, 0, final=True))
    for packet in reversed(packets):
        assert next(parser.seek(data, packet.offset).packets(data, 0, final=True)) == packet


def test_a_file_that_grew_is_read_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    _, frames = exchanges()
    path.write_bytes(sections(frames[:10]))
    for count in (20, 60):
        path.write_bytes(sections(frames[:count]))
        chunk = [event for event in read(path).events if isinstance(event, Chunk) and event.sender is REQUESTOR][-1]
        place = Place(path, chunk.offset, chunk.end, chunk.sequence, 0)
        assert taken(place, chunk.flow).bytes_of(REQUESTOR, chunk.flow.number) == chunk.data


def test_a_place_behind_the_end_is_empty_and_a_missing_file_an_error(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    path.write_bytes(pcapng(exchanges()[1]))
    assert taken(Place(path, 10**9, 2 * 10**9, 1, 1)).events == []
    with pytest.raises(RecordingError, match="No such file"):
        taken(Place(tmp_path / "missing", 0, 10, 1, 1))
    path.write_bytes(b"something else")
    with pytest.raises(RecordingError, match="is not a capture"):
        taken(Place(path, 0, 10, 1, 1))
