"""The Python functions that answer requests, by name, and what went wrong in them. Calls none of them itself."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mockpacs.errors import ConfigurationError
from mockpacs.services.handler import Handler, HandlerFailure

if TYPE_CHECKING:  # it needs pydantic: not paid before a handler is called
    from mockpacs.services.handler_request import HandlerRequest

__all__ = ["Handler", "HandlerFailure", "Handlers"]

_NAMELESS: Final = "handler"
_MOST_KEPT: Final = 100
"""Failures that are kept: a client that tries again and again meets the same one for ever."""


@dataclass(frozen=True, slots=True)
class _Registered:
    """A function and its name."""

    name: str
    place: str
    function: Callable[[Any], object]
    failed: Callable[[HandlerFailure], None] = field(repr=False)

    def __call__(self, request: HandlerRequest) -> object:
        return self.function(request)


class Handlers(Mapping[str, Handler]):
    """The functions that steps with ``call`` name. Any thread."""

    def __init__(self) -> None:
        self.failures: list[HandlerFailure] = []
        """What went wrong, in order, also in handlers that were taken away since; the first 100."""
        self._known: dict[str, Handler] = {}  # replaced, never changed: who reads it needs no lock
        self._lock = threading.Lock()

    def add(self, function: Callable[[Any], object], name: str = "") -> str:
        """Its name from now on: ``name``, else its own; with a number when that is taken: "find 2".

        Raises `ConfigurationError` for what cannot be called with a request, or is async.
        """
        _check(function)
        wanted = name or _name_of(function)
        with self._lock:
            called, number = wanted, 1
            while called in self._known:
                number += 1
                called = f"{wanted} {number}"
            made = _Registered(called, _place_of(function), function, self._keep)
            self._known = {**self._known, called: made}
        return called

    def remove(self, name: str) -> bool:
        """Take a function away; one that runs goes on. Whether there was one of that name."""
        with self._lock:
            was_there = name in self._known
            self._known = {known: handler for known, handler in self._known.items() if known != name}
        return was_there

    def clear(self) -> None:
        """Take all away. Failures are kept: see `forget`."""
        with self._lock:
            self._known = {}

    def forget(self) -> None:
        """What went wrong so far does not matter any more."""
        self.failures.clear()

    def _keep(self, failure: HandlerFailure) -> None:
        if len(self.failures) < _MOST_KEPT:
            self.failures.append(failure)

    def __getitem__(self, name: str) -> Handler:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _check(function: object) -> None:
    if not callable(function):
        raise ConfigurationError(f"{function!r} is no function: a handler is called with the request")
    name = _name_of(function)
    asked = (function, getattr(function, "__call__", None))  # noqa: B004 - whether that is async
    if any(inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in asked):
        raise ConfigurationError(
            f"{name} is an async function; a handler runs in a thread of its own, where it may block: write def"
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # something built in: nobody knows
    try:
        signature.bind(None)
    except TypeError:
        raise ConfigurationError(
            f"{name}{signature} cannot be called with one argument; a handler gets the request: def {name}(request)"
        ) from None


def _name_of(function: object) -> str:
    name = getattr(function, "__name__", "") or type(function).__name__
    return name if isinstance(name, str) and name.isidentifier() else _NAMELESS


def _place_of(function: object) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code is not None else ""
