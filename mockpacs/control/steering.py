"""What a test does with a running server: script it, wait for what happens, check what happened, put it back."""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from mockpacs.control.aside import aside
from mockpacs.control.desk import Desk
from mockpacs.errors import ConfigurationError, VerificationError
from mockpacs.traffic.exchange import Exchange
from mockpacs.written.kinds import quoted

if TYPE_CHECKING:  # the language of scenarios loads with the first rule, the filter with the first question
    from mockpacs.control.connection import Connection
    from mockpacs.control.fluent import When
    from mockpacs.control.peers import Peers
    from mockpacs.control.rules import Rules
    from mockpacs.traffic.filter.language import Filter
    from mockpacs.traffic.findings.finding import Finding
    from mockpacs.traffic.journal import Match

F = TypeVar("F", bound=Callable[..., Any])

_OURS: Final = f"{Path(__file__).parent.parent}{os.sep}"


class Steering:
    """The part of `MockPACS` that test authors use. ``desk``: the server, while it serves and after it has stopped."""

    def __init__(self) -> None:
        self._unfinished: list[When] = []
        self._allowed: list[str] = []

    @property
    def desk(self) -> Desk:
        """From where the server is steered. Raises `StartError` when it never served."""
        raise NotImplementedError

    # rules

    @property
    def rules(self) -> Rules:
        """The rules that are played; ``print(pacs.rules)`` shows them as a YAML scenario."""
        return self.desk.rules

    def when(self, what: str, /, *, name: str = "", **conditions: Any) -> When:
        """A rule about a service (C-STORE) or an event (associate), to be ended with what happens then.

        >>> from mockpacs import MockPACS
        >>> with MockPACS() as pacs:
        ...     rule = pacs.when("C-STORE", calling="CT*").reply("out-of-resources", times=2)

        The conditions are those of ``when`` in a scenario: calling, called, peer, sop_class, query, dataset, at, ... It
        stands above all rules that are there. What cannot be is told by what ends it, as a `ScenarioError`.
        """
        from mockpacs.control.fluent import When
        from mockpacs.control.fluent import conditions as read

        _check(what, "when")
        return When(
            self.rules, _caller(), {**({"name": name} if name else {}), **read(what, conditions)}, self._unfinished
        )

    def on(self, what: str, /, *, name: str = "", **more: Any) -> Callable[[F], F]:
        """Have a Python function answer: ``@pacs.on("C-FIND", calling="CT*", times=1)``.

        It is called with the request and returns what is answered: see docs/testing.md. Conditions and the keys of a
        rule (times, nth, chance, per) are as for `when`. Raises `ScenarioError`.
        """
        from mockpacs.control.fluent import conditions, split

        _check(what, "on")
        place = _caller()
        given, of_rule = split(more)

        def register(function: F) -> F:
            called = self.desk.handlers.add(function, name)
            rule = {"name": called, "when": conditions(what, given), "then": {"call": called}, **of_rule}
            try:
                self.rules.add(rule, place=place)
            except Exception:
                self.desk.handlers.remove(called)
                raise
            return function

        return register

    # others

    @property
    def peers(self) -> Peers:
        """Whom the server may call; ``pacs.peers.add("WORKSTATION", "127.0.0.1", 11113)`` makes a move destination."""
        return self.desk.peers

    def connect(self, peer: str, /, *what: Any, calling: str = "", timeout: float | None = None) -> Connection:
        """Open an association to a peer, recorded as all others: to test who is on the other side.

        >>> from mockpacs import MockPACS
        >>> with MockPACS() as pacs:
        ...     pacs.peers.add("OURSELVES", pacs.host, pacs.port).aet
        ...     with pacs.connect("OURSELVES") as association:
        ...         association.echo()
        'OURSELVES'
        <C-ECHO-RSP 0000 success>

        ``peer``: the title of one of `peers`. ``what`` is proposed: SOP classes by name or UID, pairs of one and its
        transfer syntaxes, or files and Datasets that are to be stored; by itself verification and the query models.
        ``calling``: our title, else that of the server. ``timeout``: seconds for connecting and the answer together,
        else the option artim_timeout for each. It blocks. Raises `AssociationError`.
        """
        from mockpacs.control.connection import connect

        return connect(self.desk, peer, what, calling, None if timeout is None else _seconds(timeout))

    # looking

    @property
    def exchanges(self) -> list[Exchange]:
        """What was asked and answered so far, the oldest first; nothing that a client has seen answered is missing."""
        self.desk.settle()
        return self.desk.journal.exchanges

    @property
    def findings(self) -> list[Finding]:
        """What peers did that the standard does not allow, read from the recording."""
        from mockpacs.control.checkup import findings

        return findings(self.desk)

    @overload
    def wait_for(self, what: str | None = None, /, *, count: None = None, **terms: Any) -> Exchange: ...
    @overload
    def wait_for(self, what: str | None = None, /, *, count: int, **terms: Any) -> list[Exchange]: ...
    def wait_for(
        self, what: str | None = None, /, *, count: int | None = None, timeout: float = 10.0, **terms: Any
    ) -> Exchange | list[Exchange]:
        """Wait until an exchange matches and return it; with ``count`` that many, as a list. Earlier ones count.

        ``what`` is a service; the terms are keys of the filter (status, calling, rule, dataset={...}, ...), ``filter``
        a whole filter, ``where`` a function of an exchange. It blocks for at most ``timeout`` seconds; `async_wait_for`
        does not. Raises `WaitError`, which says what came instead, and `FilterError`.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        from mockpacs.control.verification import wait_for

        found = wait_for(self.desk, _match(what, terms), 1 if count is None else count, _seconds(timeout))
        return found[0] if count is None else found

    async def async_wait_for(self, what: str | None = None, /, **how: Any) -> Any:
        """As `wait_for`, for a coroutine: the event loop goes on meanwhile."""
        return await aside(lambda: self.wait_for(what, **how))

    def verify(
        self, what: str | None = None, /, *, count: int | str | None = None, timeout: float = 0.0, **terms: Any
    ) -> list[Exchange]:
        """Check how many exchanges match: exactly ``count``, "2..4", "3..", or at least one. Returns them.

        Whatever a client has seen answered is counted. ``timeout`` seconds are waited for what is still to come. The
        terms are those of `wait_for`. Raises `VerificationError`, an AssertionError that shows what came nearest.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        from mockpacs.control.verification import verify

        return verify(self.desk, _match(what, terms), count, _seconds(timeout))

    async def async_verify(self, what: str | None = None, /, **how: Any) -> list[Exchange]:
        """As `verify`, for a coroutine: the event loop goes on meanwhile."""
        return await aside(lambda: self.verify(what, **how))

    # checking and putting back

    def allow(self, *checks: str) -> None:
        """What peers may do although the standard does not allow it: names of checks, patterns; ``*`` is all."""
        self._allowed += checks

    def check(self) -> None:
        """Fail when something is wrong that a test may not have looked at.

        That is: an expectation of a scenario that is not met, a handler that raised, a rule added by code that never
        fired, a `when` that was never ended, a peer that broke the protocol. Raises `VerificationError`.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        if complaints := self.complaints():
            raise VerificationError("\n\n".join(complaints))

    def complaints(self) -> list[str]:
        """What `check` raises, a paragraph each; empty when all is well."""
        from mockpacs.control.checkup import complaints

        return complaints(self.desk, unfinished=self._unfinished, allowed=self._allowed)

    def reset(self, *what: str) -> None:
        """Put back to how it was at the start: "rules", "state", "journal", "archive", "peers"; without a word all.

        An archive on disk is only emptied when "archive" is named. Raises `ConfigurationError` for another word.
        """
        if "rules" in self.desk.reset(*what):
            self._unfinished.clear()


def _match(what: str | None, terms: dict[str, Any]) -> Match:
    """The filter, or the function, that keywords stand for."""
    from mockpacs.control.wanted import wanted

    where = terms.pop("where", None)
    if what is not None:
        _check(what, "wait_for or verify")
    if where is not None and not callable(where):
        raise ConfigurationError(f"where: {quoted(where)} is no function of an exchange")
    if where is None:
        return wanted(what, **terms)
    if not (what or terms):
        return where  # type: ignore[no-any-return]
    return _Both(wanted(what, **terms), where)


class _Both:
    """A filter, and a function of what it lets pass."""

    def __init__(self, wanted: Filter, where: Callable[[Exchange], object]) -> None:
        self.asks_for_legs = wanted.asks_for_legs
        self._wanted = wanted
        self._where = where

    def __call__(self, exchange: Exchange) -> bool:
        from mockpacs.traffic.selection import values_of

        return self._wanted.matches(exchange, values_of) and bool(self._where(exchange))


def _check(what: object, verb: str) -> None:
    """``@pacs.on`` without brackets would be a decorator that forgets its function."""
    if callable(what) or not isinstance(what, Iterable):
        raise ConfigurationError(f'{verb} begins with what it is about, as "C-STORE", not with {quoted(what)}')


def _seconds(timeout: object) -> float:
    """A time that can be waited for."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or math.isnan(timeout):
        raise ConfigurationError(f"timeout: {quoted(timeout)} is no number of seconds")
    return min(timeout, threading.TIMEOUT_MAX)


def _caller() -> str:
    """``test_sender.py:12``: the line outside of mockpacs that asked for this."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
