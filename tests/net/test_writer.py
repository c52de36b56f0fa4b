"""Who writes: the event loop when that is quick and nobody waits, otherwise the thread, and never both at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from mockpacs.archive import FileMeta, Spool
from mockpacs.net import writer as writer_module
from mockpacs.net.writer import Writer
from mockpacs.services.request import Lane, Outcome, Request
from mockpacs.wire import AcceptedContext, Command

CONTEXT = AcceptedContext(1, "1.2", "1.2.840.10008.1.2")


class Storage:
    """Notes in which thread it was asked; ``busy`` is somebody else at the index."""

    lane = Lane.WRITER

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.busy = False
        self.error: Exception | None = None
        self.tidied = threading.Event()

    def answer(self, request: Request) -> Sequence[Outcome]:
        return self.answer_all([request])

    def answer_all(self, requests: Sequence[Request]) -> list[Outcome]:
        self.threads += [threading.current_thread().name] * len(requests)
        if self.error:
            raise self.error
        return [Outcome(0)] * len(requests)

    def answer_at_once(self, request: Request) -> Outcome | None:
        return None if self.busy else self.answer_all([request])[0]

    def tidy(self) -> None:
        self.tidied.set()


def request(size: int = 10) -> Request:
    spool = Spool(FileMeta("1.2", "1.2.3", "1.2.840.10008.1.2"), None)
    spool.append(bytes(size))
    return Request(Command({}), CONTEXT, spool)


async def written(storage: Storage, requests: Sequence[Request], *, may_write_here: bool = True) -> list[Outcome]:
    """The outcomes of requests, each written when the one before was answered."""
    troubles: list[BaseException] = []
    loop = asyncio.get_running_loop()
    writer = Writer(
        storage,
        lambda _, e: troubles.append(e),
        lambda work: loop.run_in_executor(None, work),
        may_write_here=may_write_here,
    )
    outcomes = []
    for each in requests:
        future: asyncio.Future[Outcome] = loop.create_future()
        writer.write(each, future.set_result)
        outcomes.append(await future)
    assert writer.finish(5)
    if storage.error:
        await asyncio.sleep(0)
        assert troubles
    return outcomes


LOOP = threading.main_thread().name


def test_a_small_instance_is_written_by_the_loop() -> None:
    storage = Storage()
    assert asyncio.run(written(storage, [request()])) == [Outcome(0)]
    assert storage.threads == [LOOP]


@pytest.mark.parametrize("case", ["large", "busy", "durable"])
def test_what_may_take_longer_is_written_by_the_thread(case: str) -> None:
    storage = Storage()
    storage.busy = case == "busy"
    size = writer_module._WRITE_HERE_AT_MOST + 1 if case == "large" else 10
    asyncio.run(written(storage, [request(size)], may_write_here=case != "durable"))
    assert storage.threads == ["mockpacs-writer"]


def test_a_slow_disk_is_left_to_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_SLOW_SECONDS", 0.0)
    monkeypatch.setattr(writer_module, "_REST_WHEN_SLOW", 1e9)
    storage = Storage()
    asyncio.run(written(storage, [request(), request(), request()]))
    assert storage.threads == [LOOP, "mockpacs-writer", "mockpacs-writer"]


@pytest.mark.parametrize("may_write_here", [True, False])
def test_a_failure_is_0110_and_told_wherever_it_happened(may_write_here: bool) -> None:
    storage = Storage()
    storage.error = OSError("gone")
    (outcome,) = asyncio.run(written(storage, [request()], may_write_here=may_write_here))
    assert (outcome.status, outcome.comment) == (0x0110, "OSError in the archive")


def test_the_archive_is_tidied_now_and_then_and_a_failure_of_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_TIDY_EVERY", 2)
    storage = Storage()
    asyncio.run(written(storage, [request()]))
    assert not storage.tidied.is_set()
    asyncio.run(written(storage, [request(), request()]))
    assert storage.tidied.wait(5)
