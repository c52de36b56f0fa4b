"""Segments to bytes: retransmissions, reordering, gaps, wrap-around, keep-alives, the end of a direction."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.traffic.capture.event import Chunk, Missing
from mockpacs.traffic.capture.stream import MOST_HELD_BYTES, MOST_HELD_SEGMENTS, PATIENCE
from tests.traffic.capture.builder import (
    ACCEPTOR,
    ACK,
    FIN,
    PSH,
    REQUESTOR,
    RST,
    Frame,
    Seen,
    Talk,
    pcapng,
    read_bytes,
    read_frames,
)

STARTS = {"plain": 1000, "wrapping in the data": 2**32 - 5, "wrapping at the SYN": 2**32 - 1, "zero": 0}


def late(talk: Talk, *order: int) -> Talk:
    """The last frames in another order; numbers count from the first of them."""
    tail = talk.frames[-len(order) :]
    talk.frames[-len(order) :] = [tail[number] for number in order]
    return talk


def retransmission(talk: Talk) -> None:
    talk.say(REQUESTOR, b"abc").raw(REQUESTOR, talk.client_next - 3, ACK, b"abc").say(REQUESTOR, b"def")


def partial_retransmission(talk: Talk) -> None:
    talk.say(REQUESTOR, b"abc").raw(REQUESTOR, talk.client_next - 2, ACK, b"bcdef")
    talk.client_next += 3


def smaller_retransmission(talk: Talk) -> None:
    talk.say(REQUESTOR, b"abcdef").raw(REQUESTOR, talk.client_next - 4, ACK, b"cd")


def out_of_order(talk: Talk) -> None:
    talk.say(REQUESTOR, b"ab").say(REQUESTOR, b"cd").say(REQUESTOR, b"ef")
    late(talk, 2, 1, 0)


def overlapping_early(talk: Talk) -> None:
    at = talk.client_next
    talk.raw(REQUESTOR, at + 4, ACK, b"ef").raw(REQUESTOR, at + 2, ACK, b"cdef").raw(REQUESTOR, at + 1, ACK, b"bc")
    talk.say(REQUESTOR, b"ab")
    talk.client_next += 4


def early_twice(talk: Talk) -> None:
    at = talk.client_next
    talk.raw(REQUESTOR, at + 3, ACK, b"def").raw(REQUESTOR, at + 3, ACK, b"def").say(REQUESTOR, b"abc")
    talk.client_next += 3


def early_and_made_useless(talk: Talk) -> None:
    talk.raw(REQUESTOR, talk.client_next + 3, ACK, b"d").say(REQUESTOR, b"abcdef")


def keep_alives(talk: Talk) -> None:
    talk.say(REQUESTOR, b"abc").raw(REQUESTOR, talk.client_next - 1, ACK, b"\0").raw(ACCEPTOR, talk.server_next, ACK)
    talk.raw(REQUESTOR, talk.client_next - 1, ACK).raw(ACCEPTOR, talk.server_next, ACK).say(REQUESTOR, b"def")


def window_probe(talk: Talk) -> None:
    talk.say(REQUESTOR, b"abc").raw(REQUESTOR, talk.client_next, ACK, b"d").say(REQUESTOR, b"def")


def data_before_the_handshake_is_over(talk: Talk) -> None:
    talk.say(REQUESTOR, b"abcdef")
    late(talk, 1, 0)


TROUBLES: dict[str, Callable[[Talk], None]] = {
    case.__name__: case
    for case in (
        *(retransmission, partial_retransmission, smaller_retransmission, out_of_order, overlapping_early),
        *(early_twice, early_and_made_useless, keep_alives, window_probe, data_before_the_handshake_is_over),
    )
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_each_byte_comes_once_and_in_order(tmp_path: Path, trouble: Callable[[Talk], None], start: int) -> None:
    talk = Talk(client_next=start, server_next=2**32 - 2).open()
    trouble(talk)
    talk.say(ACCEPTOR, b"answer").say(REQUESTOR, b"!").close()
    seen = read_frames(tmp_path, talk.frames)
    assert seen.bytes_of(REQUESTOR) == b"abcdef!"
    assert seen.bytes_of(ACCEPTOR) == b"answer"
    assert [word for word in seen.story if word[:3] in ("> -", "< -")] == []
    assert seen.story[-2:] == ["fin >", "fin <"]
    assert seen.problems == []


def test_sequence_numbers_of_chunks_are_those_of_their_first_byte(tmp_path: Path) -> None:
    talk = Talk(client_next=2**32 - 4).open().say(REQUESTOR, b"abcdef")
    talk.raw(REQUESTOR, talk.client_next - 1, ACK, b"fghi")
    seen = read_frames(tmp_path, talk.frames)
    assert [event.sequence for event in seen.events if isinstance(event, Chunk)] == [2**32 - 3, 3]


LOST: dict[str, tuple[Callable[[Talk], object], list[str]]] = {
    "found at the end of the file": (lambda talk: talk.say(REQUESTOR, b"late"), ["> -4", "> late", "cut"]),
    "found at the end of the connection": (
        lambda talk: talk.say(REQUESTOR, b"late").close(),
        ["fin <", "> -4", "> late", "fin >"],
    ),
    "with nothing but FIN behind": (lambda talk: talk.say(REQUESTOR, b"", flags=FIN | ACK), ["> -4", "fin >"]),
    "with nothing but RST behind": (lambda talk: talk.say(REQUESTOR, b"", flags=RST), ["reset >"]),
    "with FIN and bytes": (lambda talk: talk.say(REQUESTOR, b"end", flags=FIN | ACK), ["> -4", "> end", "fin >"]),
    "twice": (
        lambda talk: talk.say(REQUESTOR, b"one").lose(REQUESTOR, b"12345").say(REQUESTOR, b"two"),
        ["> -4", "> one", "> -5", "> two", "cut"],
    ),
}


@pytest.mark.parametrize(("case", "story"), LOST.values(), ids=LOST)
def test_bytes_that_were_not_captured_are_missing(
    tmp_path: Path, case: Callable[[Talk], object], story: list[str]
) -> None:
    talk = Talk(client_next=2**32 - 3).open().lose(REQUESTOR, b"lost")
    case(talk)
    assert read_frames(tmp_path, talk.frames).story == ["open 1", *story]


def test_a_gap_names_the_sequence_number_of_its_first_byte(tmp_path: Path) -> None:
    talk = (
        Talk(client_next=2**32 - 3)
        .open()
        .say(REQUESTOR, b"abcdef", cut=43)
        .lose(REQUESTOR, b"lost")
        .say(REQUESTOR, b"!")
    )
    seen = read_frames(tmp_path, talk.frames)
    found = [(event.sequence, event.size) for event in seen.events if isinstance(event, Missing)]
    assert found == [(1, 3), (4, 4)]


def test_each_gap_needs_its_own_acknowledgement(tmp_path: Path) -> None:
    talk = Talk().open().lose(REQUESTOR, b"lost").say(REQUESTOR, b"one")
    for _ in range(PATIENCE - 1):
        talk.raw(ACCEPTOR, talk.server_next, ACK)
    at = talk.client_next
    talk.client_next += 3
    talk.say(REQUESTOR, b"three")
    for _ in range(PATIENCE * 2):
        talk.raw(ACCEPTOR, talk.server_next, ACK, acknowledged=at)
    talk.raw(REQUESTOR, at, ACK, b"two")
    assert read_frames(tmp_path, talk.frames).story == ["open 1", "> -4", "> one", "> two", "> three", "cut"]


def test_acknowledged_bytes_are_missing_after_some_patience(tmp_path: Path) -> None:
    talk = Talk().open().lose(REQUESTOR, b"lost").say(REQUESTOR, b"late")
    for _ in range(PATIENCE - 1):
        talk.raw(ACCEPTOR, talk.server_next, ACK)
    talk.say(ACCEPTOR, b"answer").say(ACCEPTOR, b"more")
    assert read_frames(tmp_path, talk.frames).story == ["open 1", "< answer", "> -4", "> late", "< more", "cut"]


def test_bytes_that_nobody_acknowledged_are_waited_for(tmp_path: Path) -> None:
    talk = Talk().open()
    at = talk.client_next
    talk.client_next += 4
    for number in range(PATIENCE * 3):
        talk.say(REQUESTOR, b"%02d" % number)
        talk.raw(ACCEPTOR, talk.server_next, ACK, acknowledged=at)  # what a receiver does that lacks the first bytes
    talk.raw(REQUESTOR, at, ACK, b"lost")
    expected = b"lost" + b"".join(b"%02d" % number for number in range(PATIENCE * 3))
    seen = read_frames(tmp_path, talk.frames)
    assert seen.bytes_of(REQUESTOR) == expected
    assert not any(word.startswith("> -") for word in seen.story)


def test_bytes_captured_after_their_acknowledgement_are_not_lost(tmp_path: Path) -> None:
    talk = Talk().open().say(REQUESTOR, b"one").say(REQUESTOR, b"two").say(ACCEPTOR, b"answer")
    late(talk, 1, 2, 0)
    assert read_frames(tmp_path, talk.frames).story == ["open 1", "< answer", "> one", "> two", "cut"]


def test_what_is_given_up_and_comes_later_is_not_given_again(tmp_path: Path) -> None:
    talk = Talk().open().lose(REQUESTOR, b"lost").say(REQUESTOR, b"late")
    at = talk.client_next - 8
    for _ in range(PATIENCE):
        talk.raw(ACCEPTOR, talk.server_next, ACK)
    talk.raw(REQUESTOR, at, ACK, b"lostlate").say(REQUESTOR, b"end")
    assert read_frames(tmp_path, talk.frames).story == ["open 1", "> -4", "> late", "> end", "cut"]


@pytest.mark.parametrize(
    ("size", "count"), [(60_000, MOST_HELD_BYTES // 60_000), (1, MOST_HELD_SEGMENTS)], ids=["bytes", "segments"]
)
def test_what_waits_is_bounded(tmp_path: Path, size: int, count: int) -> None:
    talk = Talk().open().lose(REQUESTOR, b"lost")
    for _ in range(count):
        talk.say(REQUESTOR, b"x" * size)
    story = read_frames(tmp_path, talk.say(ACCEPTOR, b"!").frames).story
    assert story[1:3] == ["< !", "> -4"]
    talk.say(REQUESTOR, b"x" * size).say(ACCEPTOR, b"!")
    story = read_frames(tmp_path, talk.frames).story
    assert [word for word in story if word in ("< !", "> -4")] == ["< !", "> -4", "< !"]


COMMENTS: dict[str, tuple[Callable[[Talk], object], list[str]]] = {
    "on bytes": (lambda talk: talk.say(REQUESTOR, b"abc", "one", "two"), ["> abc #one #two"]),
    "on no bytes": (lambda talk: talk.say(REQUESTOR, b"", "one"), ["> #one"]),
    "on a retransmission": (
        lambda talk: talk.say(REQUESTOR, b"abc").raw(REQUESTOR, talk.client_next - 3, ACK, b"abc", comments=["one"]),
        ["> abc", "> #one"],
    ),
    "on a retransmission with more": (
        lambda talk: talk.say(REQUESTOR, b"abc").raw(REQUESTOR, talk.client_next - 1, ACK, b"cde", comments=["one"]),
        ["> abc", "> de #one"],
    ),
    "on early bytes": (
        lambda talk: talk.raw(REQUESTOR, talk.client_next + 3, ACK, b"d", comments=["one"]).say(REQUESTOR, b"abc"),
        ["> abc", "> d #one"],
    ),
    "on early bytes that come otherwise": (
        lambda talk: talk.raw(REQUESTOR, talk.client_next + 1, ACK, b"b", comments=["one"]).say(REQUESTOR, b"abc"),
        ["> abc", "> #one"],
    ),
    "on bytes cut away": (
        lambda talk: talk.say(REQUESTOR, b"abc", "one", cut=40),
        ["> #one", "> -3"],
    ),
    "on FIN": (lambda talk: talk.say(REQUESTOR, b"", "one", flags=FIN | ACK), ["fin > #one"]),
    "on FIN with bytes": (lambda talk: talk.say(REQUESTOR, b"abc", "one", flags=FIN | ACK), ["> abc #one", "fin >"]),
    "on FIN sent again": (
        lambda talk: talk.say(REQUESTOR, b"", flags=FIN | ACK).raw(
            REQUESTOR, talk.client_next - 1, FIN | ACK, comments=["one"]
        ),
        ["fin >", "> #one"],
    ),
    "on RST": (lambda talk: talk.say(ACCEPTOR, b"", "one", flags=RST | ACK), ["reset < #one"]),
    "on the answer to SYN": (
        lambda talk: talk.frames.insert(2, talk.frames.pop(1)._replace(comments=("one",))),
        ["< #one"],
    ),
    "after the end": (
        lambda talk: talk.close().say(ACCEPTOR, b"", "one"),
        ["fin >", "fin <", "< #one"],
    ),
}


@pytest.mark.parametrize(("case", "story"), COMMENTS.values(), ids=COMMENTS)
def test_no_comment_is_lost(tmp_path: Path, case: Callable[[Talk], object], story: list[str]) -> None:
    talk = Talk().open()
    case(talk)
    seen = [word.replace(">  #", "> #").replace("<  #", "< #") for word in read_frames(tmp_path, talk.frames).story]
    assert [word for word in seen if word not in ("open 1", "cut")] == story


CLOSINGS: dict[str, tuple[Callable[[Talk], object], list[str]]] = {
    "FIN sent again": (
        lambda talk: (
            talk.close().raw(REQUESTOR, talk.client_next - 1, FIN | ACK).raw(ACCEPTOR, talk.server_next - 1, FIN | ACK)
        ),
        ["fin >", "fin <"],
    ),
    "FIN on one side only": (lambda talk: talk.say(ACCEPTOR, b"", flags=FIN | ACK), ["fin <"]),
    "more from the other side": (
        lambda talk: (
            talk.say(REQUESTOR, b"", flags=FIN | ACK).say(ACCEPTOR, b"more").say(ACCEPTOR, b"", flags=FIN | ACK)
        ),
        ["fin >", "< more", "fin <"],
    ),
    "RST after FIN": (
        lambda talk: talk.say(REQUESTOR, b"", flags=FIN | ACK).say(REQUESTOR, b"", flags=RST).say(ACCEPTOR, b"more"),
        ["fin >", "reset >", "< more"],
    ),
    "RST twice": (lambda talk: talk.say(ACCEPTOR, b"", flags=RST).say(ACCEPTOR, b"", flags=RST), ["reset <"]),
    "RST with a text": (lambda talk: talk.say(ACCEPTOR, b"go away", flags=RST), ["reset <"]),
    "RST with a number from elsewhere": (lambda talk: talk.raw(ACCEPTOR, 3_000_000_000, RST), ["reset <"]),
    "RST of both": (
        lambda talk: talk.say(ACCEPTOR, b"", flags=RST).say(REQUESTOR, b"", flags=RST),
        ["reset <", "reset >"],
    ),
    "FIN before the last bytes": (
        lambda talk: late(talk.say(REQUESTOR, b"abc").say(REQUESTOR, b"", flags=FIN | ACK), 1, 0),
        ["> abc", "fin >"],
    ),
    "RST before the last bytes": (
        lambda talk: late(talk.say(REQUESTOR, b"abc").say(REQUESTOR, b"", flags=RST), 1, 0),
        ["> abc", "reset >"],
    ),
    "nothing": (lambda talk: None, ["cut"]),
}


@pytest.mark.parametrize(("case", "story"), CLOSINGS.values(), ids=CLOSINGS)
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_each_end_is_told_once(tmp_path: Path, case: Callable[[Talk], object], story: list[str], start: int) -> None:
    talk = Talk(client_next=start, server_next=start + 7).open()
    case(talk)
    assert read_frames(tmp_path, talk.frames).story == ["open 1", *story]


def shaken(frames: list[Frame], seed: int, window: int) -> list[Frame]:
    """No frame comes more than ``window`` places later than another one it followed; some come twice."""
    chance = random.Random(seed)
    keyed = [(place + chance.uniform(0, window), frame) for place, frame in enumerate(frames)]
    keyed += [(place + chance.uniform(0, window), frame) for place, frame in enumerate(frames) if chance.random() < 0.3]
    return [frame for _, frame in sorted(keyed, key=lambda pair: pair[0])]


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.booleans(), st.integers(1, 40)), min_size=1, max_size=60),
    seed=st.integers(0, 2**32),
    start=st.sampled_from([*STARTS.values(), 2**32 - 200, 2**31 - 20]),
    window=st.integers(0, PATIENCE // 2),
)
def test_reordering_and_duplication_change_no_byte(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[bool, int]], seed: int, start: int, window: int
) -> None:
    chance = random.Random(seed)
    sent = {REQUESTOR: b"", ACCEPTOR: b""}
    talk = Talk(client_next=start, server_next=start + 77).open()
    head = list(talk.frames)
    for is_requestor, size in sizes:
        sender = REQUESTOR if is_requestor else ACCEPTOR
        payload = chance.randbytes(size)
        sent[sender] += payload
        talk.say(sender, payload)
        if chance.random() < 0.2:  # sent again, cut otherwise
            again = chance.randrange(1, len(sent[sender]) + 1)
            at = (talk.client_next if is_requestor else talk.server_next) - again
            talk.raw(sender, at, PSH | ACK, sent[sender][-again:][: chance.randrange(1, 50)])
    body = talk.frames[len(head) :]
    talk.close()
    tail = talk.frames[len(head) + len(body) :]
    frames = [*head, *shaken(body, seed, window), *tail]
    seen: Seen = read_bytes(tmp_path_factory.getbasetemp(), pcapng(frames), "shaken")
    for sender, expected in sent.items():
        assert seen.bytes_of(sender) == expected
    assert not any(isinstance(event, Missing) for event in seen.events)
    assert seen.story[-2:] == ["fin >", "fin <"]
