"""Checks of A-ASSOCIATE-RQ: titles, contexts, user information (PS3.8 9.3.2, PS3.7 D)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from mockpacs.traffic.findings.words import quoted, uid_problem
from mockpacs.wire import APPLICATION_CONTEXT, AssociateAC, AssociateRQ, ProposedContext, UserInformation
from mockpacs.wire.message import MIN_PDU_LENGTH

Add: TypeAlias = Callable[[str, str, str], None]
"""Takes the name of a check, what was seen, and its clause ("" for the first of the check)."""

_LONGEST_VERSION: Final = 16
_IDENTITY_KINDS: Final = (1, 2, 3, 4, 5)


def check_request(rq: AssociateRQ, add: Add) -> None:
    """Look at what an A-ASSOCIATE-RQ says."""
    for what, title in (("called", rq.called), ("calling", rq.calling)):
        _check_title(what, title, add)
    _check_application_context(rq, add)
    if not rq.contexts:
        add("no-contexts", "an A-ASSOCIATE-RQ without presentation contexts", "")
    taken: set[int] = set()
    for context in rq.contexts:
        _check_context(context, taken, add)
        taken.add(context.context_id)
    check_user(rq.user, "PS3.8 9.3.2", add)
    identity = rq.user.user_identity
    if identity and identity.kind not in _IDENTITY_KINDS:
        add("user-identity", f"a user identity of type {identity.kind}, which is not defined", "")
    uids = [one.sop_class for one in rq.user.roles] + [one.sop_class for one in rq.user.extended]
    for uid in dict.fromkeys(uids + [one.sop_class for one in rq.user.common_extended]):
        _check_uid("a SOP class in the user information", uid, add)


def check_user(user: UserInformation, clause: str, add: Add) -> None:
    """Look at the user information of either side; ``clause`` is that of the PDU."""
    if 0 < user.max_pdu_length < MIN_PDU_LENGTH:
        text = f"a maximum length of {user.max_pdu_length}: the header of a PDV alone has 6 bytes"
        add("maximum-length", text, "")
    if not user.implementation_class_uid:
        add("missing-item", "no Implementation Class UID", "PS3.7 D.3.3.2")
    else:
        _check_uid("the Implementation Class UID", user.implementation_class_uid, add)
    version = user.implementation_version_name
    if len(version) > _LONGEST_VERSION:
        text = f"an implementation version name of {len(version)} characters, 16 is the most: {quoted(version)}"
        add("implementation-version", text, "")


def check_protocol(pdu: AssociateRQ | AssociateAC, clause: str, add: Add) -> None:
    """Look at the protocol version, of which only bit 0 is defined."""
    if not pdu.protocol_version & 1:
        add("protocol-version", f"protocol version {pdu.protocol_version:04X}H does not have bit 0 set", clause)


def _check_title(what: str, title: str, add: Add) -> None:
    if not title:
        add("ae-title", f"the {what} AE title is empty", "PS3.8 9.3.2")
    elif any(not " " <= mark <= "~" for mark in title):
        add("ae-title", f"the {what} AE title has characters outside ISO 646: {quoted(title)}", "PS3.8 9.3.2")
    elif "\\" in title:
        add("ae-title", f"the {what} AE title has a backslash: {quoted(title)}", "PS3.5 6.2")


def _check_application_context(rq: AssociateRQ, add: Add) -> None:
    name = rq.application_context
    if not name:
        add("missing-item", "an A-ASSOCIATE-RQ without application context", "PS3.8 9.3.2")
    elif name != APPLICATION_CONTEXT:
        add("application-context", f"the application context {quoted(name)}", "")


def _check_context(context: ProposedContext, taken: set[int], add: Add) -> None:
    number = context.context_id
    if number % 2 == 0:
        add("context-id", f"presentation context {number}: an even number", "PS3.8 9.3.2.2")
    if number in taken:
        add("context-id", f"presentation context {number} is proposed twice", "PS3.8 7.1.1.13")
    if not context.abstract_syntax:
        add("context-without-syntax", f"presentation context {number} without abstract syntax", "")
    else:
        _check_uid(f"the abstract syntax of presentation context {number}", context.abstract_syntax, add)
    if not context.transfer_syntaxes:
        add("context-without-syntax", f"presentation context {number} without transfer syntax", "")
    for uid in context.transfer_syntaxes:
        _check_uid(f"a transfer syntax of presentation context {number}", uid, add)


def _check_uid(what: str, uid: str, add: Add) -> None:
    problem = uid_problem(uid)
    if problem:
        add("uid-invalid", f"{what} {problem}: {quoted(uid)}", "")
