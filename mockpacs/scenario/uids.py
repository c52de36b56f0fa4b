"""SOP classes and transfer syntaxes as a scenario writes them: as they are written everywhere."""

from __future__ import annotations

from mockpacs.written.uids import SOP_CLASS, TRANSFER_SYNTAX, WORDS, Kind, UidGlob, uids_of

__all__ = ["SOP_CLASS", "TRANSFER_SYNTAX", "WORDS", "Kind", "UidGlob", "uids_of"]
