"""The scenario that a server plays: what all its associations ask, and what one of them can do to the whole server."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mockpacs.net.tls import server_context
from mockpacs.scenario.answers import AnswerSet
from mockpacs.scenario.decision import Act
from mockpacs.scenario.engine import Engine
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from mockpacs.scenario.step import Step
from mockpacs.services.handler import Handler


def nobody(_seconds: float) -> None:
    """A server without a port that could be closed."""


@dataclass(slots=True)
class Theatre:
    """What a scenario needs beside its rules."""

    engine: Engine
    answers: Mapping[str, AnswerSet]
    """The named sets of answers."""
    refuse: Callable[[float], None] = nobody
    """Stop listening for that many seconds."""
    contexts: Mapping[int, ssl.SSLContext] = field(default_factory=dict)
    """What a step shows as TLS, by its identity: see `contexts_of`."""
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    """The functions that ``call`` names."""

    def security(self, acts: tuple[Act, ...], usual: ssl.SSLContext | None) -> tuple[ssl.SSLContext | None, bool]:
        """The TLS of a new connection, and whether its handshake is to stall."""
        for act in acts:
            if tls := act.step.tls:
                if tls.handshake is not None:
                    return None, tls.handshake == "stall"
                return self.contexts.get(id(act.step), usual), False
        return usual, False


def contexts_of(script: Script) -> dict[int, ssl.SSLContext]:
    """The certificates that rules show, read before anybody connects; paths are relative to the scenario's folder.

    Raises `StartError` when one cannot be used.
    """
    found: dict[int, ssl.SSLContext] = {}
    for placed in script.rules:
        for step in _steps(placed.rule):
            if step.tls and step.tls.certificate:
                certificate = placed.folder / step.tls.certificate
                key = placed.folder / (step.tls.private_key or step.tls.certificate)
                found[id(step)] = server_context(certificate, key, None)
    return found


def _steps(rule: Rule) -> Iterator[Step]:
    for steps in (rule.then or (), rule.over or (), *(rule.sequence or ())):
        yield from steps
