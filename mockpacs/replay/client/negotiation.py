"""What is proposed to the live peer, and on which of the contexts it accepted a recorded message can be said."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.client.settings import Settings
from mockpacs.replay.step import Said
from mockpacs.services.conversion import NATIVE
from mockpacs.wire import (
    AcceptedContext,
    AssociateRQ,
    ProposedContext,
    UserIdentity,
    UserInformation,
)
from mockpacs.wire.dictionary import uid_name
from mockpacs.wire.transfer_syntaxes import EXPLICIT_BIG

_MOST_CONTEXTS = 128
_DEFAULT_MAX_PDU_LENGTH = 1 << 17
_WITH_PASSCODE = 2


class Proposal(NamedTuple):
    """An A-ASSOCIATE-RQ, and which of its contexts each recorded one is."""

    request: AssociateRQ
    ids: Mapping[int, int]
    """Live identifiers by recorded ones."""


class Place(NamedTuple):
    """Where a recorded message is said."""

    context: AcceptedContext
    is_converted: bool
    """Whether its data set has to be written in the transfer syntax of the context."""


def proposal_of(taped: TapedAssociation, settings: Settings) -> Proposal:
    """What the recorded client proposed, or would have: where the request was not captured, what its messages need."""
    recorded = taped.request or _guessed(taped)
    contexts, ids = _numbered(recorded.contexts)
    request = dataclasses.replace(
        recorded,
        called=settings.called or recorded.called,
        calling=settings.calling or recorded.calling,
        contexts=contexts,
        user=_user(recorded.user, settings.passcode),
    )
    return Proposal(request, ids)


def has_secret(request: AssociateRQ | None) -> bool:
    """Whether a user identity has a passcode or token, of which a recording holds asterisks only."""
    identity = request.user.user_identity if request else None
    return identity is not None and (identity.kind > _WITH_PASSCODE or bool(identity.secondary))


def place_of(said: Said, ids: Mapping[int, int], accepted: Mapping[int, AcceptedContext]) -> Place | str:
    """Where to say a message; a sentence when it cannot be said."""
    recorded = said.context
    if not recorded.abstract_syntax:
        return "its presentation context was not accepted in the recording, or that was not captured (--fidelity pdu)"
    own = accepted.get(ids.get(recorded.context_id, -1))
    fitting = [one for one in accepted.values() if one.abstract_syntax == recorded.abstract_syntax]
    fitting.sort(key=lambda one: one is not own)
    if not fitting:
        return f"the peer accepts no context for {uid_name(recorded.abstract_syntax)}"
    if said.data is None:
        return Place(fitting[0], False)
    for context in fitting:
        if context.transfer_syntax == recorded.transfer_syntax:
            return Place(context, False)
    for context in fitting:
        if _can_become(recorded.transfer_syntax, context.transfer_syntax):
            return Place(context, True)
    there = ", ".join(uid_name(context.transfer_syntax) for context in fitting)
    what = uid_name(recorded.abstract_syntax)
    return f"it is in {uid_name(recorded.transfer_syntax)}, the peer accepts {what} in {there}: nothing is transcoded"


def _can_become(source: str, target: str) -> bool:
    return source in NATIVE and target in NATIVE and target != EXPLICIT_BIG


def _numbered(contexts: Iterable[ProposedContext]) -> tuple[tuple[ProposedContext, ...], dict[int, int]]:
    """The contexts as they can be proposed: with the identifiers they had, or others where those are not allowed."""
    given = tuple(contexts)[:_MOST_CONTEXTS]
    numbers = [context.context_id for context in given]
    if len(set(numbers)) == len(numbers) and all(number % 2 for number in numbers):
        return given, {number: number for number in numbers}
    ids: dict[int, int] = {}
    renumbered = []
    for at, context in enumerate(given):
        ids.setdefault(context.context_id, 2 * at + 1)  # of several with one identifier the first is meant
        renumbered.append(dataclasses.replace(context, context_id=2 * at + 1))
    return tuple(renumbered), ids


def _guessed(taped: TapedAssociation) -> AssociateRQ:
    one = taped.association
    wanted: dict[int, ProposedContext] = {}
    for said in taped.messages():
        number, abstract, transfer = said.context
        if abstract and transfer:
            wanted.setdefault(number, ProposedContext(number, abstract, (transfer,)))
    return AssociateRQ(
        one.called or "ANY-SCP",
        one.calling or "MOCKPACS",
        tuple(wanted.values()),
        UserInformation(_DEFAULT_MAX_PDU_LENGTH),
    )


def _user(user: UserInformation, passcode: str | None) -> UserInformation:
    identity = user.user_identity
    if identity is None or passcode is None:
        return user
    secret = passcode.encode()
    if identity.kind > _WITH_PASSCODE:
        new = UserIdentity(identity.kind, identity.positive_response_requested, secret, identity.secondary)
    else:
        new = UserIdentity(_WITH_PASSCODE, identity.positive_response_requested, identity.primary, secret)
    return dataclasses.replace(user, user_identity=new)
