"""What a server of ours still hears, and what an observer makes of the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.hearing import Hearing
from mockpacs.wire import Abort, AssociateAC, AssociateRJ, Pdu, ReleaseRP, ReleaseRQ
from tests.traffic.recording.script import (
    ANSWER,
    REQUEST,
    SCP,
    SCU,
    Line,
    Script,
    echo,
    echoed,
    exchanges,
    notices,
    records,
)

ABORT, LEAVE, LEFT, REFUSED = Abort(0, 0), ReleaseRQ(), ReleaseRP(), AssociateRJ(1, 1, 1)
LYING = b"\4\0\0\0\0\6\0\0\0\xff\1\3"

TURNS: dict[str, tuple[Sequence[Pdu], bool]] = {
    "a request": ([REQUEST], True),
    "a second request": ([REQUEST, REQUEST], False),
    "an answer nobody asked for": ([ANSWER], False),
    "a refusal nobody asked for": ([REFUSED], False),
    "a release before the association": ([LEAVE], False),
    "an answer to no release": ([REQUEST, LEFT], False),
    "an abort": ([ABORT], True),
    "an abort after what is out of turn": ([ANSWER, ABORT], False),
}


@pytest.mark.parametrize(("said", "is_taken"), TURNS.values(), ids=TURNS)
def test_a_server_of_ours_takes_what_is_in_turn(said: Sequence[Pdu], *, is_taken: bool) -> None:
    hearing, others = Hearing(SCP), Hearing(None)
    assert [hearing.takes(SCU, pdu) for pdu in said][-1] is is_taken
    assert hearing.hears(SCU) is is_taken
    assert all(others.takes(SCU, pdu) for pdu in said), "in a capture of others everything is heard"
    assert hearing.hears(SCP)


def test_one_release_is_taken_and_no_second() -> None:
    hearing = Hearing(SCP)
    assert hearing.takes(SCU, REQUEST)
    assert hearing.takes(SCP, ANSWER)
    assert hearing.takes(SCU, LEAVE)
    assert not hearing.takes(SCU, LEAVE)


def told(line: Line) -> list[Exchange]:
    return exchanges(records(line.script))


BEFORE_OUR_ABORT: dict[str, Sequence[bytes | Pdu]] = {
    "garbage": [b"\xff" * 40],
    "a message that is none": [LYING],
    "a second request": [REQUEST],
    "an answer": [LEFT],
}


@pytest.mark.parametrize("wrong", BEFORE_OUR_ABORT.values(), ids=BEFORE_OUR_ABORT)
def test_what_came_with_the_end_of_the_association_was_not_asked(wrong: Sequence[bytes | Pdu]) -> None:
    line = Script().open().associate().say(SCU, echo(1)).say(SCP, echoed(1))
    line.say(SCU, *wrong, echo(2), echo(3)).say(SCP, Abort(2, 1)).close(SCP)
    assert [(one.number, one.status) for one in told(line)] == [(1, 0)]


def test_what_was_answered_all_the_same_was_heard() -> None:
    line = Script().open().associate().say(SCU, LYING, echo(1), echo(2)).say(SCP, echoed(1)).close(SCP)
    assert [(one.number, one.status) for one in told(line)] == [(1, 0)]


def test_in_a_capture_of_others_requests_behind_garbage_are_told() -> None:
    line = Script().open().associate().say(SCU, LYING, echo(1)).close(SCP)
    assert [one.status for one in exchanges(records(line.script, None))] == [None]


# as the requestor


ANSWERS: dict[str, tuple[Sequence[Pdu], bool]] = {
    "an answer": ([ANSWER], True),
    "a refusal": ([REFUSED], True),
    "a second answer": ([ANSWER, ANSWER], False),
    "a refusal after the answer": ([ANSWER, REFUSED], False),
    "a request": ([REQUEST], False),
    "an answer to no release": ([ANSWER, LEFT], False),
    "a release request": ([ANSWER, LEAVE], True),
    "a release request without an answer": ([LEAVE], False),
    "a second release request": ([ANSWER, LEAVE, LEAVE], False),
    "an abort": ([ABORT], True),
}


@pytest.mark.parametrize(("said", "is_taken"), ANSWERS.values(), ids=ANSWERS)
def test_a_requestor_of_ours_takes_what_is_in_turn(said: Sequence[Pdu], *, is_taken: bool) -> None:
    hearing = Hearing(SCU)
    assert hearing.takes(SCU, REQUEST)
    assert [hearing.takes(SCP, pdu) for pdu in said][-1] is is_taken
    assert hearing.hears(SCP) is is_taken
    assert hearing.hears(SCU)


def test_the_answer_to_our_release_is_taken() -> None:
    hearing = Hearing(SCU)
    assert all(hearing.takes(*said) for said in ((SCU, REQUEST), (SCP, ANSWER), (SCU, LEAVE), (SCP, LEFT)))


def ours(script: Script) -> Line:
    return script.open("connection 1 to 10.0.0.2:11112 for 3.1")


@pytest.mark.parametrize("wrong", [LYING, b"\xff" * 40, ANSWER, REQUEST, LEFT])
def test_an_answer_that_comes_behind_what_ends_our_association_is_none(wrong: bytes | Pdu) -> None:
    line = ours(Script()).associate().say(SCU, echo(1)).say(SCP, echoed(1)).say(SCU, echo(2))
    line.say(SCP, wrong, echoed(2)).say(SCU, Abort(2, 1)).close(SCU)

    assert [(one.number, one.status) for one in told(line)] == [(1, 0), (2, None)]


def test_an_answer_after_the_end_of_our_association_is_none() -> None:
    line = ours(Script()).associate().say(SCU, echo(1)).say(SCU, ABORT).say(SCP, echoed(1)).close(SCU)

    assert [(one.number, one.status) for one in told(line)] == [(1, None)]


def test_an_answer_on_a_context_that_was_not_accepted_is_none() -> None:
    few = AssociateAC("MOCKPACS", "CT1", ANSWER.contexts[1:], ANSWER.user)
    line = ours(Script()).associate(ac=few).say(SCU, echo(1)).say(SCP, echoed(1)).say(SCU, Abort(2, 1)).close(SCU)

    assert [(one.number, one.status) for one in told(line)] == [(1, None)]
    assert ("trouble", "C-ECHO-RSP came from the peer on presentation context 1, which was not accepted") in notices(
        records(line.script)
    )
