"""A whole recording: which associations are played, when each begins, how often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Final

from mockpacs.net.link import RECEIVE_BUFFER_SIZE
from mockpacs.net.partner import Setting
from mockpacs.net.peer import Peer
from mockpacs.net.requestor import NotAssociated
from mockpacs.replay.association import TapedAssociation
from mockpacs.replay.client.pace import Pace
from mockpacs.replay.client.player import Player
from mockpacs.replay.client.raw_player import RawPlayer
from mockpacs.replay.client.report import Report
from mockpacs.replay.client.settings import Settings
from mockpacs.replay.client.uids import UidTable
from mockpacs.replay.tape import Tape
from mockpacs.traffic.recorder import Recorder
from mockpacs.wire import Role

_NOTHING: Final = "the recording has no association that a client opened"


async def replay(tape: Tape, peer: Peer, settings: Settings, recorder: Recorder | None = None) -> Report:
    """Play the clients of a recording against a peer. What the peer does, and its absence, is in the report."""
    return await Replay(tape, peer, settings, recorder).run()


class Replay:
    """One run. `report` can be looked at when it was cancelled, too."""

    def __init__(self, tape: Tape, peer: Peer, settings: Settings, recorder: Recorder | None = None) -> None:
        self.report = Report()
        self._peer = peer
        self._settings = settings
        self._recorder = recorder
        self._setting = Setting(recorder, memoryview(bytearray(RECEIVE_BUFFER_SIZE)))
        self._numbers = count(1)
        self._clients = clients(tape)
        for text in (*tape.problems, *([tape.left_out] if tape.left_out else ()), *_left_out(tape, self._clients)):
            self.report.note(text)

    async def run(self) -> Report:
        """All loops, all lanes."""
        if not self._clients:
            self.report.fail(_NOTHING)
            return self.report
        started = time.perf_counter()
        try:
            async with asyncio.TaskGroup() as group:
                for lane in range(self._settings.lanes):
                    group.create_task(self._lane(lane))
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        finally:
            self.report.seconds = time.perf_counter() - started
        if self._recorder is not None and self._recorder.failure is not None:
            self.report.fail(str(self._recorder.failure))
        return self.report

    async def _lane(self, lane: int) -> None:
        for loop in range(self._settings.loops):
            if self.report.trouble:
                return
            await self._pass(lane * self._settings.loops + loop)

    async def _pass(self, number: int) -> None:
        """The recording, once."""
        seed = self._settings.fresh_uids
        if seed is not None and number:
            seed = f"{seed}/{number}"  # each pass brings instances of its own
        table = UidTable(seed)
        pace = Pace(self._clients[0].opened, self._settings.speed)
        running: set[Player | RawPlayer] = set()
        async with asyncio.TaskGroup() as group:
            for taped in self._clients:
                if self.report.trouble:
                    break
                for player in list(running):
                    await player.progress.reached(float("inf") if self._settings.one_by_one else taped.opened)
                await pace.reach(taped.opened)
                player = self._player(taped, table)
                running.add(player)
                task = group.create_task(self._play(player, pace))
                task.add_done_callback(partial(_forget, running, player))

    def _player(self, taped: TapedAssociation, table: UidTable) -> Player | RawPlayer:
        peer, settings, number = self._peer, self._settings, next(self._numbers)
        if settings.fidelity == "dimse":
            return Player(taped, peer, settings, table, self.report, self._setting, number)
        return RawPlayer(taped, peer, settings, self.report, self._setting, number)

    async def _play(self, player: Player | RawPlayer, pace: Pace) -> None:
        try:
            await player.play(pace)
        except NotAssociated as no:
            self.report.fail(str(no))


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first: the others are what followed."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _forget(running: set[Player | RawPlayer], player: Player | RawPlayer, _task: asyncio.Task[None]) -> None:
    running.discard(player)


def clients(tape: Tape) -> list[TapedAssociation]:
    """The associations that are a client's to open: no legs, and nothing that a server of ours opened by itself."""
    has_incoming = any(taped.ours is Role.ACCEPTOR for taped in tape.associations)
    found = [
        taped for taped in tape.associations if not taped.cause and not (has_incoming and taped.ours is Role.REQUESTOR)
    ]
    return sorted(found, key=lambda taped: taped.opened)


def _left_out(tape: Tape, played: Sequence[TapedAssociation]) -> list[str]:
    chosen = {id(taped) for taped in played}
    numbers = [str(taped.number) for taped in tape.associations if id(taped) not in chosen]
    if not numbers:
        return []
    which = f"association {numbers[0]} was" if len(numbers) == 1 else f"associations {', '.join(numbers)} were"
    return [f"{which} opened by the server, and will be by this one"]
