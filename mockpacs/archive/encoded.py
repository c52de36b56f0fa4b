"""A pydicom Dataset as an archive keeps it: what its file meta information says, and the bytes of the data set.

The Dataset is encoded as pydicom would write it to a file, in its own transfer syntax; it is not changed.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

from mockpacs.errors import ArchiveError
from mockpacs.wire.part10 import PREFIX, FileMeta, decode_head

if TYPE_CHECKING:
    from pydicom import Dataset

EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"


def encoded(dataset: Dataset) -> tuple[FileMeta, bytes]:
    """The UIDs are those of the Dataset, not of its file meta information, which tests seldom keep in step.

    Raises ArchiveError when a UID is missing, or when there are no bytes for a value.
    """
    about = getattr(dataset, "file_meta", None) or {}
    meta = FileMeta(
        _uid(dataset, "SOPClassUID", "SOP Class UID"),
        _uid(dataset, "SOPInstanceUID", "SOP Instance UID"),
        str(about.get("TransferSyntaxUID", None) or EXPLICIT_LITTLE_ENDIAN),
        str(about.get("SourceApplicationEntityTitle", None) or ""),
    )
    try:
        return meta, _data_set(dataset, meta.transfer_syntax, is_named="TransferSyntaxUID" in about)
    except Exception as error:  # pydicom raises whatever a wrong value leads to
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArchiveError(f"the data set cannot be encoded: {reason}") from error


def _uid(dataset: Dataset, keyword: str, name: str) -> str:
    uid = str(dataset.get(keyword, None) or "")
    if not uid:
        raise ArchiveError(f"the data set has no {name}: set its {keyword}")
    return uid


def _data_set(dataset: Dataset, transfer_syntax: str, *, is_named: bool) -> bytes:
    from pydicom import dcmwrite
    from pydicom.uid import UID

    file = BytesIO()
    if is_named and not UID(transfer_syntax).is_private:
        dcmwrite(file, dataset, enforce_file_format=False)
    else:  # pydicom wants to be told; private transfer syntaxes are explicit little endian as good as always
        dcmwrite(file, dataset, implicit_vr=False, little_endian=True, enforce_file_format=False)
    contents = file.getvalue()
    head = decode_head(contents)
    if head is not None:
        return contents[head.data_offset :]
    return contents[len(PREFIX) :] if getattr(dataset, "preamble", None) else contents
