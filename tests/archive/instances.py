"""Small instances made of bytes, and storing them."""

from __future__ import annotations

import struct

from mockpacs.archive import Archive, FileMeta, Stored
from mockpacs.wire.dataset import EXPLICIT_LITTLE, encode_element
from mockpacs.wire.dictionary import tag_of, vr_of

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"

DEFAULTS = {
    "SOPClassUID": CT,
    "StudyDate": "20240131",
    "Modality": "CT",
    "PatientName": "Doe^Jane",
    "PatientID": "P1",
    "StudyInstanceUID": "1.2.3",
    "SeriesInstanceUID": "1.2.3.4",
}


def dataset(pixels: bytes = b"", **attributes: str | bytes | None) -> bytes:
    """An explicit little endian data set; None leaves an attribute out."""
    values = {**DEFAULTS, **attributes}
    tags = sorted((tag_of(keyword) or 0, value) for keyword, value in values.items() if value is not None)
    encoded = [
        encode_element(tag, vr_of(tag), value if isinstance(value, bytes) else value.encode("latin_1"), EXPLICIT_LITTLE)
        for tag, value in tags
    ]
    if pixels:
        encoded.append(struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, len(pixels)) + pixels)
    return b"".join(encoded)


def instance(uid: str, pixels: bytes = b"", **attributes: str | bytes | None) -> tuple[FileMeta, bytes]:
    """File meta and data set of a CT instance."""
    return FileMeta(CT, uid, EXPLICIT, "SENDER"), dataset(pixels, **{"SOPInstanceUID": uid, **attributes})


def store(archive: Archive, *instances: tuple[FileMeta, bytes]) -> list[Stored]:
    """Store in one batch."""
    spools = []
    for meta, data in instances:
        spool = archive.spool(meta)
        spool.append(data)
        spools.append(spool)
    return archive.store(spools)


def store_one(archive: Archive, uid: str, pixels: bytes = b"", **attributes: str | bytes | None) -> Stored:
    """Store one instance in its own batch."""
    return store(archive, instance(uid, pixels, **attributes))[0]
