"""C-ECHO and the association itself, as DCMTK's clients and pynetdicom see them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.dimse_messages import C_ECHO_RQ
from pynetdicom.dimse_primitives import C_ECHO
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ, A_RELEASE_RP, A_RELEASE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    P_DATA,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)

from mockpacs import MockPACS
from tests.interop import judge, phantom, scu
from tests.interop.programs import run

VERIFICATION = "1.2.840.10008.1.1"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PRINT, WORKLIST = "1.2.840.10008.5.1.1.9", "1.2.840.10008.5.1.4.31"


@pytest.fixture(scope="module")
def pacs() -> Iterator[MockPACS]:
    with MockPACS() as serving:
        yield serving


def test_echoscu_is_answered(pacs: MockPACS) -> None:
    ran = run("echoscu", "-v", "--repeat", 20, pacs.host, pacs.port)
    assert ran.status == 0, ran.text
    assert len(ran.lines("Received Echo Response (Success)")) == 20


def test_echoscu_with_128_contexts_of_38_transfer_syntaxes_gets_them_all(pacs: MockPACS) -> None:
    ran = run("echoscu", "-d", "-pts", 38, "-ppc", 128, pacs.host, pacs.port)
    assert ran.status == 0, ran.text
    accepted = ran.text.partition("A-ASSOCIATE-AC")[2]
    assert accepted.count("(Accepted)") == 128


@pytest.mark.parametrize("size", [4096, 131072])
def test_a_client_may_choose_its_maximum_pdu(pacs: MockPACS, size: int) -> None:
    assert run("echoscu", "-pdu", size, pacs.host, pacs.port).status == 0


def test_an_abort_of_echoscu_leaves_the_server_alone(pacs: MockPACS) -> None:
    assert run("echoscu", "--abort", pacs.host, pacs.port).status == 0
    assert run("echoscu", pacs.host, pacs.port).status == 0


def test_termscu_is_refused_and_the_server_goes_on(pacs: MockPACS) -> None:
    """It asks for DCMTK's private shutdown class, which is accepted like any private class: but nothing shuts down."""
    run("termscu", pacs.host, pacs.port)
    assert run("echoscu", pacs.host, pacs.port).status == 0


def test_pynetdicom_sees_which_contexts_are_refused_and_why(pacs: MockPACS) -> None:
    syntaxes = [ImplicitVRLittleEndian]
    jpeg = ["1.2.840.10008.1.2.4.50"]
    association = scu.associate(
        pacs, (VERIFICATION, syntaxes), (FIND, syntaxes), (PRINT, syntaxes), (WORKLIST, syntaxes), (VERIFICATION, jpeg)
    )
    assert association.is_established
    assert [(c.context_id, c.result) for c in association.accepted_contexts] == [(1, 0), (3, 0)]
    assert [(c.context_id, c.result) for c in association.rejected_contexts] == [(5, 3), (7, 3), (9, 4)]
    assert association.send_c_echo().Status == 0x0000
    association.release()
    assert association.is_released


def test_two_messages_in_one_pdu_are_both_answered_and_so_is_an_early_release(pacs: MockPACS) -> None:
    """The client's bytes are pynetdicom's; what comes back is taken apart by pynetdicom too."""
    together = P_DATA()
    together.presentation_data_value_list = _echo_request(1) + _echo_request(2)
    data = P_DATA_TF()
    data.from_primitive(together)
    with socket.create_connection((pacs.host, pacs.port), 20) as client:
        client.sendall(_association_request())
        assert isinstance(_receive(client), A_ASSOCIATE_AC)
        client.sendall(data.encode() + A_RELEASE_RQ().encode())
        answers = [_receive(client) for _ in range(3)]
        client.shutdown(socket.SHUT_WR)
    assert [type(answer) for answer in answers] == [P_DATA_TF, P_DATA_TF, A_RELEASE_RP]
    answered = [bytes(answer.to_primitive().presentation_data_value_list[0][1]) for answer in answers[:2]]
    responded_to = b"\0\0\x20\x01\2\0\0\0"  # (0000,0120), of two bytes
    assert [data.partition(responded_to)[2][:2] for data in answered] == [b"\1\0", b"\2\0"]


@pytest.mark.parametrize("nagle", [True, False], ids=["nagle", "no delay"])
@pytest.mark.parametrize("size", [4096, 131072])
def test_storescu_fares_the_same_with_any_pdu_size_and_with_nagle_on_or_off(
    tmp_path: Path, *, nagle: bool, size: int
) -> None:
    made = [phantom.instance(number=number, ImageComments="x" * 9_998) for number in range(1, 21)]
    paths = phantom.write(tmp_path / "sent", made)
    with MockPACS(storage=tmp_path / "storage", max_pdu=size) as pacs:
        sizes = ("--max-pdu", size, "--max-send-pdu", size)
        ran = run("storescu", "-v", "--repeat", 2, *sizes, pacs.host, pacs.port, *paths, nagle=nagle)
    assert ran.status == 0, ran.text
    assert len(ran.lines("Received Store Response (Success)")) == 40
    kept = judge.stored(tmp_path / "storage")
    assert {uid: file.data for uid, file in kept.items()} == {
        str(each.SOPInstanceUID): phantom.encoded(each) for each in made
    }


def _echo_request(message_id: int) -> list[list[Any]]:
    request = C_ECHO()
    request.MessageID = message_id
    request.AffectedSOPClassUID = VERIFICATION
    message = C_ECHO_RQ()
    message.primitive_to_message(request)
    (primitive,) = message.encode_msg(1, 16384)
    return [list(value) for value in primitive.presentation_data_value_list]


def _association_request() -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title = "RAW"
    primitive.called_ae_title = "MOCKPACS"
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16384
    implementation.implementation_class_uid = "1.2.826.0.1.3680043.9.3811.3.0.4"
    primitive.user_information = [length, implementation]
    context = build_context(VERIFICATION)
    context.context_id = 1
    primitive.presentation_context_definition_list = [context]
    request = A_ASSOCIATE_RQ()
    request.from_primitive(primitive)
    return request.encode()


def _receive(client: socket.socket) -> Any:
    head = client.recv(6, socket.MSG_WAITALL)
    pdu = {2: A_ASSOCIATE_AC, 4: P_DATA_TF, 6: A_RELEASE_RP}[head[0]]()
    pdu.decode(head + client.recv(int.from_bytes(head[2:], "big"), socket.MSG_WAITALL))
    return pdu
