"""Which connection a segment belongs to, who opened it, and which number it has; also over several files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mockpacs.traffic.capture.event import Opened
from mockpacs.wire import Command, CommandField, Role, encode_command
from tests.traffic.capture.builder import (
    ACCEPTOR,
    ACK,
    FIN,
    REQUESTOR,
    RST,
    SERVER,
    SYN,
    Talk,
    dialogue,
    pcapng,
    read,
    read_frames,
)

HIGH = ("10.0.0.1", 50000)
LOW = ("10.0.0.2", 600)


def pdu(kind: int, body: bytes = bytes(4)) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def command(field: int) -> bytes:
    data = encode_command(Command({0x00000100: field, 0x00000002: "1.2.840.10008.1.1"}))
    return pdu(4, struct.pack(">IBB", len(data) + 2, 1, 3) + data)


FIRST_BYTES = {
    "A-ASSOCIATE-RQ": (pdu(1, bytes(100)), REQUESTOR),
    "A-ASSOCIATE-AC": (pdu(2, bytes(100)), ACCEPTOR),
    "A-ASSOCIATE-RJ": (pdu(3), ACCEPTOR),
    "A-RELEASE-RQ": (pdu(5), REQUESTOR),
    "A-RELEASE-RP": (pdu(6), ACCEPTOR),
    "C-STORE-RQ": (command(CommandField.C_STORE_RQ), REQUESTOR),
    "C-STORE-RSP": (command(CommandField.C_STORE_RSP), ACCEPTOR),
    "C-FIND-RSP": (command(CommandField.C_FIND_RSP), ACCEPTOR),
    "C-CANCEL-RQ": (command(CommandField.C_CANCEL_RQ), REQUESTOR),
    "N-EVENT-REPORT-RQ": (command(CommandField.N_EVENT_REPORT_RQ), None),
    "A-ABORT": (pdu(7), None),
    "the middle of a data set": (b"\x10\x00\x10\x00PN\x04\x00DOE^", None),
    "a data PDU cut before its command": (pdu(4, bytes(400))[:8], None),
    "two bytes": (b"\x01\x00", None),
}


@pytest.mark.parametrize(("data", "sender"), FIRST_BYTES.values(), ids=FIRST_BYTES)
@pytest.mark.parametrize("is_from_low_port", [True, False])
def test_without_syn_the_first_bytes_tell_the_requestor_and_otherwise_the_ports(
    tmp_path: Path, data: bytes, sender: Role | None, is_from_low_port: bool
) -> None:
    source, target = (LOW, HIGH) if is_from_low_port else (HIGH, LOW)
    talk = Talk(source, target).say(ACCEPTOR, b"").say(REQUESTOR, data).say(ACCEPTOR, b"answer")
    seen = read_frames(tmp_path, talk.frames)
    expected = sender or (ACCEPTOR if is_from_low_port else REQUESTOR)
    other = ACCEPTOR if expected is REQUESTOR else REQUESTOR
    assert seen.story[0] == "open 1 late"
    assert (seen.bytes_of(expected), seen.bytes_of(other)) == (data, b"answer")
    names = ["10.0.0.1:50000", "10.0.0.2:600"]
    if (expected is REQUESTOR) == is_from_low_port:
        names.reverse()
    assert list(seen.events[0].flow[1:]) == names


def test_a_port_known_for_dicom_is_the_acceptors_also_when_it_is_higher(tmp_path: Path) -> None:
    talk = Talk(("10.0.0.1", 5000), ("10.0.0.2", 11112)).say(ACCEPTOR, b"in the middle")
    assert read_frames(tmp_path, talk.frames).events[0].flow.acceptor == "10.0.0.2:11112"


def test_the_rest_of_a_connection_without_bytes_is_no_connection(tmp_path: Path) -> None:
    talk = Talk().close().say(REQUESTOR, b"", flags=RST).raw(REQUESTOR, 77, ACK, b"\0")
    assert read_frames(tmp_path, talk.frames).events == []


def test_a_keep_alive_is_not_the_first_byte(tmp_path: Path) -> None:
    talk = Talk().say(REQUESTOR, b"abc").raw(ACCEPTOR, 4999, ACK, b"\0").say(ACCEPTOR, b"def")
    assert read_frames(tmp_path, talk.frames).story == ["open 1 late", "> abc", "< def", "cut"]


def test_the_answer_to_a_syn_that_was_not_captured_opens_the_connection(tmp_path: Path) -> None:
    seen = read_frames(tmp_path, dialogue(client=("10.0.0.1", 100)).frames[1:])
    assert seen.story[:2] == ["open 1", "> question"]
    assert seen.events[0].flow.requestor == "10.0.0.1:100"


def test_the_answer_to_a_syn_says_which_byte_is_the_first(tmp_path: Path) -> None:
    talk = Talk().open().lose(REQUESTOR, b"lost").say(REQUESTOR, b"late")
    assert read_frames(tmp_path, talk.frames[1:]).story == ["open 1", "> -4", "> late", "cut"]


def test_a_syn_without_its_answer_is_enough(tmp_path: Path) -> None:
    frames = dialogue().frames
    assert read_frames(tmp_path, [frames[0], *frames[2:]]).story[:3] == ["open 1", "> question", "< answer"]


def test_a_refused_connection_is_opened_and_reset(tmp_path: Path) -> None:
    talk = Talk().raw(REQUESTOR, 1000, SYN, acknowledged=0).raw(ACCEPTOR, 0, RST | ACK, acknowledged=1001)
    assert read_frames(tmp_path, talk.frames).story == ["open 1", "reset <"]


@pytest.mark.parametrize("captured_twice", [False, True])
def test_syn_sent_again_opens_nothing(tmp_path: Path, captured_twice: bool) -> None:
    talk = Talk().raw(REQUESTOR, 1000, SYN, acknowledged=0).open().say(REQUESTOR, b"abc")
    frames = [frame for frame in talk.frames for _ in range(2)] if captured_twice else talk.frames
    assert read_frames(tmp_path, frames).story == ["open 1", "> abc", "cut"]


def test_bytes_in_the_syn_come_first(tmp_path: Path) -> None:
    talk = Talk(client_next=2**32 - 1).raw(REQUESTOR, 2**32 - 1, SYN, b"fast", acknowledged=0)
    talk.client_next += 5
    talk.raw(ACCEPTOR, 5000, SYN | ACK)
    talk.server_next += 1
    talk.say(ACCEPTOR, b"yes").say(REQUESTOR, b"open")
    assert read_frames(tmp_path, talk.frames).story == ["open 1", "> fast", "< yes", "> open", "cut"]


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize("start", [1000, 0, 2**31, 2**32 - 1000])
def test_ports_used_again_are_another_connection(tmp_path: Path, is_closed: bool, start: int) -> None:
    first = Talk().open().say(REQUESTOR, b"one")
    if is_closed:
        first.close()
    elif start == 1000:
        start = 1002
    second = Talk(client_next=start).open().say(REQUESTOR, b"two").close()
    seen = read_frames(tmp_path, [*first.frames, *second.frames])
    end = ["fin >", "fin <"] if is_closed else ["cut"]
    assert seen.story == ["open 1", "> one", *end, "open 2", "> two", "fin >", "fin <"]


def test_ports_used_again_without_syn_are_another_connection_when_the_numbers_are_far_behind(tmp_path: Path) -> None:
    first = Talk(client_next=3_000_000_000).open().say(REQUESTOR, b"one")
    second = Talk(client_next=1_000_000_000, server_next=4_000_000_000).say(REQUESTOR, b"two").say(ACCEPTOR, b"too")
    seen = read_frames(tmp_path, [*first.frames, *second.frames])
    assert seen.story == ["open 1", "> one", "cut", "open 2 late", "> two", "< too", "cut"]


def test_what_waits_is_given_when_the_ports_are_used_again(tmp_path: Path) -> None:
    first = Talk().open().lose(REQUESTOR, b"lost").say(REQUESTOR, b"late")
    second = Talk(client_next=9000).open()
    assert read_frames(tmp_path, [*first.frames, *second.frames]).story[1:] == [
        "> -4",
        "> late",
        "cut",
        "open 2",
        "cut",
    ]


def test_connections_that_mix_are_told_apart(tmp_path: Path) -> None:
    talks = [dialogue(client=("10.0.0.1", port), server=("10.0.0.2", 104)) for port in (1000, 1001)]
    talks.append(
        dialogue(client=("10.0.0.2", 104), server=("10.0.0.1", 1000))
    )  # the other way round: the first one again
    mixed = [frame for pair in zip(talks[0].frames, talks[1].frames, strict=True) for frame in pair]
    seen = read_frames(tmp_path, [*mixed, *talks[2].frames])
    for number in (1, 2, 3):
        assert seen.bytes_of(REQUESTOR, number) == b"questionthanks"
        assert seen.bytes_of(ACCEPTOR, number) == b"answer"


def test_many_connections_that_were_closed_are_forgotten_without_a_trace(tmp_path: Path) -> None:
    frames = []
    for port in range(2500):
        talk = Talk(("10.0.0.1", 10_000 + port), SERVER).open().say(REQUESTOR, b"x").close()
        frames += [*talk.frames, talk.frames[3]]  # a retransmission after the end
    opened = [event for event in read_frames(tmp_path, frames).events if isinstance(event, Opened)]
    assert [event.flow.number for event in opened] == list(range(1, 2501))


def test_a_connection_is_not_forgotten_for_an_older_one_with_its_ports(tmp_path: Path) -> None:
    def closed(port: int, start: int = 1000) -> Talk:
        return Talk(("10.0.0.1", port), SERVER, client_next=start).open().say(REQUESTOR, b"x").close()

    again = closed(9999, 500_000)
    talks = [closed(9999), *(closed(port) for port in range(600)), again, *(closed(port) for port in range(600, 1200))]
    frames = [frame for talk in talks for frame in talk.frames]
    seen = read_frames(tmp_path, [*frames, again.frames[3]])
    assert sum(isinstance(event, Opened) for event in seen.events) == len(talks)


# numbers of our own recordings


def test_the_comment_of_the_syn_gives_the_number(tmp_path: Path) -> None:
    talks = [
        Talk(("10.0.0.1", 1000 + number), SERVER).open(comment).say(REQUESTOR, b"x")
        for number, comment in enumerate(
            ["connection 7 from 10.0.0.1:1000", "", "connection 5 from 10.0.0.1:1002 TLS TLSv1.3", "something else"]
        )
    ]
    seen = read_frames(tmp_path, [frame for talk in talks for frame in talk.frames])
    assert [word for word in seen.story if word.startswith("open")] == ["open 7", "open 8", "open 5", "open 9"]
    assert seen.events[0].comments == ("connection 7 from 10.0.0.1:1000",)  # type: ignore[union-attr]


def test_the_number_tells_connections_apart_whose_sequence_numbers_do_not(tmp_path: Path) -> None:
    first = Talk(client_next=0, server_next=0).open("connection 1 from a").say(REQUESTOR, b"one")
    second = Talk(client_next=0, server_next=0).open("connection 2 from a").say(REQUESTOR, b"two")
    assert read_frames(tmp_path, [*first.frames, *second.frames]).story == [
        *("open 1", "> one", "cut", "open 2", "> two", "cut")
    ]


def parts(folder: Path, *talks: Talk) -> list[Path]:
    paths = [folder / f"part-{number}.pcapng" for number in range(len(talks))]
    for path, talk in zip(paths, talks, strict=True):
        path.write_bytes(pcapng(talk.frames, application="mockpacs 1"))
    return paths


def rotated() -> tuple[Talk, Talk]:
    """The second part repeats the association and a PDU that was begun, and goes on."""
    first = Talk(client_next=0, server_next=0).open("connection 3 from a")
    first.say(REQUESTOR, b"RQ").say(ACCEPTOR, b"AC").say(REQUESTOR, b"many bytes, ").say(REQUESTOR, b"begun, ")
    repeated = len(b"RQ" + b"begun, ") + 1
    second = Talk(client_next=first.client_next - repeated, server_next=first.server_next - 3)
    second.open("continues connection 3 of part-0.pcapng").say(REQUESTOR, b"RQ").say(REQUESTOR, b"begun, ")
    second.say(ACCEPTOR, b"AC").say(REQUESTOR, b"ended", "3.1 C-STORE-RQ").say(ACCEPTOR, b"answer")
    return first, second


def test_parts_of_a_recording_are_one_story(tmp_path: Path) -> None:
    seen = read(*parts(tmp_path, *rotated()))
    assert seen.story == [
        *("open 3", "> RQ", "< AC", "> many bytes, ", "> begun, ", "> ended #3.1 C-STORE-RQ", "< answer", "cut")
    ]


def test_a_later_part_alone_has_its_connections(tmp_path: Path) -> None:
    seen = read(parts(tmp_path, *rotated())[1])
    assert seen.story == [*("open 3", "> RQ", "> begun, ", "< AC", "> ended #3.1 C-STORE-RQ", "< answer", "cut")]
    assert seen.events[0].comments == ("continues connection 3 of part-0.pcapng",)  # type: ignore[union-attr]


def test_a_part_repeated_after_the_end_of_a_connection_opens_nothing(tmp_path: Path) -> None:
    first, second = rotated()
    first.say(REQUESTOR, b"ended").say(ACCEPTOR, b"answer").say(REQUESTOR, b"", flags=FIN | ACK)
    del second.frames[-2:]
    second.say(ACCEPTOR, b"", "said after the end")
    story = read(*parts(tmp_path, first, second)).story
    assert [word for word in story if word.startswith("open")] == ["open 3"]
    assert story[-2:] == ["fin >", "<  #said after the end"]


def test_a_part_cut_before_the_next_is_named_in_the_problem(tmp_path: Path) -> None:
    paths = parts(tmp_path, *rotated())
    paths[0].write_bytes(paths[0].read_bytes()[:-3])
    seen = read(*paths)
    assert seen.bytes_of(REQUESTOR, 3) == b"RQmany bytes, begun, ended"  # the next part repeats it
    assert [problem.partition(":")[0] for problem in seen.problems] == ["part-0.pcapng"]
