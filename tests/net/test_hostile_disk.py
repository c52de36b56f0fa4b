"""A disk that is full, forbidden or busy: the peer is told to come back (A700), and when it does, it is served."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.net.conftest import Served, stored
from tests.net.wire_client import ct_image, element

OUT_OF_RESOURCES = 0xA700
STUDIES = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"")


class Disk:
    """Stands between the process and one folder, and refuses what it is told to refuse."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = 0
        self.room = 0
        """Bytes that are still taken while ``error`` is set."""
        self._folder = str(folder)
        self._open, self._writev, self._write, self._replace = os.open, os.writev, os.write, os.replace
        self._ours: set[int] = set()
        monkeypatch.setattr(os, "open", self._open_file)
        monkeypatch.setattr(os, "writev", self._write_buffers)
        monkeypatch.setattr(os, "write", lambda descriptor, data: self._write_buffers(descriptor, [data]))
        monkeypatch.setattr(os, "replace", self._rename)

    def _open_file(self, path: Any, flags: int, *more: Any, **how: Any) -> int:
        ours = str(path).startswith(self._folder)
        if ours and self.error in (errno.EROFS, errno.EACCES) and flags & os.O_CREAT:
            raise OSError(self.error, os.strerror(self.error), path)
        descriptor = self._open(path, flags, *more, **how)
        self._ours.discard(descriptor)
        if ours:
            self._ours.add(descriptor)
        return descriptor

    def _write_buffers(self, descriptor: int, buffers: list[Any]) -> int:
        if not self.error or descriptor not in self._ours:
            return self._writev(descriptor, buffers)
        data = b"".join(buffers)[: self.room]  # a full disk takes a part first
        if not data:
            raise OSError(self.error, os.strerror(self.error))
        self.room -= len(data)
        return self._write(descriptor, data)

    def _rename(self, old: Any, new: Any) -> None:
        if self.error in (errno.EROFS, errno.EACCES, errno.EDQUOT) and str(old).startswith(self._folder):
            raise OSError(self.error, os.strerror(self.error), old)
        self._replace(old, new)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    disk = Disk(tmp_path / "storage", monkeypatch)
    yield disk
    disk.error = 0


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("pixels", [100, 3_000_000])
def test_what_the_disk_refuses_is_out_of_resources_until_it_takes_it_again(
    serve: Callable[..., Served], tmp_path: Path, disk: Disk, error: int, pixels: int
) -> None:
    server = serve(storage=tmp_path / "storage", record=False)
    client = server.associate()
    assert client.store(ct_image("1.2.1", pixels=pixels), "1.2.1") == 0
    disk.error = error
    client.send(client.store_request(ct_image("1.2.2", pixels=pixels), "1.2.2"))
    response, _ = client.response()
    assert response.status == OUT_OF_RESOURCES
    assert response.error_comment == f"Out of resources: {os.strerror(error)}"[:64]
    assert client.echo() == 0
    assert [status for status, _ in client.find(STUDIES)] == [0xFF00, 0]
    assert len(stored(server.storage)) == 1
    server.wait_until_nothing_is_incoming()
    disk.error = 0
    assert client.store(ct_image("1.2.2", pixels=pixels), "1.2.2") == 0
    server.still_serves()


def test_a_disk_that_fills_up_in_the_middle_of_an_instance_keeps_no_half(
    serve: Callable[..., Served], tmp_path: Path, disk: Disk
) -> None:
    server = serve(storage=tmp_path / "storage", record=False)
    client = server.associate()
    disk.error, disk.room = errno.ENOSPC, 2_000_000
    assert client.store(ct_image("1.2.2", pixels=8_000_000), "1.2.2") == OUT_OF_RESOURCES
    assert stored(server.storage) == {}
    server.wait_until_nothing_is_incoming()
    disk.error = 0
    assert client.store(ct_image("1.2.2", pixels=8_000_000), "1.2.2") == 0
    server.still_serves()


def test_one_instance_too_large_for_the_disk_does_not_concern_its_neighbours(
    serve: Callable[..., Served], tmp_path: Path, disk: Disk
) -> None:
    server = serve(storage=tmp_path / "storage", record=False)
    client = server.associate()
    disk.error, disk.room = errno.ENOSPC, 500_000
    sent = [client.store_request(ct_image(f"1.2.{n}", pixels=100_000), f"1.2.{n}") for n in range(20)]
    client.send(*sent)
    statuses = [client.response()[0].status for _ in sent]
    assert set(statuses) == {0, OUT_OF_RESOURCES}
    assert statuses.count(0) == len(stored(server.storage)) == 4
    disk.error = 0
    server.still_serves()
    server.wait_until_nothing_is_incoming()


def test_a_lost_storage_directory_is_out_of_resources_until_it_is_back(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    server = serve(storage=tmp_path / "storage", record=False)
    client = server.associate()
    assert client.store(ct_image("1.2.1"), "1.2.1") == 0
    (tmp_path / "storage/incoming").rename(tmp_path / "elsewhere")
    assert client.store(ct_image("1.2.2"), "1.2.2") == OUT_OF_RESOURCES
    (tmp_path / "storage/incoming").write_text("in the way")
    assert client.store(ct_image("1.2.2"), "1.2.2") == OUT_OF_RESOURCES
    assert client.echo() == 0
    (tmp_path / "storage/incoming").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "storage/incoming")
    assert client.store(ct_image("1.2.2"), "1.2.2") == 0
    server.still_serves()


def test_a_file_where_a_study_should_be_is_out_of_resources(serve: Callable[..., Served], tmp_path: Path) -> None:
    server = serve(storage=tmp_path / "storage", record=False)
    in_the_way = tmp_path / "storage/archive/1.2.3"
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("in the way")
    client = server.associate()
    assert client.store() == OUT_OF_RESOURCES
    in_the_way.unlink()
    assert client.store() == 0
    server.still_serves()
    server.wait_until_nothing_is_incoming()


def test_a_database_somebody_else_has_locked_is_out_of_resources(serve: Callable[..., Served], tmp_path: Path) -> None:
    server = serve(storage=tmp_path / "storage", record=False)
    client = server.associate()
    assert client.store(ct_image("1.2.1"), "1.2.1") == 0
    server.pacs.archive.index.connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "storage/index.sqlite", isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        client.send(client.store_request(ct_image("1.2.2"), "1.2.2"))
        response, _ = client.response()
        assert response.status == OUT_OF_RESOURCES
        assert response.error_comment == "Out of resources: database is locked"
        assert [status for status, _ in client.find(STUDIES)] == [0xFF00, 0]  # reading goes on (WAL)
        assert client.echo() == 0
        other.execute("ROLLBACK")
    finally:
        other.close()
    server.wait_until_nothing_is_incoming()
    assert client.store(ct_image("1.2.2"), "1.2.2") == 0
    server.still_serves()


def test_a_full_disk_under_the_index_loses_nothing_that_was_acknowledged(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    server = serve(storage=tmp_path / "storage", record=False)
    client = server.associate()
    assert client.store(ct_image("1.2.1"), "1.2.1") == 0
    connection = server.pacs.archive.index.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    statuses = [client.store(ct_image(f"1.3.{n}", study=f"1.3.{n}", patient=f"P{n}"), f"1.3.{n}") for n in range(200)]
    assert set(statuses) == {0, OUT_OF_RESOURCES}
    assert len(stored(server.storage)) == 1 + statuses.count(0)
    assert "database or disk is full" in server.lines
    connection.execute("PRAGMA max_page_count = 1000000")
    server.still_serves()
    server.wait_until_nothing_is_incoming()


def test_a_stored_file_that_is_gone_or_garbage_does_not_end_a_query(
    serve: Callable[..., Served], tmp_path: Path
) -> None:
    server = serve(storage=tmp_path / "storage", record=False)
    client = server.associate()
    for n in range(3):
        assert client.store(ct_image(f"1.2.{n}", study=f"1.4.{n}"), f"1.2.{n}") == 0
    first, second, _ = sorted((tmp_path / "storage/archive").rglob("*.dcm"))
    first.unlink()
    second.write_bytes(b"\xff" * 10_000)
    unindexed = element(0x00204000, "LT", b"")  # Image Comments is read from the file
    answers = client.find(STUDIES + unindexed)
    assert answers[-1][0] == 0
    assert client.store(ct_image("1.2.0", study="1.4.0"), "1.2.0") == 0
    server.still_serves()
