"""Spools: bounded memory, one thread appending while another one spills."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from mockpacs.archive import FileMeta
from mockpacs.archive.spool import Spool
from mockpacs.wire.part10 import encode_head
from tests.archive.instances import CT, EXPLICIT

META = FileMeta(CT, "1.2.3", EXPLICIT, "SENDER")


@pytest.fixture
def incoming(tmp_path):
    return str(tmp_path)


def test_a_spool_makes_no_file_before_it_is_spilled(incoming):
    spool = Spool(META, incoming)
    spool.append(b"ab")
    spool.append(memoryview(b"cd"))
    assert (spool.size, spool.buffered, spool.temporary) == (4, 4, None)
    assert list(Path(incoming).iterdir()) == []
    assert list(spool.blocks()) == [b"ab", b"cd"]


def test_a_view_is_copied_because_its_buffer_will_be_overwritten(incoming):
    buffer = bytearray(b"abcd")
    spool = Spool(META, incoming)
    spool.append(memoryview(buffer))
    buffer[:] = b"xxxx"
    assert b"".join(spool.blocks()) == b"abcd"


def test_spilling_moves_everything_to_a_part_10_file(incoming):
    spool = Spool(META, incoming)
    spool.append(b"ab")
    spool.spill()
    spool.append(b"cd")
    assert (spool.size, spool.buffered) == (4, 2)
    path = spool.finish(full_sync=True)
    assert Path(path).read_bytes() == encode_head(META) + b"abcd"
    assert b"".join(spool.blocks()) == b"abcd"
    assert spool.finish(full_sync=False) == path


@pytest.mark.parametrize("spilled", [False, True])
def test_beginning_end_and_whole_are_the_same_wherever_the_bytes_are(incoming, spilled):
    data = bytes(range(256)) * 40
    spool = Spool(META, incoming)
    for start in range(0, len(data), 100):
        spool.append(data[start : start + 100])
        if spilled and start == 5000:
            spool.spill()
    assert spool.prefix(1000)[:1000] == data[:1000]
    assert spool.prefix(1 << 20) == data
    assert spool.tail(8) == data[-8:]
    with spool.whole() as whole:
        assert bytes(whole) == data
    assert b"".join(spool.blocks()) == data
    spool.discard()
    assert list(Path(incoming).iterdir()) == []


def test_an_empty_spool_has_nothing_in_it(incoming):
    spool = Spool(META, incoming)
    assert (spool.prefix(10), spool.tail(8), list(spool.blocks())) == (b"", b"", [])
    with spool.whole() as whole:
        assert len(whole) == 0
    spool.spill()
    assert (spool.prefix(10), spool.tail(8), list(spool.blocks())) == (b"", b"", [])
    with spool.whole() as whole:
        assert len(whole) == 0
    spool.discard()


def test_what_is_appended_while_another_thread_spills_is_neither_lost_nor_doubled(incoming):
    spool = Spool(META, incoming)
    done = threading.Event()

    def spill() -> None:
        while not done.is_set():
            spool.spill()

    thread = threading.Thread(target=spill)
    thread.start()
    pieces = [b"%07d" % number for number in range(20_000)]
    for piece in pieces:
        spool.append(piece)
    done.set()
    thread.join()
    spool.spill()
    assert spool.buffered == 0
    assert b"".join(spool.blocks()) == b"".join(pieces)
    spool.discard()


def test_more_fragments_than_one_system_call_takes_arrive_in_order(incoming):
    spool = Spool(META, incoming)
    for number in range(2500):
        spool.append(b"%04d" % number)
    assert Path(spool.finish(full_sync=False)).read_bytes()[len(spool.head) :] == b"".join(
        b"%04d" % number for number in range(2500)
    )


def test_a_write_that_takes_only_a_part_is_continued(incoming, monkeypatch):
    monkeypatch.setattr(os, "writev", lambda descriptor, buffers: os.write(descriptor, b"".join(buffers)[:7]))
    spool = Spool(META, incoming)
    spool.append(b"ab" * 100)
    assert Path(spool.finish(full_sync=False)).read_bytes() == spool.head + b"ab" * 100


def test_a_full_disk_is_remembered_and_no_second_try_doubles_the_bytes(incoming, monkeypatch):
    def full(descriptor, buffers):
        os.write(descriptor, b"part")
        raise OSError(errno.ENOSPC, "No space left on device")

    spool = Spool(META, incoming)
    spool.append(b"abcd")
    with monkeypatch.context() as patched:
        patched.setattr(os, "writev", full)
        spool.spill()
    assert spool.problem is not None
    assert spool.buffered == 0
    spool.append(b"efgh")
    assert list(spool._fragments) == []
    with pytest.raises(OSError, match="No space left"):
        spool.finish(full_sync=False)
    spool.discard()
    assert list(Path(incoming).iterdir()) == []


def test_in_memory_a_spill_leaves_everything_where_it_is():
    spool = Spool(META, None)
    spool.append(b"abcd")
    spool.spill()
    assert (spool.buffered, spool.temporary) == (0, None)
    assert list(spool.blocks()) == [b"abcd"]


def test_discarding_twice_or_after_release_is_harmless(incoming, tmp_path):
    spool = Spool(META, incoming)
    spool.append(b"abcd")
    path = spool.finish(full_sync=False)
    kept = tmp_path / "kept.dcm"
    Path(path).replace(kept)
    spool.release()
    spool.discard()
    spool.discard()
    assert kept.exists()
