"""The Query/Retrieve information models: which SOP class has which levels and unique keys (PS3.4 C.6); pure data."""

from __future__ import annotations

from typing import Final, NamedTuple

QUERY_LEVEL: Final = 0x00080052

_UNIQUE_KEYS: Final = {
    "PATIENT": 0x00100020,
    "STUDY": 0x0020000D,
    "SERIES": 0x0020000E,
    "IMAGE": 0x00080018,
}


class Model(NamedTuple):
    """An information model."""

    name: str
    levels: tuple[str, ...]
    """From the top down; also retrievals by frame have the level IMAGE."""

    def keys_above(self, level: str) -> dict[str, int]:
        """The unique keys of the levels above one: a hierarchical request gives each a single value."""
        return {above: _UNIQUE_KEYS[above] for above in self.levels[: self.levels.index(level)]}


_PATIENT_ROOT: Final = Model("Patient Root", ("PATIENT", "STUDY", "SERIES", "IMAGE"))
_STUDY_ROOT: Final = Model("Study Root", ("STUDY", "SERIES", "IMAGE"))
_PATIENT_STUDY: Final = Model("Patient/Study Only", ("PATIENT", "STUDY"))
_QUERY_RETRIEVE: Final = "1.2.840.10008.5.1.4.1.2"

MODELS: Final = {
    f"{_QUERY_RETRIEVE}.{root}.{service}": model
    for root, model in ((1, _PATIENT_ROOT), (2, _STUDY_ROOT), (3, _PATIENT_STUDY))
    for service in (1, 2, 3)  # C-FIND, C-MOVE, C-GET
}
"""By SOP class."""

WORKLIST: Final = "1.2.840.10008.5.1.4.31"
STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
"""What the UIDs of the standard's storage SOP classes begin with."""
