from __future__ import annotations

from dataclasses import replace

import pytest

from mockpacs.errors import LocalProtocolError
from mockpacs.wire import (
    Abort,
    Aborted,
    AcceptedContext,
    AssociateAC,
    AssociateAccepted,
    AssociateRefused,
    AssociateRejected,
    AssociateRequested,
    AssociateRJ,
    Command,
    CommandReceived,
    ContextAnswer,
    DataReceived,
    Happening,
    ReleaseConfirmed,
    ReleaseRequested,
    ReleaseRP,
    ReleaseRQ,
    Role,
    State,
    TransportClosed,
    UpperLayer,
    UserInformation,
    cut,
    encode_command,
    encode_pdu,
    response_to,
)
from tests.wire.samples import AC, CT, ECHO_RQ, EXPLICIT, FIND, IMPLICIT, RQ, STORE_RQ

WIDE = AssociateAC("CALLED", "CALLING", (ContextAnswer(1, 0, EXPLICIT), ContextAnswer(3, 0, IMPLICIT)), AC.user)


class Pair:
    """A requestor and an acceptor joined by a link that is two lists: nothing moves until somebody carries it."""

    def __init__(self, max_pdu_length: int = 16384) -> None:
        self.requestor = UpperLayer(Role.REQUESTOR, max_pdu_length=max_pdu_length)
        self.acceptor = UpperLayer(Role.ACCEPTOR, max_pdu_length=max_pdu_length)

    def connect(self) -> list[Happening]:
        self.requestor.request(RQ)
        self.acceptor.transport_opened()
        self.requestor.transport_opened()
        return self.to_acceptor()

    def associate(self, ac: AssociateAC = WIDE) -> Pair:
        self.connect()
        self.acceptor.accept(ac)
        self.to_requestor()
        return self

    def to_acceptor(self) -> list[Happening]:
        return carry(self.requestor, self.acceptor)

    def to_requestor(self) -> list[Happening]:
        return carry(self.acceptor, self.requestor)

    @property
    def states(self) -> tuple[int, int]:
        return int(self.requestor.state), int(self.acceptor.state)


def carry(sender: UpperLayer, receiver: UpperLayer) -> list[Happening]:
    """Carry what was sent in one chunk; views become bytes, as their buffer is reused."""
    buffer = bytearray(b"".join(sender.data_to_send()))
    happenings = receiver.receive(memoryview(buffer))
    kept: list[Happening] = [comparable(happening) for happening in happenings]
    buffer[:] = b"\xee" * len(buffer)
    return kept


def comparable(happening: Happening) -> Happening:
    """Without what cannot be compared, or is not what these tests are about: views and positions."""
    match happening:
        case DataReceived():
            return happening._replace(data=bytes(happening.data))
        case CommandReceived():
            return happening._replace(start=0)
    return happening


def received(command: Command) -> CommandReceived:
    encoded = encode_command(command)
    return CommandReceived(1, Command({0: len(encoded) - 12, **command.elements}))


# association


def test_an_association_is_established_and_released_from_either_side() -> None:
    for releases, agrees in ((0, 1), (1, 0)):
        pair = Pair()
        assert pair.connect() == [AssociateRequested(RQ)]
        assert pair.states == (5, 3)
        pair.acceptor.accept(AC)
        assert pair.to_requestor() == [AssociateAccepted(AC)]
        assert pair.states == (6, 6)
        sides = (pair.requestor, pair.acceptor)
        sides[releases].release()
        assert carry(sides[releases], sides[agrees]) == [ReleaseRequested()]
        sides[agrees].answer_release()
        assert sides[agrees].artim_running
        assert not sides[agrees].should_close
        assert carry(sides[agrees], sides[releases]) == [ReleaseConfirmed()]
        assert sides[releases].should_close
        assert sides[releases].transport_closed() == [TransportClosed()]
        assert sides[agrees].transport_closed() == [TransportClosed()]
        assert pair.states == (1, 1)
        assert not sides[agrees].artim_running


def test_both_sides_agree_on_the_contexts_and_know_the_maximum_length_of_the_other() -> None:
    pair = Pair().associate(AC)
    agreed = {1: AcceptedContext(1, CT, EXPLICIT)}
    assert pair.requestor.accepted == pair.acceptor.accepted == agreed
    assert (pair.requestor.peer_max_pdu_length, pair.acceptor.peer_max_pdu_length) == (16384, 16382)


def test_an_answer_to_what_was_not_proposed_accepts_nothing() -> None:
    odd = AssociateAC("CALLED", "CALLING", (ContextAnswer(99, 0, EXPLICIT), ContextAnswer(3, 0, IMPLICIT)))
    pair = Pair().associate(odd)
    assert pair.requestor.accepted == pair.acceptor.accepted == {3: AcceptedContext(3, FIND, IMPLICIT)}


def test_a_rejection_ends_on_both_sides() -> None:
    pair = Pair()
    pair.connect()
    assert not pair.acceptor.artim_running
    pair.acceptor.reject(AssociateRJ(1, 1, 7))
    assert (pair.acceptor.artim_running, pair.acceptor.should_close) == (True, False)
    assert pair.to_requestor() == [AssociateRejected(AssociateRJ(1, 1, 7))]
    assert pair.requestor.should_close
    assert pair.acceptor.transport_closed() == [TransportClosed()]


def test_only_bit_0_of_the_protocol_version_is_tested() -> None:
    for version in (1, 3, 0xFFFF):
        acceptor = UpperLayer(Role.ACCEPTOR, max_pdu_length=0)
        acceptor.transport_opened()
        rq = replace(RQ, protocol_version=version)
        assert acceptor.receive(encode_pdu(rq)) == [AssociateRequested(rq)]
    for version in (0, 2, 0xFFFE):
        acceptor = UpperLayer(Role.ACCEPTOR, max_pdu_length=0)
        acceptor.transport_opened()
        rq = replace(RQ, protocol_version=version)
        assert acceptor.receive(encode_pdu(rq)) == [AssociateRefused(rq, AssociateRJ(1, 2, 2))]
        assert acceptor.data_to_send() == [encode_pdu(AssociateRJ(1, 2, 2))]
        assert (acceptor.state, acceptor.artim_running) == (State.STA13, True)


# messages


def test_a_request_and_its_response_cross() -> None:
    pair = Pair().associate()
    pair.requestor.send(1, STORE_RQ, b"data set")
    assert pair.to_acceptor() == [received(STORE_RQ), DataReceived(1, b"data set", True)]
    pair.acceptor.send(1, response_to(STORE_RQ, 0))
    assert pair.to_requestor() == [received(response_to(STORE_RQ, 0))]


def test_pipelined_requests_arrive_in_order_however_the_chunks_fall() -> None:
    pair = Pair().associate()
    for _ in range(3):
        pair.requestor.send(1, STORE_RQ, bytes(40_000))
        pair.requestor.send(1, ECHO_RQ)
    stream = b"".join(pair.requestor.data_to_send())
    got: list[Happening] = []
    for offset in range(0, len(stream), 777):
        got += [comparable(happening) for happening in pair.acceptor.receive(stream[offset : offset + 777])]
    commands = [happening.command.service for happening in got if isinstance(happening, CommandReceived)]
    fragments = [happening for happening in got if isinstance(happening, DataReceived)]
    assert commands == ["C-STORE", "C-ECHO"] * 3
    assert sum(len(fragment.data) for fragment in fragments) == 120_000
    assert [fragment.is_last for fragment in fragments].count(True) == 3


def test_messages_are_cut_to_what_the_receiver_takes() -> None:
    pair = Pair().associate(replace(WIDE, user=UserInformation(100)))
    pair.requestor.send(1, STORE_RQ, bytes(1000))
    pdus = pair.requestor.data_to_send()
    assert max(map(len, pdus)) == 106
    assert pdus == cut(1, encode_command(STORE_RQ), bytes(1000), 100)


def test_a_command_that_is_encoded_once_can_be_sent_often() -> None:
    pair = Pair().associate()
    encoded = encode_command(STORE_RQ)
    for number in range(3):
        pair.requestor.send_encoded(1, encoded, bytes([number]))
    happenings = pair.to_acceptor()
    assert happenings[1::2] == [DataReceived(1, bytes([number]), True) for number in range(3)]


def test_a_stream_queues_one_pdu_per_step_and_lets_no_other_message_between() -> None:
    pair = Pair().associate(replace(WIDE, user=UserInformation(1006)))
    steps = pair.requestor.send_stream(1, encode_command(STORE_RQ), [bytes(700)] * 5)
    arrived = []
    for length in steps:
        (pdu,) = pair.requestor.data_to_send()
        assert len(pdu) == length
        arrived += [comparable(happening) for happening in pair.acceptor.receive(pdu)]
        with pytest.raises(LocalProtocolError, match="has not ended"):
            pair.requestor.send(1, ECHO_RQ)
    assert [len(x.data) for x in arrived if isinstance(x, DataReceived)] == [1000, 1000, 1000, 500]
    pair.requestor.send(1, ECHO_RQ)


def test_a_stream_stops_with_a_sentence_when_the_association_goes() -> None:
    pair = Pair().associate()
    steps = pair.requestor.send_stream(1, encode_command(STORE_RQ), [bytes(100_000)] * 2)
    next(steps)
    pair.acceptor.abort()
    pair.to_requestor()
    with pytest.raises(LocalProtocolError, match="P_DATA_REQUEST is not possible in STA1"):
        next(steps)


def test_what_may_not_be_sent_is_refused_with_a_sentence() -> None:
    pair = Pair()
    with pytest.raises(LocalProtocolError, match="not possible in STA1"):
        pair.requestor.send(1, ECHO_RQ)
    pair.associate(AC)
    for context_id in (3, 5):
        with pytest.raises(LocalProtocolError, match=f"context {context_id} was not accepted"):
            pair.requestor.send(context_id, ECHO_RQ)
    with pytest.raises(LocalProtocolError, match="contradict"):
        pair.requestor.send(1, ECHO_RQ, b"data")
    with pytest.raises(LocalProtocolError, match="contradict"):
        pair.requestor.send(1, STORE_RQ)
    pair.requestor.release()
    with pytest.raises(LocalProtocolError, match="not possible in STA7"):
        pair.requestor.send(1, ECHO_RQ)
    assert pair.requestor.data_to_send() == [encode_pdu(ReleaseRQ())]


@pytest.mark.parametrize("max_pdu_length", range(1, 7))
def test_a_peer_whose_maximum_length_carries_nothing_gets_no_message(max_pdu_length: int) -> None:
    pair = Pair().associate(replace(WIDE, user=UserInformation(max_pdu_length)))
    assert pair.requestor.peer_max_pdu_length == max_pdu_length
    with pytest.raises(LocalProtocolError, match="cannot carry data"):
        pair.requestor.send(1, ECHO_RQ)


# release


def test_an_early_release_is_reported_after_what_came_before_it_and_leaves_time_to_answer() -> None:
    pair = Pair().associate()
    pair.requestor.send(1, STORE_RQ, b"data")
    pair.requestor.release()
    assert pair.to_acceptor() == [received(STORE_RQ), DataReceived(1, b"data", True), ReleaseRequested()]
    assert pair.acceptor.can_send
    pair.acceptor.send(1, response_to(STORE_RQ, 0))
    pair.acceptor.answer_release()
    assert pair.to_requestor() == [received(response_to(STORE_RQ, 0)), ReleaseConfirmed()]


def test_a_release_collision_is_resolved() -> None:
    pair = Pair().associate()
    pair.requestor.release()
    pair.acceptor.release()
    assert (pair.to_acceptor(), pair.to_requestor()) == ([ReleaseRequested()], [ReleaseRequested()])
    assert pair.states == (9, 10)
    with pytest.raises(LocalProtocolError, match="not possible in STA10"):
        pair.acceptor.answer_release()
    pair.requestor.answer_release()
    assert pair.to_acceptor() == [ReleaseConfirmed()]
    assert pair.states == (11, 12)
    pair.acceptor.answer_release()
    assert pair.to_requestor() == [ReleaseConfirmed()]
    assert pair.states == (1, 13)
    assert pair.requestor.should_close


def test_it_is_known_whether_a_message_was_cut_off_by_the_release() -> None:
    pair = Pair().associate()
    first, *_ = cut(1, encode_command(STORE_RQ), b"data", 0)
    assert pair.acceptor.receive(first + encode_pdu(ReleaseRQ()))[-1] == ReleaseRequested()
    assert pair.acceptor.is_mid_message


# abort


def test_an_abort_ends_the_association_at_once() -> None:
    pair = Pair().associate()
    pair.acceptor.abort()
    assert pair.acceptor.artim_running
    assert pair.to_requestor() == [Aborted(0, 0, True, "service user")]
    assert pair.requestor.should_close
    assert pair.requestor.transport_closed() == [TransportClosed()]
    assert pair.acceptor.transport_closed() == [TransportClosed()]


def test_a_provider_abort_says_why() -> None:
    pair = Pair().associate()
    (told,) = pair.requestor.receive(encode_pdu(Abort(2, 6)))
    assert told == Aborted(2, 6, True, "invalid parameter")
    (told,) = Pair().associate().requestor.receive(encode_pdu(Abort(9, 99)))
    assert told == Aborted(9, 99, True, "unknown reason")


def test_nothing_that_comes_after_an_abort_counts() -> None:
    pair = Pair().associate()
    pair.requestor.send(1, ECHO_RQ)
    echo = b"".join(pair.requestor.data_to_send())
    assert len(pair.acceptor.receive(encode_pdu(Abort(0, 0)) + echo)) == 1
    assert pair.acceptor.receive(echo) == []


def test_one_may_ask_whether_there_is_an_association_to_abort() -> None:
    pair = Pair()
    assert not pair.acceptor.is_associated
    pair.connect()
    assert pair.acceptor.is_associated
    assert pair.requestor.is_associated
    pair.acceptor.abort()
    assert not pair.acceptor.is_associated
    with pytest.raises(LocalProtocolError, match="ABORT_REQUEST is not possible in STA13"):
        pair.acceptor.abort()


# the transport connection and its timer


def test_a_connection_that_closes_in_the_middle_is_an_abort() -> None:
    pair = Pair().associate()
    for side in (pair.requestor, pair.acceptor):
        told, closed = side.transport_closed()
        assert isinstance(told, Aborted)
        assert (told.source, told.by_peer) == (2, True)
        assert closed == TransportClosed()
        assert side.transport_closed() == []
        assert side.state is State.STA1


def test_a_connection_that_could_not_be_opened_is_an_abort_without_a_close() -> None:
    requestor = UpperLayer(Role.REQUESTOR, max_pdu_length=0)
    requestor.request(RQ)
    (told,) = requestor.transport_closed()
    assert isinstance(told, Aborted)


def test_a_connection_that_says_nothing_is_closed_when_the_timer_ends() -> None:
    acceptor = UpperLayer(Role.ACCEPTOR, max_pdu_length=0)
    acceptor.transport_opened()
    assert (acceptor.artim_running, acceptor.artim_starts) == (True, 1)
    assert acceptor.artim_expired() == []
    assert (acceptor.should_close, acceptor.artim_running) == (True, False)
    assert acceptor.transport_closed() == [TransportClosed()]


def test_a_connection_that_is_closed_before_a_word_is_only_closed() -> None:
    acceptor = UpperLayer(Role.ACCEPTOR, max_pdu_length=0)
    acceptor.transport_opened()
    assert acceptor.transport_closed() == [TransportClosed()]


def test_the_timer_begins_anew_when_nonsense_is_answered() -> None:
    acceptor = UpperLayer(Role.ACCEPTOR, max_pdu_length=0)
    acceptor.transport_opened()
    acceptor.receive(b"GET / HTTP/1.1\r\n\r\n")
    assert (acceptor.state, acceptor.artim_running, acceptor.artim_starts) == (State.STA13, True, 2)
    acceptor.artim_expired()
    assert acceptor.should_close


def test_a_timer_that_ends_too_late_does_nothing() -> None:
    pair = Pair().associate()
    assert pair.acceptor.artim_expired() == []
    assert (pair.acceptor.state, pair.acceptor.should_close) == (State.STA6, False)


def test_an_abort_before_the_association_closes_and_is_reported() -> None:
    acceptor = UpperLayer(Role.ACCEPTOR, max_pdu_length=0)
    acceptor.transport_opened()
    (told,) = acceptor.receive(encode_pdu(Abort(0, 0)))
    assert isinstance(told, Aborted)
    assert acceptor.should_close


def test_an_acceptor_requests_nothing() -> None:
    with pytest.raises(LocalProtocolError, match="does not request"):
        UpperLayer(Role.ACCEPTOR, max_pdu_length=0).request(RQ)


def test_a_request_that_cannot_be_encoded_is_refused_when_it_is_asked_for() -> None:
    requestor = UpperLayer(Role.REQUESTOR, max_pdu_length=0)
    with pytest.raises(LocalProtocolError, match="16 is the most"):
        requestor.request(replace(RQ, called="A" * 17))
    assert requestor.state is State.STA1


def test_every_pdu_is_handed_out_once() -> None:
    pair = Pair().associate()
    pair.requestor.release()
    assert pair.requestor.data_to_send() == [encode_pdu(ReleaseRQ())]
    assert pair.requestor.data_to_send() == []
    pair.acceptor.receive(encode_pdu(ReleaseRQ()))
    pair.acceptor.answer_release()
    assert pair.acceptor.data_to_send() == [encode_pdu(ReleaseRP())]
