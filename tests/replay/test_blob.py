"""Data sets in memory while they are small and few, in one file otherwise."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.replay import blob as blobs
from mockpacs.replay.blob import LARGEST_HELD, Blob, Filling, Spool


@pytest.fixture
def spool() -> Iterator[Spool]:
    made = Spool()
    yield made
    made.close()


def filled(spool: Spool, data: bytes, piece: int = 16_384) -> Blob:
    filling = Filling(spool)
    for start in range(0, len(data), piece):
        filling.add(memoryview(data)[start : start + piece])
    return filling.blob()


def pattern(size: int, seed: int = 0) -> bytes:
    return bytes((number + seed) % 251 for number in range(size))


@pytest.mark.parametrize("size", [0, 1, LARGEST_HELD, LARGEST_HELD + 1, 3 * LARGEST_HELD + 7, 1_000_001])
def test_a_data_set_comes_back_as_it_was(spool: Spool, size: int) -> None:
    data = pattern(size)
    blob = filled(spool, data)
    assert (blob.size, blob.read(), b"".join(blob.blocks())) == (size, data, data)
    assert blob.head(10) == data[:10]
    assert blob.head(size + 10) == data
    assert all(0 < len(block) <= 256 << 10 for block in blob.blocks())


def test_only_large_ones_need_a_file(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert filled(spool, pattern(LARGEST_HELD)).size == LARGEST_HELD
    with pytest.raises(RecordingError, match="No space left on device; set TMPDIR to a folder with more room"):
        filled(spool, pattern(LARGEST_HELD + 1))


def test_those_that_come_at_the_same_time_do_not_mix(spool: Spool) -> None:
    data = [pattern(500_000 + seed, seed) for seed in range(5)]
    fillings = [Filling(spool) for _ in data]
    for start in range(0, 500_010, 10_000):
        for one, filling in zip(data, fillings, strict=True):
            filling.add(one[start : start + 10_000])
    made = [filling.blob() for filling in fillings]
    assert [blob.read() for blob in made] == data
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(Blob.read, made * 4)) == data * 4


def test_very_many_small_ones_do_not_stay_in_memory(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "MOST_HELD", 10_000)
    made = [filled(spool, pattern(1000, seed)) for seed in range(30)]
    spool.close()
    made[9].read()
    with pytest.raises(RecordingError, match="was closed"):
        made[10].read()
    assert Blob(b"few").read() == b"few"


def test_where_files_have_no_pread_they_are_read_in_turns(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.pread")
    data = pattern(300_000)
    made = [filled(spool, data) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(Blob.read, made * 4)) == [data] * 16


def test_what_was_spooled_is_gone_with_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool()
    filled(spool, pattern(300_000))
    spool.close()
    assert list(tmp_path.iterdir()) == []
