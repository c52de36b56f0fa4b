"""Association requests and their answers, item by item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from mockpacs.archive import Archive, QueryOptions
from mockpacs.services.access import Access, Credential
from mockpacs.services.negotiation import House, Offer, Refused, agreed_information, negotiate, store_unchanged
from mockpacs.services.registry import Registry
from mockpacs.wire import (
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    AsynchronousOperations,
    CommonExtendedNegotiation,
    ContextAnswer,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserIdentity,
    UserInformation,
    decode_pdu,
    encode_pdu,
)

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
PRIVATE = "1.2.826.0.1.3680043.9.1.2.3"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
WORKLIST = "1.2.840.10008.5.1.4.31"
WITHOUT_BULK_DATA = "1.2.840.10008.5.1.4.1.2.5.3"
COMMITMENT = "1.2.840.10008.1.20.1"

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
JPEG = "1.2.840.10008.1.2.4.50"
J2K = "1.2.840.10008.1.2.4.90"
PRIVATE_SYNTAX = "1.2.826.0.1.3680043.9.4"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with Archive.open(None) as archive:
        yield House(Registry(archive, QueryOptions()).offer)


def asking(*contexts: ProposedContext, called: str = "PACS", calling: str = "SCU", **user: Any) -> AssociateRQ:
    return AssociateRQ(called, calling, contexts, UserInformation(**{"max_pdu_length": 16384, **user}))


def accepted(answer: AssociateAC | Refused) -> AssociateAC:
    assert isinstance(answer, AssociateAC)
    return answer


def only(answer: AssociateAC | Refused) -> ContextAnswer:
    (context,) = accepted(answer).contexts
    return context


# the association as a whole


def test_titles_are_returned_as_they_came_and_our_limits_are_said(house: House) -> None:
    answer = accepted(negotiate(asking(called="PACS", calling="ME"), house))

    assert (answer.called, answer.calling) == ("PACS", "ME")
    assert answer.user.max_pdu_length == 131_072
    assert answer.user.implementation_class_uid
    assert answer.contexts == ()


def test_a_plain_request_gets_no_negotiation_items_it_did_not_ask_for(house: House) -> None:
    user = accepted(negotiate(asking(ProposedContext(1, CT, (IMPLICIT,))), house)).user

    assert user.asynchronous_operations is None
    assert user.identity_response is None
    assert (user.roles, user.extended, user.common_extended) == ((), (), ())


@pytest.mark.parametrize(
    ("access", "numbers"),
    [
        (Access(called=("OTHER",)), (1, 1, 7)),
        (Access(calling=("OTHER",)), (1, 1, 3)),
        (Access(identity="require", credentials=(Credential((1,), b"jane"),)), (1, 1, 1)),
    ],
)
def test_who_may_not_is_rejected_with_the_reason(house: House, access: Access, numbers: tuple[int, int, int]) -> None:
    refused = negotiate(asking(), House(house.offer, access))

    assert isinstance(refused, Refused)
    assert refused.answer == AssociateRJ(*numbers)
    assert refused.why


def test_the_log_says_whether_an_identity_was_wrong_or_missing(house: House) -> None:
    strict = House(house.offer, Access(identity="require", credentials=(Credential((1,), b"jane"),)))
    missing = negotiate(asking(), strict)
    wrong = negotiate(asking(user_identity=UserIdentity(1, False, b"john", b"")), strict)

    assert isinstance(missing, Refused)
    assert isinstance(wrong, Refused)
    assert (missing.why, wrong.why) == ("user identity missing", "user identity wrong")


def test_another_application_context_is_rejected(house: House) -> None:
    refused = negotiate(AssociateRQ("PACS", "SCU", (), application_context="1.2.3"), house)

    assert isinstance(refused, Refused)
    assert refused.answer == AssociateRJ(1, 1, 2)


@pytest.mark.parametrize("length", [1, 5, 6])
def test_a_maximum_length_that_carries_nothing_is_rejected(house: House, length: int) -> None:
    refused = negotiate(asking(max_pdu_length=length), house)

    assert isinstance(refused, Refused)
    assert refused.answer == AssociateRJ(1, 1, 1)
    assert str(length) in refused.why


@pytest.mark.parametrize("length", [0, 8, 16, 4096])
def test_tiny_but_legal_maximum_lengths_and_no_limit_are_accepted(house: House, length: int) -> None:
    accepted(negotiate(asking(max_pdu_length=length), house))


# presentation contexts


@pytest.mark.parametrize(
    ("context", "result"),
    [
        (ProposedContext(1, VERIFICATION, (IMPLICIT,)), 0),
        (ProposedContext(1, CT, (PRIVATE_SYNTAX,)), 0),
        (ProposedContext(1, PRIVATE, (IMPLICIT,)), 0),
        (ProposedContext(1, FIND, (DEFLATED,)), 0),
        (ProposedContext(1, MOVE, (IMPLICIT,)), 0),
        (ProposedContext(1, WITHOUT_BULK_DATA, (DEFLATED,)), 0),
        (ProposedContext(1, MOVE, (JPEG,)), 4),
        (ProposedContext(1, COMMITMENT, (IMPLICIT,)), 3),
        (ProposedContext(1, WORKLIST, (IMPLICIT,)), 3),
        (ProposedContext(1, "", (IMPLICIT,)), 3),
        (ProposedContext(1, "not a uid", (IMPLICIT,)), 3),
        (ProposedContext(1, WORKLIST, ()), 3),
        (ProposedContext(1, FIND, (JPEG,)), 4),
        (ProposedContext(1, VERIFICATION, (JPEG, J2K)), 4),
        (ProposedContext(1, CT, ()), 4),
        (ProposedContext(1, CT, ("not a uid",)), 4),
        (ProposedContext(1, FIND, ()), 4),
    ],
)
def test_each_context_is_answered_with_its_reason(house: House, context: ProposedContext, result: int) -> None:
    answer = only(negotiate(asking(context), house))

    assert answer.result == result
    assert answer.transfer_syntax, "the field must be there even when it means nothing"
    if result == 0:
        assert answer.transfer_syntax in context.transfer_syntaxes


def test_all_contexts_are_answered_in_the_order_of_the_proposal(house: House) -> None:
    proposed = [
        ProposedContext(number, uid, (IMPLICIT,)) for number, uid in ((5, CT), (1, WORKLIST), (255, CT), (3, FIND))
    ]

    answers = accepted(negotiate(asking(*proposed), house)).contexts

    assert [(answer.context_id, answer.result) for answer in answers] == [(5, 0), (1, 3), (255, 0), (3, 0)]


def test_of_two_contexts_with_one_identifier_only_the_first_is_accepted(house: House) -> None:
    twice = (ProposedContext(1, CT, (IMPLICIT,)), ProposedContext(1, MR, (EXPLICIT,)))

    assert [answer.result for answer in accepted(negotiate(asking(*twice), house)).contexts] == [0, 2]


def test_128_contexts_with_38_transfer_syntaxes_are_answered_and_the_answer_can_be_encoded(house: House) -> None:
    syntaxes = (*tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(50, 85)), IMPLICIT, EXPLICIT, BIG)
    proposed = [ProposedContext(2 * number + 1, CT, syntaxes) for number in range(128)]

    answer = accepted(negotiate(asking(*proposed), house))
    encoded = encode_pdu(answer)

    assert {context.transfer_syntax for context in answer.contexts} == {EXPLICIT}
    assert decode_pdu(2, encoded[6:]) == answer


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ((IMPLICIT,), IMPLICIT),
        ((IMPLICIT, EXPLICIT), EXPLICIT),
        ((IMPLICIT, EXPLICIT, BIG), EXPLICIT),
        ((IMPLICIT, BIG), IMPLICIT),
        ((BIG,), BIG),
        ((JPEG,), JPEG),
        ((IMPLICIT, JPEG), JPEG),
        ((IMPLICIT, EXPLICIT, J2K), J2K),
        ((IMPLICIT, EXPLICIT, DEFLATED), EXPLICIT),
        ((BIG, DEFLATED), BIG),
        ((DEFLATED,), DEFLATED),
        ((DEFLATED, JPEG), JPEG),
        ((IMPLICIT, PRIVATE_SYNTAX), PRIVATE_SYNTAX),
        ((IMPLICIT, EXPLICIT, JPEG, J2K), EXPLICIT),
        ((IMPLICIT, JPEG, J2K), IMPLICIT),
        ((IMPLICIT, JPEG, "not a uid"), JPEG),
        (("not a uid", "1" * 65), None),
        ((), None),
    ],
)
def test_what_can_be_stored_without_change_is_chosen_whatever_the_order(
    proposed: tuple[str, ...], chosen: str | None
) -> None:
    assert {store_unchanged(order) for order in permutations(proposed)} == {chosen}


def test_several_compressed_transfer_syntaxes_alone_give_the_first(house: House) -> None:
    assert store_unchanged((J2K, JPEG)) == J2K


@pytest.mark.parametrize("uid", [FIND, VERIFICATION])
def test_identifiers_come_explicit_when_they_can_whatever_the_order(house: House, uid: str) -> None:
    for order in permutations((IMPLICIT, EXPLICIT, DEFLATED, BIG, JPEG)):
        assert only(negotiate(asking(ProposedContext(1, uid, order)), house)).transfer_syntax == EXPLICIT
    for order in permutations((IMPLICIT, DEFLATED, BIG)):
        assert only(negotiate(asking(ProposedContext(1, uid, order)), house)).transfer_syntax == IMPLICIT


# role selection


@pytest.mark.parametrize(
    ("uid", "proposed", "answered"),
    [
        (CT, (True, True), (True, True)),
        (CT, (True, False), (True, False)),
        (CT, (False, True), (False, True)),
        (CT, (False, False), (False, False)),
        (PRIVATE, (True, True), (True, True)),
        (FIND, (True, True), (True, False)),
        (FIND, (False, True), (False, False)),
        (VERIFICATION, (True, True), (True, False)),
        (MOVE, (True, True), (True, False)),
        (WORKLIST, (True, True), (False, False)),
    ],
)
def test_storage_takes_both_roles_as_proposed_and_everything_else_is_scp_only(
    house: House, uid: str, proposed: tuple[bool, bool], answered: tuple[bool, bool]
) -> None:
    request = asking(ProposedContext(1, uid, (IMPLICIT,)), roles=(RoleSelection(uid, *proposed),))

    assert accepted(negotiate(request, house)).user.roles == (RoleSelection(uid, *answered),)


def test_roles_and_extended_items_of_classes_that_were_not_proposed_are_not_answered(house: House) -> None:
    request = asking(
        ProposedContext(1, CT, (IMPLICIT,)),
        roles=(RoleSelection(MR, True, True),),
        extended=(ExtendedNegotiation(FIND, b"\1"),),
    )

    user = accepted(negotiate(request, house)).user

    assert user.roles == ()
    assert user.extended == ()


# what the archive holds, for those who want to get it


class Holding:
    """A house that says what it holds, and remembers who asked."""

    def __init__(self, house: House, *held: str) -> None:
        self.asked: list[str] = []
        self.held = held
        self.house = House(lambda uid: self._offer(house, uid))

    def _offer(self, house: House, uid: str) -> Offer | None:
        offer = house.offer(uid)
        return offer and replace(offer, held=self._held if offer.both_roles else None)

    def _held(self, sop_class: str) -> tuple[str, ...]:
        self.asked.append(sop_class)
        return self.held


def chosen(house: House, *syntaxes: str, uid: str = CT, roles: tuple[RoleSelection, ...]) -> str:
    return only(negotiate(asking(ProposedContext(1, uid, syntaxes), roles=roles), house)).transfer_syntax


@pytest.mark.parametrize(
    ("held", "proposed", "taken"),
    [
        ((IMPLICIT, EXPLICIT), (EXPLICIT, IMPLICIT), IMPLICIT),
        ((EXPLICIT, JPEG), (IMPLICIT, EXPLICIT, JPEG), EXPLICIT),
        ((JPEG, EXPLICIT), (IMPLICIT, EXPLICIT, JPEG, J2K), JPEG),
        ((J2K, IMPLICIT), (EXPLICIT, IMPLICIT), IMPLICIT),
        ((J2K,), (EXPLICIT, IMPLICIT), EXPLICIT),
        ((), (IMPLICIT, EXPLICIT), EXPLICIT),
        ((), (IMPLICIT, EXPLICIT, J2K), J2K),
    ],
)
@pytest.mark.parametrize("scu", [True, False])
def test_who_wants_to_get_gets_what_most_is_stored_in(
    house: House, held: tuple[str, ...], proposed: tuple[str, ...], taken: str, scu: bool
) -> None:
    holding = Holding(house, *held)

    assert chosen(holding.house, *proposed, roles=(RoleSelection(CT, scu, True),)) == taken
    assert holding.asked == [CT]


@pytest.mark.parametrize(
    ("uid", "proposed", "roles"),
    [
        (CT, (EXPLICIT, IMPLICIT), ()),
        (CT, (EXPLICIT, IMPLICIT), (RoleSelection(CT, True, False),)),
        (CT, (EXPLICIT, IMPLICIT), (RoleSelection(MR, True, True),)),
        (CT, (EXPLICIT,), (RoleSelection(CT, False, True),)),
        (FIND, (EXPLICIT, IMPLICIT), (RoleSelection(FIND, True, True),)),
    ],
)
def test_nobody_asks_the_archive_when_it_decides_nothing(
    house: House, uid: str, proposed: tuple[str, ...], roles: tuple[RoleSelection, ...]
) -> None:
    holding = Holding(house, IMPLICIT)

    assert chosen(holding.house, *proposed, uid=uid, roles=roles) == EXPLICIT
    assert holding.asked == []


def test_the_archive_is_asked_once_for_a_class_however_many_contexts_there_are(house: House) -> None:
    holding = Holding(house, JPEG)
    proposed = [ProposedContext(2 * number + 1, CT, (EXPLICIT, JPEG, J2K)) for number in range(128)]

    answer = accepted(negotiate(asking(*proposed, roles=(RoleSelection(CT, False, True),)), holding.house))

    assert {context.transfer_syntax for context in answer.contexts} == {JPEG}
    assert holding.asked == [CT]


# extended negotiation


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [
        (b"", b"\0"),
        (b"\0", b"\0"),
        (b"\1", b"\1"),
        (b"\1\1", b"\1\1"),
        (b"\1\1\1", b"\1\1\0"),  # fuzzy matching is not done
        (b"\1\1\1\1\1", b"\1\1\0\1\0"),  # nor enhanced multi-frame conversion
        (b"\0\0\0\1", b"\0\0\0\1"),
        (b"\1\1\1\1\1\1\1", b"\1\1\0\1\0\1\1"),
        (b"\2\xff\1", b"\0\0\0"),  # 1 is a wish, everything else is none
        (b"\1\1\1\1\1\1\1\1\1", b"\1\1\0\1\0\1\1"),
    ],
)
def test_query_negotiation_agrees_to_what_is_done_and_nothing_more(
    house: House, proposed: bytes, answered: bytes
) -> None:
    request = asking(ProposedContext(1, FIND, (IMPLICIT,)), extended=(ExtendedNegotiation(FIND, proposed),))

    answer = accepted(negotiate(request, house))

    assert answer.user.extended == (ExtendedNegotiation(FIND, answered),)
    assert agreed_information(answer) == {FIND: answered}


def test_retrieve_negotiation_agrees_to_relational_retrieval(house: House) -> None:
    request = asking(ProposedContext(1, MOVE, (IMPLICIT,)), extended=(ExtendedNegotiation(MOVE, b"\1\1"),))

    assert accepted(negotiate(request, house)).user.extended == (ExtendedNegotiation(MOVE, b"\1\0"),)


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [
        (b"\2\0\1\0\1\0", b"\2\0\3\0\0\0"),  # level 2, bit preserving signatures, no coercion
        (b"\0", b"\2"),
        (b"", b"\2"),
        (b"\3\0\3\0\1\0\7\7", b"\2\0\3\0\0\0"),
    ],
)
def test_storage_negotiation_says_level_2_and_no_coercion(house: House, proposed: bytes, answered: bytes) -> None:
    request = asking(ProposedContext(1, CT, (IMPLICIT,)), extended=(ExtendedNegotiation(CT, proposed),))

    assert accepted(negotiate(request, house)).user.extended == (ExtendedNegotiation(CT, answered),)


@pytest.mark.parametrize("uid", [VERIFICATION, WORKLIST, WITHOUT_BULK_DATA])
def test_extended_items_nobody_understands_are_not_answered(house: House, uid: str) -> None:
    request = asking(ProposedContext(1, uid, (IMPLICIT,)), extended=(ExtendedNegotiation(uid, b"\1"),))

    assert accepted(negotiate(request, house)).user.extended == ()


def test_common_extended_negotiation_is_never_answered(house: House) -> None:
    common = CommonExtendedNegotiation(PRIVATE, "1.2.840.10008.4.2", (CT,))
    request = asking(ProposedContext(1, PRIVATE, (IMPLICIT,)), common_extended=(common,))

    assert accepted(negotiate(request, house)).user.common_extended == ()


# asynchronous operations, user identity


@pytest.mark.parametrize("window", [(0, 0), (1, 1), (5, 3)])
def test_an_asynchronous_operations_window_is_answered_with_one_and_one(house: House, window: tuple[int, int]) -> None:
    request = asking(asynchronous_operations=AsynchronousOperations(*window))

    assert accepted(negotiate(request, house)).user.asynchronous_operations == AsynchronousOperations(1, 1)


@pytest.mark.parametrize(("is_asked_for", "response"), [(True, b""), (False, None)])
@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5])
def test_a_user_identity_is_confirmed_only_when_asked_for(
    house: House, kind: int, is_asked_for: bool, response: bytes | None
) -> None:
    request = asking(user_identity=UserIdentity(kind, is_asked_for, b"jane", b""))

    assert accepted(negotiate(request, house)).user.identity_response == response
