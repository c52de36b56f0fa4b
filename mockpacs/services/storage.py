"""C-STORE: the Storage service class as SCP (PS3.4 Annex B)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mockpacs.archive import Archive, Spool, Stored
from mockpacs.services.request import Lane, Outcome, Request
from mockpacs.wire.status import CANNOT_UNDERSTAND, SOP_CLASS_NOT_SUPPORTED

BIT_PRESERVING = bytes((2, 0, 3, 0, 0, 0))
"""Level 2 (all attributes kept), signature level 3 (bits preserved), nothing coerced (PS3.4 B.3.1)."""


def agree(proposed: bytes) -> bytes:
    """The answer to Storage extended negotiation: what this archive does, in as many bytes as were asked for."""
    return BIT_PRESERVING[: max(1, len(proposed))]


class StorageService:
    """Hands complete data sets to the archive and says what became of them."""

    lane = Lane.WRITER

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def answer(self, request: Request) -> Iterable[Outcome]:
        """The one outcome of one request."""
        return self.answer_all([request])

    def answer_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome each. Success and warnings mean: under its final name on disk and committed to the index."""
        refusals = [_refusal(request) for request in requests]
        kept: list[Spool] = []
        for request, refusal in zip(requests, refusals, strict=True):
            if isinstance(request.data, Spool):
                if refusal:
                    request.data.discard()
                else:
                    kept.append(request.data)
        stored = iter(self._archive.store(kept))
        return [refusal or _outcome(next(stored)) for refusal in refusals]

    def answer_at_once(self, request: Request) -> Outcome | None:
        """The one outcome of one request, unless somebody else is at the index."""
        if not isinstance(request.data, Spool) or _refusal(request):
            return self.answer_all([request])[0]
        stored = self._archive.store_at_once(request.data)
        return _outcome(stored) if stored else None

    def tidy(self) -> None:
        """Fold the log of the index into its file."""
        self._archive.checkpoint()


def _refusal(request: Request) -> Outcome | None:
    """What can be refused before the archive is asked."""
    command, context = request.command, request.context
    if not isinstance(request.data, Spool):
        return Outcome(CANNOT_UNDERSTAND, comment="No data set came with the request")
    if command.affected_sop_class != context.abstract_syntax:
        comment = "Affected SOP Class is not the one of the presentation context"
        return Outcome(SOP_CLASS_NOT_SUPPORTED, comment=comment)
    return None


def _outcome(stored: Stored) -> Outcome:
    return Outcome(stored.status, comment=stored.comment, offending=tuple(stored.offending))
