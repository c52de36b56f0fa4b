"""Where the responses of a scene come from: the honest service, and what an act makes of what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mockpacs.net.responder import nobody
from mockpacs.services import scripted
from mockpacs.services.request import Lane, Outcome, Request, Service
from mockpacs.wire.status import CANCEL, PENDING, PENDING_WITH_WARNING

if TYPE_CHECKING:
    from mockpacs.net.incoming import Incoming
    from mockpacs.net.stage import Stage
    from mockpacs.scenario.decision import Act

_PENDING: Final = (PENDING, PENDING_WITH_WARNING)


def is_final(service: str, outcome: Outcome) -> bool:
    """Whether no response follows; the status alone does not tell when a rule gives matches another one."""
    is_match = service == "C-FIND" and outcome.data is not None
    return not (is_match or outcome.status in _PENDING)


class Source:
    """The outcomes of one exchange. The archive is asked once, however often the exchange is answered."""

    def __init__(self, stage: Stage, incoming: Incoming) -> None:
        self._stage = stage
        self._incoming = incoming
        self._request: Request | None = None
        self._kept: Outcome | None = None  # what the archive said
        self._is_withheld = False  # a match, because of a cancel
        self._is_handed_over = False  # the archive has the data set, or has refused it

    def discard(self) -> None:
        """The exchange is over: what arrived is not needed any more, unless the archive has it."""
        if not self._is_handed_over:
            self._incoming.discard()

    async def batches(self, act: Act | None) -> AsyncGenerator[Iterable[Outcome], None]:
        """What is said, together what is there together; to be closed, each to be taken before the next.

        ``act`` None: what the service says.
        """
        command, context = self._incoming.command, self._incoming.context
        service = self._stage.environment.registry.find(context.abstract_syntax, command.service)
        refusal = self._incoming.refusal()
        if refusal is not None and scripted.stores(act):
            yield (scripted.after_store(act, refusal),)
        elif service is None and act is None:
            yield (nobody(self._incoming),)
        elif command.service == "C-STORE":
            yield (await self._stored(act, service),)
        else:
            outcomes = scripted.stream(act, self._whole_request(), service, self._stage.theatre.answers)
            if service is not None and service.lane is Lane.LOOP:
                yield tuple(outcomes)
                return
            batches = self._stage.environment.lanes.batches(outcomes)
            try:
                while batch := await batches.take():
                    yield self._wanted(batch, act)
            finally:
                await batches.close()

    def _wanted(self, batch: Sequence[Outcome], act: Act | None) -> Iterator[Outcome]:
        """Without what was made before a cancel came; then the final one says so, unless a rule says something else."""
        for outcome in batch:
            if outcome.status in _PENDING and self._incoming.is_cancelled:
                self._is_withheld = True
            elif (
                self._is_withheld
                and (act is None or act.status is None)
                and is_final(self._incoming.command.service, outcome)
            ):
                yield replace(outcome, status=CANCEL)
            else:
                yield outcome

    async def _stored(self, act: Act | None, service: Service | None) -> Outcome:
        if service is None or not scripted.stores(act):
            return scripted.after_store(act, None)
        if self._kept is None:
            done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self._is_handed_over = True
            self._stage.environment.lanes.write(self._whole_request(), done.set_result)
            self._kept = await done
        return scripted.after_store(act, self._kept)

    def _whole_request(self) -> Request:
        if self._request is None:
            self._request = self._incoming.request(self._stage.agreed)
        return self._request
