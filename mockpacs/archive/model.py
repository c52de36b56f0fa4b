"""The information models of Query/Retrieve: their levels, unique keys and SOP classes (PS3.4 C.3, C.6)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from mockpacs.archive.index import Level

LEVELS: Final = tuple(Level)
"""The levels from the top down."""

DEPTH: Final = {level: depth for depth, level in enumerate(LEVELS)}

UNIQUE_KEY: Final = {
    Level.PATIENT: 0x00100020,
    Level.STUDY: 0x0020000D,
    Level.SERIES: 0x0020000E,
    Level.IMAGE: 0x00080018,
}
"""The unique key of each level (PS3.4 C.6.1.1)."""

REQUIRED_KEYS: Final = {
    Level.PATIENT: (0x00100010,),
    Level.STUDY: (0x00080020, 0x00080030, 0x00080050, 0x00200010),
    Level.SERIES: (0x00080060, 0x00200011),
    Level.IMAGE: (0x00200013,),
}
"""The required keys of each level. The Study Root model adds the keys of PATIENT to its STUDY level (C.6.2.1.2)."""

_ROOT: Final = "1.2.840.10008.5.1.4.1.2"


class Model(Enum):
    """An information model: the levels it has, and the UIDs of its three SOP classes."""

    PATIENT_ROOT = ("1", LEVELS)
    STUDY_ROOT = ("2", LEVELS[1:])
    PATIENT_STUDY_ONLY = ("3", LEVELS[:2])

    def __init__(self, number: str, levels: tuple[Level, ...]) -> None:
        self.levels = levels
        self.find_uid = f"{_ROOT}.{number}.1"
        self.move_uid = f"{_ROOT}.{number}.2"
        self.get_uid = f"{_ROOT}.{number}.3"

    @classmethod
    def of(cls, sop_class: str) -> Model | None:
        """The model a FIND, MOVE or GET SOP class belongs to; None for any other UID."""
        for model in cls:
            if sop_class in (model.find_uid, model.move_uid, model.get_uid):
                return model
        return None

    def above(self, level: Level) -> tuple[Level, ...]:
        """The levels of this model above one of its levels."""
        return self.levels[: self.levels.index(level)]
