"""Compressed pixel data decoded by pydicom, as edits of the stored data set: every other value of it stays as it is.

The decoders are those that are installed: the extra ``transcode`` brings them.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from mockpacs.archive import StoredInstance
from mockpacs.services.courier import Undeliverable
from mockpacs.services.decoding import decode
from mockpacs.services.recoding import EXTENDED_OFFSETS, PIXEL_DATA, Edits, head
from mockpacs.traffic.dump.naming import uid_name

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DESCRIPTION: Final = {
    0x00280002: "US",  # Samples per Pixel
    0x00280004: "CS",  # Photometric Interpretation
    0x00280006: "US",  # Planar Configuration
    0x00280010: "US",  # Rows
    0x00280011: "US",  # Columns
    0x00280100: "US",  # Bits Allocated
    0x00280101: "US",  # Bits Stored
    0x00280102: "US",  # High Bit
    0x00280103: "US",  # Pixel Representation
}
"""What a decoder may have to change (PS3.3 C.7.6.3)."""


_DECODERS: Final = {
    "JPEG": ("gdcm", "libjpeg", "PIL"),
    "JPEG-LS": ("gdcm", "libjpeg", "jpeg_ls"),
    "JPEG 2000": ("gdcm", "openjpeg", "PIL"),
    "High-Throughput JPEG 2000": ("openjpeg",),
}
"""The packages with which pydicom decodes; RLE it does by itself."""


def missing_decoders() -> str:
    """A sentence about what cannot be decompressed as its decoder is not installed, "" when there is one for all.

    It imports nothing: whoever serves asks for it at the start.
    """
    if find_spec("numpy") is None:
        missing = "nothing can be decompressed, numpy is not installed"
    else:
        without = [name for name, packages in _DECODERS.items() if not any(map(find_spec, packages))]
        if not without:
            return ""
        missing = f"no decoder is installed for {' and '.join(', '.join(without).rsplit(', ', 1))}"
    return f'transcode: {missing}: pip install "mockpacs[transcode]"'


def decompressed(instance: StoredInstance, *, implicit: bool) -> Edits:
    """What makes the stored data set an uncompressed one, in explicit or implicit VR little endian.

    The instance keeps its UID: the pixels are those of the compressed ones (PS3.4 C.6.1.1.5.1). Raises Undeliverable
    with the reason, StorageError when the file cannot be read.
    """
    name = uid_name(instance.transfer_syntax)
    data = instance.read()
    try:
        dataset = decode(data, instance.transfer_syntax)
        if PIXEL_DATA not in dataset:
            return Edits()
        before = {tag: _value(dataset, tag) for tag in _DESCRIPTION}
        dataset.decompress(generate_instance_uid=False)
        pixels: bytes = dataset[PIXEL_DATA].value
    except Exception as error:  # pydicom and its plugins raise whatever
        raise Undeliverable(f"cannot decompress {name}: {_reason(error)}") from error
    vr = str(dataset[PIXEL_DATA].VR)
    put = {PIXEL_DATA: (head(PIXEL_DATA, vr, len(pixels), implicit=implicit), pixels)}
    for tag, vr in _DESCRIPTION.items():
        value = _value(dataset, tag)
        if value is not None and value != before[tag]:
            put[tag] = _encoded(tag, vr, value, implicit=implicit)
    return Edits(drop=EXTENDED_OFFSETS.__contains__, put=put)


def _value(dataset: Dataset, tag: int) -> Any:
    return dataset[tag].value if tag in dataset else None


def _encoded(tag: int, vr: str, value: Any, *, implicit: bool) -> tuple[bytes, bytes]:
    raw = int(value).to_bytes(2, "little") if vr == "US" else str(value).encode("ascii")
    raw += b" " * (len(raw) % 2)
    return head(tag, vr, len(raw), implicit=implicit), raw


def _reason(error: Exception) -> str:
    if isinstance(error, ImportError) or "missing dependencies" in str(error):
        return "no decoder is installed, see the extra transcode"
    lines = str(error).splitlines() or [type(error).__name__]
    # pydicom lists what each decoder said, below a line that says nothing.
    return lines[1].strip() if len(lines) > 1 and lines[0].endswith(":") else lines[0]
