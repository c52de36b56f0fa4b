"""What a handler answers: one response, made by it or honest, that can be changed before it is given back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from mockpacs.scenario.answers import AnswerSet
from mockpacs.scenario.status_words import no_status
from mockpacs.scenario.values import status_code
from mockpacs.services.decoding import decode
from mockpacs.services.request import Outcome, SubOperations
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.dictionary import tag_of
from mockpacs.wire.status import Category, category_of, name_of
from mockpacs.written.kinds import quoted

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

WITH_MATCHES: Final = ("C-FIND", "C-GET", "C-MOVE")
"""Services with pending responses."""
RETRIEVES: Final = ("C-GET", "C-MOVE")
"""Services with sub-operations, which their responses count."""
_MOST_COUNTED: Final = 0xFFFF
"""What the counters of a response can say (VR US)."""
_WITHOUT_DATA: Final = ("C-ECHO", "C-STORE")
"""Services whose responses have no data set (PS3.7 9.1.1, 9.1.5)."""


class Reply:
    """One response: ``status``, ``comment`` and ``dataset`` can be read and changed.

    A status is a code (0xA700) or one of the names of the language ("out-of-resources"), of a comment the peer gets 64
    characters. A data set is a pydicom Dataset or ``{keyword: value}``; one that was not changed leaves byte for byte.
    Of a C-GET or C-MOVE the counters too: ``completed``, ``failed``, ``warning`` and ``remaining``.
    """

    def __init__(
        self,
        service: str,
        transfer_syntax: str,
        status: int | str,
        comment: str = "",
        dataset: Dataset | Mapping[Any, Any] | None = None,
        *,
        offending: Iterable[int | str] = (),
        error_id: int | None = None,
        completed: int | None = None,
        failed: int | None = None,
        warning: int | None = None,
        remaining: int | None = None,
    ) -> None:
        """Raises TypeError and ValueError with a sentence."""
        self._service = service
        self._transfer_syntax = transfer_syntax
        self._data: bytes | None = None
        self._dataset: Any = None
        self._is_decoded = True
        self._attributes: tuple[int, ...] = ()
        self.status = status
        self.comment = comment
        self.offending = tuple(map(_tag, offending))
        """Tags of attributes for Offending Element (0000,0901)."""
        self.error_id = error_id
        """Error ID (0000,0903)."""
        self.completed = completed
        """Number of Completed Sub-operations (0000,1021) of a retrieve, None when it is not said."""
        self.failed = failed
        """Number of Failed Sub-operations (0000,1022)."""
        self.warning = warning
        """Number of Warning Sub-operations (0000,1023)."""
        self.remaining = remaining
        """Number of Remaining Sub-operations (0000,1020); a final response other than a cancel must not have it."""
        self.dataset = dataset
        self._counts()

    @classmethod
    def of(cls, outcome: Outcome, service: str, transfer_syntax: str) -> Reply:
        """An honest response."""
        reply = cls(service, transfer_syntax, outcome.status, outcome.comment, error_id=outcome.error_id)
        reply.offending = outcome.offending
        reply._data = outcome.data
        reply._attributes = outcome.attributes
        reply._is_decoded = outcome.data is None
        if outcome.counts is not None:
            fitting = (None if count is None else min(count, _MOST_COUNTED) for count in outcome.counts)
            reply.completed, reply.failed, reply.warning, reply.remaining = fitting
        return reply

    @property
    def status(self) -> int:
        """The code of the status; a name can be assigned as well."""
        return self._status

    @status.setter
    def status(self, status: int | str) -> None:
        self._status = status_of(status, self._service)

    @property
    def status_name(self) -> str:
        """The name of the status."""
        return name_of(self._status, self._service)

    @property
    def category(self) -> Category:
        """Success, warning, pending, cancel or failure."""
        return category_of(self._status)

    @property
    def dataset(self) -> Any:
        """The data set, None without one; decoded when first asked for."""
        if not self._is_decoded and self._data is not None:
            self._dataset = decode(self._data, self._transfer_syntax)
            self._is_decoded = True
        return self._dataset

    @dataset.setter
    def dataset(self, dataset: Dataset | Mapping[Any, Any] | None) -> None:
        if dataset is not None and not is_dataset(dataset):
            raise TypeError(f"{quoted(dataset)} is no data set: give a pydicom Dataset or {{keyword: value}}")
        self._dataset, self._data, self._is_decoded = dataset, None, True

    @property
    def is_match(self) -> bool:
        """Whether more responses follow: in a C-FIND whatever has a data set is a match."""
        has_dataset = self._data is not None or self._dataset is not None
        return self.category is Category.PENDING or (self._service == "C-FIND" and has_dataset)

    def outcome(self, transfer_syntax: str) -> Outcome:
        """As it goes out on a context of that transfer syntax. Raises TypeError and ValueError with a sentence."""
        data = self._encoded(transfer_syntax)
        if data is not None and self._service in _WITHOUT_DATA:
            raise ValueError(f"a response of {self._service} has no data set")
        if self.category is Category.PENDING and self._service not in WITH_MATCHES:
            raise ValueError(f"{self._service} has one response, which cannot be pending")
        comment = str(self.comment or "")
        return Outcome(self._status, data, comment, self.offending, self.error_id, self._attributes, self._counts())

    def __repr__(self) -> str:
        told = f", {self.comment!r}" if self.comment else ""
        return f"<{self._service} {self._status:04X} {self.status_name}{told}>"

    def _counts(self) -> SubOperations | None:
        """The counters; when any of them is said, all three that every response has (PS3.7 9.3.3.2)."""
        counted = (self.completed, self.failed, self.warning, self.remaining)
        if all(count is None for count in counted):
            return None
        if self._service not in RETRIEVES:
            raise ValueError(f"a response of {self._service} counts no sub-operations")
        for count in counted:
            if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
                raise TypeError(f"{quoted(count)} is no number of sub-operations")
            if count is not None and not 0 <= count <= _MOST_COUNTED:
                raise ValueError(f"{count} is no number of sub-operations: that is between 0 and {_MOST_COUNTED}")
        return SubOperations(self.completed or 0, self.failed or 0, self.warning or 0, self.remaining)

    def _encoded(self, transfer_syntax: str) -> bytes | None:
        is_at_home = transfer_syntax == self._transfer_syntax  # a test may give back what it has from another exchange
        if is_at_home and (not self._is_decoded or self._is_unchanged()):
            return self._data
        if self.dataset is None:
            return None
        return AnswerSet.of(self.dataset).encoded(Encoding.of(transfer_syntax))[0]

    def _is_unchanged(self) -> bool:
        """Whether what was decoded and shown is as it was: then it leaves in the bytes in which it came."""
        if self._data is None:
            return False
        try:
            return bool(decode(self._data, self._transfer_syntax) == self._dataset)
        except Exception:  # noqa: BLE001 - values of the archive that pydicom cannot read: encoding will say so
            return False


class Honest(Iterator[Reply]):
    """The honest responses: of a C-FIND, C-GET or C-MOVE the pending ones, of other services the only one.

    `final` is the last response of all services. The service works while this is read.
    """

    def __init__(self, outcomes: Iterator[Outcome], service: str, made: Callable[[Outcome], Reply]) -> None:
        self._outcomes = outcomes
        self._made = made
        self._has_matches = service in WITH_MATCHES
        self._final: Reply | None = None

    def __next__(self) -> Reply:
        if self._final is not None:
            raise StopIteration
        reply = self._made(next(self._outcomes))
        if reply.is_match:
            return reply
        self._final = reply
        if self._has_matches:
            raise StopIteration
        return reply

    @property
    def final(self) -> Reply:
        """The final response; pending ones that were not read are passed over."""
        for _ in self:
            pass
        assert self._final is not None
        return self._final

    @property
    def final_if_read(self) -> Reply | None:
        """The final response, None when not all was read."""
        return self._final

    def close(self) -> None:
        """Nothing more is wanted."""
        if hasattr(self._outcomes, "close"):
            self._outcomes.close()


def is_match(service: str, outcome: Outcome) -> bool:
    """Whether more outcomes follow: in a C-FIND whatever has a data set is a match."""
    return category_of(outcome.status) is Category.PENDING or (service == "C-FIND" and outcome.data is not None)


def is_dataset(value: object) -> bool:
    """Whether this is what a data set is written as."""
    return isinstance(value, Mapping) or hasattr(value, "to_json_dict")


def status_of(status: object, service: str) -> int:
    """The code of a status. Raises TypeError and ValueError with a sentence."""
    if isinstance(status, str):
        code = status_code(status, service)
        if code is None:
            raise ValueError(no_status(status, [service]))
        return code
    if isinstance(status, bool) or not isinstance(status, int):
        raise TypeError(f'{quoted(status)} is no status: give a code (0xA700) or a name ("out-of-resources")')
    if not 0 <= status <= 0xFFFF:
        raise ValueError(f"{status:#x} is no status: a code is between 0x0000 and 0xFFFF")
    return int(status)


def _tag(attribute: int | str) -> int:
    tag = tag_of(attribute) if isinstance(attribute, str) else attribute
    if not isinstance(tag, int) or not 0 <= tag <= 0xFFFFFFFF:
        raise ValueError(f"{quoted(attribute)} is no attribute: give a keyword (PatientID) or a tag (0x00100020)")
    return int(tag)
