"""The part of the options that is the archive's, in the archive's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockpacs.archive import ArchiveOptions
    from mockpacs.config.options import Options


def archive_options(options: Options) -> ArchiveOptions:
    """What `Archive.open` wants to know."""
    from mockpacs.archive import ArchiveOptions, Durability, OnDuplicate, Reaction  # peewee costs 15 ms

    return ArchiveOptions(
        durability=Durability(options.durability),
        on_duplicate=OnDuplicate(options.on_duplicate),
        duplicate_status=0xB000 if options.duplicate_status == "warning" else 0x0000,
        unreadable=Reaction(options.unreadable),
        mismatch=Reaction(options.mismatch),
    )
