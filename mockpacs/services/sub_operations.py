"""The sub-operations of one retrieve: how far they are, and what the response says of them (PS3.4 C.4.2.1.6, C.4.2.3).

Pure counting: nothing here sends, waits or reads a clock.
"""

from __future__ import annotations

from typing import Final

from mockpacs.services.courier import Delivery
from mockpacs.services.request import Outcome, SubOperations
from mockpacs.wire.dataset import Encoding, deflate, encode_element
from mockpacs.wire.status import CANCEL, PENDING, SUCCESS, Category, category_of, name_of

UNABLE_TO_PERFORM: Final = 0xA702
"""Refused, out of resources, unable to perform sub-operations: all of them failed."""
SOME_FAILED: Final = 0xB000
"""Complete, one or more sub-operations failed or warned."""

_FAILED_SOP_INSTANCES: Final = 0x00080058
_LONGEST_UI: Final = 0xFFFE
"""Bytes of an even value that fit into 16 bits of length."""


class Tally:
    """Counts the sub-operations of one retrieve, and makes its responses."""

    def __init__(self, of: int) -> None:
        self.of = of
        """How many there are."""
        self._completed = 0
        self._warning = 0
        self._failed_uids: list[str] = []
        self._why = ""
        self._warned = ""

    @property
    def failed(self) -> int:
        """How many have failed."""
        return len(self._failed_uids)

    @property
    def remaining(self) -> int:
        """How many have not been tried."""
        return self.of - self._completed - self._warning - self.failed

    def add(self, sop_instance: str, delivery: Delivery) -> None:
        """One more is over. What was not answered, or answered with anything but success or a warning, has failed."""
        category = None if delivery.status is None else category_of(delivery.status)
        if category is Category.SUCCESS:
            self._completed += 1
        elif category is Category.WARNING:
            self._warning += 1
            self._warned = self._warned or _said(delivery)
        else:
            self._failed_uids.append(sop_instance)
            self._why = self._why or _said(delivery)

    def pending(self) -> Outcome:
        """The response between two sub-operations: all four counters, no data set."""
        return Outcome(PENDING, counts=self._counts(self.remaining))

    def cancelled(self, encoding: Encoding) -> Outcome:
        """The final response of a retrieve that a C-CANCEL has ended; the only final one that says what remains."""
        data = _failed_list(self._failed_uids, encoding)
        return Outcome(CANCEL, data, self._comment(), counts=self._counts(self.remaining))

    def final(self, encoding: Encoding) -> Outcome:
        """The final response by PS3.4 Table C.4-2; with the Failed SOP Instance UID List when there are failures."""
        if not self.failed and not self._warning:
            return Outcome(SUCCESS, counts=self._counts())
        status = UNABLE_TO_PERFORM if self.failed == self.of else SOME_FAILED
        data = _failed_list(self._failed_uids, encoding)
        return Outcome(status, data, self._comment(), counts=self._counts())

    def _counts(self, remaining: int | None = None) -> SubOperations:
        return SubOperations(self._completed, self.failed, self._warning, remaining)

    def _comment(self) -> str:
        """How many first, as only 64 characters travel; then why the first one."""
        if self.failed:
            return f"{self.failed} of {self.of} failed: {self._why}"
        return f"{self._warning} of {self.of} with a warning: {self._warned}" if self._warning else ""


def _said(delivery: Delivery) -> str:
    if delivery.why or delivery.status is None:
        return delivery.why or "no response"
    code, name = f"{delivery.status:04X}", name_of(delivery.status, "C-STORE")
    return code if name == code else f"{code} {name}"


def _failed_list(uids: list[str], encoding: Encoding) -> bytes | None:
    """An identifier with the Failed SOP Instance UID List (PS3.4 C.4.2.1.4.2); None when nothing failed."""
    if not uids:
        return None
    value = "\\".join(uids).encode("ascii", "replace")
    if encoding.deflated:
        return deflate(_failed_element(value, encoding._replace(deflated=False)))
    return _failed_element(value, encoding)


def _failed_element(value: bytes, encoding: Encoding) -> bytes:
    # PS3.5 6.2.2: a value that does not fit into the 16 bits of its VR is encoded as UN, which has 32.
    return encode_element(_FAILED_SOP_INSTANCES, "UI" if len(value) <= _LONGEST_UI else "UN", value, encoding)
