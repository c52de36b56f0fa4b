"""An A-ASSOCIATE-RQ and what is answered: a pure function of the request, the rules and the services on offer.

Everything proposed is answered, in the order of the proposal; what decides is what can be stored without change.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from mockpacs.services.access import Access
from mockpacs.services.sop_classes import is_uid
from mockpacs.wire import (
    APPLICATION_CONTEXT,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    AsynchronousOperations,
    ContextAnswer,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserInformation,
    can_carry_data,
)
from mockpacs.wire.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from mockpacs.wire.transfer_syntaxes import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

_NATIVE: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG, DEFLATED)
"""Transfer syntaxes that leave the pixels as they are, the best first."""


class Refusal(IntEnum):
    """Result of a presentation context (PS3.8 Table 9-18)."""

    ACCEPTED = 0
    USER = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX = 3
    TRANSFER_SYNTAXES = 4


@dataclass(frozen=True, slots=True)
class Offer:
    """How one abstract syntax is served."""

    choose: Callable[[tuple[str, ...]], str | None]
    """The transfer syntax to take of those proposed, None when none will do."""
    both_roles: bool = False
    """Whether the requestor may also be SCP (C-GET sub-operations come back to it)."""
    agree: Callable[[bytes], bytes] | None = None
    """The answer to SOP class extended negotiation, None when the item is not understood."""
    held: Callable[[str], Sequence[str]] | None = None
    """The transfer syntaxes of what is stored of a class, most frequent first. Asked for only when it decides."""


@dataclass(frozen=True, slots=True)
class House:
    """What an association is negotiated against."""

    offer: Callable[[str], Offer | None]
    """How an abstract syntax is served, None when it is not."""
    access: Access = field(default_factory=Access)
    max_pdu_length: int = 131_072


@dataclass(frozen=True, slots=True)
class Refused:
    """The association is rejected; ``why`` is for our log, the peer gets the numbers."""

    answer: AssociateRJ
    why: str


def negotiate(request: AssociateRQ, house: House) -> AssociateAC | Refused:
    """The answer to an association request (PS3.8 7.1.1, 9.3.3; PS3.7 D.3)."""
    refused = _refusal(request, house)
    if refused:
        return refused
    user = request.user
    # Only what belongs to a proposed class is answered, and once: an answer must not outgrow its 16-bit length.
    proposed = {context.abstract_syntax for context in request.contexts}
    roles = {role.sop_class: role for role in user.roles if role.sop_class in proposed}
    extended = {item.sop_class: item for item in user.extended if item.sop_class in proposed}
    return AssociateAC(
        called=request.called,
        calling=request.calling,
        contexts=tuple(_contexts(request, house)),
        user=UserInformation(
            max_pdu_length=house.max_pdu_length,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            asynchronous_operations=AsynchronousOperations(1, 1) if user.asynchronous_operations else None,
            roles=tuple(_role(role, house) for role in roles.values()),
            extended=tuple(_extended(extended.values(), house)),
            identity_response=_identity_response(user),
        ),
    )


def agreed_information(answer: AssociateAC) -> Mapping[str, bytes]:
    """Service-class application information in force, by SOP class."""
    return {item.sop_class: item.information for item in answer.user.extended}


def store_unchanged(proposed: tuple[str, ...]) -> str | None:
    """The transfer syntax in which a sender can hand over what it has without changing the pixels.

    A proposal that names exactly one compressed (or private) transfer syntax names the one its file is in: take it. One
    that names several shows what the sender could do, so it is spared the work: native first, explicit before implicit
    because explicit keeps the VR of private elements, little endian before the retired big endian; deflated is last,
    because toolkits propose it with the others and few have such files.
    """
    special = [uid for uid in proposed if uid not in _NATIVE and is_uid(uid)]
    if len(special) == 1:
        return special[0]
    return next((uid for uid in _NATIVE if uid in proposed), None) or next(iter(special), None)


def _refusal(request: AssociateRQ, house: House) -> Refused | None:
    access = house.access
    if request.application_context != APPLICATION_CONTEXT:
        return Refused(AssociateRJ(1, 1, 2), f"application context {request.application_context!r}")
    if not access.knows_called(request.called):
        return Refused(AssociateRJ(1, 1, 7), f"called AE title {request.called!r} is not one of called_aets")
    if not access.knows_calling(request.calling):
        return Refused(AssociateRJ(1, 1, 3), f"calling AE title {request.calling!r} is not one of calling_aets")
    if not access.admits(request.user.user_identity):
        said = "wrong" if request.user.user_identity else "missing"
        return Refused(AssociateRJ(1, 1, 1), f"user identity {said}")
    if not can_carry_data(request.user.max_pdu_length):
        return Refused(
            AssociateRJ(1, 1, 1), f"a maximum PDU length of {request.user.max_pdu_length} cannot carry a message"
        )
    return None


def _contexts(request: AssociateRQ, house: House) -> Iterator[ContextAnswer]:
    """The answers in order. Of several contexts with one identifier only the first can be meant later on."""
    receives = {role.sop_class for role in request.user.roles if role.scp}
    held = _Held()
    seen: set[int] = set()
    for context in request.contexts:
        if context.context_id in seen:
            yield ContextAnswer(context.context_id, Refusal.NO_REASON, EXPLICIT_LITTLE)
        else:
            yield _context(context, house.offer(context.abstract_syntax), receives, held)
        seen.add(context.context_id)


def _context(context: ProposedContext, offer: Offer | None, receives: Container[str], held: _Held) -> ContextAnswer:
    """One proposed context answered. The transfer syntax of a refused one is not significant (PS3.8 9.3.3.2)."""
    chosen: str | None = None
    if offer is not None:
        if context.abstract_syntax in receives and len(context.transfer_syntaxes) > 1:
            chosen = held.best(offer, context)
        chosen = chosen or offer.choose(context.transfer_syntaxes)
    if offer is None:
        result = Refusal.ABSTRACT_SYNTAX
    elif chosen is None:
        result = Refusal.TRANSFER_SYNTAXES
    else:
        return ContextAnswer(context.context_id, Refusal.ACCEPTED, chosen)
    return ContextAnswer(context.context_id, result, next(iter(context.transfer_syntaxes), EXPLICIT_LITTLE))


class _Held:
    """What is stored of each class, asked for once in an association however many contexts propose it."""

    def __init__(self) -> None:
        self._known: dict[str, Sequence[str]] = {}

    def best(self, offer: Offer, context: ProposedContext) -> str | None:
        """The transfer syntax of a context for C-GET sub-operations: what most of the class is stored in, of those.

        Its requestor wants to be SCP (PS3.7 D.3.3.4): the files are here. None when that decides nothing.
        """
        if offer.held is None:
            return None
        uid = context.abstract_syntax
        if uid not in self._known:
            self._known[uid] = offer.held(uid)
        return next((syntax for syntax in self._known[uid] if syntax in context.transfer_syntaxes), None)


def _role(role: RoleSelection, house: House) -> RoleSelection:
    """PS3.7 D.3.3.4: 1 accepts what was proposed; nothing is accepted that was not."""
    offer = house.offer(role.sop_class)
    return RoleSelection(role.sop_class, role.scu and offer is not None, role.scp and bool(offer and offer.both_roles))


def _extended(proposed: Iterable[ExtendedNegotiation], house: House) -> Iterator[ExtendedNegotiation]:
    for item in proposed:
        offer = house.offer(item.sop_class)
        if offer and offer.agree:
            yield ExtendedNegotiation(item.sop_class, offer.agree(item.information))


def _identity_response(user: UserInformation) -> bytes | None:
    """A positive response, only when asked for (PS3.7 D.3.3.7.2); it carries nothing: no ticket is exchanged here."""
    identity = user.user_identity
    return b"" if identity and identity.positive_response_requested else None
