"""Work that blocks, beside an event loop that is not ours, in a thread that is gone when the work is done.

`asyncio.to_thread` would leave its pool in somebody else's loop until that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def aside(work: Callable[[], T]) -> T:
    """Do it and return what it returns or raise what it raises. When cancelled, the work goes on to its end unheard."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(result: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(lambda: None if done.done() else result())

    def run() -> None:
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
            problem = error
            tell(lambda: done.set_exception(problem))
        else:
            tell(lambda: done.set_result(found))

    thread = threading.Thread(target=run, name="mockpacs-aside", daemon=True)
    thread.start()
    try:
        return await done
    finally:
        if done.done() and not done.cancelled():
            thread.join()
