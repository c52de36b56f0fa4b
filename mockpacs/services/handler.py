"""A Python function that answers requests, as the server sees it, and what went wrong in it. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mockpacs.services.handler_request import HandlerRequest


@dataclass(frozen=True, slots=True)
class HandlerFailure:
    """A handler raised, or gave back what is no answer."""

    name: str
    """The handler."""
    request: str
    """What it was asked: ``C-FIND 3.1 from CT1``."""
    exception: BaseException
    traceback: str
    """From the handler's first line on; where it is written, when it did not raise but gave back nonsense."""

    def __str__(self) -> str:
        told = f"{type(self.exception).__name__}: {self.exception}" if str(self.exception) else repr(self.exception)
        return f"handler {self.name}, {self.request}: {told}\n{self.traceback.rstrip()}"


class Handler(Protocol):
    """What ``call`` of a step leads to."""

    @property
    def name(self) -> str:
        """What it is called wherever it is told."""

    @property
    def place(self) -> str:
        """Where it is written: ``path:line``, "" when that is not known."""

    def __call__(self, request: HandlerRequest) -> object:
        """Answer; any thread, several at once. See `mockpacs.services.handled` for what may come back."""

    def failed(self, failure: HandlerFailure) -> None:
        """Keep that something went wrong. Any thread."""
