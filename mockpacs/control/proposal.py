"""What a test wants to propose or to store, in the words it has: names, UIDs, files, Datasets, stored instances."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from mockpacs.archive import StoredInstance
from mockpacs.errors import ArchiveError, ConfigurationError
from mockpacs.wire.part10 import FileMeta, decode_head
from mockpacs.wire.transfer_syntaxes import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from mockpacs.written.kinds import quoted
from mockpacs.written.uids import SOP_CLASS, TRANSFER_SYNTAX, Kind, uids_of

_NATIVE: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
_PATH: Final = re.compile(r"^[~.]?[/\\]|^[^\s]*[/\\][^\s]*$|\.[A-Za-z]\w{0,4}$")
"""What is meant as a path: names of SOP classes have blanks beside their slashes, and UIDs end in digits."""
_FOLDER: Final = "{} is a folder: name the files in it, one by one"
_BLOCK: Final = 1 << 18
_HEAD: Final = 1 << 16
"""Bytes of a file in which its meta information is looked for."""


def proposals(what: Sequence[Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Presentation contexts: of names and UIDs, of pairs of them and transfer syntaxes, of what is to be stored."""
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    for one in what:
        if isinstance(one, tuple):
            sop_class, syntaxes = one
            several = [syntaxes] if isinstance(syntaxes, str) else syntaxes
            found[uid_of(sop_class, SOP_CLASS), tuple(uid_of(syntax, TRANSFER_SYNTAX) for syntax in several)] = None
        elif isinstance(one, str) and not Path(one).is_file():
            found[_named(one), _NATIVE] = None
        else:
            meta, _ = parcel(one)
            found[meta.sop_class, (meta.transfer_syntax,)] = None
    yield from found


def _named(text: str) -> str:
    """The SOP class of a name; who meant a file is told what is wrong with that."""
    try:
        return uid_of(text, SOP_CLASS)
    except ConfigurationError:
        if Path(text).is_dir():
            raise ArchiveError(_FOLDER.format(text)) from None
        if _PATH.search(text):
            raise ArchiveError(f"{text}: there is no such file") from None
        raise


def uid_of(text: str, kind: Kind) -> str:
    """The one UID that a name, a keyword or a UID means. Raises `ConfigurationError`."""
    try:
        uids = uids_of(text, kind)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    if not isinstance(uids, frozenset) or len(uids) != 1:
        raise ConfigurationError(f"{text!r} is not one UID: write its name or the UID itself")
    (uid,) = uids
    return str(uid)


def parcel(what: Any) -> tuple[FileMeta, Iterable[bytes]]:
    """What is to be stored: its meta information, and its data set in pieces."""
    if isinstance(what, StoredInstance):
        return what.meta, what.blocks()
    if hasattr(what, "to_json_dict"):
        from mockpacs.archive.encoded import encoded

        meta, data = encoded(what)
        return meta, [data]
    if not isinstance(what, str | os.PathLike):
        raise ConfigurationError(f"{quoted(what)} is no file, no Dataset and no stored instance")
    path = Path(what)
    if path.is_dir():
        raise ArchiveError(_FOLDER.format(path))
    try:
        with path.open("rb") as file:
            head = decode_head(file.read(_HEAD))
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
    if head is None:
        raise ArchiveError(f"{path}: has no file meta information, so it is no DICOM file that could be sent")
    return head.meta, _blocks(path, head.data_offset)


def _blocks(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while block := file.read(_BLOCK):
            yield block
