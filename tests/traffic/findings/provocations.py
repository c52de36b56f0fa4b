"""For each check what provokes it, and nothing else: name of the check, and a session."""

from __future__ import annotations

from dataclasses import replace

from mockpacs.wire import (
    PDV,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    AsynchronousOperations,
    ContextAnswer,
    ExtendedNegotiation,
    PDataTF,
    ProposedContext,
    Role,
    RoleSelection,
    UserIdentity,
    UserInformation,
    encode_command,
    encode_pdu,
    request,
)
from mockpacs.wire.dataset import EXPLICIT_BIG, IMPLICIT_LITTLE
from tests.traffic.findings.script import (
    AC,
    ACCEPTOR,
    COUNTS,
    CT,
    ECHO,
    ECHO_RQ,
    EXPLICIT,
    FIND,
    FIND_RQ,
    GET_RQ,
    IMAGE,
    IMAGE_ELEMENTS,
    IMPLICIT,
    INSTANCE,
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
    Step,
    answers,
    asks,
    associated,
    changed,
    data_set,
    message,
    pdu,
    released,
    sequence,
)

ECHOED = answers(5, ECHO_RQ, 0)
STORED = answers(1, STORE_RQ, 0)
FOUND = answers(3, FIND_RQ, 0)
RAW_ECHO = encode_command(ECHO_RQ)
RAW_RQ, RAW_AC = encode_pdu(RQ), encode_pdu(AC)


def with_user(user: UserInformation) -> AssociateRQ:
    return replace(RQ, user=user)


def accepting(**changes: object) -> AssociateAC:
    return replace(AC, user=replace(AC.user, **changes))  # type: ignore[arg-type]


def answering(*contexts: ContextAnswer) -> AssociateAC:
    """The answer with contexts of the same number replaced, or others added."""
    replaced = {context.context_id: context for context in (*AC.contexts, *contexts)}
    return replace(AC, contexts=tuple(replaced.values()))


def proposing(*contexts: ProposedContext) -> list[Step]:
    """These proposed beside the usual ones, and answered."""
    numbers = dict.fromkeys(context.context_id for context in contexts if context.context_id > 11)
    refused = tuple(ContextAnswer(number, 3, IMPLICIT) for number in numbers)
    return released(rq=replace(RQ, contexts=RQ.contexts + contexts), ac=replace(AC, contexts=AC.contexts + refused))


def p_data(*pdvs: PDV, sender: Role = REQUESTOR) -> Step:
    return sender, encode_pdu(PDataTF(pdvs))


def stored(*elements: tuple[int, str, str | bytes]) -> list[Step]:
    """A C-STORE of the usual image with elements replaced or added."""
    merged = {tag: (tag, vr, value) for tag, vr, value in (*IMAGE_ELEMENTS, *elements)}
    return released(asks(1, STORE_RQ, data_set(*(merged[tag] for tag in sorted(merged)))), STORED)


def found(*elements: tuple[int, str, str | bytes]) -> list[Step]:
    """A C-FIND whose identifier is this."""
    return released(asks(3, FIND_RQ, data_set(*elements, encoding=IMPLICIT_LITTLE)), FOUND)


def rewritten(raw: bytes, old: bytes, new: bytes) -> bytes:
    """A PDU with the same length in which bytes were exchanged, all of them."""
    assert old in raw
    assert len(old) == len(new)
    return raw.replace(old, new)


def grown(raw: bytes, old: bytes, new: bytes, *outer: bytes) -> bytes:
    """A PDU with an item exchanged for a longer or shorter one; ``outer`` begin the items around it."""
    assert raw.count(old) >= 1
    more = len(new) - len(old)
    for head in outer:
        at = raw.index(head)
        length = int.from_bytes(raw[at + 2 : at + 4], "big") + more
        raw = raw[: at + 2] + length.to_bytes(2, "big") + raw[at + 4 :]
    body = raw[6:].replace(old, new, 1)
    return pdu(raw[0], body)


def command_of(*elements: bytes, group_length: int | None = None) -> bytes:
    """A raw command set; the right group length unless another one is given."""
    body = b"".join(elements)
    length = len(body) if group_length is None else group_length
    return command_element(0, length.to_bytes(4, "little")) + body


def command_element(number: int, value: bytes) -> bytes:
    return b"\0\0" + number.to_bytes(2, "little") + len(value).to_bytes(4, "little") + value


def us(number: int, value: int) -> bytes:
    return command_element(number, value.to_bytes(2, "little"))


ECHO_CLASS = command_element(2, ECHO.encode() + b"\0")
ECHO_FIELDS = (us(0x100, 0x30), us(0x110, 1), us(0x800, 0x101))
MAXIMUM_LENGTH = b"\x51\0\0\4\0\0\x40\0"
USER_ITEM = RAW_RQ[RAW_RQ.index(b"\x50\0") :]

PROVOCATIONS: list[tuple[str, list[Step]]] = [
    # the upper layer
    ("unexpected-pdu", [(REQUESTOR, RAW_RQ), asks(5, ECHO_RQ), (ACCEPTOR, RAW_AC), ECHOED, *RELEASE]),
    ("unexpected-pdu", released((ACCEPTOR, RAW_AC))),
    ("unexpected-pdu", associated(*RELEASE, (ACCEPTOR, encode_pdu(Abort(2, 0))))),
    ("unexpected-pdu", [*associated(), RELEASE[1], RELEASE[0], RELEASE[1]]),
    ("unknown-pdu", [(REQUESTOR, b"GET / HTTP/1.1\r\n\r\n"), (ACCEPTOR, encode_pdu(Abort(2, 1)))]),
    ("unknown-pdu", [(REQUESTOR, b"\x16\3\1\2\0\1\0\1\xfc\3\3"), (ACCEPTOR, encode_pdu(Abort(2, 1)))]),
    ("half-pdu", associated((REQUESTOR, encode_pdu(PDataTF((PDV(5, True, True, RAW_ECHO),)))[:-3]))),
    ("malformed-pdu", [(REQUESTOR, pdu(1, RAW_RQ[6:-1])), (ACCEPTOR, encode_pdu(Abort(2, 6)))]),
    ("malformed-pdv", associated((REQUESTOR, pdu(4, b"\0\0\1\0\5\3ab")), (ACCEPTOR, encode_pdu(Abort(2, 6))))),
    ("pdu-too-long", released(asks(1, STORE_RQ, IMAGE), STORED, ac=accepting(max_pdu_length=200))),
    ("abort-reason", associated((REQUESTOR, encode_pdu(Abort(1, 0))))),
    ("abort-reason", associated((ACCEPTOR, encode_pdu(Abort(2, 3))))),
    ("closed-without-release", associated()),
    (
        "closed-without-context",
        associated(ac=replace(AC, contexts=tuple(replace(one, result=3) for one in AC.contexts))),
    ),
    ("odd-fragment", released(p_data(PDV(5, True, False, RAW_ECHO[:7]), PDV(5, True, True, RAW_ECHO[7:])), ECHOED)),
    (
        "mixed-messages",
        released(
            p_data(PDV(5, True, True, RAW_ECHO), PDV(5, True, True, encode_command(changed(ECHO_RQ, {0x110: 2})))),
            ECHOED,
            answers(5, changed(ECHO_RQ, {0x110: 2}), 0),
            rq=with_user(replace(USER, asynchronous_operations=AsynchronousOperations(2, 1))),
            ac=accepting(asynchronous_operations=AsynchronousOperations(2, 1)),
        ),
    ),
    (
        "interleaved-messages",
        associated(
            p_data(PDV(1, True, True, encode_command(STORE_RQ)), PDV(3, False, True, IMAGE)),
            (ACCEPTOR, encode_pdu(Abort(2, 6))),
        ),
    ),
    ("unfinished-message", released(p_data(PDV(5, True, False, RAW_ECHO[:8])))),
    ("context-not-accepted", associated(asks(11, ECHO_RQ), (ACCEPTOR, encode_pdu(Abort(2, 6))))),
    ("context-not-accepted", associated(asks(13, ECHO_RQ), (ACCEPTOR, encode_pdu(Abort(2, 6))))),
    # A-ASSOCIATE-RQ
    ("protocol-version", released(rq=replace(RQ, protocol_version=2))),
    ("ae-title", released(rq=replace(RQ, called=""), ac=replace(AC, called=""))),
    ("ae-title", released(rq=replace(RQ, calling="A\\B"), ac=replace(AC, calling="A\\B"))),
    ("ae-title", released(rq=replace(RQ, calling="A\x1bB"), ac=replace(AC, calling="A\x1bB"))),
    ("ae-title", released(asks(7, changed(MOVE_RQ, {0x600: "A\\B"}), STUDY), answers(7, MOVE_RQ, 0))),
    ("ae-title-padding", released(rq=rewritten(RAW_RQ, b"PACS" + b" " * 12, b"PACS" + b"\0" * 12))),
    ("application-context", released(rq=replace(RQ, application_context="1.2.840.10008.3.1.1.2"))),
    ("no-contexts", released(rq=replace(RQ, contexts=()), ac=replace(AC, contexts=()))),
    ("context-id", proposing(ProposedContext(12, CT, (IMPLICIT,)))),
    ("context-id", proposing(ProposedContext(1, CT, (IMPLICIT,)))),
    ("context-without-syntax", proposing(ProposedContext(13, CT, ()))),
    ("context-without-syntax", proposing(ProposedContext(13, "", (IMPLICIT,)))),
    ("missing-item", released(rq=grown(RAW_RQ, MAXIMUM_LENGTH, b"", USER_ITEM[:4]))),
    ("missing-item", released(rq=pdu(1, RAW_RQ[6 : -len(USER_ITEM)]), ac=accepting(roles=()))),
    ("missing-item", released(rq=with_user(replace(USER, implementation_class_uid="")))),
    ("repeated-item", released(rq=grown(RAW_RQ, MAXIMUM_LENGTH, MAXIMUM_LENGTH * 2, USER_ITEM[:4]))),
    ("uid-padding", released(rq=grown(RAW_RQ, b"\x52\0\0\x071.2.3.4", b"\x52\0\0\x081.2.3.4\0", USER_ITEM[:4]))),
    ("maximum-length", released(rq=with_user(replace(USER, max_pdu_length=6)))),
    ("implementation-version", released(rq=with_user(replace(USER, implementation_version_name="A" * 17)))),
    ("uid-invalid", proposing(ProposedContext(13, CT, ("1.2.04",)))),
    ("user-identity", released(rq=with_user(replace(USER, user_identity=UserIdentity(9, primary=b"x"))))),
    # its answer
    ("context-not-proposed", released(ac=answering(ContextAnswer(13, 0, IMPLICIT)))),
    ("context-not-proposed", released(ac=replace(AC, contexts=(*AC.contexts, AC.contexts[0])))),
    ("context-not-answered", released(ac=replace(AC, contexts=AC.contexts[1:]))),
    ("context-result", released(ac=answering(ContextAnswer(11, 7, IMPLICIT)))),
    ("transfer-syntax-not-proposed", released(ac=answering(ContextAnswer(3, 0, EXPLICIT)))),
    ("transfer-syntax-not-proposed", released(ac=answering(ContextAnswer(3, 0, "")))),
    ("title-not-returned", released(ac=replace(AC, called="OTHER"))),
    ("negotiation-unasked", released(ac=accepting(extended=(ExtendedNegotiation(FIND, b"\1"),)))),
    ("negotiation-unasked", released(ac=accepting(identity_response=b""))),
    ("negotiation-unasked", released(ac=accepting(asynchronous_operations=AsynchronousOperations(1, 1)))),
    ("negotiation-unasked", released(ac=accepting(roles=(RoleSelection(FIND, scu=True, scp=False),)))),
    ("role-not-proposed", released(rq=with_user(replace(USER, roles=(RoleSelection(CT, scu=True, scp=False),))))),
    (
        "window-too-large",
        released(
            rq=with_user(replace(USER, asynchronous_operations=AsynchronousOperations(2, 1))),
            ac=accepting(asynchronous_operations=AsynchronousOperations(0, 1)),
        ),
    ),
    ("reject-reason", [(REQUESTOR, RAW_RQ), (ACCEPTOR, encode_pdu(AssociateRJ(1, 1, 4)))]),
    ("reject-reason", [(REQUESTOR, RAW_RQ), (ACCEPTOR, encode_pdu(AssociateRJ(3, 1, 1)))]),
    # command sets
    ("command-set-order", released(asks(5, command_of(*reversed(ECHO_FIELDS), ECHO_CLASS)), ECHOED)),
    ("command-set-order", released(asks(5, command_of(ECHO_CLASS, ECHO_CLASS, *ECHO_FIELDS)), ECHOED)),
    ("command-group-length", released(asks(5, ECHO_CLASS + b"".join(ECHO_FIELDS)), ECHOED)),
    ("command-group-length", released(asks(5, command_of(ECHO_CLASS, *ECHO_FIELDS, group_length=7)), ECHOED)),
    (
        "command-element",
        released(
            asks(
                5, command_of(ECHO_CLASS, *ECHO_FIELDS, command_element(0x900, b"\0\0\0"), command_element(0x902, b"x"))
            ),
            ECHOED,
        ),
    ),
    (
        "command-element",
        associated(
            asks(5, command_of(ECHO_CLASS, *ECHO_FIELDS, b"\x08\0\x05\0\0\0\0\0")),
            (REQUESTOR, RELEASE[0][1]),
            RELEASE[1],
        ),
    ),
    ("message-unreadable", released(asks(5, command_of(ECHO_CLASS, us(0x100, 0x77), *ECHO_FIELDS[1:])))),
    ("missing-command-element", released(asks(5, changed(ECHO_RQ, {0x0002: None})), ECHOED)),
    ("missing-command-element", released(asks(1, changed(STORE_RQ, {0x0700: None}), IMAGE), STORED)),
    ("missing-command-element", released(asks(7, changed(MOVE_RQ, {0x0600: ""}), STUDY), answers(7, MOVE_RQ, 0))),
    ("missing-command-element", released(asks(5, ECHO_RQ), answers(5, ECHO_RQ, 0, elements={0x0900: None}))),
    ("priority", released(asks(1, changed(STORE_RQ, {0x0700: 3}), IMAGE), STORED)),
    ("data-set-missing", released(asks(3, changed(FIND_RQ, {0x0800: 0x101})), FOUND)),
    ("data-set-missing", released(asks(3, FIND_RQ, KEYS), answers(3, FIND_RQ, 0xFF00), FOUND)),
    (
        "data-set-missing",
        associated(
            p_data(PDV(3, True, True, encode_command(FIND_RQ))),
            asks(3, FIND_RQ, KEYS),
            (ACCEPTOR, encode_pdu(Abort(2, 6))),
        ),
    ),
    ("data-set-unexpected", released(asks(5, changed(ECHO_RQ, {0x0800: 1}), b""), ECHOED)),
    ("data-set-unexpected", released(asks(3, FIND_RQ, KEYS), answers(3, FIND_RQ, 0, MATCH))),
    ("data-set-unexpected", associated(asks(5, ECHO_RQ, b"\0\0"), (ACCEPTOR, encode_pdu(Abort(2, 6))))),
    (
        "data-set-unexpected",
        released(
            asks(7, MOVE_RQ, STUDY),
            answers(7, MOVE_RQ, 0, data_set((0x00080058, "UI", INSTANCE), encoding=IMPLICIT_LITTLE)),
        ),
    ),
    ("uid-invalid", released(asks(5, ECHO_RQ), answers(5, ECHO_RQ, 0, elements={0x1000: "1.2..3"}))),
    ("error-comment", released(asks(5, ECHO_RQ), answers(5, ECHO_RQ, 0x0122, elements={0x0902: "x" * 65}))),
    # pairing
    (
        "sop-class-of-context",
        released(asks(5, changed(ECHO_RQ, {0x0002: CT})), answers(5, changed(ECHO_RQ, {0x0002: CT}), 0)),
    ),
    (
        "role-not-negotiated",
        released(
            message(ACCEPTOR, 5, ECHO_RQ),
            (REQUESTOR, answers(5, ECHO_RQ, 0)[1]),
        ),
    ),
    ("message-id-reused", released(asks(5, ECHO_RQ), asks(5, ECHO_RQ), ECHOED)),
    (
        "window-exceeded",
        released(
            asks(5, ECHO_RQ), asks(5, changed(ECHO_RQ, {0x110: 9})), ECHOED, answers(5, changed(ECHO_RQ, {0x110: 9}), 0)
        ),
    ),
    ("response-to-nothing", released(answers(5, ECHO_RQ, 0))),
    ("response-to-nothing", released(asks(5, ECHO_RQ), answers(5, ECHO_RQ, 0, elements={0x0120: 99}), ECHOED)),
    ("response-after-final", released(asks(5, ECHO_RQ), ECHOED, ECHOED)),
    ("response-after-final", released(asks(3, FIND_RQ, KEYS), FOUND, answers(3, FIND_RQ, 0xFF00, MATCH))),
    ("response-service", released(asks(5, ECHO_RQ), answers(5, changed(FIND_RQ, {0x0110: 1}), 0))),
    ("response-context", released(asks(5, ECHO_RQ), answers(3, ECHO_RQ, 0))),
    ("response-differs", released(asks(1, STORE_RQ, IMAGE), answers(1, STORE_RQ, 0, elements={0x1000: "1.2.9"}))),
    ("response-differs", released(asks(5, ECHO_RQ), answers(5, ECHO_RQ, 0, elements={0x0002: CT}))),
    ("cancel-of-nothing", released(asks(3, request(F.C_CANCEL_RQ, 1, elements={0x0120: 77, 0x0110: 1})))),
    (
        "cancel-of-nothing",
        released(asks(5, ECHO_RQ), asks(5, request(F.C_CANCEL_RQ, 1, elements={0x0120: 1, 0x0110: 1})), ECHOED),
    ),
    ("status-undefined", released(asks(5, ECHO_RQ), answers(5, ECHO_RQ, 0xFF00), ECHOED)),
    ("status-undefined", released(asks(1, STORE_RQ, IMAGE), answers(1, STORE_RQ, 0xD000))),
    ("status-undefined", released(asks(3, FIND_RQ, KEYS), answers(3, FIND_RQ, 0xA801))),
    (
        "sub-operation-counts",
        released(asks(7, MOVE_RQ, STUDY), answers(7, MOVE_RQ, 0, elements={**COUNTS, 0x1020: 0})),
    ),
    (
        "sub-operation-counts",
        released(asks(9, GET_RQ, STUDY), answers(9, GET_RQ, 0xFF00, elements={0x1020: 3}), answers(9, GET_RQ, 0)),
    ),
    (
        "sub-operation-sums",
        released(
            asks(7, MOVE_RQ, STUDY),
            answers(7, MOVE_RQ, 0xFF00, elements={**COUNTS, 0x1020: 2}),
            answers(7, MOVE_RQ, 0, elements={**COUNTS, 0x1020: None}),
        ),
    ),
    (
        "sub-operation-sums",
        released(
            asks(7, MOVE_RQ, STUDY),
            answers(7, MOVE_RQ, 0xFF00, elements={**COUNTS, 0x1020: 2}),
            answers(7, MOVE_RQ, 0xFF00, elements={**COUNTS, 0x1020: 2, 0x1021: 2}),
            answers(7, MOVE_RQ, 0xFE00, elements={**COUNTS, 0x1020: 2, 0x1021: 2}),
        ),
    ),
    (
        "sub-operation-sums",
        released(
            asks(9, GET_RQ, STUDY),
            answers(9, GET_RQ, 0xFF00, elements={**COUNTS, 0x1020: 2}),
            answers(9, GET_RQ, 0xFF00, elements={**COUNTS, 0x1020: 3, 0x1021: 0}),
            answers(9, GET_RQ, 0xC000, elements={**COUNTS, 0x1020: None}),
        ),
    ),
    (
        "failed-list-missing",
        released(asks(7, MOVE_RQ, STUDY), answers(7, MOVE_RQ, 0xB000, elements={**COUNTS, 0x1020: None, 0x1022: 2})),
    ),
    (
        "failed-list-missing",
        released(asks(9, GET_RQ, STUDY), answers(9, GET_RQ, 0xFE00, elements={**COUNTS, 0x1022: 2})),
    ),
    (
        "success-with-failures",
        released(asks(7, MOVE_RQ, STUDY), answers(7, MOVE_RQ, 0, elements={**COUNTS, 0x1020: None, 0x1022: 2})),
    ),
    ("unanswered-request", released(asks(3, FIND_RQ, KEYS))),
    # data sets
    ("file-for-data-set", released(asks(1, STORE_RQ, b"\0" * 128 + b"DICM" + IMAGE), STORED)),
    ("wrong-encoding", released(asks(1, STORE_RQ, data_set(*IMAGE_ELEMENTS, encoding=IMPLICIT_LITTLE)), STORED)),
    ("wrong-encoding", released(asks(1, STORE_RQ, data_set(*IMAGE_ELEMENTS, encoding=EXPLICIT_BIG)), STORED)),
    (
        "wrong-encoding",
        released(asks(3, FIND_RQ, data_set((0x00080052, "CS", "PATIENT"), (0x00100020, "LO", ""))), FOUND),
    ),
    ("data-set-unreadable", released(asks(1, STORE_RQ, IMAGE[:-4]), STORED)),
    ("group-not-allowed", stored((0x00020010, "UI", EXPLICIT))),
    ("data-set-order", released(asks(1, STORE_RQ, IMAGE + data_set((0x00100040, "CS", "F"))), STORED)),
    ("data-set-order", released(asks(1, STORE_RQ, IMAGE + IMAGE[-112:]), STORED)),
    (
        "odd-length",
        released(
            asks(1, STORE_RQ, data_set(*IMAGE_ELEMENTS) + b"\x10\0\x40\0CS\1\0F\x10\0\x10\x10AS\3\x00010"), STORED
        ),
    ),
    ("character-set", stored((0x00080005, "CS", "LATIN1"))),
    ("character-set", stored((0x00080005, "CS", "ISO_IR 100\\ISO 2022 IR 87"))),
    ("undecodable-text", stored((0x00100010, "PN", "M\xfcller"))),
    ("undecodable-text", stored((0x00080005, "CS", "ISO_IR 192"), (0x00100010, "PN", "M\xfcller"))),
    ("undecodable-text", stored((0x00080060, "CS", "C\xc4"))),
    (
        "undecodable-text",
        released(
            asks(1, STORE_RQ, data_set(*IMAGE_ELEMENTS) + sequence(0x00400275, data_set((0x00400007, "LO", "M\xfc")))),
            STORED,
        ),
    ),
    ("control-character", stored((0x00081030, "LO", "two\r\nlines"))),
    ("value-padding", stored((0x00081030, "LO", b"odd\0"))),
    ("value-padding", stored((0x00200052, "UI", b"1.2 "))),
    ("value-padding", released(asks(5, command_of(command_element(2, ECHO.encode() + b" "), *ECHO_FIELDS)), ECHOED)),
    ("value-format", stored((0x00080020, "DA", "2024.01.31"))),
    ("value-format", stored((0x00080030, "TM", "10:15"))),
    ("value-format", stored((0x00080060, "CS", "ct"))),
    ("value-format", stored((0x00080050, "SH", "A" * 17))),
    ("value-format", stored((0x00081030, "LO", "A" * 65))),
    ("uid-invalid", stored((0x0020000D, "UI", "1.2.03"))),
    ("instance-differs", stored((0x00080018, "UI", "1.2.9"))),
    ("instance-differs", released(asks(1, STORE_RQ, data_set(*IMAGE_ELEMENTS[2:])), STORED)),
    ("query-level", found((0x00100020, "LO", "P1"))),
    ("query-level", found((0x00080052, "CS", "IMAGES"), (0x00100020, "LO", "P1"))),
    (
        "query-level",
        released(
            asks(3, FIND_RQ, KEYS),
            answers(3, FIND_RQ, 0xFF00, MATCH.replace(b"STUDY ", b"SERIES")),
            FOUND,
        ),
    ),
    ("missing-unique-key", found((0x00080052, "CS", "STUDY"), (0x0020000D, "UI", ""))),
    ("missing-unique-key", found((0x00080052, "CS", "STUDY"), (0x00100020, "LO", "P*"), (0x0020000D, "UI", ""))),
    (
        "answer-not-asked",
        released(
            asks(3, FIND_RQ, KEYS),
            answers(3, FIND_RQ, 0xFF00, MATCH + data_set((0x00201208, "IS", "3"), encoding=IMPLICIT_LITTLE)),
            FOUND,
        ),
    ),
]
