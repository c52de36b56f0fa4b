"""The responses of an exchange, equal ones together."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.traffic.answers import Answers
from mockpacs.traffic.exchange import Answer

PENDING, SUCCESS, CANCEL = 0xFF00, 0x0000, 0xFE00


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], ()),
        ([SUCCESS], (Answer(SUCCESS, 1, 0, 0),)),
        ([PENDING, PENDING, SUCCESS], (Answer(PENDING, 2, 0, 1), Answer(SUCCESS, 1, 2, 2))),
        ([PENDING, 0xFF01, PENDING], (Answer(PENDING, 1, 0, 0), Answer(0xFF01, 1, 1, 1), Answer(PENDING, 1, 2, 2))),
        ([PENDING, CANCEL, CANCEL], (Answer(PENDING, 1, 0, 0), Answer(CANCEL, 2, 1, 2))),
    ],
)
def test_equal_responses_that_follow_one_another_are_one_answer(
    statuses: list[int], expected: tuple[Answer, ...]
) -> None:
    answers = Answers()
    for at, status in enumerate(statuses):
        answers.add(status, float(at))

    assert answers.all() == expected


@given(st.lists(st.sampled_from([PENDING, SUCCESS, CANCEL])))
def test_no_response_is_lost_and_none_is_moved(statuses: list[int]) -> None:
    answers = Answers()
    for at, status in enumerate(statuses):
        answers.add(status, float(at))

    made = answers.all()
    assert [answer.status for answer in made for _ in range(answer.times)] == statuses
    assert len(made) == len(list(groupby(statuses)))
    assert [answer.last - answer.first + 1 for answer in made] == [answer.times for answer in made]


def test_a_thousand_matches_take_the_room_of_one() -> None:
    answers = Answers()
    for at in range(1000):
        answers.add(PENDING, float(at))

    assert answers.all() == (Answer(PENDING, 1000, 0.0, 999.0),)


def test_what_was_given_out_does_not_change_any_more() -> None:
    answers = Answers()
    answers.add(PENDING, 1.0)
    before = answers.all()
    answers.add(PENDING, 2.0)

    assert before == (Answer(PENDING, 1, 1.0, 1.0),)
