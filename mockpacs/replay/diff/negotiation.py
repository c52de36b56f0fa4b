"""What was proposed and accepted on two associations, compared by SOP class: numbers of contexts say nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from mockpacs.replay.diff.change import Change, Topic
from mockpacs.replay.tape import TapedAssociation
from mockpacs.traffic.dump.naming import named, uid_name
from mockpacs.traffic.subject import user_of
from mockpacs.wire import AssociateAC, AssociateRJ, AssociateRQ, UserInformation
from mockpacs.wire.text import printable

_RESULTS: Final = {
    1: "refused: user rejection",
    2: "refused: no reason",
    3: "refused: abstract syntax not supported",
    4: "refused: transfer syntaxes not supported",
}
_NOT_KNOWN: Final = "not captured"


def compare_negotiations(left: TapedAssociation, right: TapedAssociation) -> Iterator[Change]:
    """Everything but how it ended."""
    one, other = left.association, right.association
    if left.request is None or right.request is None:
        if (left.request is None) is not (right.request is None):
            yield Change("requestor", "A-ASSOCIATE-RQ", _presence(left.request), _presence(right.request))
    else:
        yield from _differing("requestor", "calling AE title", one.calling, other.calling, Topic.TITLES)
        yield from _differing("requestor", "called AE title", one.called, other.called, Topic.TITLES)
        yield from _requests(left.request, right.request)
    yield from _differing("requestor", "address", one.address, other.address, Topic.ADDRESSES)
    yield from _differing("acceptor", "address", one.server, other.server, Topic.ADDRESSES)
    yield from _answers(left.answer, right.answer)
    if isinstance(left.answer, AssociateAC) and isinstance(right.answer, AssociateAC):
        yield from _users("acceptor", left.answer.user, right.answer.user)
    yield from _contexts(left, right)


def rejection(answer: AssociateRJ) -> str:
    """What an A-ASSOCIATE-RJ says."""
    return f"rejected (result {answer.result}, source {answer.source}, reason {answer.reason})"


def _presence(request: AssociateRQ | None) -> str:
    return _NOT_KNOWN if request is None else "captured"


def _differing(
    where: str, name: str, one: object, other: object, topic: Topic, sop_class: str = ""
) -> Iterator[Change]:
    if one != other:
        yield Change(where, name, _text(one), _text(other), topic, sop_class=sop_class)


def _text(value: object) -> str | None:
    return None if value in (None, "") else printable(str(value), 200)


def _requests(one: AssociateRQ, other: AssociateRQ) -> Iterator[Change]:
    ours, theirs = one.application_context, other.application_context
    yield from _differing("requestor", "application context", ours, theirs, Topic.CONTEXTS)
    yield from _differing("requestor", "protocol version", one.protocol_version, other.protocol_version, Topic.CONTEXTS)
    yield from _users("requestor", one.user, other.user)


def _answers(one: AssociateAC | AssociateRJ | None, other: AssociateAC | AssociateRJ | None) -> Iterator[Change]:
    yield from _differing("acceptor", "answer", _answer(one), _answer(other), Topic.ENDING)


def _answer(answer: AssociateAC | AssociateRJ | None) -> str:
    if isinstance(answer, AssociateRJ):
        return rejection(answer)
    return "no answer" if answer is None else "accepted"


def _users(where: str, one: UserInformation, other: UserInformation) -> Iterator[Change]:
    """The user information items of the same side (PS3.7 D.3.3)."""
    for name, topic, read in _ITEMS:
        yield from _differing(where, name, read(one), read(other), topic)
    for name, topic, said in _BY_CLASS:
        ours, theirs = said(one), said(other)
        for sop_class in {**ours, **theirs}:
            one_said, other_said = ours.get(sop_class), theirs.get(sop_class)
            yield from _differing(where, name, one_said, other_said, topic, _class_name(sop_class))


def _maximum(user: UserInformation) -> str:
    return f"{user.max_pdu_length} bytes" if user.max_pdu_length else "no limit"


def _window(user: UserInformation) -> str | None:
    window = user.asynchronous_operations
    return f"{window.invoked} invoked, {window.performed} performed" if window else None


def _identity(user: UserInformation) -> str | None:
    """Never a secret: the tokens of two runs are not the same either."""
    identity = user.user_identity
    if identity is None:
        return None
    asks = ", asks for a response" if identity.positive_response_requested else ""
    return f"type {identity.kind}, {user_of(identity)}{asks}"


def _identity_response(user: UserInformation) -> str | None:
    return None if user.identity_response is None else "given"


def _roles(user: UserInformation) -> dict[str, str]:
    names = {(True, True): "SCU and SCP", (True, False): "SCU", (False, True): "SCP", (False, False): "neither"}
    return {role.sop_class: names[role.scu, role.scp] for role in user.roles}


def _extended(user: UserInformation) -> dict[str, str]:
    return {item.sop_class: item.information.hex(" ") or "(empty)" for item in user.extended}


def _common_extended(user: UserInformation) -> dict[str, str]:
    return {item.sop_class: " ".join((item.service_class, *item.related)) or "(empty)" for item in user.common_extended}


def _unknown(user: UserInformation) -> str | None:
    return ", ".join(f"{kind:02X}H {value[:64].hex(' ')}" for kind, value in user.unknown) or None


_ITEMS: Final[tuple[tuple[str, Topic, Callable[[UserInformation], str | None]], ...]] = (
    ("maximum PDU length", Topic.MAX_PDU, _maximum),
    ("implementation class", Topic.IMPLEMENTATION, lambda user: user.implementation_class_uid),
    ("implementation version", Topic.IMPLEMENTATION, lambda user: user.implementation_version_name),
    ("asynchronous operations window", Topic.WINDOW, _window),
    ("user identity", Topic.USER, _identity),
    ("user identity response", Topic.USER, _identity_response),
    ("other items", Topic.EXTENDED, _unknown),
)
_BY_CLASS: Final[tuple[tuple[str, Topic, Callable[[UserInformation], dict[str, str]]], ...]] = (
    ("role", Topic.ROLES, _roles),
    ("extended negotiation", Topic.EXTENDED, _extended),
    ("common extended negotiation", Topic.EXTENDED, _common_extended),
)


def _contexts(left: TapedAssociation, right: TapedAssociation) -> Iterator[Change]:
    """Those of a SOP class are paired by what was said on both sides, else in the order of what was proposed."""
    ours, theirs = _by_class(left), _by_class(right)
    for abstract_syntax in {**ours, **theirs}:
        some, others = ours.get(abstract_syntax, []), theirs.get(abstract_syntax, [])
        for equal in [one for one in some if one in others]:
            if equal in some and equal in others:
                some.remove(equal)
                others.remove(equal)
        some.sort()
        others.sort()
        for number in range(max(len(some), len(others))):
            one = some[number] if number < len(some) else None
            other = others[number] if number < len(others) else None
            yield from _context(_class_name(abstract_syntax), one, other)


def _context(name: str, one: tuple[str, str] | None, other: tuple[str, str] | None) -> Iterator[Change]:
    if one is None or other is None:
        told = [None if each is None else f"{each[0]}; {each[1]}" for each in (one, other)]
        yield Change("", "context", told[0], told[1], Topic.CONTEXTS, sop_class=name)
        return
    yield from _differing("requestor", "proposal", one[0], other[0], Topic.CONTEXTS, name)
    yield from _differing("acceptor", "answer", one[1], other[1], Topic.CONTEXTS, name)


def _by_class(one: TapedAssociation) -> dict[str, list[tuple[str, str]]]:
    """For each abstract syntax: the transfer syntaxes that were proposed, and what was answered."""
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    if one.request is None:
        return found
    answers = {}
    if isinstance(one.answer, AssociateAC):
        answers = {answer.context_id: answer for answer in one.answer.contexts}
    for context in one.request.contexts:
        answer = answers.get(context.context_id)
        if answer is None:
            said = "no answer"
        elif answer.result:
            said = _RESULTS.get(answer.result, f"refused: result {answer.result}")
        else:
            said = f"accepted: {_class_name(answer.transfer_syntax)}"
        proposed = ", ".join(map(_class_name, context.transfer_syntaxes))
        found[context.abstract_syntax].append((proposed, said))
    return found


def _class_name(uid: str) -> str:
    return uid_name(uid) or named(uid)
