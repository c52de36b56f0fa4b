"""What pynetdicom encodes we decode, and the other way round: every PDU, every sub-item, every command."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import pdu as theirs
from pynetdicom.dimse_messages import C_FIND_RSP, C_STORE_RQ
from pynetdicom.dimse_primitives import C_FIND, C_STORE
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import build_context

from mockpacs.wire import (
    AssociateAC,
    AssociateRQ,
    Command,
    PDataTF,
    Pdu,
    decode_command,
    decode_pdu,
    encode_command,
    encode_pdu,
)
from tests.wire.samples import AC, CT, ECHO_RQ, EXPLICIT, FIND, FIND_RSP, FULL_USER, IMPLICIT, PDUS, RQ, STORE_RQ

CLASSES: dict[str, Any] = {
    "associate-rq": theirs.A_ASSOCIATE_RQ,
    "associate-ac": theirs.A_ASSOCIATE_AC,
    "associate-rj": theirs.A_ASSOCIATE_RJ,
    "p-data-tf": theirs.P_DATA_TF,
    "release-rq": theirs.A_RELEASE_RQ,
    "release-rp": theirs.A_RELEASE_RP,
    "abort": theirs.A_ABORT_RQ,
}


def ours(raw: bytes) -> object:
    decoded = decode_pdu(raw[0], raw[6:])
    if isinstance(decoded, PDataTF):
        return PDataTF(tuple(pdv._replace(data=bytes(pdv.data)) for pdv in decoded.pdvs))
    return decoded


@pytest.mark.parametrize("name", PDUS)
def test_pynetdicom_reads_every_pdu_and_writes_it_back_so_that_we_read_the_same(name: str) -> None:
    pdu: Pdu = PDUS[name]
    other = CLASSES[name]()
    other.decode(encode_pdu(pdu))
    assert ours(other.encode()) == pdu


def test_pynetdicom_understands_our_request() -> None:
    other: Any = theirs.A_ASSOCIATE_RQ()
    other.decode(encode_pdu(RQ))
    primitive = other.to_primitive()
    assert (primitive.called_ae_title, primitive.calling_ae_title) == ("CALLED", "CALLING")
    assert primitive.application_context_name == RQ.application_context
    contexts = primitive.presentation_context_definition_list
    assert [(c.context_id, c.abstract_syntax, tuple(c.transfer_syntax)) for c in contexts] == [
        (c.context_id, c.abstract_syntax, c.transfer_syntaxes) for c in RQ.contexts
    ]
    kinds = {type(item): item for item in primitive.user_information}
    assert kinds[MaximumLengthNotification].maximum_length_received == 16382
    assert kinds[ImplementationClassUIDNotification].implementation_class_uid == "1.2.3.4"
    assert kinds[ImplementationVersionNameNotification].implementation_version_name == "SAMPLE_1"
    window = kinds[AsynchronousOperationsWindowNegotiation]
    assert (window.maximum_number_operations_invoked, window.maximum_number_operations_performed) == (3, 4)
    roles = [item for item in primitive.user_information if isinstance(item, SCP_SCU_RoleSelectionNegotiation)]
    assert [(r.sop_class_uid, r.scu_role, r.scp_role) for r in roles] == [(CT, True, False), (FIND, False, True)]
    extended = [item for item in primitive.user_information if isinstance(item, SOPClassExtendedNegotiation)]
    assert [(e.sop_class_uid, e.service_class_application_information) for e in extended] == [
        (FIND, b"\x01\x00\x01"),
        (CT, b"\x02"),
    ]
    common = kinds[SOPClassCommonExtendedNegotiation]
    assert (common.sop_class_uid, common.service_class_uid) == (CT, "1.2.840.10008.4.2")
    assert common.related_general_sop_class_identification == ["1.2.9", "1.2.10.1"]
    identity = kinds[UserIdentityNegotiation]
    assert (identity.user_identity_type, identity.positive_response_requested) == (2, True)
    assert (identity.primary_field, identity.secondary_field) == (b"ada", b"engine")


def test_we_understand_a_request_of_pynetdicom_with_every_negotiation() -> None:
    primitive: Any = A_ASSOCIATE()
    primitive.application_context_name = RQ.application_context
    primitive.calling_ae_title, primitive.called_ae_title = "CALLING", "CALLED"
    contexts = [build_context(CT, [IMPLICIT, EXPLICIT]), build_context(FIND, IMPLICIT)]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    primitive.presentation_context_definition_list = contexts
    primitive.user_information = their_user_information()
    raw = theirs.A_ASSOCIATE_RQ(primitive).encode()
    assert ours(raw) == RQ


def their_user_information() -> list[Any]:
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16382
    implementation.implementation_class_uid = "1.2.3.4"
    version, window = ImplementationVersionNameNotification(), AsynchronousOperationsWindowNegotiation()
    version.implementation_version_name = "SAMPLE_1"
    window.maximum_number_operations_invoked, window.maximum_number_operations_performed = 3, 4
    items: list[Any] = [length, implementation, version, window]
    for role in FULL_USER.roles:
        selection: Any = SCP_SCU_RoleSelectionNegotiation()
        selection.sop_class_uid, selection.scu_role, selection.scp_role = role.sop_class, role.scu, role.scp
        items.append(selection)
    for one in FULL_USER.extended:
        extended: Any = SOPClassExtendedNegotiation()
        extended.sop_class_uid, extended.service_class_application_information = one.sop_class, one.information
        items.append(extended)
    common: Any = SOPClassCommonExtendedNegotiation()
    common.sop_class_uid, common.service_class_uid = CT, "1.2.840.10008.4.2"
    common.related_general_sop_class_identification = ["1.2.9", "1.2.10.1"]
    identity: Any = UserIdentityNegotiation()
    identity.user_identity_type, identity.positive_response_requested = 2, True
    identity.primary_field, identity.secondary_field = b"ada", b"engine"
    return [*items, common, identity]


def test_pynetdicom_understands_our_answer() -> None:
    other: Any = theirs.A_ASSOCIATE_AC()
    other.decode(encode_pdu(AC))
    primitive = other.to_primitive()
    results = primitive.presentation_context_definition_results_list
    assert [(c.context_id, c.result) for c in results] == [(1, 0), (3, 3)]
    assert results[0].transfer_syntax == [EXPLICIT]
    assert isinstance(ours(other.encode()), AssociateAC)


def test_128_contexts_with_38_transfer_syntaxes_are_read_alike() -> None:
    syntaxes = [f"1.2.840.10008.1.2.4.{number}" for number in range(38)]
    contexts = tuple((2 * i + 1, f"{CT}.{i}") for i in range(128))
    other: Any = theirs.A_ASSOCIATE_RQ()
    other.decode(encode_pdu(RQ))
    primitive = other.to_primitive()
    built = [build_context(abstract_syntax, syntaxes) for _, abstract_syntax in contexts]
    for context, (context_id, _) in zip(built, contexts, strict=True):
        context.context_id = context_id
    primitive.presentation_context_definition_list = built
    decoded = ours(theirs.A_ASSOCIATE_RQ(primitive).encode())
    assert isinstance(decoded, AssociateRQ)
    assert [(c.context_id, c.abstract_syntax) for c in decoded.contexts] == list(contexts)
    assert {c.transfer_syntaxes for c in decoded.contexts} == {tuple(syntaxes)}


def their_command_bytes(message: Any) -> bytes:
    encoded = encode(message.command_set, True, True)
    assert encoded is not None
    return encoded


def without_group_length(command: object) -> dict[int, object]:
    assert isinstance(command, Command)
    return {tag: value for tag, value in command.elements.items() if tag}


def test_we_understand_a_store_request_of_pynetdicom() -> None:
    primitive: Any = C_STORE()
    primitive.MessageID, primitive.Priority = 9, 2
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = CT, "1.2.3.4.5"
    primitive.MoveOriginatorApplicationEntityTitle, primitive.MoveOriginatorMessageID = "MOVER", 77
    primitive.DataSet = BytesIO(b"data")
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    raw = their_command_bytes(message)
    assert without_group_length(decode_command(raw)) == STORE_RQ.elements
    assert encode_command(STORE_RQ) == raw


def test_we_understand_a_find_response_of_pynetdicom() -> None:
    primitive: Any = C_FIND()
    primitive.MessageIDBeingRespondedTo, primitive.AffectedSOPClassUID = 9, FIND
    primitive.Status, primitive.ErrorComment = 0xA900, "no such level"
    primitive.OffendingElement = [0x00100010, 0x00080052]
    message = C_FIND_RSP()
    message.primitive_to_message(primitive)
    raw = their_command_bytes(message)
    assert without_group_length(decode_command(raw)) == FIND_RSP.elements
    assert encode_command(FIND_RSP) == raw


@pytest.mark.parametrize("command", [ECHO_RQ, STORE_RQ, FIND_RSP], ids=lambda command: str(command.field.name))
def test_pydicom_reads_our_command_sets(command: Command) -> None:
    raw = encode_command(command)
    dataset: Dataset = decode(BytesIO(raw), True, True)
    assert dataset.CommandGroupLength == len(raw) - 12
    assert {int(element.tag) for element in dataset} == {0, *command.elements}
    assert dataset.CommandField == command.field
    assert encode(dataset, True, True) == raw
