"""C-FIND: the Query/Retrieve service class, query half, as SCP (PS3.4 Annex C)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mockpacs.archive import Archive, Model, QueryOptions
from mockpacs.errors import IdentifierError, StorageError
from mockpacs.services.request import Lane, Outcome, Request
from mockpacs.wire import Encoding
from mockpacs.wire.status import CANCEL, DOES_NOT_MATCH, OUT_OF_RESOURCES, PENDING, PENDING_WITH_WARNING, SUCCESS

# PS3.4 C.5.1.1.1, byte by byte: relational queries, combined date-time matching, fuzzy matching of names, timezone
# adjustment, enhanced multi-frame conversion, empty value matching, multiple value matching. 1 where it is really done.
_DONE: Final = bytes((1, 1, 0, 1, 0, 1, 1))


def agree(proposed: bytes) -> bytes:
    """The answer to extended negotiation: a 1 where one was proposed and is done, as many bytes as were proposed."""
    answer = bytes(int(wish == 1 and can == 1) for wish, can in zip(proposed, _DONE, strict=False))
    return answer or b"\0"


@dataclass(slots=True)
class QueryService:
    """Finds in the archive and streams the matches; a C-CANCEL ends the stream between two of them."""

    archive: Archive
    model: Model
    options: QueryOptions
    lane: Lane = Lane.READER

    def answer(self, request: Request) -> Iterable[Outcome]:
        """Pending outcomes with identifiers, then one final without (PS3.4 C.4.1.1.4)."""
        if not isinstance(request.data, bytes):
            yield Outcome(DOES_NOT_MATCH, comment="No identifier came with the request")
            return
        encoding = Encoding.of(request.context.transfer_syntax)
        try:
            for outcome in self._matches(request, request.data, encoding):
                if request.cancelled():
                    break
                yield outcome
        except IdentifierError as error:
            yield Outcome(error.status, comment=str(error), offending=error.offending)
            return
        except StorageError as error:
            yield Outcome(OUT_OF_RESOURCES, comment=str(error))
            return
        if request.cancelled():
            yield Outcome(CANCEL)
        else:
            yield Outcome(SUCCESS)

    def _matches(self, request: Request, identifier: bytes, encoding: Encoding) -> Iterator[Outcome]:
        options = _negotiated(self.options, request.agreed.get(request.context.abstract_syntax, b""))
        for match in self.archive.find(identifier, encoding, self.model, options, request.cancelled):
            yield Outcome(PENDING if match.complete else PENDING_WITH_WARNING, data=match.dataset)


def _negotiated(options: QueryOptions, agreed: bytes) -> QueryOptions:
    """The options of this association; bytes that were not proposed count as 0 (PS3.4 C.5.1.1.1)."""
    relational, combined, _fuzzy, timezone, _conversion, empty, multiple = agreed.ljust(7, b"\0")[:7]
    return replace(
        options,
        relational=bool(relational),
        combined_datetime=bool(combined),
        timezone_adjustment=bool(timezone),
        empty_value=bool(empty),
        multiple_value=bool(multiple),
    )
