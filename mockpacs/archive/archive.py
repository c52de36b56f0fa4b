"""The archive as others see it: opening and closing, storing, finding, and looking after what is stored.

Nothing here knows a network or a scenario; every method may be called from any thread.
"""

from __future__ import annotations

import builtins
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from mockpacs.archive import add as adding
from mockpacs.archive import query, summary, verify
from mockpacs.archive import retrieve as retrieving
from mockpacs.archive.catalogue import Progress, fill
from mockpacs.archive.database import Index
from mockpacs.archive.deletion import EVERYTHING, Deletion, Selection, one_instance, one_series, one_study
from mockpacs.archive.ingest import Stored, Writer
from mockpacs.archive.instance import StoredInstance, current, stored_instance, stored_instances
from mockpacs.archive.model import Model
from mockpacs.archive.opening import INDEX_NAME, Opened, open_in_memory, open_on_disk
from mockpacs.archive.options import ArchiveOptions
from mockpacs.archive.query import Match, QueryOptions
from mockpacs.archive.retrieve import Selected
from mockpacs.archive.sources import Sources
from mockpacs.archive.spool import Spool
from mockpacs.errors import ArchiveError, StorageError
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.part10 import FileMeta

if TYPE_CHECKING:
    from pydicom import Dataset

_DEFAULT: Final = ArchiveOptions()


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What ``reindex`` did: instances now in the index, and files that are none."""

    instances: int
    strange_files: tuple[str, ...]


class Archive:
    """Stored instances and their index. Made by ``open``, ended by ``close``; a context manager does the latter."""

    def __init__(self, opened: Opened, options: ArchiveOptions) -> None:
        self.recovery = opened.recovery
        """What the start repaired; its text is "" when there was nothing to do."""
        self.index = opened.index
        self.files = opened.files
        self._lock = opened.lock
        self._incoming = opened.incoming
        self._writer = Writer(opened.index, opened.files, options)
        self._sources = Sources(self._writer, self.spool, self.instance)
        self._deletion = Deletion(opened.index, opened.files, self._writer.rows, opened.intent)
        self._rearranging = threading.Lock()

    @classmethod
    def open(
        cls,
        directory: Path | None,
        *,
        options: ArchiveOptions = _DEFAULT,
        progress: Progress | None = None,
        read_only: bool = False,
    ) -> Archive:
        """Open the archive in a storage directory, which is made if need be; None keeps everything in memory.

        Repairs what an unclean stop left behind, and rebuilds an index that is lost or unusable (``progress`` hears
        about that). ``read_only`` works beside the process that serves the archive, and changes nothing.

        Raises ArchiveBusyError when another process has the directory, SchemaError when a newer mockpacs wrote the
        index, StorageError when the disk refuses.
        """
        if directory is None:
            return cls(open_in_memory(), options)
        return cls(open_on_disk(directory, options, progress, read_only=read_only), options)

    def spool(self, meta: FileMeta) -> Spool:
        """A spool for one incoming data set; pass it to ``store``, or discard it."""
        return Spool(meta, self._incoming)

    def store(self, batch: Sequence[Spool]) -> list[Stored]:
        """Store several instances in one transaction; the answers are in the order of the batch.

        On return every instance whose answer is a Success or a Warning is on disk under its final name and in the
        index. What the disk refuses is answered with A700, not raised. The spools are used up by all of this.
        """
        self._refuse_read_only()
        return self._writer.store(batch)

    def store_at_once(self, spool: Spool) -> Stored | None:
        """Store one instance without waiting for anybody who is at the index; None: somebody is, nothing was done."""
        self._refuse_read_only()
        if not self.index.lock.acquire(blocking=False):
            return None
        try:
            return self._writer.store_at_once(spool)
        finally:
            self.index.lock.release()

    def instance(self, sop_instance: str) -> StoredInstance | None:
        """A stored instance, None when there is none of this SOP Instance UID."""
        with _told("The index cannot be read"):
            return stored_instance(self.index, self.files, sop_instance)

    def find(
        self,
        identifier: bytes,
        encoding: Encoding,
        model: Model,
        options: QueryOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[Match]:
        """Answer a query lazily (PS3.4 C.4.1) until ``cancelled``. IdentifierError for one that cannot be answered.

        While matches are taken, StorageError when the index cannot be read.
        """
        return _readable(query.find(self.index, self.files, identifier, encoding, model, options, cancelled))

    def retrieve(
        self, identifier: bytes, encoding: Encoding, model: Model | None, *, relational: bool, frames: bool = False
    ) -> Selected:
        """What a C-MOVE or C-GET asks for (PS3.4 C.4.2.2.1); model None knows SOP Instance UIDs alone (Y.6, Z.6).

        ``frames``: the model can ask for frames (Y.3), which is refused, as they are not extracted.

        Raises IdentifierError for an identifier that cannot be answered, StorageError when the index cannot be read.
        """
        with _told("The index cannot be read"):
            return retrieving.retrieve(
                self.index, self._current, identifier, encoding, model, relational=relational, frames=frames
            )

    def syntaxes_of(self, sop_class: str) -> builtins.list[str]:
        """Transfer Syntax UIDs of the latest instances of a SOP class, the most frequent first; [] without any."""
        with _told("The index cannot be read"):
            return retrieving.syntaxes_of(self.index, sop_class)

    def counts(self) -> summary.Counts:
        """How much is stored."""
        return summary.counts(self.index)

    def list(self) -> Iterator[summary.Listed]:
        """Every study."""
        return summary.studies(self.index)

    def instances(
        self, *, study: str = "", series: str = "", patient: str = "", limit: int | None = None, offset: int = 0
    ) -> builtins.list[StoredInstance]:
        """The instances of a study (its UID), a series, a patient (the Patient ID), or all, in the order of storing."""
        with _told("The index cannot be read"):
            return stored_instances(
                self.index, self.files, patient=patient, study=study, series=series, limit=limit, offset=offset
            )

    def add(self, *sources: str | os.PathLike[str] | Dataset) -> builtins.list[StoredInstance]:
        """Store files, every instance below folders, and pydicom Datasets; what the archive has of them now.

        A file is kept byte for byte. A Dataset is encoded in its own transfer syntax, or in explicit VR little endian
        when it has none. In a folder, files that are not DICOM are passed over.

        Raises ArchiveError with a line for each that was refused, also because the archive keeps another instance of
        that UID; all others are stored. StorageError when only the disk refused.
        """
        self._refuse_read_only()
        return self._sources.add(sources)

    def add_stream(self, file: BinaryIO, name: str) -> StoredInstance:
        """Store one file that is read from a stream, in bounded memory when the archive is on disk.

        Raises ArchiveError, whose text begins with ``name``.
        """
        self._refuse_read_only()
        return self._sources.add_stream(file, name)

    def take(self, path: Path) -> Iterator[adding.Added]:
        """Take a file, or every file below a folder, one after the other. A bad file is reported, never raised."""
        self._refuse_read_only()
        return adding.take(self._writer, self.spool, path)

    def delete(self, *, sop_instance: str = "", series: str = "", study: str = "") -> int:
        """Delete an instance, a series or a study by its UID; how many instances that were, 0 when there is none.

        Series, studies and patients that are empty then go too. What is being read is read to its end. Raises
        StorageError when the disk refuses; each instance is then there or deleted.
        """
        match [
            make(uid) for make, uid in ((one_instance, sop_instance), (one_series, series), (one_study, study)) if uid
        ]:
            case [selection]:
                return self._delete(selection)
        raise ArchiveError("say what to delete by one UID: sop_instance, series or study; clear() deletes everything")

    def clear(self) -> int:
        """Delete everything; how many instances that were."""
        return self._delete(EVERYTHING)

    def _delete(self, selection: Selection) -> int:
        self._refuse_read_only()
        with self._rearranging, _told("The archive cannot delete"):
            return self._deletion.run(selection)

    def verify(self, progress: Progress | None = None) -> Iterator[verify.Finding]:
        """Compare files and index both ways; nothing is changed."""
        return verify.verify(self.index, self.files, progress)

    def reindex(self, progress: Progress | None = None) -> Reindexed:
        """Build a new index from the files and put it in the place of the old one. Storing waits meanwhile."""
        self._refuse_read_only()
        with self._rearranging, self.index.lock:
            path = self.index.path and self.index.path.with_name(INDEX_NAME + ".new")
            if path is not None:
                path.unlink(missing_ok=True)
            replacement = Index.open(path)
            try:
                entered, strange = fill(replacement, self.files, progress)
            except BaseException:
                replacement.close()
                if path is not None:
                    path.unlink(missing_ok=True)
                raise
            self.index.swap(replacement)
            self._writer.rows.forget()
        return Reindexed(entered, tuple(strange))

    def checkpoint(self) -> None:
        """Fold the log of the index into its file, beside everything else. What cannot be done now is done later."""
        self.index.checkpoint()

    def close(self) -> None:
        """Finish; harmless when said twice. Spools that were not stored are discarded by the next start."""
        try:
            self.index.close()
        except sqlite3.Error as refused:
            raise ArchiveError(f"The index could not be closed properly: {refused}.") from refused
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _current(self, sop_instances: Sequence[str]) -> dict[str, StoredInstance]:
        with _told("The index cannot be read"):
            return current(self.index, self.files, sop_instances)

    def _refuse_read_only(self) -> None:
        if self.index.read_only:
            raise ArchiveError("The archive was opened for reading only.")


def _readable(matches: Iterator[Match]) -> Iterator[Match]:
    with _told("The index cannot be read"):
        yield from matches


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as refused:
        raise StorageError(f"{what}: {refused}") from refused
    except OSError as refused:
        raise StorageError(f"{what}: {refused.strerror}") from refused
