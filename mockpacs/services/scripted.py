"""Scripted answers: what an act of a scenario makes of what a service says, or says in its place.

Pure transformations of outcomes. Nothing here waits, draws or sends: how fast responses leave is for others to decide.
A Success never lies by accident: where the honest service fails, a scripted success or warning gives way to that.
The sub-operations of a retrieve are done once, whatever is said about them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

from mockpacs.archive import Spool
from mockpacs.scenario.alteration import altered
from mockpacs.scenario.answers import AnswerSet
from mockpacs.scenario.decision import Act
from mockpacs.scenario.moments import QUERIES, RETRIEVES
from mockpacs.scenario.step import Pending
from mockpacs.scenario.values import status_code
from mockpacs.services.precedence import gives_way
from mockpacs.services.request import Outcome, Request, Service, SubOperations
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.status import (
    CANCEL,
    PENDING,
    PROCESSING_FAILURE,
    SUCCESS,
    UNRECOGNIZED_OPERATION,
    Category,
    category_of,
)
from mockpacs.written.kinds import Refused, quoted

_DONE = (Category.SUCCESS, Category.WARNING)
_COUNTS_REMAINING = (Category.PENDING, Category.CANCEL)
_EXPLANATIONS = frozenset(("comment", "offending", "error_id"))


def stores(act: Act | None) -> bool:
    """Whether the data set of a C-STORE goes to the archive: unless the act says so itself, not with a failure."""
    if act is None or act.step.store is not None:
        return act is None or bool(act.step.store)
    return act.status is None or category_of(act.status) in _DONE


def after_store(act: Act | None, honest: Outcome | None) -> Outcome:
    """What is answered when the archive said this; None: it was not asked, because it is not to be or cannot be."""
    if act is None:
        return honest or _nobody("C-STORE")
    return _unasked(act, "C-STORE") if honest is None else _final(honest, act)


def relabelled(outcome: Outcome, act: Act | None) -> Outcome:
    """The outcome in the words of the act, as far as it has any; an empty comment is no comment.

    Of a retrieve the counters stay, and so does the list of what failed where the status allows one.
    """
    if act is None:
        return outcome
    step = act.step
    said: dict[str, Any] = {} if act.status is None else {"status": act.status}
    said |= {name: getattr(step, name) for name in _EXPLANATIONS & step.model_fields_set}
    worded = replace(outcome, **{name: value for name, value in said.items() if value is not None})
    return worded if act.status is None else _fitting(worded)


def _fitting(outcome: Outcome) -> Outcome:
    """A response of a retrieve without what one of that status must not have (PS3.4 C.4.2.1.4.2, C.4.2.1.6)."""
    counts, category = outcome.counts, category_of(outcome.status)
    if counts is None:
        return outcome
    if counts.remaining is not None and category not in _COUNTS_REMAINING:
        counts = counts._replace(remaining=None)
    has_list = category not in (Category.SUCCESS, Category.PENDING)
    return replace(outcome, counts=counts, data=outcome.data if has_list else None)


def stream(
    act: Act | None, request: Request, honest: Service | None, answers: Mapping[str, AnswerSet]
) -> Iterator[Outcome]:
    """All responses to a request, the final one last; endless when the act says so, until the request is cancelled.

    Only a C-FIND has pending responses with data sets of the scenario; for other services the first of the set goes
    with the final response. Without an honest service the act is all there is: retrieve and N- services can be scripted
    before anybody serves them.
    """
    service = request.command.service
    if act is None:
        yield from honest.answer(request) if honest is not None else (_nobody(service),)
    elif service == "C-STORE":
        yield _stored(act, request, honest)
    else:
        try:
            yield from _Script(act, request, honest, answers).responses()
        except Refused as no:  # a loader has seen all that was written in a file; this was made in Python
            yield Outcome(PROCESSING_FAILURE, comment=no.problems[0][1])


class _Script:
    """One act about one request that is no C-STORE."""

    def __init__(self, act: Act, request: Request, honest: Service | None, answers: Mapping[str, AnswerSet]) -> None:
        self._act = act
        self._request = request
        self._honest = honest
        self._service = request.command.service
        self._encoding = Encoding.of(request.context.transfer_syntax)
        self._set = _answer_set(act, answers)
        self._pending = act.step.pending or Pending()
        self._is_find = self._service == "C-FIND"
        self._has_pending = self._service in QUERIES and act.step.pending is not None
        self._has_pending = self._has_pending or (self._is_find and self._set is not None)

    def responses(self) -> Iterator[Outcome]:
        """The responses, the final one last."""
        status = self._act.status
        if not self._has_pending and (self._honest is None or not (status is None or category_of(status) in _DONE)):
            yield self._with_data(_unasked(self._act, self._service, has_data=self._set is not None))
            return
        if self._honest is not None and self._service in RETRIEVES:
            yield from self._retrieved(self._honest)
            return
        final = Outcome(SUCCESS)
        goes_on = True
        while goes_on:
            goes_on = False
            for outcome in _shortened(self._round(), self._pending):
                if not _is_pending(outcome):
                    final = outcome
                    continue
                yield self._shaped(outcome)
                goes_on = self._pending.forever
                if goes_on and self._request.cancelled():
                    break
            if goes_on and self._request.cancelled():
                yield Outcome(CANCEL)
                return
        yield self._with_data(_final(final, self._act))

    def _retrieved(self, honest: Service) -> Iterator[Outcome]:
        """The responses to a retrieve, of which those that are not wanted are left out."""
        to_skip, left = self._pending.skip, self._pending.take
        last: Outcome | None = None
        final = Outcome(SUCCESS)
        with closing(_closable(honest.answer(self._request))) as outcomes:
            for outcome in outcomes:
                if not _is_pending(outcome):
                    final = outcome
                    continue
                last = outcome
                if to_skip:
                    to_skip -= 1
                elif left is None or left > 0:
                    left = None if left is None else left - 1
                    yield self._shaped(outcome)
        again = _repeated(last, final) if self._pending.forever else None
        if again is not None:
            while not self._request.cancelled():
                yield self._shaped(again)
            yield _fitting(replace(final, status=CANCEL))
        else:
            yield self._with_data(_final(final, self._act))

    def _round(self) -> Iterable[Outcome]:
        """The responses once, before anything is changed in them."""
        if self._is_find and self._set is not None:
            return self._matches(self._set)
        if self._honest is not None:
            return self._honest.answer(self._request)
        if self._is_find:
            return ()
        count = 1 if self._pending.take is None else self._pending.take
        return (Outcome(PENDING, counts=SubOperations(done, 0, 0, count - done)) for done in range(1, count + 1))

    def _matches(self, answers: AnswerSet) -> Iterator[Outcome]:
        for data in answers.encoded(self._encoding):
            if self._request.cancelled():
                yield Outcome(CANCEL)
                return
            yield Outcome(PENDING, data=data)

    def _shaped(self, outcome: Outcome) -> Outcome:
        """One pending response with what the act changes in it."""
        wanted = self._pending.status
        status = None if wanted is None else status_code(wanted, self._service)
        data = None if outcome.data is None else self._altered(outcome.data)
        counts = outcome.counts
        if counts is not None and self._pending.remaining is not None:
            counts = counts._replace(remaining=self._pending.remaining)
        return replace(outcome, status=outcome.status if status is None else status, data=data, counts=counts)

    def _altered(self, data: bytes) -> bytes:
        pending = self._pending
        return altered(data, self._encoding, pending.set, pending.remove, pending.cut)

    def _with_data(self, final: Outcome) -> Outcome:
        """The final response, with the data set that the act has for it."""
        if self._is_find or self._set is None or category_of(final.status) is Category.CANCEL:
            return final
        first = next(iter(self._set.encoded(self._encoding)), None)
        return final if first is None else replace(final, data=self._altered(first))


def _shortened(outcomes: Iterable[Outcome], pending: Pending) -> Iterator[Outcome]:
    """The pending responses that are wanted, then the final one, which nobody waits for when enough have been taken."""
    source = iter(outcomes)
    to_skip, left = pending.skip, pending.take
    while left is None or left > 0:
        outcome = next(source, None)
        if outcome is None:
            return
        if _is_pending(outcome):
            if to_skip:
                to_skip -= 1
                continue
            left = None if left is None else left - 1
        yield outcome


def _is_pending(outcome: Outcome) -> bool:
    return category_of(outcome.status) is Category.PENDING


def _stored(act: Act, request: Request, honest: Service | None) -> Outcome:
    """For who has no thread for the archive: the C-STORE is done here and now."""
    if honest is not None and stores(act):
        (outcome,) = honest.answer(request)
        return after_store(act, outcome)
    if isinstance(request.data, Spool):
        request.data.discard()
    return after_store(act, None)


def _final(honest: Outcome, act: Act) -> Outcome:
    """The final response of an act, with what the service said."""
    return honest if act.status is not None and gives_way(act.status, honest) else relabelled(honest, act)


def _repeated(last: Outcome | None, final: Outcome) -> Outcome | None:
    """The pending response of a retrieve that comes again and again: its last one, else one that tells the same.

    None when there is nothing to repeat: it found nothing, or failed before it began.
    """
    if last is not None or final.counts is None or not any(final.counts):
        return last
    return Outcome(PENDING, counts=final.counts._replace(remaining=final.counts.remaining or 0))


def _closable(outcomes: Iterable[Outcome]) -> Generator[Outcome]:
    """What is closed when it is not wanted any more: a retrieve must not go on when nobody listens."""
    source = iter(outcomes)
    try:
        yield from source
    finally:
        if hasattr(source, "close"):
            source.close()


def _answer_set(act: Act, answers: Mapping[str, AnswerSet]) -> AnswerSet | None:
    """The data sets that an act names or holds. Raises `Refused` for a name that means nothing."""
    written = act.step.answer
    if written is None and act.step.pending is not None:
        written = act.step.pending.source
    if written is None or isinstance(written, AnswerSet):
        return written
    if not isinstance(written, str):
        return AnswerSet.of(written)
    if written not in answers:
        raise Refused((written, f"There is no set of answers {quoted(written)} under data"))
    return answers[written]


def _unasked(act: Act, service: str, *, has_data: bool = False) -> Outcome:
    """The response of an act about which no service is asked, or none can be."""
    is_said = act.status is not None or has_data or act.step.store is False
    return relabelled(Outcome(SUCCESS) if is_said else _nobody(service), act)


def _nobody(service: str) -> Outcome:
    """The answer where nobody serves a request."""
    return Outcome(UNRECOGNIZED_OPERATION, comment=f"{service} is not served on this presentation context")
