"""The stored files: Part 10, one per instance, received bytes untouched, names built from nothing but safe text.

``Files.read_header(path)`` gives the beginning of a stored data set and its encoding, for attributes that the index
does not hold; on disk and in memory alike, from any thread. ``path`` is what ``Instance.path`` of the index says.
"""

from __future__ import annotations

import errno
import hashlib
import io
import mmap
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from mockpacs.wire.dataset import Encoding
from mockpacs.wire.part10 import decode_head

if TYPE_CHECKING:
    from mockpacs.archive.spool import Spool

FOLDER: Final = "archive"
INCOMING: Final = "incoming"
HEAD_LIMIT: Final = 1 << 16
"""Bytes the preamble and group 0002 of a file may take."""

_SAFE: Final = re.compile(r"[0-9](?:[0-9.]{0,62}[0-9])?")
_UNPRINTABLE: Final = re.compile(r"[^0-9A-Za-z.-]")


def safe_name(text: str) -> str:
    """A file name for peer text: UIDs stay readable, everything else becomes bounded and unambiguous.

    A name that begins or ends with a dot is quoted too: Windows drops dots at the end, and ``..`` is no name at all.
    """
    if _SAFE.fullmatch(text):
        return text
    if not text:
        return "none"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{_UNPRINTABLE.sub('_', text[:24]).strip('.')}~{digest}"


def place(study: str, series: str, instance: str, *, generation: int = 0) -> str:
    """The path of an instance below the storage directory. A replacement gets another generation, so that the file it
    replaces stays whole until the transaction that names the new one is committed.
    """
    again = f"+{generation}" if generation else ""
    return f"{FOLDER}/{safe_name(study)}/{safe_name(series)}/{safe_name(instance)}{again}.dcm"


class FileFacts(NamedTuple):
    """What the file system says about a stored file: bytes, and the time it was written (seconds since 1970)."""

    size: int
    written_at: float


class Files(ABC):
    """Where the bytes of the instances are. Paths are relative, with slashes. Raises OSError as the system does."""

    @abstractmethod
    def keep(self, spool: Spool, path: str) -> int:
        """Give what was spooled its final name; returns the size of the file. Another file of that name is replaced."""

    @abstractmethod
    def revert(self, spool: Spool, path: str) -> None:
        """Undo ``keep``: the bytes are the spool's again."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file; that it is gone already is no error."""

    @abstractmethod
    def remove_all(self, paths: Iterable[str]) -> bool:
        """Remove files and the folders they leave empty; False when some are still there. Never raises OSError."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """The file, for reading from its beginning."""

    @abstractmethod
    def facts(self, path: str) -> FileFacts | None:
        """Size and time of a file, None when there is none."""

    @abstractmethod
    def series_folders(self) -> Iterator[tuple[str, float]]:
        """Every series folder with the time of its last change."""

    @abstractmethod
    def paths_in(self, folder: str) -> list[str]:
        """The paths of the files in a series folder, oldest file first."""

    @abstractmethod
    def whole(self, path: str) -> AbstractContextManager[memoryview]:
        """All bytes of a file, mapped where there is a disk. Keep no view of them after the block."""

    def read_header(self, path: str, limit: int = 1 << 20) -> tuple[bytes, Encoding]:
        """The first ``limit`` bytes of a stored data set and their encoding. Raises OSError when the file is gone."""
        with self.open(path) as file:
            start = file.read(HEAD_LIMIT)
            head = decode_head(start)
            if head is None:
                return start, Encoding.of("")
            wanted = head.data_offset + limit - len(start)
            data = (start + file.read(wanted) if wanted > 0 else start)[head.data_offset : head.data_offset + limit]
            return data, Encoding.of(head.meta.transfer_syntax)


class DiskFiles(Files):
    """The files below a storage directory."""

    def __init__(self, root: Path, *, full_sync: bool) -> None:
        self.root = root
        self.incoming = root / INCOMING
        self.full_sync = full_sync
        self._prefix = f"{root}{os.sep}"

    def keep(self, spool: Spool, path: str) -> int:
        """Complete the temporary file and rename it; the folders are made when they turn out to be missing."""
        temporary = spool.finish(full_sync=self.full_sync)
        final = self._prefix + path
        # Try first: asking whether the folder exists costs 2 to 4 us per instance.
        try:
            os.replace(temporary, final)  # noqa: PTH105 - a Path object costs as much as the system call
        except FileNotFoundError:
            self._make_folder(Path(final).parent)
            os.replace(temporary, final)  # noqa: PTH105
        if self.full_sync:
            sync_folder(Path(final).parent)
        return len(spool.head) + spool.size

    def revert(self, spool: Spool, path: str) -> None:
        """Give the file its temporary name again."""
        if spool.temporary is not None:
            (self.root / path).replace(spool.temporary)

    def remove(self, path: str) -> None:
        """Unlink."""
        (self.root / path).unlink(missing_ok=True)

    def remove_all(self, paths: Iterable[str]) -> bool:
        """Unlink each; on Windows a file that somebody reads cannot go."""
        all_gone, folders = True, dict[Path, None]()
        for path in paths:
            folders[(self.root / path).parent] = None
            try:
                self.remove(path)
            except OSError:
                all_gone = False
        for folder in folders:
            self._leave(folder)
        return all_gone

    def open(self, path: str) -> BinaryIO:
        """Open for reading; the caller closes it."""
        return open(self._prefix + path, "rb")  # noqa: PTH123 - a Path object costs as much as the system call

    def facts(self, path: str) -> FileFacts | None:
        """One stat."""
        try:
            found = os.stat(self._prefix + path)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FileFacts(found.st_size, found.st_mtime)

    def series_folders(self) -> Iterator[tuple[str, float]]:
        """Two levels of folders; symbolic links are not followed, they could lead anywhere."""
        for study in _entries(self.root / FOLDER):
            if study.is_dir(follow_symlinks=False):
                for series in _entries(study.path):
                    changed_at = _changed_at(series)
                    if changed_at is not None:
                        yield f"{FOLDER}/{study.name}/{series.name}", changed_at

    def paths_in(self, folder: str) -> list[str]:
        """By time of writing: the first instance of a series, study or patient gives it its attributes."""
        aged = []
        for entry in _entries(self.root / folder):
            with suppress(FileNotFoundError):  # deleted while we look
                if entry.is_file(follow_symlinks=False):
                    aged.append((entry.stat().st_mtime_ns, entry.name))
        return [f"{folder}/{name}" for _, name in sorted(aged)]

    @contextmanager
    def whole(self, path: str) -> Iterator[memoryview]:
        """Map the file; one of no bytes cannot be mapped."""
        with self.open(path) as file:
            if not os.fstat(file.fileno()).st_size:
                yield memoryview(b"")
                return
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
                yield view

    def _leave(self, series: Path) -> None:
        """Remove the folders of a series and of its study once they are empty; force to the disk what changed."""
        folder = series
        with suppress(OSError):  # not empty: this is where it ends
            series.rmdir()
            folder = series.parent
            folder.rmdir()
            folder = folder.parent
        if self.full_sync:
            with suppress(OSError):
                sync_folder(folder)

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if self.full_sync:
            sync_folder(folder.parent)
            sync_folder(folder.parent.parent)


class MemoryFiles(Files):
    """The same without a disk: whole files by path."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[bytes, float]] = {}

    def keep(self, spool: Spool, path: str) -> int:
        """Join head and fragments: the one copy that is made."""
        contents = b"".join((spool.head, *spool.blocks()))
        self._files[path] = contents, spool.begun_at
        return len(contents)

    def revert(self, spool: Spool, path: str) -> None:
        """Take the file away again; the spool still has its fragments."""
        self._files.pop(path, None)

    def remove(self, path: str) -> None:
        """Forget the file."""
        self._files.pop(path, None)

    def remove_all(self, paths: Iterable[str]) -> bool:
        """Forget them."""
        for path in paths:
            self.remove(path)
        return True

    def open(self, path: str) -> BinaryIO:
        """A reader that shares the bytes."""
        try:
            return io.BytesIO(self._files[path][0])
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path) from None

    def facts(self, path: str) -> FileFacts | None:
        """Size, and when its spool was begun."""
        found = self._files.get(path)
        return FileFacts(len(found[0]), found[1]) if found else None

    def series_folders(self) -> Iterator[tuple[str, float]]:
        """Folders exist as parts of the paths."""
        yield from dict.fromkeys((path.rpartition("/")[0], 0.0) for path in list(self._files))

    def paths_in(self, folder: str) -> list[str]:
        """In the order of storing."""
        return [path for path in list(self._files) if path.rpartition("/")[0] == folder]

    @contextmanager
    def whole(self, path: str) -> Iterator[memoryview]:
        """The bytes as they are kept."""
        with self.open(path) as file:
            yield memoryview(file.read())


def _changed_at(folder: os.DirEntry[str]) -> float | None:
    try:
        return folder.stat().st_mtime if folder.is_dir(follow_symlinks=False) else None
    except FileNotFoundError:  # deleted while we look
        return None


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def sync_folder(folder: Path) -> None:
    """Force to the disk which names a folder holds."""
    if os.name == "nt":  # a directory cannot be opened there; NTFS journals the rename by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
