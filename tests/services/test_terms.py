"""Associations accepted on the terms of a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mockpacs.archive import Archive, QueryOptions
from mockpacs.scenario.step import Accept
from mockpacs.services.negotiation import House, negotiate
from mockpacs.services.registry import Registry
from mockpacs.services.terms import on_terms
from mockpacs.wire import AssociateAC, AssociateRQ, ProposedContext, UserInformation, decode_pdu, encode_pdu

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = f"{CT}.1"
MR = "1.2.840.10008.5.1.4.1.1.4"
COMMITMENT = "1.2.840.10008.1.20.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
J2K = "1.2.840.10008.1.2.4.90"

Answers = list[tuple[int, int, str]]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with Archive.open(None) as archive:
        yield House(Registry(archive, QueryOptions()).offer)


def answered(house: House, request: AssociateRQ, **accept: Any) -> AssociateAC:
    honest = negotiate(request, house)
    assert isinstance(honest, AssociateAC)
    return on_terms(request, honest, Accept.model_validate(accept))


def asking(*contexts: ProposedContext) -> AssociateRQ:
    return AssociateRQ("PACS", "SCU", contexts, UserInformation(16384))


PROPOSAL = asking(
    ProposedContext(1, CT, (IMPLICIT, EXPLICIT)),
    ProposedContext(3, MR, (EXPLICIT,)),
    ProposedContext(5, COMMITMENT, (IMPLICIT,)),
    ProposedContext(7, VERIFICATION, (JPEG,)),
)
HONEST = [(1, 0, EXPLICIT), (3, 0, EXPLICIT), (5, 3, IMPLICIT), (7, 4, JPEG)]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([{"sop_class": "*"}], HONEST),
        ([{}], HONEST),
        ([], [(1, 3, EXPLICIT), (3, 3, EXPLICIT), (5, 3, IMPLICIT), (7, 3, JPEG)]),
        # which contexts
        ([{"sop_class": "CT Image Storage"}], [HONEST[0], (3, 3, EXPLICIT), (5, 3, IMPLICIT), (7, 3, JPEG)]),
        ([{"sop_class": CT}], [HONEST[0], (3, 3, EXPLICIT), (5, 3, IMPLICIT), (7, 3, JPEG)]),
        ([{"sop_class": ["CTImageStorage", "MR Image*"]}], [*HONEST[:2], (5, 3, IMPLICIT), (7, 3, JPEG)]),
        # the first that fits
        ([{"sop_class": MR, "omit": True}, {"sop_class": MR, "result": 1}, {}], [HONEST[0], *HONEST[2:]]),
        # results
        (
            [{"sop_class": MR, "result": "transfer-syntaxes-not-supported"}, {}],
            [HONEST[0], (3, 4, EXPLICIT), *HONEST[2:]],
        ),
        ([{"sop_class": MR, "result": 17}, {}], [HONEST[0], (3, 17, EXPLICIT), *HONEST[2:]]),
        ([{"result": "accepted"}], [HONEST[0], HONEST[1], (5, 0, IMPLICIT), (7, 0, JPEG)]),
        # transfer syntaxes: what is chosen, and what is left to the archive
        ([{"transfer_syntax": ["implicit", "explicit"]}], [(1, 0, IMPLICIT), HONEST[1], HONEST[2], HONEST[3]]),
        ([{"transfer_syntax": "implicit"}], [(1, 0, IMPLICIT), (3, 4, EXPLICIT), HONEST[2], HONEST[3]]),
        ([{"transfer_syntax": "JPEG*"}], [(1, 4, EXPLICIT), (3, 4, EXPLICIT), HONEST[2], (7, 0, JPEG)]),
        # nobody proposed it
        ([{"transfer_syntax": J2K}], [(1, 0, J2K), (3, 0, J2K), HONEST[2], (7, 0, J2K)]),
        (
            [{"transfer_syntax": ["implicit", "JPEG 2000*", "JPEG2000Lossless"]}],
            [(1, 0, IMPLICIT), (3, 0, J2K), HONEST[2], (7, 0, J2K)],
        ),
        ([{"transfer_syntax": "big", "result": "accepted"}], [(1, 0, BIG), (3, 0, BIG), (5, 0, BIG), (7, 0, BIG)]),
        (
            [{"transfer_syntax": "HEVC*", "result": 0}],
            [(1, 0, IMPLICIT), (3, 0, EXPLICIT), (5, 0, IMPLICIT), (7, 0, JPEG)],
        ),
        # identifiers
        ([{"sop_class": CT, "id": 98}, {}], [(98, 0, EXPLICIT), *HONEST[1:]]),
        (
            [{"sop_class": COMMITMENT, "id": 99, "result": 2}],
            [(1, 3, EXPLICIT), (3, 3, EXPLICIT), (99, 2, IMPLICIT), (7, 3, JPEG)],
        ),
    ],
)
def test_contexts_are_answered_on_the_terms(house: House, terms: list[dict[str, Any]], expected: Answers) -> None:
    answer = answered(house, PROPOSAL, contexts=terms)

    assert [(one.context_id, one.result, one.transfer_syntax) for one in answer.contexts] == expected
    assert decode_pdu(2, encode_pdu(answer)[6:]) == answer


@pytest.mark.parametrize(
    ("word", "syntax"),
    [
        ("implicit", IMPLICIT),
        ("explicit", EXPLICIT),
        ("deflated", DEFLATED),
        ("big", BIG),
        (JPEG, JPEG),
        ("JPEGBaseline8Bit", JPEG),
        ("JPEG Baseline (Process 1)", JPEG),
        ("JPEG*", JPEG),
        ("1.2.840.10008.1.2.4.*", JPEG),
    ],
)
def test_a_transfer_syntax_is_known_by_many_names(house: House, word: str, syntax: str) -> None:
    request = asking(ProposedContext(1, CT, (IMPLICIT, EXPLICIT, DEFLATED, BIG, JPEG, J2K)))

    (context,) = answered(house, request, contexts=[{"transfer_syntax": word}]).contexts

    assert (context.result, context.transfer_syntax) == (0, syntax)


def test_a_second_context_with_one_identifier_stays_refused(house: House) -> None:
    request = asking(ProposedContext(1, CT, (IMPLICIT,)), ProposedContext(1, MR, (IMPLICIT,)))

    answer = answered(house, request, contexts=[{"transfer_syntax": "implicit"}])

    assert [one.result for one in answer.contexts] == [0, 2]


def test_a_context_without_transfer_syntaxes_can_be_accepted_all_the_same(house: House) -> None:
    (context,) = answered(house, asking(ProposedContext(1, CT, ())), contexts=[{"result": "accepted"}]).contexts

    assert (context.result, context.transfer_syntax) == (0, EXPLICIT)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ({}, ("PACS", "SCU", 131_072)),
        ({"max_pdu": 4096}, ("PACS", "SCU", 4096)),
        ({"max_pdu": 0}, ("PACS", "SCU", 0)),
        ({"called": "OTHER"}, ("OTHER", "SCU", 131_072)),
        ({"calling": ""}, ("PACS", "", 131_072)),
    ],
)
def test_titles_and_maximum_length_are_as_the_terms_say(
    house: House, accept: dict[str, Any], expected: tuple[str, str, int]
) -> None:
    answer = answered(house, PROPOSAL, **accept)

    assert (answer.called, answer.calling, answer.user.max_pdu_length) == expected
    assert [(one.context_id, one.result, one.transfer_syntax) for one in answer.contexts] == HONEST
    assert answer.user.implementation_class_uid


@pytest.mark.parametrize("term", [{"sop_class": "CT Image Storge"}, {"transfer_syntax": "implcit"}])
def test_a_name_nobody_knows_is_an_error(house: House, term: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="did you mean"):
        answered(house, PROPOSAL, contexts=[term])
