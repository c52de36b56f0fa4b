"""Checks of one command set on its own: mandatory elements, values, whether a data set may follow (PS3.7 9.3, 10.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from mockpacs.traffic.dump.naming import message_name
from mockpacs.traffic.findings.query_models import MODELS, STORAGE, WORKLIST
from mockpacs.traffic.findings.words import quoted, uid_problem
from mockpacs.wire import Command, CommandField, Tag
from mockpacs.wire.status import CANCEL, PENDING, PENDING_WITH_WARNING, SUCCESS, Category, category_of, find

Add: TypeAlias = Callable[[str, str, str], None]
"""Takes the name of a check, what was seen, and its clause ("" for the first of the check)."""

F = CommandField
_NAMES: Final = {
    Tag.AFFECTED_SOP_CLASS: "Affected SOP Class UID",
    Tag.REQUESTED_SOP_CLASS: "Requested SOP Class UID",
    Tag.AFFECTED_SOP_INSTANCE: "Affected SOP Instance UID",
    Tag.REQUESTED_SOP_INSTANCE: "Requested SOP Instance UID",
    Tag.PRIORITY: "Priority",
    Tag.MOVE_DESTINATION: "Move Destination",
    Tag.EVENT_TYPE: "Event Type ID",
    Tag.ACTION_TYPE: "Action Type ID",
    Tag.STATUS: "Status",
}
_UIDS: Final = (
    Tag.AFFECTED_SOP_CLASS,
    Tag.REQUESTED_SOP_CLASS,
    Tag.AFFECTED_SOP_INSTANCE,
    Tag.REQUESTED_SOP_INSTANCE,
)
_REQUESTED: Final = (Tag.REQUESTED_SOP_CLASS, Tag.REQUESTED_SOP_INSTANCE)
_QUERY: Final = (Tag.AFFECTED_SOP_CLASS, Tag.PRIORITY)
# What a request cannot do without, beside what makes it a message at all. Of responses that is the status.
_MANDATORY: Final[dict[CommandField, tuple[Tag, ...]]] = {
    F.C_STORE_RQ: (*_QUERY, Tag.AFFECTED_SOP_INSTANCE),
    F.C_FIND_RQ: _QUERY,
    F.C_GET_RQ: _QUERY,
    F.C_MOVE_RQ: (*_QUERY, Tag.MOVE_DESTINATION),
    F.C_ECHO_RQ: (Tag.AFFECTED_SOP_CLASS,),
    F.N_EVENT_REPORT_RQ: (Tag.AFFECTED_SOP_CLASS, Tag.AFFECTED_SOP_INSTANCE, Tag.EVENT_TYPE),
    F.N_GET_RQ: _REQUESTED,
    F.N_SET_RQ: _REQUESTED,
    F.N_ACTION_RQ: (*_REQUESTED, Tag.ACTION_TYPE),
    F.N_CREATE_RQ: (Tag.AFFECTED_SOP_CLASS,),
    F.N_DELETE_RQ: _REQUESTED,
}
_WITH_DATA: Final = frozenset({F.C_STORE_RQ, F.C_FIND_RQ, F.C_GET_RQ, F.C_MOVE_RQ, F.N_SET_RQ})
_WITHOUT_DATA: Final = frozenset(
    {
        F.C_ECHO_RQ,
        F.C_ECHO_RSP,
        F.C_STORE_RSP,
        F.C_CANCEL_RQ,
        F.N_GET_RQ,
        F.N_DELETE_RQ,
        F.N_DELETE_RSP,
    }
)
_SECTIONS: Final = {
    "C-STORE": "9.3.1",
    "C-FIND": "9.3.2",
    "C-GET": "9.3.3",
    "C-MOVE": "9.3.4",
    "C-ECHO": "9.3.5",
    "C-CANCEL": "9.3.2",
    "N-EVENT-REPORT": "10.3.1",
    "N-GET": "10.3.2",
    "N-SET": "10.3.3",
    "N-ACTION": "10.3.4",
    "N-CREATE": "10.3.5",
    "N-DELETE": "10.3.6",
}
_RETRIEVALS: Final = {
    # service: (identifier of the response, remaining, completed)
    "C-MOVE": ("PS3.4 C.4.2.1.4.2", "PS3.4 C.4.2.1.6", "PS3.4 C.4.2.1.7", "PS3.4 C.4.2.3.1"),
    "C-GET": ("PS3.4 C.4.3.1.3.2", "PS3.4 C.4.3.1.5", "PS3.4 C.4.3.1.6", "PS3.4 C.4.3.3.1"),
}
_QUERYING: Final = frozenset({"C-FIND", "C-MOVE", "C-GET"})
_STATUS_CLAUSES: Final = {
    "C-STORE": "PS3.4 B.2.3",
    "C-FIND": "PS3.4 C.4.1.1.4",
    "C-MOVE": "PS3.4 C.4.2.1.5",
    "C-GET": "PS3.4 C.4.3.1.4",
    "C-ECHO": "PS3.7 9.1.5.1.4",
}
_LONGEST_COMMENT: Final = 64


def clause_of(field: CommandField) -> str:
    """The clause of PS3.7 that prints the fields of a message."""
    if field is F.C_CANCEL_RQ:
        return "PS3.7 9.3.2.3"
    return f"PS3.7 {_SECTIONS[field.service]}.{2 if field & 0x8000 else 1}"


def service_clause(service: str) -> str:
    """The clause of PS3.7 that describes the parameters of a service, its Message ID first: 9.1.1.1, 10.1.2.1."""
    section = _SECTIONS[service]
    return f"PS3.7 {section.replace('.3.', '.1.', 1)}.1"


def check_command(command: Command, abstract_syntax: str, add: Add) -> None:
    """Look at one command set; ``abstract_syntax`` is that of its context, "" when unknown."""
    _check_values(command, add)
    if command.is_request:
        _check_request(command, add)
    else:
        _check_response(command, abstract_syntax, add)


def _check_values(command: Command, add: Add) -> None:
    for tag in _UIDS:
        uid = command.elements.get(tag)
        if isinstance(uid, str) and (problem := uid_problem(uid)):
            add("uid-invalid", f"{_NAMES[tag]} {problem}: {quoted(uid)}", "")
    comment = command.error_comment
    if comment is not None and len(comment) > _LONGEST_COMMENT and _characters(comment) > _LONGEST_COMMENT:
        add("error-comment", f"an Error Comment of {_characters(comment)} characters: {quoted(comment)}", "")
    for what, title in (
        ("Move Destination", command.move_destination),
        ("Move Originator", command.move_originator_aet),
    ):
        if title is not None and (len(title) > 16 or "\\" in title or any(not " " <= mark <= "~" for mark in title)):
            add("ae-title", f"{what} {quoted(title)} is no AE title", "PS3.5 6.2")


def _check_request(command: Command, add: Add) -> None:
    field = command.field
    clause, name = clause_of(field), message_name(field)
    for tag in _MANDATORY.get(field, ()):
        if command.elements.get(tag) in (None, ""):
            what = "has an empty" if tag in command.elements else "has no"
            add("missing-command-element", f"{name} {what} {_NAMES[tag]} (0000,{tag:04X})", clause)
    if command.priority is not None and command.priority > 2:
        add("priority", f"{name} with priority {command.priority:04X}H, which is not defined", clause)
    if field in _WITH_DATA and not command.has_dataset:
        add("data-set-missing", f"{name} without data set", clause)
    if field in _WITHOUT_DATA and command.has_dataset:
        add("data-set-unexpected", f"{name} with a data set", clause)


def _check_response(command: Command, abstract_syntax: str, add: Add) -> None:
    field = command.field
    clause, name = clause_of(field), message_name(field)
    if field in _WITHOUT_DATA and command.has_dataset:
        add("data-set-unexpected", f"{name} with a data set", clause)
    status = command.status
    if status is None:
        add("missing-command-element", f"{name} has no Status (0000,0900)", clause)
        return
    if not is_defined(status, command.service, abstract_syntax):
        text = f"{name} with status {status:04X}H, which {command.service} does not define for this SOP class"
        add("status-undefined", text, _STATUS_CLAUSES.get(command.service, "PS3.7 C"))
    is_pending = status in (PENDING, PENDING_WITH_WARNING)
    if field is F.C_FIND_RSP and is_pending is not command.has_dataset:
        if is_pending:
            add("data-set-missing", f"{name} {status:04X}H without Identifier", clause)
        else:
            add("data-set-unexpected", f"{name} {status:04X}H with an Identifier: it is the final response", clause)
    if command.service in _RETRIEVALS:
        _check_retrieval(command, status, is_pending=is_pending, add=add)


def _check_retrieval(command: Command, status: int, *, is_pending: bool, add: Add) -> None:
    """The numbers of sub-operations and the list of failed instances of C-MOVE and C-GET."""
    name = f"{message_name(command.field)} {status:04X}H"
    identifier, remaining, completed, behaviour = _RETRIEVALS[command.service]
    if command.has_dataset and (is_pending or status == SUCCESS):
        add("data-set-unexpected", f"{name} with an Identifier", identifier)
    counts = {
        "Remaining": command.remaining_sub_operations,
        "Completed": command.completed_sub_operations,
        "Failed": command.failed_sub_operations,
        "Warning": command.warning_sub_operations,
    }
    if is_pending:
        missing = [what for what, count in counts.items() if count is None]
        if missing:
            clause = remaining if "Remaining" in missing else completed
            add("sub-operation-counts", f"{name} without Number of {', '.join(missing)} Sub-operations", clause)
    elif counts["Remaining"] is not None and status != CANCEL:
        text = f"{name} with Number of Remaining Sub-operations ({counts['Remaining']}): it is the final response"
        add("sub-operation-counts", text, remaining)
    failed = counts["Failed"]
    if failed and not command.has_dataset and not is_pending and status != SUCCESS:
        text = f"{name} with {failed} failed sub-operations without Failed SOP Instance UID List (0008,0058)"
        add("failed-list-missing", text, identifier)
    if status == SUCCESS and failed:
        add("success-with-failures", f"{name} with {failed} failed sub-operations", behaviour)


def is_defined(status: int, service: str, abstract_syntax: str) -> bool:
    """Whether the standard defines a status. Of a SOP class whose table is not known here, only the ranges count."""
    if status in (CANCEL, PENDING, PENDING_WITH_WARNING) and service not in _QUERYING:
        return False
    known = service == "C-ECHO" or (service == "C-STORE" and abstract_syntax.startswith(STORAGE))
    known |= service in _QUERYING and (abstract_syntax in MODELS or abstract_syntax == WORKLIST)
    if known:
        return find(status, service) is not None
    return category_of(status) is not Category.FAILURE or status >> 12 in (0xA, 0xC) or status >> 8 in (1, 2)


def _characters(comment: str) -> int:
    """Senders that write UTF-8 there have fewer characters than bytes."""
    try:
        return len(comment.encode("latin-1").decode("utf-8"))
    except (UnicodeDecodeError, UnicodeEncodeError):
        return len(comment)
