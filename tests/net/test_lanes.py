"""The writer's thread and the readers' threads: what shares a transaction, what a failure costs, how they end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Sequence

import pytest

from mockpacs.net.lanes import Lanes
from mockpacs.services.request import Lane, Outcome, Request
from tests.net.surroundings import CONTEXTS, CT, PATIENCE_SECONDS, store, until


class Slow:
    """A storage whose every transaction waits at a gate and is remembered."""

    lane = Lane.WRITER

    def __init__(self) -> None:
        self.transactions: list[list[int | None]] = []
        self.began, self.gate = threading.Event(), threading.Event()
        self.failures: list[Exception] = []

    def answer(self, request: Request) -> Iterable[Outcome]:
        return self.answer_all([request])

    def answer_all(self, requests: Sequence[Request]) -> list[Outcome]:
        self.transactions.append([request.command.message_id for request in requests])
        self.began.set()
        assert self.gate.wait(PATIENCE_SECONDS)
        if self.failures:
            raise self.failures.pop()
        return [Outcome(0, comment=str(request.command.message_id)) for request in requests]


class Running:
    """Lanes over a slow storage, and what came out of them."""

    def __init__(self) -> None:
        self.storage = Slow()
        self.troubles: list[str] = []
        self.answers: list[tuple[int, Outcome]] = []
        self.lanes = Lanes(self.storage, self._trouble)

    def write(self, number: int) -> None:
        request = Request(store(number, "1.2"), CONTEXTS[CT])
        self.lanes.write(request, lambda outcome: self.answers.append((number, outcome)))

    def _trouble(self, what: str, error: BaseException) -> None:
        assert asyncio.get_running_loop(), "only the loop may tell"
        self.troubles.append(f"{what}: {error}")

    async def __aenter__(self) -> Running:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.storage.gate.set()
        assert self.lanes.finish_writing(PATIENCE_SECONDS)
        self.lanes.close(wait=True)
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("mockpacs")]


@pytest.mark.parametrize(("waiting", "sizes"), [(1, [1]), (10, [10]), (150, [64, 64, 22])])
def test_all_that_waits_while_the_disk_is_busy_shares_transactions(waiting: int, sizes: list[int]) -> None:
    async def scene() -> None:
        async with Running() as running:
            running.write(0)
            assert running.storage.began.wait(PATIENCE_SECONDS)
            for number in range(1, waiting + 1):
                running.write(number)
            running.storage.gate.set()
            await until(lambda: len(running.answers) == waiting + 1)

            assert [len(transaction) for transaction in running.storage.transactions] == [1, *sizes]
            assert [number for number, _ in running.answers] == list(range(waiting + 1))
            assert all(outcome.comment == str(number) for number, outcome in running.answers)

    asyncio.run(scene())


def test_a_failure_in_the_storage_becomes_0110_and_is_told_and_the_writer_goes_on() -> None:
    async def scene() -> None:
        async with Running() as running:
            running.storage.failures.append(ZeroDivisionError("oops"))
            running.storage.gate.set()
            running.write(1)
            await until(lambda: running.answers)
            running.write(2)
            await until(lambda: len(running.answers) == 2)

            assert [(number, outcome.status) for number, outcome in running.answers] == [(1, 0x0110), (2, 0x0000)]
            assert "ZeroDivisionError" in running.answers[0][1].comment
            assert running.troubles == ["storing failed: oops"]

    asyncio.run(scene())


def test_a_failure_while_one_answer_is_given_does_not_keep_the_others_from_theirs() -> None:
    async def scene() -> None:
        async with Running() as running:
            running.write(0)
            assert running.storage.began.wait(PATIENCE_SECONDS)

            def fail(_: Outcome) -> None:
                raise ZeroDivisionError("oops")

            running.lanes.write(Request(store(1, "1.2"), CONTEXTS[CT]), fail)
            running.write(2)
            running.storage.gate.set()
            await until(lambda: len(running.answers) == 2)

            assert [number for number, _ in running.answers] == [0, 2]
            assert running.troubles == ["answering failed: oops"]

    asyncio.run(scene())


def test_finishing_answers_what_waits_first() -> None:
    async def scene() -> None:
        async with Running() as running:
            running.write(0)
            assert running.storage.began.wait(PATIENCE_SECONDS)
            for number in range(1, 4):
                running.write(number)
            running.storage.gate.set()
            assert running.lanes.finish_writing(PATIENCE_SECONDS)
            await until(lambda: len(running.answers) == 4)

    asyncio.run(scene())


def test_finishing_says_when_the_writer_does_not_end_in_time() -> None:
    async def scene() -> None:
        async with Running() as running:
            running.write(0)
            assert running.storage.began.wait(PATIENCE_SECONDS)

            assert not running.lanes.finish_writing(0.001)

    asyncio.run(scene())


def test_answers_for_a_loop_that_is_closed_are_dropped_and_the_writer_ends() -> None:
    async def scene() -> Running:
        running = Running()
        running.write(0)
        assert running.storage.began.wait(PATIENCE_SECONDS)
        return running

    running = asyncio.run(scene())
    running.storage.gate.set()
    assert running.lanes.finish_writing(PATIENCE_SECONDS)
    running.lanes.close(wait=True)

    assert running.answers == []


class Counting:
    """Outcomes that tell how many were made, and by which threads."""

    def __init__(self, count: int, failure: Exception | None = None) -> None:
        self.count = count
        self.failure = failure
        self.made = 0
        self.threads: set[str] = set()

    def __iter__(self) -> Iterator[Outcome]:
        for number in range(self.count):
            self.made += 1
            self.threads.add(threading.current_thread().name)
            yield Outcome(0xFF00, comment=str(number))
        if self.failure:
            raise self.failure


def test_the_first_batch_is_small_and_the_others_are_large() -> None:
    async def scene() -> None:
        async with Running() as running:
            source = Counting(1000)
            batches = running.lanes.batches(source)
            sizes, subjects = [], []
            while batch := await batches.take():
                sizes.append(len(batch))
                subjects += [outcome.comment for outcome in batch]
            await batches.close()

            assert subjects == [str(number) for number in range(1000)]
            assert sizes[0] <= 16 < sizes[1]
            assert all(name.startswith("mockpacs-reader") for name in source.threads)

    asyncio.run(scene())


def test_no_more_than_the_next_batch_is_made_ahead() -> None:
    async def scene() -> None:
        async with Running() as running:
            source = Counting(100_000)
            batches = running.lanes.batches(source)
            first = await batches.take()
            await batches.close()
            made = source.made

            assert len(first) < made < 1000
            assert source.made == made

    asyncio.run(scene())


def test_what_a_service_raises_reaches_who_takes() -> None:
    async def scene() -> None:
        async with Running() as running:
            batches = running.lanes.batches(Counting(0, ZeroDivisionError("oops")))
            with pytest.raises(ZeroDivisionError):
                await batches.take()
            await batches.close()

    asyncio.run(scene())


def test_what_a_service_raises_after_the_last_batch_taken_is_nobodys_business() -> None:
    async def scene() -> None:
        async with Running() as running:
            batches = running.lanes.batches(Counting(8, ZeroDivisionError("oops")))
            await batches.take()
            await batches.close()

    asyncio.run(scene())
