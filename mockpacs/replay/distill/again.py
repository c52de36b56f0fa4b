"""The recorded client, played against a server in one call: what a distilled test does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Protocol

from mockpacs.net.peer import Peer
from mockpacs.replay.client.report import Report
from mockpacs.replay.client.run import replay
from mockpacs.replay.client.settings import Fidelity, Settings
from mockpacs.replay.tape import Tape

PATIENCE_SECONDS: Final = 10.0
"""How long an answer may take: a replayed server does not wait as the recorded one did."""


class Server(Protocol):
    """Where a server answers, as a `MockPACS` says it."""

    @property
    def host(self) -> str:
        """Its address."""

    @property
    def port(self) -> int:
        """Its port."""


def play_client(
    recording: str | Path, server: Server, *, fidelity: Fidelity = "dimse", patience_seconds: float = PATIENCE_SECONDS
) -> Report:
    """Play the clients of a recording against a server; returns what was played, and what was not as recorded.

    The report has ``exit_status`` (0 all as recorded, 1 something was not, 2 trouble) and ``lines()`` for a person.
    It blocks, and is not for a coroutine. Raises RecordingError for what is no recording.
    """
    peer = Peer("ANY-SCP", server.host, server.port)
    settings = Settings(fidelity=fidelity, patience_seconds=patience_seconds)
    # the selector loop: on Windows the other one cannot watch our sockets
    with Tape.open(Path(recording)) as tape, asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(replay(tape, peer, settings))
