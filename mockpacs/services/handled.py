"""What becomes of what a handler gives back: outcomes, the final one last. Whatever a handler does is told, not raised.

A handler gives back None (behave honestly), a status, `Reply` objects, data sets, or several of them in a list or from
a generator. A Success never lies by accident: where the honest service fails, a handler's success gives way to that.
"""

from __future__ import annotations

import inspect
import os
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from mockpacs.services.handler import Handler, HandlerFailure
from mockpacs.services.handler_request import HandlerRequest
from mockpacs.services.precedence import gives_way
from mockpacs.services.reply import WITH_MATCHES, Reply, is_dataset, is_match
from mockpacs.services.request import Outcome
from mockpacs.wire.status import CANCEL, PENDING, PROCESSING_FAILURE, SUCCESS, Category, category_of
from mockpacs.written.kinds import quoted

_DONE: Final = (Category.SUCCESS, Category.WARNING)
_OURS: Final = f"{Path(__file__).parents[1]}{os.sep}"
_ALLOWED: Final = (
    'a handler gives back None (behave honestly), a status (0xA700, "out-of-resources"), request.reply(...), '
    "a data set (a pydicom Dataset, {keyword: value}), or several of these in a list or from a generator"
)

_NOTHING_MORE: Final = (
    "nothing can follow a final status; a status with a data set is request.reply(status, dataset=...)"
)


def outcomes(handler: Handler, request: HandlerRequest, tell: Callable[[str], None]) -> Iterator[Outcome]:
    """Call a handler; all it says, the final outcome last. To be read and closed in one thread, which may block.

    ``tell`` is told, in that thread, what went wrong, before the outcome that says so; the handler is told as well.
    """
    call = _Call(handler, request, tell)
    try:
        yield from call.outcomes()
    finally:
        request.close()


class _Call:
    """One call of a handler."""

    def __init__(self, handler: Handler, request: HandlerRequest, tell: Callable[[str], None]) -> None:
        self._handler = handler
        self._request = request
        self._tell = tell
        self._has_failed = False

    def outcomes(self) -> Iterator[Outcome]:
        """Everything."""
        try:
            returned = self._handler(self._request)
        except BaseException as error:  # noqa: BLE001 - also what pytest.fail raises: it is told, and ends no thread
            yield self._raised(error)
            return
        if returned is None:
            yield from self._honestly()
        elif _is_one(returned):
            yield from self._all(iter((returned,)))
        elif isinstance(returned, Iterable) and not isinstance(returned, bytes | bytearray | memoryview):
            yield from self._all(returned)
        else:
            if inspect.iscoroutine(returned):
                returned.close()  # nobody will wait for it, and nobody shall be warned of that
            yield self._nonsense(returned, TypeError(_ALLOWED))

    def _all(self, items: Iterable[object]) -> Iterator[Outcome]:
        """One after the other until a final one. After a C-CANCEL nothing more is asked for; a final one still goes."""
        said = _said(items)
        try:
            while True:
                outcome = self._next(said)
                if outcome is not None and not is_match(self._request.service, outcome):
                    if isinstance(items, Sequence) and not self._has_failed and next(said, said) is not said:
                        outcome = self._nonsense(items, ValueError(_NOTHING_MORE))
                    break
                if not self._request.cancelled:
                    if outcome is None:
                        yield from self._ending()
                        return
                    yield outcome
                if self._request.cancelled:
                    outcome = Outcome(CANCEL)
                    break
            self._close(said)
            yield self._checked(outcome)
        finally:
            self._close(said)

    def _next(self, said: Iterator[object]) -> Outcome | None:
        """What is said next, None when that was all."""
        try:
            item = next(said)
        except StopIteration:
            return None
        except BaseException as error:  # noqa: BLE001 - as above
            return self._raised(error)
        try:
            return self._reply(item).outcome(self._request.transfer_syntax)
        except Exception as error:  # noqa: BLE001 - pydicom raises what it likes about values that are none
            return self._nonsense(item, error)

    def _reply(self, item: object) -> Reply:
        if isinstance(item, Reply):
            return item
        if isinstance(item, int | str):
            return self._request.reply(item)
        if is_dataset(item):
            status = PENDING if self._request.service == "C-FIND" else SUCCESS
            return self._request.reply(status, dataset=item)  # type: ignore[arg-type]  # it was looked at
        raise TypeError(_ALLOWED)

    def _ending(self) -> Iterator[Outcome]:
        """The handler said nothing final: matches are followed by what the honest service ended with, else 0000."""
        honest = self._request.honest_final
        if honest is not None:
            yield honest.outcome(self._request.transfer_syntax)
        elif self._request.service in WITH_MATCHES:
            yield Outcome(SUCCESS)
        else:
            yield from self._honestly()

    def _honestly(self) -> Iterator[Outcome]:
        honest = self._request.honest()
        while (reply := next(honest, None)) is not None and reply.is_match:
            yield reply.outcome(self._request.transfer_syntax)
        yield honest.final.outcome(self._request.transfer_syntax)

    def _checked(self, outcome: Outcome) -> Outcome:
        """A final outcome; before a C-STORE is said to be stored it is."""
        if category_of(outcome.status) not in _DONE:
            return outcome
        honest = self._request.honest_final
        if honest is None and self._request.service == "C-STORE" and self._request.is_served:
            honest = self._request.honest().final
        said = honest.outcome(self._request.transfer_syntax) if honest is not None else None
        return said if said is not None and gives_way(outcome.status, said) else outcome

    def _close(self, said: Generator[object, None, None]) -> None:
        """The handler is asked for nothing more: its ``finally`` runs. The answer stands, whatever happens there."""
        try:
            said.close()
        except BaseException as error:  # noqa: BLE001 - as above
            self._raised(error)

    def _raised(self, error: BaseException) -> Outcome:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OURS):
            trace = trace.tb_next
        shown = traceback.format_exception(type(error), error, trace or error.__traceback__)
        traceback.clear_frames(error.__traceback__)  # it is kept, and would keep the data set
        self._failed(error, "".join(shown))
        comment = f"{type(error).__name__} in the handler {self._handler.name}"
        return Outcome(PROCESSING_FAILURE, comment=comment)

    def _nonsense(self, item: object, reason: Exception) -> Outcome:
        text = f"{_shown(item)} is no answer: {reason or repr(reason)}"
        where = f"{self._handler.name}, {self._handler.place}" if self._handler.place else self._handler.name
        self._failed(TypeError(text) if type(reason) is TypeError else ValueError(text), where)
        return Outcome(PROCESSING_FAILURE, comment=f"No valid answer from the handler {self._handler.name}")

    def _failed(self, error: BaseException, trace: str) -> None:
        self._has_failed = True
        failure = HandlerFailure(self._handler.name, repr(self._request), error, trace)
        self._handler.failed(failure)
        self._tell(f"handler {self._handler.name} failed: {type(error).__name__}: {error}")


def _said(items: Iterable[Any]) -> Generator[object, None, None]:
    """What is in a list, or what a generator yields and then what it returns."""
    returned: Any = yield from items  # type: ignore[func-returns-value]  # of a generator that is
    if returned is not None:
        yield returned


def _shown(item: object) -> str:
    try:
        return f"this {type(item).__name__}" if hasattr(item, "to_json_dict") else quoted(item)
    except Exception:  # noqa: BLE001 - a repr of somebody else
        return f"this {type(item).__name__}"


def _is_one(value: object) -> bool:
    return isinstance(value, int | str | Reply) or is_dataset(value)
