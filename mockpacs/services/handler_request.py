"""One request as a handler sees it: used in the thread of the handler, and of little use when that has returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from mockpacs.archive import Spool
from mockpacs.services.decoding import decode
from mockpacs.services.reply import RETRIEVES, Honest, Reply
from mockpacs.services.request import Outcome, Request, never
from mockpacs.traffic.exchange import Association
from mockpacs.wire.status import UNRECOGNIZED_OPERATION
from mockpacs.wire.text import printable

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Serve = Callable[[], Iterator[Outcome]]
"""The honest responses to a request; a C-STORE is stored, once, however often that is called."""

_OVER: Final = "the exchange is over; read the data set, or be honest, while the handler runs"
_STORED: Final = "the archive has the data set now; read request.dataset before request.honest()"


class HandlerRequest:
    """What a handler is asked: by whom, about what, and how to answer."""

    def __init__(
        self,
        request: Request,
        association: Association,
        number: int = 1,
        serve: Serve | None = None,
        *,
        is_stored: bool = False,
    ) -> None:
        """``number``: which exchange of its association; ``serve``: the service, None where nobody serves this.

        ``is_stored``: the archive has the data set already.
        """
        command, context = request.command, request.context
        self.service: str = command.service
        """``C-FIND``, ``N-ACTION``, ..."""
        self.association = association
        """Who asks: number, address, AE titles, user."""
        self.number = number
        """Which exchange of its association, counted from 1."""
        self.calling = association.calling
        self.called = association.called
        self.peer = association.address.rpartition(":")[0].strip("[]")
        """The address of the peer, without its port."""
        self.command = command
        """The command set of the request."""
        self.sop_class = command.affected_sop_class or command.requested_sop_class or context.abstract_syntax
        self.sop_instance = command.affected_sop_instance or command.requested_sop_instance or ""
        """The SOP Instance UID that the command names, "" when it names none."""
        self.destination = command.move_destination or ""
        """The AE title a C-MOVE sends to, "" for other services."""
        self.transfer_syntax = context.transfer_syntax
        self._data = request.data
        self._dataset: Dataset | None = None
        self._why_gone = _STORED if is_stored else ""
        self._cancelled = request.cancelled
        self._serve = serve
        self._honest: list[Honest] = []

    @property
    def id(self) -> str:
        """``3.1``: the first exchange of the third association."""
        return f"{self.association.number}.{self.number}"

    @property
    def dataset(self) -> Any:
        """The data set or identifier as a pydicom Dataset, None when none came; decoded when first asked for.

        To change it changes nothing in what is stored. Raises ValueError when it cannot be read.
        """
        if self._dataset is None and self._data is not None:
            if self._why_gone:
                raise ValueError(self._why_gone)
            self._dataset = decode(self._data, self.transfer_syntax)
        return self._dataset

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits any more: a C-CANCEL came, or the association ended. A handler that takes long looks."""
        return self._cancelled()

    @property
    def is_served(self) -> bool:
        """Whether there is somebody who would answer this honestly."""
        return self._serve is not None

    def reply(
        self,
        status: int | str = 0,
        comment: str = "",
        dataset: Dataset | Mapping[Any, Any] | None = None,
        *,
        offending: Iterable[int | str] = (),
        error_id: int | None = None,
        completed: int | None = None,
        failed: int | None = None,
        warning: int | None = None,
        remaining: int | None = None,
    ) -> Reply:
        """A response to give back; the numbers count the sub-operations of a C-GET or C-MOVE.

        Raises TypeError and ValueError with a sentence.
        """
        return Reply(
            *(self.service, self.transfer_syntax, status, comment, dataset),
            offending=offending,
            error_id=error_id,
            completed=completed,
            failed=failed,
            warning=warning,
            remaining=remaining,
        )

    def honest(self) -> Honest:
        """The responses of the server as if no rule were there, to pass on, filter or change. A C-STORE is stored."""
        if self._why_gone == _OVER:
            raise ValueError(_OVER)
        if isinstance(self._data, Spool) and self._serve is not None:
            self._why_gone = _STORED
        outcomes = self._serve() if self._serve is not None else iter((self._nobody(),))
        self._honest.append(Honest(outcomes, self.service, self._made))
        return self._honest[-1]

    @property
    def honest_final(self) -> Reply | None:
        """The final response of the honest ones that were read to their end last, None when there are none.

        A retrieve that was begun is read to its end for that: what becomes of its sub-operations decides.
        """
        if self.service in RETRIEVES and self._honest:
            return self._honest[-1].final
        return next((one.final_if_read for one in reversed(self._honest) if one.final_if_read is not None), None)

    def close(self) -> None:
        """The handler is done."""
        for one in self._honest:
            one.close()
        self._why_gone = _OVER
        self._data = b"" if self._data is not None else None  # a test may keep the request for long
        self._serve = None
        is_cancelled = self._cancelled()
        self._cancelled = (lambda: True) if is_cancelled else never

    def __repr__(self) -> str:
        return f"{self.service} {self.id} from {printable(self.calling) or self.peer}"

    def _made(self, outcome: Outcome) -> Reply:
        return Reply.of(outcome, self.service, self.transfer_syntax)

    def _nobody(self) -> Outcome:
        return Outcome(UNRECOGNIZED_OPERATION, comment=f"{self.service} is not served on this presentation context")
