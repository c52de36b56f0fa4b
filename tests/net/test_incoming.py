"""Data sets on their way in: to memory, to a temporary file, or nowhere; a slow disk is a gate the test opens."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from mockpacs.archive import Spool
from mockpacs.net.incoming import Incoming
from mockpacs.wire import CommandField, Tag, request
from tests.net.surroundings import PATIENCE_SECONDS, VERIFICATION, Surroundings, find, store, surroundings, until
from tests.net.wire_client import ct_image

MIB = 1 << 20


class SlowDisk:
    """Every spilling waits at the gate first, or comes back late when ``writes_first``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gate, self.reached = threading.Event(), threading.Event()
        self.writes_first = False
        self.spilled = 0
        really_spill = Spool.spill

        def spill(spool: Spool) -> None:
            if self.writes_first:
                really_spill(spool)
            self.reached.set()
            assert self.gate.wait(PATIENCE_SECONDS)
            self.spilled += 1
            if not self.writes_first:
                really_spill(spool)

        monkeypatch.setattr(Spool, "spill", spill)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SlowDisk:
    return SlowDisk(monkeypatch)


def temporary(storage: Path) -> list[Path]:
    return list((storage / "incoming").iterdir())


def arriving(around: Surroundings) -> Incoming:
    return around.incoming(store(1, "1.2.3.4.5"))


def spool_of(incoming: Incoming) -> Spool:
    data = incoming.request({}).data
    assert isinstance(data, Spool)
    return data


def test_a_small_data_set_never_touches_the_disk_before_it_is_stored(tmp_path: Path, disk: SlowDisk) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path) as around:
            incoming = arriving(around)
            incoming.append(bytes(MIB - 1))
            written: list[bool] = []
            incoming.when_written(lambda: written.append(True))

            assert written == [True]
            assert not incoming.is_behind
            assert temporary(tmp_path) == []
            incoming.discard()

    asyncio.run(scene())


def test_from_one_mebibyte_on_memory_goes_to_a_temporary_file(tmp_path: Path, disk: SlowDisk) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path) as around:
            incoming = arriving(around)
            for _ in range(8):
                incoming.append(bytes(MIB // 8))
            written: list[bool] = []
            incoming.when_written(lambda: written.append(True))
            await until(disk.reached.is_set)
            assert written == []
            disk.gate.set()
            await until(lambda: written)

            assert spool_of(incoming).buffered == 0
            (file,) = temporary(tmp_path)
            assert file.stat().st_size >= MIB
            incoming.discard()
            assert temporary(tmp_path) == []

    asyncio.run(scene())


def test_bytes_that_come_while_the_disk_is_slow_are_kept_in_order(tmp_path: Path, disk: SlowDisk) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path) as around:
            disk.writes_first = True
            incoming = arriving(around)
            pieces = [bytes([number]) * (MIB // 2) for number in range(20)]
            for piece in pieces[:7]:
                incoming.append(memoryview(piece))
            await until(disk.reached.is_set)
            for piece in pieces[7:]:
                incoming.append(memoryview(piece))
            disk.gate.set()
            written: list[bool] = []
            incoming.when_written(lambda: written.append(True))
            await until(lambda: written)

            spool = spool_of(incoming)
            assert spool.buffered < MIB
            assert b"".join(spool.blocks()) == b"".join(pieces)
            assert disk.spilled > 1
            incoming.discard()

    asyncio.run(scene())


def test_the_peer_must_wait_from_four_mebibytes_on_and_until_the_disk_has_caught_up(
    tmp_path: Path, disk: SlowDisk
) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path) as around:
            incoming = arriving(around)
            incoming.append(bytes(4 * MIB - 1))
            assert not incoming.is_behind
            incoming.append(b"\0")
            assert incoming.is_behind
            caught_up: list[bool] = []
            incoming.when_written(lambda: caught_up.append(True))
            await until(disk.reached.is_set)
            assert caught_up == []
            disk.gate.set()
            await until(lambda: caught_up)

            assert not incoming.is_behind
            incoming.discard()

    asyncio.run(scene())


def test_what_is_discarded_while_the_disk_is_writing_leaves_no_file(tmp_path: Path, disk: SlowDisk) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path) as around:
            incoming = arriving(around)
            incoming.append(bytes(MIB))
            await until(disk.reached.is_set)
            incoming.discard()
            incoming.append(b"more")
            disk.gate.set()
            await until(lambda: not around.environment.tasks)

            assert disk.spilled == 1
            assert temporary(tmp_path) == []

    asyncio.run(scene())


def test_discarding_twice_is_harmless(tmp_path: Path) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path) as around:
            incoming = arriving(around)
            incoming.append(b"data")
            incoming.discard()
            incoming.discard()

            assert incoming.is_cancelled

    asyncio.run(scene())


def test_a_disk_that_refuses_ends_the_spilling_and_the_store_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    async def scene() -> None:
        async with surroundings(tmp_path) as around:
            incoming = arriving(around)
            with monkeypatch.context() as full:
                full.setattr("mockpacs.archive.spool._write_all", refuse)
                incoming.append(bytes(MIB))
                await until(lambda: spool_of(incoming).problem)
                for _ in range(8):
                    incoming.append(bytes(MIB))
                written: list[bool] = []
                incoming.when_written(lambda: written.append(True))
                await until(lambda: written)
                (stored,) = around.archive.store([spool_of(incoming)])

            assert stored.status == 0xA700
            assert temporary(tmp_path) == []

    asyncio.run(scene())


def test_an_instance_beyond_the_limit_is_dropped_counted_and_refused(tmp_path: Path) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path, max_instance_size=1000) as around:
            incoming = arriving(around)
            incoming.append(bytes(1000))
            assert incoming.refusal() is None
            incoming.append(b"\0")
            incoming.append(bytes(999))

            refusal = incoming.refusal()
            assert refusal is not None
            assert refusal.status == 0xA700
            assert refusal.comment == "Data set of 2000 bytes, 1000 are allowed"
            assert incoming.subject == "? 1.2.3.4.5  2.0 kB"
            assert not isinstance(incoming.request({}).data, Spool), "the bytes must be gone"

    asyncio.run(scene())


def test_what_it_is_about_may_be_in_a_later_fragment(tmp_path: Path) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path) as around:
            incoming = arriving(around)
            for byte in ct_image():
                incoming.append(bytes([byte]))
            assert incoming.subject.startswith("CT 1.2.3.4.5")

    asyncio.run(scene())


def test_a_large_instance_that_turns_out_too_large_leaves_no_file(tmp_path: Path, disk: SlowDisk) -> None:
    async def scene() -> None:
        async with surroundings(tmp_path, max_instance_size=2 * MIB) as around:
            incoming = arriving(around)
            incoming.append(bytes(MIB))
            await until(disk.reached.is_set)
            incoming.append(bytes(MIB + 1))
            disk.gate.set()
            written: list[bool] = []
            incoming.when_written(lambda: written.append(True))
            await until(lambda: written)

            assert incoming.refusal() is not None
            assert temporary(tmp_path) == []

    asyncio.run(scene())


def test_zero_sets_instances_no_limit() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            incoming = arriving(around)
            incoming.append(bytes(9 * MIB))

            assert incoming.refusal() is None
            incoming.discard()

    asyncio.run(scene())


def test_identifiers_have_a_limit_of_their_own() -> None:
    async def scene() -> None:
        async with surroundings(max_identifier_size=100, max_instance_size=1) as around:
            small, large = around.incoming(find(1), bytes(100)), around.incoming(find(2), bytes(101))

            assert small.refusal() is None
            assert small.request({}).data == bytes(100)
            refusal = large.refusal()
            assert refusal is not None
            assert refusal.status == 0xA700

    asyncio.run(scene())


def test_an_identifier_is_one_piece_of_bytes_however_it_came() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            incoming = around.incoming(find(1))
            for piece in (b"in", b"", b"pieces"):
                incoming.append(memoryview(piece))

            assert incoming.request({}).data == b"inpieces"
            assert around.incoming(find(2)).request({}).data == b""

    asyncio.run(scene())


@pytest.mark.parametrize("field", [CommandField.C_ECHO_RQ, CommandField.C_STORE_RQ])
def test_a_request_without_a_data_set_has_none(field: CommandField) -> None:
    async def scene() -> None:
        async with surroundings() as around:
            command = request(field, 1, elements={Tag.AFFECTED_SOP_CLASS: VERIFICATION})

            assert around.incoming(command).request({}).data is None

    asyncio.run(scene())


def test_the_archive_is_told_what_was_agreed_on_and_who_sent_it() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            incoming = arriving(around)
            meta = spool_of(incoming).meta

            assert (meta.sop_instance, meta.source_aet) == ("1.2.3.4.5", "SCU")
            assert meta.sop_class == incoming.context.abstract_syntax
            assert meta.transfer_syntax == incoming.context.transfer_syntax
            incoming.discard()

    asyncio.run(scene())


def test_a_cancel_is_seen_by_a_request_that_is_already_served() -> None:
    async def scene() -> None:
        async with surroundings() as around:
            incoming = around.incoming(find(1), b"keys")
            served = incoming.request({})
            assert not served.cancelled()
            incoming.is_cancelled = True

            assert served.cancelled()

    asyncio.run(scene())
