"""The instances of a recording as DICOM files that are named by their content: the same one is there once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from mockpacs.errors import RecordingError
from mockpacs.replay.blob import Blob
from mockpacs.replay.step import Said
from mockpacs.wire import CommandField
from mockpacs.wire.part10 import FileMeta, encode_head, guess_transfer_syntax

FOLDER: Final = "objects"
_MARK: Final = 8
"""Bytes of a data set that show how it is encoded."""


class Objects:
    """The folder ``objects`` of a folder; it is made with the first instance."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._known: dict[int, str] = {}
        self._names: set[str] = set()

    def __len__(self) -> int:
        return len(self._names)

    def add(self, said: Said) -> str:
        """Write what a C-STORE request brought; returns ``objects/<sha256 of the file>.dcm``.

        "" when it is none, is not whole, or when nobody knows how it is encoded. Raises RecordingError.
        """
        command, data = said.command, said.data
        if command.field is not CommandField.C_STORE_RQ or data is None or not data.size or not said.is_whole:
            return ""
        known = self._known.get(id(data))  # a tape keeps its data sets: there is no other one with this id
        if known is None:
            syntax = said.context.transfer_syntax or guess_transfer_syntax(data.head(_MARK))
            sop_class = command.affected_sop_class or said.context.abstract_syntax
            meta = FileMeta(sop_class, command.affected_sop_instance or "", syntax)
            known = self._known[id(data)] = self._write(meta, data) if syntax else ""
        return known

    def name_of(self, data: Blob) -> str:
        """What an instance was written to that was added before; "" when it was not."""
        return self._known.get(id(data), "")

    def _write(self, meta: FileMeta, data: Blob) -> str:
        folder = self._home / FOLDER
        partial = folder / f".{os.getpid()}.part"
        digest, head = hashlib.sha256(), encode_head(meta)
        try:
            folder.mkdir(exist_ok=True)
            with partial.open("wb") as file:
                digest.update(head)
                file.write(head)
                for block in data.blocks():
                    digest.update(block)
                    file.write(block)
            name = f"{digest.hexdigest()}.dcm"
            partial.replace(folder / name)
        except OSError as error:
            raise RecordingError(f"{folder}: instances cannot be written there: {error.strerror or error}") from error
        self._names.add(name)
        return f"{FOLDER}/{name}"
