"""Where recordings of tests are kept: a folder for each test below pytest's cache, emptied when the test starts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import Final

import pytest

_LONGEST: Final = 80


def folder_of(request: pytest.FixtureRequest) -> Path:
    """The folder of a test, which is not there. Without pytest's cache it is below its temporary folder."""
    folder = _above(request) / name_of(request.node.nodeid)
    forget(folder)
    return folder


def forget(folder: Path) -> None:
    """Delete the folder of a test, when it has one."""
    shutil.rmtree(folder, ignore_errors=True)


def name_of(nodeid: str) -> str:
    """A name that a shell and every file system take, readable, and of this test alone."""
    readable = re.sub(r"[^\w.-]+", "-", nodeid, flags=re.ASCII).strip("-.")[-_LONGEST:]
    return f"{readable}-{hashlib.sha1(nodeid.encode(), usedforsecurity=False).hexdigest()[:6]}"


def plain(name: str) -> str:
    """The name of a server as that of a folder."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "server"


def shown(path: Path, config: pytest.Config) -> str:
    """A path as a person who ran the tests can type it."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(config.invocation_params.dir))
    return str(path)


def _above(request: pytest.FixtureRequest) -> Path:
    cache = getattr(request.config, "cache", None)  # None with -p no:cacheprovider
    if cache is not None:
        with contextlib.suppress(OSError):
            folder = Path(cache.mkdir("mockpacs"))
            if os.access(folder, os.W_OK):
                return folder
    return Path(request.getfixturevalue("tmp_path_factory").getbasetemp()) / "mockpacs"
