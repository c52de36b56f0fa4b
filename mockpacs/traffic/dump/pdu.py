"""A PDU as one line: time offset, direction, type, size, what it carries; and what an A-ASSOCIATE says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mockpacs.traffic.dump import hexadecimal
from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.dump.naming import PDU_NAMES, named
from mockpacs.traffic.message import PduRead
from mockpacs.traffic.render import milliseconds
from mockpacs.wire import (
    PDV,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    Malformed,
    PDataTF,
    Pdu,
    ReleaseRP,
    ReleaseRQ,
    Role,
    UserInformation,
)
from mockpacs.wire.seen import JunkSeen, NonsenseSeen, PduSeen
from mockpacs.wire.text import printable

ARROWS: Final = {Role.REQUESTOR: ">", Role.ACCEPTOR: "<"}
"""Who spoke: ``>`` the requestor of the association, ``<`` its acceptor."""
_RESULTS: Final = {
    0: "accepted",
    1: "rejected by the user",
    2: "rejected, no reason",
    3: "abstract syntax not supported",
    4: "transfer syntaxes not supported",
}


def line(read: PduRead, begin: float) -> Line:
    """One line; ``begin`` is the time that offsets count from, seconds since 1970."""
    seen = read.seen
    offset = f"{milliseconds(read.when - begin):+.1f} ms"
    name, told, tone = _told(seen)
    return Line(f"{offset:>12}  {ARROWS[seen.sender]}  {name:<14} {len(read.raw):>7} bytes  {told}".rstrip(), tone)


def lines(read: PduRead, begin: float, *, with_bytes: bool, indent: str = "") -> Iterator[Line]:
    """The line of a PDU, what an A-ASSOCIATE says, and the bytes when they are wanted."""
    first = line(read, begin)
    yield first._replace(text=indent + first.text)
    if isinstance(read.seen, PduSeen):
        yield from agreement(read.seen.pdu, indent=indent + "    ")
    if with_bytes:
        yield from hexadecimal.lines(read.raw, indent=indent + "    ")


def name_of(seen: PduSeen | JunkSeen | NonsenseSeen) -> str:
    """``P-DATA-TF``; "no PDU" for bytes that are none."""
    if isinstance(seen, PduSeen):
        return PDU_NAMES.get(seen.pdu_type, f"type {seen.pdu_type:02X}H")
    return "P-DATA-TF" if isinstance(seen, NonsenseSeen) else "no PDU"


def agreement(pdu: Pdu | Malformed, *, indent: str = "") -> Iterator[Line]:
    """What an A-ASSOCIATE-RQ or -AC says, a line for each context and each part of the user information."""
    match pdu:
        case AssociateRQ():
            for context in pdu.contexts:
                yield Line(f"{indent}context {context.context_id}: {named(context.abstract_syntax)}")
                yield from (Line(f"{indent}    {named(syntax)}") for syntax in context.transfer_syntaxes)
            yield from _user_information(pdu.user, indent)
        case AssociateAC():
            for answer in pdu.contexts:
                result = _RESULTS.get(answer.result, f"result {answer.result}")
                syntax = f", {named(answer.transfer_syntax)}" if answer.result == 0 else ""
                tone = Tone.WARNING if answer.result else Tone.PLAIN
                yield Line(f"{indent}context {answer.context_id}: {result}{syntax}", tone)
            yield from _user_information(pdu.user, indent)


def _told(seen: PduSeen | JunkSeen | NonsenseSeen) -> tuple[str, str, Tone]:
    name = name_of(seen)
    if isinstance(seen, PduSeen):
        told, tone = _content(seen.pdu)
        return name, told, tone
    return name, printable(seen.why), Tone.BAD


def _content(pdu: Pdu | Malformed) -> tuple[str, Tone]:
    match pdu:
        case AssociateRQ():
            titles = f"{printable(pdu.calling)} > {printable(pdu.called)}"
            return f"{titles}, contexts {len(pdu.contexts)}, {_limits(pdu.user)}", Tone.PLAIN
        case AssociateAC():
            accepted = sum(answer.result == 0 for answer in pdu.contexts)
            return f"contexts {accepted} of {len(pdu.contexts)}, {_limits(pdu.user)}", Tone.PLAIN
        case AssociateRJ(result, source, reason):
            return f"result {result}, source {source}, reason {reason}", Tone.BAD
        case PDataTF(pdvs):
            return "; ".join(map(_pdv, pdvs)), Tone.PLAIN
        case Abort(source, reason):
            return f"source {source}, reason {reason}", Tone.BAD
        case ReleaseRQ() | ReleaseRP():
            return "", Tone.PLAIN
        case Malformed():
            return printable(pdu.why), Tone.BAD


def _pdv(pdv: PDV) -> str:
    what = "command" if pdv.is_command else "data"
    return f"context {pdv.context_id} {what} {len(pdv.data)}{' last' if pdv.is_last else ''}"


def _limits(user: UserInformation) -> str:
    version = printable(user.implementation_version_name or user.implementation_class_uid)
    limit = f"max PDU {user.max_pdu_length or 'unlimited'}"
    return f"{limit}, {version}" if version else limit


def _user_information(user: UserInformation, indent: str) -> Iterator[Line]:
    """What is not said in the line of the PDU. A user identity is named, its secrets are not shown."""
    if user.implementation_class_uid:
        yield Line(f"{indent}implementation: {printable(user.implementation_class_uid)}")
    if window := user.asynchronous_operations:
        yield Line(f"{indent}asynchronous operations: invoked {window.invoked}, performed {window.performed}")
    for role in user.roles:
        roles = " ".join(name for name, plays in (("SCU", role.scu), ("SCP", role.scp)) if plays) or "none"
        yield Line(f"{indent}role selection: {named(role.sop_class)}: {roles}")
    for extended in user.extended:
        yield Line(f"{indent}extended negotiation: {named(extended.sop_class)}: {extended.information.hex(' ')}")
    for common in user.common_extended:
        yield Line(f"{indent}common extended negotiation: {named(common.sop_class)}: {named(common.service_class)}")
    if identity := user.user_identity:
        kinds = {1: "user name", 2: "user name and passcode", 3: "Kerberos", 4: "SAML", 5: "JWT"}
        yield Line(f"{indent}user identity: {kinds.get(identity.kind, f'type {identity.kind}')}")
    if user.identity_response is not None:
        yield Line(f"{indent}user identity accepted")
    for kind, value in user.unknown:
        yield Line(f"{indent}item {kind:02X}H, unknown or unreadable: {len(value)} bytes", Tone.WARNING)
