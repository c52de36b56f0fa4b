"""A DICOM server for tests and debugging. NOT FOR CLINICAL USE.

`MockPACS` serves, `Options` says how; both are imported when first touched, so that ``import mockpacs`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockpacs.version import __version__

if TYPE_CHECKING:
    from mockpacs.app import MockPACS
    from mockpacs.config import Options


__all__ = ["MockPACS", "Options", "__version__"]


def __getattr__(name: str) -> object:
    if name == "MockPACS":
        from mockpacs.app import MockPACS

        return MockPACS
    if name == "Options":
        from mockpacs.config import Options

        return Options
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
