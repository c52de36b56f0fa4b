"""A DICOM server for tests and debugging. NOT FOR CLINICAL USE.

`MockPACS` serves, `Options` says how, `Rule` is one rule of a scenario, `HandlerRequest` what a function that answers
gets; each is imported when first touched, so that ``import mockpacs`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

from mockpacs.version import __version__

if TYPE_CHECKING:
    from mockpacs.app import MockPACS
    from mockpacs.config import Options
    from mockpacs.scenario.rule import Rule
    from mockpacs.services.handler_request import HandlerRequest


__all__ = ["HandlerRequest", "MockPACS", "Options", "Rule", "__version__"]

_HOMES: Final = {
    "HandlerRequest": "mockpacs.services.handler_request",
    "MockPACS": "mockpacs.app",
    "Options": "mockpacs.config",
    "Rule": "mockpacs.scenario.rule",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
