"""Both directions of a connection: what an observer sees, whole, cut, with gaps, and of nonsense."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockpacs.wire import (
    PDV,
    AcceptedContext,
    AssociateRJ,
    AssociateRQ,
    Command,
    CommandField,
    ContextAnswer,
    Malformed,
    PDataTF,
    ProposedContext,
    Role,
    cut,
    decode_command,
    encode_command,
    encode_pdu,
    encode_response,
    request,
)
from mockpacs.wire.conversation import Conversation
from mockpacs.wire.message import MAX_COMMAND_LENGTH
from mockpacs.wire.seen import CommandSeen, DataSeen, GapSeen, JunkSeen, NonsenseSeen, PduSeen, Seen
from tests.wire.samples import AC, CT, ECHO_RQ, EXPLICIT, FIND, IMPLICIT, PDUS, RQ, STORE_RQ

OURS, THEIRS = Role.REQUESTOR, Role.ACCEPTOR
BOTH_ACCEPTED = replace(AC, contexts=(ContextAnswer(1, 0, EXPLICIT), ContextAnswer(3, 0, IMPLICIT)))
CONTEXTS = {1: AcceptedContext(1, CT, EXPLICIT), 3: AcceptedContext(3, FIND, IMPLICIT)}
FIND_RQ = request(CommandField.C_FIND_RQ, 10, has_dataset=True, elements={0x0002: FIND, 0x0700: 0})
IMAGE = Random(5).randbytes(700)
QUERY = b"\x08\0\x52\0\6\0\0\0STUDY "
ECHO, STORE, FIND_COMMAND = map(encode_command, (ECHO_RQ, STORE_RQ, FIND_RQ))


def decoded(raw: bytes) -> Command:
    what = decode_command(raw)
    assert isinstance(what, Command)
    return what


ECHOED, STORED = decoded(ECHO), decoded(STORE)


def command(data: bytes, *, last: bool = True, context_id: int = 1) -> PDV:
    return PDV(context_id, True, last, data)


def data(fragment: bytes, *, last: bool = True, context_id: int = 1) -> PDV:
    return PDV(context_id, False, last, fragment)


def p_data(*pdvs: PDV) -> bytes:
    return encode_pdu(PDataTF(pdvs))


# a small session: the PDUs of both sides in the order they were captured
SESSION: list[tuple[Role, bytes]] = [
    (OURS, encode_pdu(RQ)),
    (THEIRS, encode_pdu(BOTH_ACCEPTED)),
    *((OURS, raw) for raw in cut(1, STORE, IMAGE, 206)),
    (THEIRS, cut(1, encode_response(STORE_RQ, 0), None, 0)[0]),
    (OURS, b"".join(cut(3, FIND_COMMAND, QUERY, 0))),
    *((THEIRS, b"".join(cut(3, encode_response(FIND_RQ, 0xFF00, has_dataset=True), QUERY, 64))) for _ in range(3)),
    (THEIRS, cut(3, encode_response(FIND_RQ, 0), None, 0)[0]),
    (OURS, encode_pdu(PDUS["release-rq"])),
    (THEIRS, encode_pdu(PDUS["release-rp"])),
]


def stream(sender: Role) -> bytes:
    return b"".join(raw for role, raw in SESSION if role is sender)


def plain(seen: list[Seen]) -> list[Seen]:
    """The same with bytes instead of views, so that it can be kept and compared."""
    result: list[Seen] = []
    for one in seen:
        if isinstance(one, DataSeen):
            one = one._replace(data=bytes(one.data))
        elif isinstance(one, PduSeen) and isinstance(one.pdu, PDataTF):
            one = one._replace(pdu=PDataTF(tuple(pdv._replace(data=bytes(pdv.data)) for pdv in one.pdu.pdvs)))
        result.append(one)
    return result


def feed(conversation: Conversation, sender: Role, *chunks: bytes) -> list[Seen]:
    """Feed through a buffer that is overwritten after every call."""
    seen: list[Seen] = []
    for chunk in chunks:
        buffer = bytearray(chunk)
        seen += plain(conversation.feed(sender, memoryview(buffer)))
        buffer[:] = b"\xee" * len(buffer)
    return seen


def associated() -> Conversation:
    conversation = Conversation()
    feed(conversation, OURS, encode_pdu(RQ))
    feed(conversation, THEIRS, encode_pdu(BOTH_ACCEPTED))
    return conversation


def told(seen: list[Seen]) -> list[Seen]:
    """All but the PDUs."""
    return [one for one in seen if not isinstance(one, PduSeen)]


def kinds(seen: list[Seen]) -> list[str]:
    return [type(one).__name__.removesuffix("Seen") for one in seen]


def single_bytes(raw: bytes) -> list[bytes]:
    return [raw[i : i + 1] for i in range(len(raw))]


def play(session: list[tuple[Role, bytes]], *, by_byte: bool = False) -> list[Seen]:
    conversation, seen = Conversation(), []
    for sender, raw in session:
        seen += feed(conversation, sender, *(single_bytes(raw) if by_byte else [raw]))
    return seen + plain(conversation.finish())


WHOLE = play(SESSION)


def messages(seen: list[Seen], sender: Role) -> list[tuple[int, Command, bytes | None, bool]]:
    """Context, command, data set and whether it ended, of each message."""
    result: list[tuple[int, Command, bytes | None, bool]] = []
    for one in seen:
        if isinstance(one, CommandSeen) and one.sender is sender:
            has_dataset = one.command.has_dataset
            result.append((one.context_id, one.command, b"" if has_dataset else None, not has_dataset))
        elif isinstance(one, DataSeen) and one.sender is sender:
            context_id, what, so_far, is_whole = result.pop()
            assert (context_id, is_whole) == (one.context_id, False)
            result.append((context_id, what, (so_far or b"") + bytes(one.data), one.is_last))
    return result


def test_a_session_is_seen_whole() -> None:
    assert [(context_id, one.service, dataset) for context_id, one, dataset, _ in messages(WHOLE, OURS)] == [
        (1, "C-STORE", IMAGE),
        (3, "C-FIND", QUERY),
    ]
    assert [(context_id, one.status, dataset) for context_id, one, dataset, _ in messages(WHOLE, THEIRS)] == [
        (1, 0, None),
        *[(3, 0xFF00, QUERY)] * 3,
        (3, 0, None),
    ]
    assert kinds(WHOLE)[:12] == ["Pdu", "Pdu", "Pdu", "Command", *["Pdu", "Data"] * 4]
    assert not any(isinstance(one, JunkSeen | NonsenseSeen | GapSeen) for one in WHOLE)


def test_it_does_not_matter_how_the_bytes_come() -> None:
    assert play(SESSION, by_byte=True) == WHOLE


@given(cuts=st.lists(st.integers(0, 2500), max_size=12), sender=st.sampled_from(Role))
@settings(max_examples=60, deadline=None)
def test_neither_where_one_direction_is_cut(cuts: list[int], sender: Role) -> None:
    raw = stream(sender)
    edges = [0, *sorted(min(cut_here, len(raw)) for cut_here in cuts), len(raw)]
    conversation = associated() if sender is THEIRS else Conversation()
    seen = feed(conversation, sender, *(raw[a:b] for a, b in pairwise(edges)))
    assert [one._replace(start=0, end=0) for one in seen if isinstance(one, CommandSeen)] == [
        one._replace(start=0, end=0) for one in WHOLE if isinstance(one, CommandSeen) and one.sender is sender
    ]
    assert messages(seen, sender) == messages(WHOLE, sender)


def test_positions_cut_the_streams_into_the_pdus_and_name_those_of_a_message() -> None:
    for sender in Role:
        raw = stream(sender)
        pdus = [one for one in WHOLE if isinstance(one, PduSeen) and one.sender is sender]
        assert b"".join(raw[one.start : one.end] for one in pdus) == raw
        assert all(raw[one.start] == one.pdu_type for one in pdus)
        edges = {one.start for one in pdus}
        commands = [one for one in WHOLE if isinstance(one, CommandSeen) and one.sender is sender]
        assert commands
        assert all(one.start in edges and one.end in {*edges, len(raw)} for one in commands)
        assert all(raw[one.start] == 4 and one.start < one.end for one in commands)


def test_a_command_in_pieces_begins_where_its_first_pdu_does() -> None:
    raws = [p_data(command(STORE[a : a + 30], last=a + 30 >= len(STORE))) for a in range(0, len(STORE), 30)]
    conversation = associated()
    base = len(encode_pdu(RQ))
    ends = list(accumulate(map(len, raws), initial=base))
    seen = told(feed(conversation, OURS, *raws))
    assert seen == [CommandSeen(OURS, base, ends[-1], 1, STORED)]


def test_several_messages_in_one_pdu_and_pipelined_requests_are_told_in_order() -> None:
    raw = p_data(command(STORE), data(b"ab"), command(ECHO, context_id=3), command(STORE), data(b"cd", last=False))
    base = len(encode_pdu(RQ))
    end = base + len(raw)
    conversation = associated()
    assert told(feed(conversation, OURS, raw, p_data(data(b"ef")))) == [
        CommandSeen(OURS, base, end, 1, STORED),
        DataSeen(OURS, end, 1, b"ab", True),
        CommandSeen(OURS, base, end, 3, ECHOED),
        CommandSeen(OURS, base, end, 1, STORED),
        DataSeen(OURS, end, 1, b"cd", False),
        DataSeen(OURS, end + 14, 1, b"ef", True),
    ]
    pipelined = b"".join(raw for _ in range(50) for raw in cut(1, STORE, b"data", 0))
    assert kinds(told(feed(conversation, OURS, pipelined))) == ["Command", "Data"] * 50


def test_empty_fragments_say_nothing_except_the_last() -> None:
    raw = p_data(command(b"", last=False), command(STORE), data(b"", last=False), data(b"ab", last=False), data(b""))
    seen = told(feed(associated(), OURS, raw))
    assert [one.data for one in seen if isinstance(one, DataSeen)] == [b"ab", b""]
    assert kinds(seen) == ["Command", "Data", "Data"]


# what is negotiated


def test_contexts_are_those_proposed_and_accepted_with_the_transfer_syntax_of_the_answer() -> None:
    conversation = Conversation()
    assert (conversation.request, conversation.answer, dict(conversation.accepted)) == (None, None, {})
    feed(conversation, OURS, encode_pdu(RQ))
    assert conversation.request == RQ
    assert dict(conversation.proposed) == {context.context_id: context for context in RQ.contexts}
    answers = (ContextAnswer(1, 0, EXPLICIT), ContextAnswer(3, 3, IMPLICIT), ContextAnswer(5, 0, IMPLICIT))
    answer = replace(AC, contexts=answers)
    feed(conversation, THEIRS, encode_pdu(answer))
    assert conversation.answer == answer
    assert dict(conversation.accepted) == {1: AcceptedContext(1, CT, EXPLICIT)}
    assert [conversation.context(number) for number in (1, 3, 5)] == [
        AcceptedContext(1, CT, EXPLICIT),
        AcceptedContext(3, "", ""),
        AcceptedContext(5, "", ""),
    ]
    assert not conversation.joined_late
    assert not conversation.sides_swapped


def test_of_several_contexts_with_one_identifier_the_first_is_meant() -> None:
    twice = replace(RQ, contexts=(ProposedContext(1, CT, (IMPLICIT,)), ProposedContext(1, FIND, (IMPLICIT,))))
    conversation = Conversation()
    feed(conversation, OURS, encode_pdu(twice))
    feed(conversation, THEIRS, encode_pdu(BOTH_ACCEPTED))
    assert dict(conversation.accepted) == {1: AcceptedContext(1, CT, EXPLICIT)}


def test_the_request_may_be_captured_after_its_answer() -> None:
    conversation = Conversation()
    feed(conversation, THEIRS, encode_pdu(BOTH_ACCEPTED))
    assert conversation.joined_late
    assert conversation.context(1) == AcceptedContext(1, "", EXPLICIT)
    feed(conversation, OURS, encode_pdu(RQ))
    assert not conversation.joined_late
    assert dict(conversation.accepted) == CONTEXTS


def test_a_rejection_is_an_answer_and_accepts_nothing() -> None:
    conversation = Conversation()
    feed(conversation, OURS, encode_pdu(RQ))
    feed(conversation, THEIRS, encode_pdu(AssociateRJ(1, 1, 7)))
    assert conversation.answer == AssociateRJ(1, 1, 7)
    assert dict(conversation.accepted) == {}


def test_only_the_first_request_and_the_first_answer_of_the_other_side_count() -> None:
    other = AssociateRQ("OTHER", "OTHER", (ProposedContext(9, CT, (IMPLICIT,)),))
    conversation = Conversation()
    feed(conversation, OURS, encode_pdu(RQ), encode_pdu(AC))
    assert conversation.answer is None
    feed(conversation, THEIRS, encode_pdu(BOTH_ACCEPTED), encode_pdu(AssociateRJ(1, 1, 1)), encode_pdu(other))
    assert (conversation.request, conversation.answer) == (RQ, BOTH_ACCEPTED)
    assert dict(conversation.accepted) == CONTEXTS
    assert not conversation.sides_swapped


def test_a_request_from_the_side_thought_to_be_the_acceptor_swaps_the_sides() -> None:
    conversation = Conversation()
    feed(conversation, THEIRS, encode_pdu(RQ))
    assert conversation.sides_swapped
    feed(conversation, OURS, encode_pdu(BOTH_ACCEPTED))
    assert dict(conversation.accepted) == CONTEXTS


def test_a_command_on_a_context_that_was_not_accepted_is_a_command_all_the_same() -> None:
    conversation = Conversation()
    feed(conversation, OURS, encode_pdu(RQ))
    feed(conversation, THEIRS, encode_pdu(AC))
    seen = told(feed(conversation, OURS, p_data(command(ECHO, context_id=3)), p_data(command(ECHO, context_id=2))))
    assert [one.context_id for one in seen if isinstance(one, CommandSeen)] == [3, 2]
    assert kinds(seen) == ["Command", "Command"]


# coming in late


def test_who_joins_late_hears_from_the_next_command_on_and_takes_every_context() -> None:
    conversation = Conversation()
    seen = feed(conversation, OURS, p_data(data(IMAGE, last=False)), p_data(data(IMAGE), command(ECHO, context_id=77)))
    assert kinds(seen) == ["Pdu", "Pdu", "Command"]
    assert conversation.joined_late
    assert conversation.context(77) == AcceptedContext(77, "", "")
    # by now data without a command is nonsense
    assert kinds(feed(conversation, OURS, p_data(data(IMAGE)))) == ["Pdu", "Nonsense"]


def test_who_begins_in_the_middle_may_know_the_contexts() -> None:
    conversation = Conversation(accepted=CONTEXTS)
    assert kinds(feed(conversation, OURS, p_data(data(b"rest")), p_data(command(ECHO)))) == ["Pdu", "Pdu", "Command"]
    assert not conversation.joined_late
    assert conversation.context(3) == AcceptedContext(3, FIND, IMPLICIT)


@pytest.mark.parametrize("at", range(1, len(STORE), 9))
def test_the_rest_of_a_command_set_is_not_taken_for_a_command_set(at: int) -> None:
    conversation = Conversation()
    seen = feed(conversation, OURS, p_data(command(STORE[at:])), p_data(data(IMAGE)), p_data(command(ECHO)))
    assert kinds(seen) == ["Pdu", "Pdu", "Pdu", "Command"]


def test_a_command_set_whose_group_length_is_wrong_is_taken_unless_it_may_lack_its_beginning() -> None:
    wrong = STORE[:8] + b"\xff\0\0\0" + STORE[12:]
    assert kinds(told(feed(associated(), OURS, p_data(command(wrong))))) == ["Command"]
    assert kinds(told(feed(associated(), OURS, p_data(command(ECHO[12:]))))) == ["Command"]
    late = Conversation()
    assert told(feed(late, OURS, p_data(command(wrong)))) == []
    assert kinds(told(feed(late, OURS, p_data(command(wrong))))) == ["Command"]
    # whole, and still no command: that is nonsense whenever one came
    unknown = STORE.replace(b"\0\0\0\1\2\0\0\0\1\0", b"\0\0\0\1\2\0\0\0\x77\0")
    assert kinds(told(feed(Conversation(), OURS, p_data(command(unknown))))) == ["Nonsense"]


# nonsense


@pytest.mark.parametrize(
    ("pdvs", "why"),
    [
        ([data(b"ab")], "a data set fragment before its command set"),
        ([command(ECHO), data(b"ab")], "a data set fragment before its command set"),
        ([command(STORE), data(b"ab"), data(b"cd")], "a data set fragment before its command set"),
        ([command(STORE[:9], last=False), data(b"ab")], "a data set fragment before the end of its command set"),
        ([command(STORE), command(STORE), data(b"ab")], "a command set before the end of a data set"),
        ([command(STORE), data(b"ab", last=False), command(ECHO)], "a command set before the end of a data set"),
        ([command(STORE), data(b"ab", context_id=3)], "context 3 in the middle of a message of context 1"),
        (
            [command(STORE[:9], last=False), data(b"a", context_id=3)],
            "context 3 in the middle of a message of context 1",
        ),
        (
            [command(STORE[:9], last=False), command(ECHO, context_id=3)],
            "context 3 in the middle of a message of context 1",
        ),
        ([command(b"")], "command set: Command Field (0000,0100) is absent"),
        ([command(b"\0\0\0\0\xff")], "command set: 5 bytes are left over after the last element"),
        ([command(bytes(MAX_COMMAND_LENGTH + 1))], f"a command set of more than {MAX_COMMAND_LENGTH} bytes"),
    ],
)
def test_fragments_out_of_order_are_nonsense_once_and_the_next_command_is_heard(pdvs: list[PDV], why: str) -> None:
    conversation = associated()
    seen = feed(conversation, OURS, *map(p_data, pdvs))
    (nonsense,) = [one for one in seen if isinstance(one, NonsenseSeen)]
    assert (nonsense.sender, nonsense.why) == (OURS, why)
    edges = {one.start for one in seen if isinstance(one, PduSeen)}
    ends = {one.end for one in seen if isinstance(one, PduSeen)}
    assert nonsense.start in edges
    assert nonsense.end in ends
    more = p_data(data(b"rest", last=False)), p_data(data(b"rest"))
    assert told(feed(conversation, OURS, *more if isinstance(seen[-1], NonsenseSeen) else [])) == []
    assert kinds(told(feed(conversation, OURS, *cut(1, STORE, IMAGE, 0)))) == ["Command", "Data"]
    # the other direction has nothing to do with it
    assert kinds(told(feed(conversation, THEIRS, p_data(command(encode_response(ECHO_RQ, 0)))))) == ["Command"]


def test_the_rest_of_a_command_set_that_was_broken_into_is_passed_over() -> None:
    for intruder in (data(b"ab"), data(b"ab", context_id=3), command(ECHO[:20], last=False, context_id=3)):
        conversation = associated()
        seen = feed(conversation, OURS, p_data(command(STORE[:9], last=False)), p_data(intruder))
        seen += feed(conversation, OURS, p_data(command(STORE[9:])), p_data(data(IMAGE)), p_data(command(ECHO)))
        assert kinds(told(seen)) == ["Nonsense", "Command"]


def test_a_command_set_that_never_ends_is_nonsense_at_the_limit_and_never_held() -> None:
    conversation = associated()
    piece = p_data(command(bytes(100_000), last=False))
    seen = told(feed(conversation, OURS, *[piece] * 30))
    assert kinds(seen) == ["Nonsense"]
    assert len(conversation._listeners[OURS]._held) <= MAX_COMMAND_LENGTH
    assert kinds(told(feed(conversation, OURS, p_data(command(b"")), p_data(command(ECHO))))) == ["Command"]


def test_messages_that_are_shuffled_together_are_told_as_nonsense_and_never_as_messages() -> None:
    one, other = (
        [
            p_data(command(STORE[a : a + 40], last=a + 40 >= len(STORE), context_id=number))
            for a in range(0, len(STORE), 40)
        ]
        for number in (1, 3)
    )
    conversation = associated()
    seen = feed(conversation, OURS, *(raw for pair in zip(one, other, strict=True) for raw in pair))
    assert set(kinds(told(seen))) == {"Nonsense"}
    assert kinds(told(feed(conversation, OURS, *cut(1, STORE, IMAGE, 0)))) == ["Command", "Data"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\4\0\0\0\0\0",
        b"\4\0\0\0\0\x0a" + b"\xff" * 10,
        b"\4\0\0\0\0\7\0\0\0\1\1\2\0",
        b"\5\0\0\0\0\0",
        b"\1\0\0\0\0\3abc",
    ],
)
def test_a_malformed_pdu_is_seen_and_told_as_nonsense_and_the_message_it_may_belong_to_is_dropped(raw: bytes) -> None:
    conversation = associated()
    seen = feed(conversation, OURS, p_data(command(STORE), data(b"ab", last=False)), raw, p_data(data(b"cd")))
    assert kinds(seen) == ["Pdu", "Command", "Data", "Pdu", "Nonsense", "Pdu"]
    bad, nonsense = seen[3], seen[4]
    assert isinstance(bad, PduSeen)
    assert isinstance(bad.pdu, Malformed)
    assert nonsense == NonsenseSeen(OURS, bad.start, bad.end, bad.pdu.why)
    assert kinds(told(feed(conversation, OURS, p_data(command(ECHO))))) == ["Command"]


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01", b"\x99", bytes(2000)])
def test_garbage_in_the_middle_of_a_message_drops_it(garbage: bytes) -> None:
    conversation = associated()
    seen = feed(conversation, OURS, p_data(command(STORE), data(b"ab", last=False)), garbage, p_data(data(IMAGE)))
    assert kinds(seen) == ["Pdu", "Command", "Data", "Junk", "Nonsense", "Pdu"]
    junk, nonsense = seen[3], seen[4]
    assert isinstance(junk, JunkSeen)
    assert isinstance(nonsense, NonsenseSeen)
    assert junk.end - junk.start == len(garbage)
    assert (nonsense.end, nonsense.why) == (junk.start, "bytes that are no PDU came in the middle of a message")
    assert kinds(told(feed(conversation, OURS, p_data(command(ECHO)), garbage, p_data(command(ECHO))))) == [
        "Command",
        "Junk",
        "Command",
    ]


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01"])
def test_another_protocol_on_the_port_is_junk(garbage: bytes) -> None:
    conversation = Conversation()
    assert feed(conversation, OURS, garbage) == []
    (junk,) = conversation.finish()
    assert isinstance(junk, JunkSeen)
    assert (junk.start, junk.end, junk.data) == (0, len(garbage), garbage)
    assert "perhaps" in junk.why
    assert conversation.finish() == []


# cut and gaps


@pytest.mark.parametrize("sender", Role)
def test_whatever_was_complete_before_a_cut_is_seen(sender: Role) -> None:
    raw = stream(sender)
    expected = [one for one in WHOLE if one.sender is sender]
    for at in range(len(raw) + 1):
        conversation = Conversation()
        feed(conversation, Role.REQUESTOR, encode_pdu(RQ) if sender is THEIRS else b"")
        seen = feed(conversation, sender, raw[:at])
        assert seen == [one for one in expected if one.end <= at]
        is_between = at in {0, *(one.end for one in expected)}
        assert kinds(plain(conversation.finish())) == ([] if is_between else ["Junk"])


@pytest.mark.parametrize("sender", Role)
def test_after_a_gap_of_any_size_the_next_pdus_are_seen_and_no_message_is_invented(sender: Role) -> None:
    raw = stream(sender)
    pdus = [one for one in WHOLE if isinstance(one, PduSeen) and one.sender is sender]
    said = messages(WHOLE, sender)
    random = Random(7)
    for start in range(0, len(raw), 5):
        for size in {1, 2, 6, 50, random.randrange(1, len(raw)), len(raw) - start}:
            conversation = Conversation()
            seen = feed(conversation, sender, raw[:start]) + plain(conversation.gap(sender, size))
            seen += feed(conversation, sender, raw[start + size :]) + plain(conversation.finish())
            assert [one for one in seen if isinstance(one, PduSeen)] == [
                one for one in pdus if one.end <= start or one.start >= start + size
            ]
            check_messages(seen, sender, said)


def check_messages(seen: list[Seen], sender: Role, said: list[tuple[int, Command, bytes | None, bool]]) -> None:
    """Whether all messages were said; and none has less than it had, unless nonsense or a gap says so."""
    for message in messages(seen, sender):
        context_id, what, dataset, is_whole = message
        if is_whole:
            assert message in said
        else:
            assert any((context_id, what) == one[:2] and (one[2] or b"").startswith(dataset or b"") for one in said)
            assert any(isinstance(one, GapSeen | NonsenseSeen) for one in seen)


def test_a_gap_within_a_data_set_drops_the_message_and_the_rest_of_it_is_passed_over() -> None:
    conversation = associated()
    first, second, third = (
        p_data(command(STORE), data(b"a" * 50, last=False)),
        p_data(data(IMAGE, last=False)),
        p_data(data(b"z")),
    )
    base = len(encode_pdu(RQ))
    begun = base + len(first) + len(third)
    more = p_data(data(b"y", last=False))
    seen = feed(conversation, OURS, first, more, second[:100]) + plain(conversation.gap(OURS, 30))
    seen += feed(conversation, OURS, second[130:] + third + p_data(command(ECHO)))
    heard = ["Pdu", "Command", "Data", "Pdu", "Data"]
    assert kinds(seen) == [*heard, "Junk", "Gap", "Nonsense", "Junk", "Pdu", "Pdu", "Command"]
    assert seen[6] == GapSeen(OURS, begun + 100, begun + 130)
    assert seen[7] == NonsenseSeen(OURS, base, begun, "the rest of the message was not captured")


def test_a_gap_between_messages_is_a_gap_and_no_nonsense() -> None:
    conversation = associated()
    seen = plain(conversation.gap(OURS, 500)) + feed(conversation, OURS, p_data(data(b"rest")), p_data(command(ECHO)))
    assert kinds(seen) == ["Gap", "Pdu", "Pdu", "Command"]
    assert conversation.gap(OURS, 0) == []


def test_a_gap_in_one_direction_leaves_the_other_alone() -> None:
    conversation = associated()
    feed(conversation, OURS, p_data(command(STORE), data(b"ab", last=False)))
    conversation.gap(THEIRS, 100)
    (rest,) = told(feed(conversation, OURS, p_data(data(b"cd"))))
    assert isinstance(rest, DataSeen)
    assert (rest.data, rest.is_last) == (b"cd", True)


def test_where_the_beginning_was_not_captured_the_association_is_joined_late() -> None:
    conversation = Conversation()
    conversation.gap(OURS, len(encode_pdu(RQ)))
    assert not conversation.joined_late
    feed(conversation, THEIRS, encode_pdu(BOTH_ACCEPTED))
    assert conversation.joined_late
    assert kinds(told(feed(conversation, OURS, *cut(1, STORE, IMAGE, 0)))) == ["Command", "Data"]
    assert conversation.context(1) == AcceptedContext(1, "", EXPLICIT)


PIECES = [raw for _, raw in SESSION] + [raw[:40] for _, raw in SESSION] + [raw[40:] for _, raw in SESSION]


@given(
    st.lists(
        st.tuples(st.sampled_from(Role), st.binary(max_size=60) | st.sampled_from(PIECES) | st.integers(-1, 400)),
        max_size=40,
    )
)
@settings(max_examples=150, deadline=None)
def test_nothing_that_is_fed_raises_or_makes_it_hold_much(steps: list[tuple[Role, bytes | int]]) -> None:
    conversation = Conversation(max_held=3000)
    for sender, what in steps:
        seen = feed(conversation, sender, what) if isinstance(what, bytes) else conversation.gap(sender, what)
        assert all(one.sender is sender for one in seen)
        held = [len(walker._held) for walker in conversation._walkers.values()]
        assert max(held) <= 3000 + 1000
    conversation.finish()
    assert conversation.finish() == []


@pytest.mark.parametrize("seed", range(20))
def test_no_mutation_of_a_session_raises_or_changes_how_it_is_seen_in_pieces(seed: int) -> None:
    random = Random(seed)
    for _ in range(20):
        raw = bytearray(stream(random.choice(list(Role))))
        for _ in range(random.randint(1, 4)):
            at = random.randrange(len(raw))
            match random.randrange(4):
                case 0:
                    raw[at] ^= 1 << random.randrange(8)
                case 1:
                    del raw[at : at + random.randrange(1, 40)]
                case 2:
                    raw[at:at] = random.randbytes(random.randrange(1, 12))
                case _:
                    raw[at:at] = raw[max(0, at - 80) : at]
        whole, pieces = Conversation(), Conversation()
        expected = feed(whole, OURS, bytes(raw)) + plain(whole.finish())
        step = random.choice((1, 7, 100))
        seen = feed(pieces, OURS, *(bytes(raw[a : a + step]) for a in range(0, len(raw), step)))
        assert seen + plain(pieces.finish()) == expected
