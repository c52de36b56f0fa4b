"""pynetdicom as a client, with what its own races would spoil taken care of."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import PresentationContext

PATIENT_ROOT, STUDY_ROOT, PATIENT_STUDY = (f"1.2.840.10008.5.1.4.1.2.{model}.1" for model in (1, 2, 3))


class Checkpoint(threading.Event):
    """Holds up pynetdicom's reactor for certain while one of its ``send_`` methods waits for an answer.

    Its own event lets the reactor go round once more after ``clear``: the reactor then takes an answer that comes at
    once for a request, throws it away, and the method waits until its time is over (pynetdicom 3.0.4).
    """

    def __init__(self, association: Association) -> None:
        super().__init__()
        self.set()
        self._association = association
        self._guard = threading.Lock()
        self._is_running = False
        self._was_asked = threading.Event()

    def install(self) -> None:
        """Take the place of the association's own event."""
        self._association._reactor_checkpoint = self
        while self._association.is_alive() and not self._was_asked.wait(0.01):
            pass

    def wait(self, timeout: float | None = None) -> bool:
        self._was_asked.set()
        while True:
            with self._guard:
                self._is_running = self.is_set()
                if self._is_running:
                    return True
            super().wait(timeout)

    def clear(self) -> None:
        with self._guard:
            super().clear()
        reactor = self._association
        while self._is_running and reactor.is_alive() and reactor is not threading.current_thread():
            time.sleep(0.0001)


def associate(pacs: Any, *contexts: tuple[str, Any], **how: Any) -> Association:
    """An association of pynetdicom: pairs of an abstract syntax and its transfer syntaxes."""
    entity = AE(ae_title=how.pop("calling", "PYNETDICOM"))
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    for abstract_syntax, transfer_syntaxes in contexts:
        entity.add_requested_context(abstract_syntax, transfer_syntaxes)
    association = entity.associate(pacs.host, pacs.port, ae_title=how.pop("called", pacs.aet), **how)
    Checkpoint(association).install()
    return association


def rejection(pacs: Any, *contexts: tuple[str, Any], **how: Any) -> tuple[int, int, int] | None:
    """Result, source and reason of the A-ASSOCIATE-RJ that came; None when the association was accepted.

    pynetdicom calls an association aborted, not rejected, when the rejection is there before it looks: the PDU counts.
    """
    received = []
    association = associate(
        pacs, *contexts, evt_handlers=[(evt.EVT_PDU_RECV, lambda it: received.append(it.pdu))], **how
    )
    if association.is_established:
        association.release()
    (pdu, *_) = received
    if not isinstance(pdu, A_ASSOCIATE_RJ):
        return None
    assert association.is_rejected or association.is_aborted
    return pdu.result, pdu.source, pdu.reason_diagnostic


def store(pacs: Any, *instances: Dataset) -> list[int]:
    """Send with pynetdicom on one association; the statuses."""
    syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
    association = associate(pacs, *((uid, syntaxes) for uid in dict.fromkeys(made.SOPClassUID for made in instances)))
    assert association.is_established
    try:
        return [association.send_c_store(made).Status for made in instances]
    finally:
        association.release()


def send_bytes(association: Association, context: PresentationContext, sop_instance: str, data: bytes) -> C_STORE:
    """A C-STORE of any bytes; pynetdicom itself does not send what it cannot read. The response."""
    request = C_STORE()
    request.MessageID = 7
    request.Priority = 0
    request.AffectedSOPClassUID = context.abstract_syntax
    request.AffectedSOPInstanceUID = UID(sop_instance)
    request.DataSet = BytesIO(data)
    association._reactor_checkpoint.clear()  # the answer is ours to read
    try:
        association.dimse.send_msg(request, context.context_id)
        _, response = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    assert isinstance(response, C_STORE), "no answer in time"
    assert response.MessageIDBeingRespondedTo == 7
    return response


def keys(level: str, **values: Any) -> Dataset:
    """An identifier; keywords are its keys, None is an empty one."""
    made = Dataset()
    made.QueryRetrieveLevel = level
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


@dataclass(frozen=True, slots=True)
class Answer:
    """What pynetdicom received: pairs of a pending status and an identifier, then the final response."""

    matches: list[tuple[int, Dataset]]
    final: Dataset
    agreed: bytes | None
    """The application information of extended negotiation."""

    @property
    def identifiers(self) -> list[Dataset]:
        return [identifier for _, identifier in self.matches]


def ask(pacs: Any, identifier: Dataset, *, model: str = STUDY_ROOT, extended: bytes | None = None) -> Answer:
    """C-FIND by pynetdicom on an association of its own, with extended negotiation if there is something to offer."""
    items = []
    if extended is not None:
        offer = SOPClassExtendedNegotiation()
        offer.sop_class_uid = UID(model)
        offer.service_class_application_information = extended
        items.append(offer)
    association = associate(pacs, (model, ExplicitVRLittleEndian), ext_neg=items)
    assert association.is_established
    try:
        *pending, final = association.send_c_find(identifier, model)
    finally:
        association.release()
    matches = [(status.Status, found) for status, found in pending]
    return Answer(matches, final[0], association.acceptor.sop_class_extended.get(UID(model)))
