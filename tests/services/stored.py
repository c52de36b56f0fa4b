"""Stored instances for the tests of how they are sent: files of the pydicom wheel, data sets made of bytes."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from mockpacs.archive import Archive, FileMeta, StoredInstance
from mockpacs.wire.part10 import decode_head
from tests.conftest import wheel_files


@cache
def instances() -> dict[Path, tuple[FileMeta, bytes]]:
    """What the files of the wheel hold that say what they are; no DICOMDIR."""
    found = {}
    for path in wheel_files():
        contents = path.read_bytes()
        head = decode_head(contents)
        if head and head.meta.transfer_syntax and head.meta.sop_class and not path.name.startswith("DICOMDIR"):
            found[path] = head.meta, contents[head.data_offset :]
    return found


def kept(archive: Archive, meta: FileMeta, data: bytes) -> StoredInstance:
    """Stored, and looked up."""
    spool = archive.spool(meta)
    spool.append(data)
    archive.store([spool])
    found = archive.instance(meta.sop_instance)
    assert found is not None
    return found


def need_decoders() -> None:
    """Skip where the extra ``transcode`` is not installed; with MOCKPACS_REQUIRE_TOOLS=1 that is a failure."""
    missing = [name for name in ("numpy", "gdcm", "openjpeg") if find_spec(name) is None]
    if not missing:
        return
    reason = f"the extra transcode is not installed: no {', '.join(missing)}"
    if os.environ.get("MOCKPACS_REQUIRE_TOOLS") == "1":
        pytest.fail(f"{reason}, and MOCKPACS_REQUIRE_TOOLS=1 asks for it")
    pytest.skip(reason)
