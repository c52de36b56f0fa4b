"""Checks of what stored data sets and identifiers say: instance, level, unique keys, what was asked for (PS3.4 C.4)."""

from __future__ import annotations

from typing import Final

from mockpacs.traffic.dump.naming import tag_name
from mockpacs.traffic.findings.data_sets import Add, Contents
from mockpacs.traffic.findings.operations import Operation
from mockpacs.traffic.findings.query_models import MODELS, QUERY_LEVEL, Model
from mockpacs.traffic.findings.words import quoted
from mockpacs.wire import Command
from mockpacs.wire.dataset import Element
from mockpacs.wire.dictionary import name_of
from mockpacs.wire.text import values

_SOP_CLASS: Final = 0x00080016
_SOP_INSTANCE: Final = 0x00080018
_LEVEL_CLAUSES: Final = {
    "C-FIND": "PS3.4 C.4.1.1.3.1",
    "C-MOVE": "PS3.4 C.4.2.1.4.1",
    "C-GET": "PS3.4 C.4.3.1.3.1",
}
_HIERARCHY_CLAUSES: Final = {
    "C-FIND": "PS3.4 C.4.1.2.1",
    "C-MOVE": "PS3.4 C.4.2.2.1",
    "C-GET": "PS3.4 C.4.3.2.1",
}
# PS3.4 C.4.1.1.3.2: what a response may have without being asked, beside the unique keys.
_UNASKED: Final = frozenset(
    {
        0x00080005,  # Specific Character Set
        0x00080052,  # Query/Retrieve Level
        0x00080053,  # Query/Retrieve View
        0x00080054,  # Retrieve AE Title
        0x00080056,  # Instance Availability
        0x00080201,  # Timezone Offset From UTC
        0x00880130,  # Storage Media File-Set ID
        0x00880140,  # Storage Media File-Set UID
        0x00100020,  # the unique keys
        0x0020000D,
        0x0020000E,
        0x00080018,
    }
)
_MOST_SHOWN: Final = 5


def check_stored(command: Command, contents: Contents, add: Add) -> None:
    """Look whether a C-STORE and its data set speak of the same instance."""
    pairs = (
        (_SOP_CLASS, "Affected SOP Class UID", command.affected_sop_class),
        (_SOP_INSTANCE, "Affected SOP Instance UID", command.affected_sop_instance),
    )
    for tag, what, named in pairs:
        element = contents.elements.get(tag)
        own = _text(element, "UI") if element else ""
        if named and own and own != named:
            add("instance-differs", f"{tag_name(tag)} is {quoted(own)}, the {what} {quoted(named)}", "PS3.7 9.1.1.1")
        elif not own and (contents.is_whole or any(other > tag for other in contents.elements)):
            add("instance-differs", f"the data set has no {tag_name(tag)}", "PS3.3 C.12.1")


def check_request(
    operation: Operation, contents: Contents, abstract_syntax: str, *, is_relational: bool, add: Add
) -> None:
    """Look at the identifier of a C-FIND, C-MOVE or C-GET request, and remember what it asks for."""
    service = operation.command.service
    elements = contents.elements
    if service == "C-FIND" and contents.is_whole:
        operation.asked_keys = frozenset(elements)
    model = MODELS.get(abstract_syntax)
    if model is None:
        return
    element = elements.get(QUERY_LEVEL)
    level = operation.level = _text(element, "CS") if element else ""
    if level not in model.levels:
        if level:
            text = f"Query/Retrieve Level {quoted(level)}, which the {model.name} model does not have"
        else:
            text = (
                "an empty Query/Retrieve Level" if element else "an identifier without Query/Retrieve Level (0008,0052)"
            )
        if level or element or contents.is_whole:
            add("query-level", text, _LEVEL_CLAUSES[service])
        return
    if not is_relational and contents.is_whole:
        _check_hierarchy(model, level, elements, _HIERARCHY_CLAUSES[service], add)


def check_match(operation: Operation, contents: Contents, abstract_syntax: str, add: Add) -> None:
    """Look at the identifier of a pending C-FIND response."""
    if abstract_syntax not in MODELS:
        return
    elements = contents.elements
    element = elements.get(QUERY_LEVEL)
    level = _text(element, "CS") if element else ""
    if operation.level and level != operation.level and (element or contents.is_whole):
        what = f"Query/Retrieve Level {quoted(level)}" if element else "no Query/Retrieve Level"
        text = f"a match with {what}, the request was for {quoted(operation.level)}"
        add("query-level", text, "PS3.4 C.4.1.1.3.2")
    if operation.asked_keys is None:
        return
    extra = [
        tag
        for tag in elements
        if tag not in operation.asked_keys and tag not in _UNASKED and tag & 0xFFFF and not _is_creator(tag)
    ]
    if extra:
        names = ", ".join(name_of(tag) for tag in extra[:_MOST_SHOWN])
        more = f" and {len(extra) - _MOST_SHOWN} more" if len(extra) > _MOST_SHOWN else ""
        add("answer-not-asked", f"a match with what was not asked for: {names}{more}", "")


def _check_hierarchy(model: Model, level: str, elements: dict[int, Element], clause: str, add: Add) -> None:
    """The levels above are named by a single value of their unique key each."""
    for above, tag in model.keys_above(level).items():
        element = elements.get(tag)
        value = _text(element, "LO" if above == "PATIENT" else "UI") if element else ""
        if not value or "\\" in value or "*" in value or "?" in value:
            what = f"is {quoted(value)}" if value else ("is empty" if element else "is absent")
            text = f"at level {level} {tag_name(tag)} {what}: the level {above} needs a single value"
            add("missing-unique-key", text, clause)


def _is_creator(tag: int) -> bool:
    """Whether a tag is a private creator, which comes along with private attributes (PS3.5 7.8.1)."""
    return bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF


def _text(element: Element, vr: str) -> str:
    return "\\".join(values(element.value, vr))
