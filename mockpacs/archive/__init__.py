"""The archive: stored instances, byte for byte as received, and an index that can always be rebuilt from them."""

from mockpacs.archive.add import Added
from mockpacs.archive.archive import Archive, Reindexed
from mockpacs.archive.index import Level
from mockpacs.archive.ingest import Stored
from mockpacs.archive.instance import StoredInstance
from mockpacs.archive.model import Model
from mockpacs.archive.options import ArchiveOptions, Durability, OnDuplicate, Reaction
from mockpacs.archive.query import Match, QueryOptions
from mockpacs.archive.repair import Recovery
from mockpacs.archive.retrieve import Selected
from mockpacs.archive.spool import Spool
from mockpacs.archive.summary import Counts, Listed
from mockpacs.archive.verify import Finding, FindingKind
from mockpacs.wire.part10 import FileMeta

__all__ = [
    "Added",
    "Archive",
    "ArchiveOptions",
    "Counts",
    "Durability",
    "FileMeta",
    "Finding",
    "FindingKind",
    "Level",
    "Listed",
    "Match",
    "Model",
    "OnDuplicate",
    "QueryOptions",
    "Reaction",
    "Recovery",
    "Reindexed",
    "Selected",
    "Spool",
    "Stored",
    "StoredInstance",
]
