"""What the standard allows gives no finding, however unusual it looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mockpacs.traffic.findings.finding import Finding
from mockpacs.traffic.findings.inspect import inspect
from mockpacs.wire import (
    PDV,
    Abort,
    AssociateRJ,
    AsynchronousOperations,
    PDataTF,
    ReleaseRP,
    ReleaseRQ,
    cut,
    encode_command,
    encode_pdu,
    request,
)
from mockpacs.wire.dataset import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from tests.traffic.findings.script import (
    AC,
    ACCEPTOR,
    COUNTS,
    CT,
    ECHO_RQ,
    FIND_RQ,
    GET_RQ,
    IMAGE,
    IMAGE_ELEMENTS,
    KEYS,
    MATCH,
    MOVE_RQ,
    RELEASE,
    REQUESTOR,
    RQ,
    STORE_RQ,
    STUDY,
    USER,
    F,
    Missed,
    Step,
    answers,
    asks,
    associated,
    changed,
    data_set,
    events,
    findings,
    message,
    pdu,
    released,
    sequence,
)

ECHOED = answers(5, ECHO_RQ, 0)
STORED = answers(1, STORE_RQ, 0)
FOUND = answers(3, FIND_RQ, 0)
SECOND = changed(ECHO_RQ, {0x110: 9})
PENDING = answers(3, FIND_RQ, 0xFF00, MATCH)
WINDOW = AsynchronousOperations(0, 1)
CANCEL = request(F.C_CANCEL_RQ, 1, elements={0x0110: 3, 0x0120: 3})
SUB = changed(STORE_RQ, {0x1030: "CT1", 0x1031: 5})
COUNTED = answers(9, GET_RQ, 0xFF00, elements={**COUNTS, 0x1020: 0})
DONE = answers(9, GET_RQ, 0, elements={**COUNTS, 0x1020: None})
LONG = data_set(*IMAGE_ELEMENTS, (0x7FE00010, "OW", bytes(200_000)))
TEXTS = data_set(
    (0x00080005, "CS", "\\ISO 2022 IR 87"),
    *IMAGE_ELEMENTS[:5],
    (0x00081030, "LO", "\x1b$B;3ED\x1b(B"),
    (0x00084000, "LT", "two\r\nlines \\ and a tab\t"),
    (0x00100010, "PN", "Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
)
RANGES = data_set(
    (0x00080018, "UI", "1.2.3\\1.2.4"),
    (0x00080020, "DA", "20240101-"),
    (0x00080030, "TM", "-1200"),
    (0x00080050, "SH", "*" * 20),
    (0x00080052, "CS", "IMAGE"),
    (0x00080060, "CS", "?t*"),
    (0x00100020, "LO", "P1"),
    (0x0020000D, "UI", "1.2.3"),
    (0x0020000E, "UI", "1.2.3"),
    encoding=IMPLICIT_LITTLE,
)
COLLISION: list[Step] = [
    RELEASE[0],
    (ACCEPTOR, encode_pdu(ReleaseRQ())),
    (REQUESTOR, encode_pdu(ReleaseRP())),
    RELEASE[1],
]

CLEAN: dict[str, list[Step]] = {
    "nothing at all": [],
    "an association and its release": released(),
    "an abort": associated((REQUESTOR, encode_pdu(Abort(0, 99)))),
    "an abort by the provider": associated((ACCEPTOR, encode_pdu(Abort(2, 6)))),
    "a rejection": [(REQUESTOR, encode_pdu(RQ)), (ACCEPTOR, encode_pdu(AssociateRJ(1, 1, 7)))],
    "a rejection for the time being": [(REQUESTOR, encode_pdu(RQ)), (ACCEPTOR, encode_pdu(AssociateRJ(2, 3, 1)))],
    "a release collision": associated(*COLLISION),
    "data that crosses an abort": associated(
        (ACCEPTOR, encode_pdu(Abort(0, 0))), asks(5, ECHO_RQ), (REQUESTOR, encode_pdu(Abort(0, 0)))
    ),
    "responses after the request for release": associated(
        asks(3, FIND_RQ, KEYS), RELEASE[0], PENDING, FOUND, RELEASE[1]
    ),
    "titles with spaces around them": released(rq=replace(RQ, called=" PACS"), ac=replace(AC, called=" PACS")),
    "no limit of length": released(
        asks(1, STORE_RQ, LONG), STORED, ac=replace(AC, user=replace(USER, max_pdu_length=0))
    ),
    "echo": released(asks(5, ECHO_RQ), ECHOED, asks(5, SECOND), answers(5, SECOND, 0)),
    "the same message ID again, after the answer": released(asks(5, ECHO_RQ), ECHOED, asks(5, ECHO_RQ), ECHOED),
    "store": released(asks(1, STORE_RQ, IMAGE), STORED),
    "store, refused with a comment": released(
        asks(1, STORE_RQ, IMAGE), answers(1, STORE_RQ, 0xA700, elements={0x0902: "x" * 64, 0x0901: (0x00100010,)})
    ),
    "store, large": released(asks(1, STORE_RQ, LONG), STORED),
    "store, in other character sets": released(asks(1, STORE_RQ, TEXTS), STORED),
    "store, with a sequence": released(
        asks(1, STORE_RQ, data_set(*IMAGE_ELEMENTS) + sequence(0x00400275, data_set((0x00400007, "LO", "head")), b"")),
        STORED,
    ),
    "command and data in one PDU": released(
        (REQUESTOR, encode_pdu(PDataTF((PDV(1, True, True, encode_command(STORE_RQ)), PDV(1, False, True, IMAGE))))),
        STORED,
    ),
    "small fragments": released((REQUESTOR, b"".join(cut(1, encode_command(STORE_RQ), IMAGE, 32))), STORED),
    "find": released(asks(3, FIND_RQ, KEYS), PENDING, PENDING, FOUND),
    "find, optional keys unsupported": released(asks(3, FIND_RQ, KEYS), answers(3, FIND_RQ, 0xFF01, MATCH), FOUND),
    "find, with ranges and wildcards": released(asks(3, FIND_RQ, RANGES), FOUND),
    "find, cancelled": released(asks(3, FIND_RQ, KEYS), PENDING, asks(3, CANCEL), answers(3, FIND_RQ, 0xFE00)),
    "find, cancelled too late": released(asks(3, FIND_RQ, KEYS), FOUND, asks(3, CANCEL)),
    "get": released(
        asks(9, GET_RQ, STUDY),
        message(ACCEPTOR, 1, SUB, IMAGE),
        (REQUESTOR, answers(1, SUB, 0)[1]),
        COUNTED,
        DONE,
    ),
    "move, with failures": released(
        asks(7, MOVE_RQ, STUDY),
        answers(7, MOVE_RQ, 0xFF00, elements={**COUNTS}),
        answers(
            7,
            MOVE_RQ,
            0xB000,
            data_set((0x00080058, "UI", "1.2.3"), encoding=IMPLICIT_LITTLE),
            elements={**COUNTS, 0x1020: None, 0x1022: 1},
        ),
    ),
    "move, counted to the end": released(
        asks(7, MOVE_RQ, STUDY),
        answers(7, MOVE_RQ, 0xFF00, elements={**COUNTS, 0x1020: 2}),
        answers(7, MOVE_RQ, 0xFF00, elements={**COUNTS, 0x1023: 1}),
        answers(7, MOVE_RQ, 0, elements={**COUNTS, 0x1020: None, 0x1021: 2, 0x1023: 1}),
    ),
    "move, the final one counts nothing": released(
        asks(7, MOVE_RQ, STUDY), answers(7, MOVE_RQ, 0xFF00, elements=COUNTS), answers(7, MOVE_RQ, 0xC000)
    ),
    "move, cancelled, the rest not counted": released(
        asks(7, MOVE_RQ, STUDY),
        answers(7, MOVE_RQ, 0xFF00, elements={**COUNTS, 0x1020: 9}),
        asks(7, changed(CANCEL, {0x0120: 4})),
        answers(7, MOVE_RQ, 0xFE00, elements={**COUNTS, 0x1020: None}),
    ),
    "move, cancelled": released(
        asks(7, MOVE_RQ, STUDY),
        asks(7, changed(CANCEL, {0x0120: 4})),
        answers(7, MOVE_RQ, 0xFE00, elements={**COUNTS}),
    ),
    "several requests at a time, negotiated": released(
        asks(5, ECHO_RQ),
        asks(5, SECOND),
        answers(5, SECOND, 0),
        ECHOED,
        rq=replace(RQ, user=replace(USER, asynchronous_operations=WINDOW)),
        ac=replace(AC, user=replace(AC.user, asynchronous_operations=WINDOW)),
    ),
}


@pytest.mark.parametrize("name", CLEAN)
def test_nothing_is_found(name: str) -> None:
    assert findings(CLEAN[name]) == []


@pytest.mark.parametrize("cut_at", range(1, len(CLEAN["get"])))
def test_a_capture_that_ends_anywhere_is_nobodys_fault(cut_at: int) -> None:
    assert findings(CLEAN["get"][:cut_at], None, "cut") == []


@pytest.mark.parametrize("name", ["get", "find", "store", "store, large", "echo"])
def test_a_capture_that_begins_anywhere_is_nobodys_fault(name: str) -> None:
    steps = CLEAN[name]
    for begin in range(1, len(steps)):
        found = inspect_late(steps[begin:])
        assert found == [], begin


@pytest.mark.parametrize("name", ["get", "find", "store", "echo", "move, with failures"])
def test_what_was_not_captured_is_nobodys_fault(name: str) -> None:
    steps = CLEAN[name]
    for missing in range(2, len(steps) - 2):
        gapped: list[Step | Missed] = list(steps)
        sender, data = steps[missing]
        gapped[missing] = (sender, len(data))
        assert findings(gapped) == [], missing


def test_bytes_cut_in_the_middle_of_a_pdu_are_nobodys_fault() -> None:
    sender, data = asks(1, STORE_RQ, IMAGE)
    for size in (1, 7, 40, 100):
        steps: list[Step | Missed] = [(sender, data[:20]), (sender, size), (sender, data[20 + size :])]
        assert findings([*associated(), *steps, STORED, *RELEASE]) == []


def test_tls_that_was_not_decrypted_is_no_finding() -> None:
    hello, answer = b"\x16\3\1\0\4abcd", b"\x16\3\3\0\4efgh"

    assert findings([(REQUESTOR, hello), (ACCEPTOR, answer), (REQUESTOR, b"\x17\3\3\0\1x")]) == []


def test_a_pdu_of_undefined_content_in_a_private_transfer_syntax_is_not_read() -> None:
    private = "1.2.3.4.99"
    first = replace(RQ.contexts[0], transfer_syntaxes=(private,))
    rq = replace(RQ, contexts=(first, *RQ.contexts[1:]))
    ac = replace(AC, contexts=(replace(AC.contexts[0], transfer_syntax=private), *AC.contexts[1:]))

    assert findings(released(asks(1, STORE_RQ, b"\xff" * 40), STORED, rq=rq, ac=ac)) == []


def test_unknown_items_are_skipped() -> None:
    raw = encode_pdu(RQ)

    assert findings(released(rq=pdu(1, raw[6:] + b"\x99\0\0\2ab"))) == []


def inspect_late(steps: list[Step]) -> list[Finding]:
    return list(inspect(events(steps, comments=(), from_start=False)))


def test_the_samples_are_what_they_seem() -> None:
    assert len(LONG) > 64 * 1024
    assert IMAGE.startswith(data_set((0x00080016, "UI", CT), encoding=EXPLICIT_LITTLE)[:8])
