"""Whether anybody still waits for an answer: the client may have gone away, or the door be closing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request

from mockpacs.web.route import closing


@contextlib.asynccontextmanager
async def gone(request: Request, ring: Callable[[], object]) -> AsyncIterator[Callable[[], bool]]:
    """Within the block: how to ask whether nobody waits any more. ``ring`` is called when that comes about."""
    tasks = [asyncio.create_task(_until_gone(request)), asyncio.create_task(closing(request).wait())]
    for task in tasks:
        task.add_done_callback(lambda _: ring())
    try:
        yield lambda: any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _until_gone(request: Request) -> None:
    """Nothing more is read of a request that has no body, so what comes is the end of its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
