"""Query models as people write them: patient-root and its like, or a SOP class by UID, name or keyword."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from mockpacs.scenario.uids import SOP_CLASS, uids_of

_ROOT: Final = "1.2.840.10008.5.1.4.1.2."

MODELS: Final = {
    "patient-root": frozenset(f"{_ROOT}1.{number}" for number in (1, 2, 3)),
    "study-root": frozenset(f"{_ROOT}2.{number}" for number in (1, 2, 3)),
    "patient-study-only": frozenset(f"{_ROOT}3.{number}" for number in (1, 2, 3)),
    "worklist": frozenset(("1.2.840.10008.5.1.4.31",)),
}
"""What the models are called in conversation; each has a SOP class for C-FIND, C-MOVE and C-GET (PS3.4 C.6, K.6)."""


def models_of(text: str) -> Container[str]:
    """The SOP classes a text stands for. Raises ValueError for an unknown name."""
    known = MODELS.get(text.strip().casefold())
    return known if known is not None else uids_of(text, SOP_CLASS)
