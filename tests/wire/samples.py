"""Values the tests of this package share: one of every PDU, and commands of the shapes that matter."""

from __future__ import annotations

from mockpacs.wire import (
    PDV,
    Abort,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
    AsynchronousOperations,
    Command,
    CommandField,
    CommonExtendedNegotiation,
    ContextAnswer,
    ExtendedNegotiation,
    PDataTF,
    Pdu,
    ProposedContext,
    ReleaseRP,
    ReleaseRQ,
    RoleSelection,
    Tag,
    UserIdentity,
    UserInformation,
    request,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

FULL_USER = UserInformation(
    max_pdu_length=16382,
    implementation_class_uid="1.2.3.4",
    implementation_version_name="SAMPLE_1",
    asynchronous_operations=AsynchronousOperations(3, 4),
    roles=(RoleSelection(CT, scu=True, scp=False), RoleSelection(FIND, scu=False, scp=True)),
    extended=(ExtendedNegotiation(FIND, b"\x01\x00\x01"), ExtendedNegotiation(CT, b"\x02")),
    common_extended=(CommonExtendedNegotiation(CT, "1.2.840.10008.4.2", ("1.2.9", "1.2.10.1")),),
    user_identity=UserIdentity(2, positive_response_requested=True, primary=b"ada", secondary=b"engine"),
)

RQ = AssociateRQ(
    "CALLED",
    "CALLING",
    (ProposedContext(1, CT, (IMPLICIT, EXPLICIT)), ProposedContext(3, FIND, (IMPLICIT,))),
    FULL_USER,
)
AC = AssociateAC(
    "CALLED",
    "CALLING",
    (ContextAnswer(1, 0, EXPLICIT), ContextAnswer(3, 3, IMPLICIT)),
    UserInformation(16384, "1.2.3.5", "SAMPLE_2", identity_response=b"welcome"),
)
PDUS: dict[str, Pdu] = {
    "associate-rq": RQ,
    "associate-ac": AC,
    "associate-rj": AssociateRJ(2, 3, 1),
    "p-data-tf": PDataTF((PDV(1, True, True, b"command"), PDV(1, False, False, b"data"), PDV(1, False, True, b""))),
    "release-rq": ReleaseRQ(),
    "release-rp": ReleaseRP(),
    "abort": Abort(2, 6),
}

ECHO_RQ = request(CommandField.C_ECHO_RQ, 7, elements={Tag.AFFECTED_SOP_CLASS: "1.2.840.10008.1.1"})
STORE_RQ = request(
    CommandField.C_STORE_RQ,
    9,
    has_dataset=True,
    elements={
        Tag.AFFECTED_SOP_CLASS: CT,
        Tag.AFFECTED_SOP_INSTANCE: "1.2.3.4.5",
        Tag.PRIORITY: 2,
        Tag.MOVE_ORIGINATOR_AET: "MOVER",
        Tag.MOVE_ORIGINATOR_MESSAGE_ID: 77,
    },
)
FIND_RSP = Command(
    {
        Tag.AFFECTED_SOP_CLASS: FIND,
        Tag.COMMAND_FIELD: CommandField.C_FIND_RSP,
        Tag.MESSAGE_ID_RESPONDED_TO: 9,
        Tag.DATA_SET_TYPE: 0x0101,
        Tag.STATUS: 0xA900,
        Tag.OFFENDING_ELEMENT: (0x00100010, 0x00080052),
        Tag.ERROR_COMMENT: "no such level",
    }
)
