"""What all tests share: foreign tools, and DICOM files that came with an installed package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


def find_tool(name: str) -> str:
    """The path of a foreign program. Without it the test is skipped; with MOCKPACS_REQUIRE_TOOLS=1 it fails."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    if path is not None:
        return path
    reason = f"{name} is not installed"
    if os.environ.get("MOCKPACS_REQUIRE_TOOLS") == "1":
        pytest.fail(f"{reason}, and MOCKPACS_REQUIRE_TOOLS=1 asks for it")
    pytest.skip(reason)


def wheel_files(pattern: str = "**/*") -> list[Path]:
    """The DICOM files inside the pydicom wheel, sorted; nothing is downloaded. ``pattern`` is relative to its data."""
    spec = find_spec("pydicom")
    assert spec is not None
    assert spec.origin is not None
    data = Path(spec.origin).parent / "data"
    found = (path for folder in ("test_files", "charset_files") for path in (data / folder).glob(pattern))
    return sorted(path for path in found if path.is_file() and _is_part_10(path))


def _is_part_10(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


@pytest.fixture
def tool() -> Callable[[str], str]:
    """``tool("storescu")``: its path, or a skip with a reason."""
    return find_tool
