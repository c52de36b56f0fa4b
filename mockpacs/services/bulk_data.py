"""Instances without their bulk data: Composite Instance Retrieve Without Bulk Data (PS3.4 Annex Z)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mockpacs.archive import StoredInstance
from mockpacs.services.conversion import Prepared, converted
from mockpacs.services.courier import Undeliverable
from mockpacs.services.recoding import EXTENDED_OFFSETS, PIXEL_DATA, Edits
from mockpacs.traffic.dump.naming import uid_name
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.transfer_syntaxes import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

# PS3.4 Table Z.1-1. It gives Pixel Data Provider URL a number that nothing has; PS3.6 knows it as (0028,7FE0). Float
# and Double Float Pixel Data are younger than the table's first editions, and pixel data all the same.
_LEFT_OUT: Final = frozenset((0x00287FE0, 0x56000020, 0x7FE00008, 0x7FE00009, PIXEL_DATA)) | EXTENDED_OFFSETS
_REPEATING: Final = {0x5000: (0x3000, 0x200C), 0x6000: (0x3000,)}
"""Curve Data and Audio Sample Data, Overlay Data: 16 groups each (PS3.5 7.6)."""
_WAVEFORM_SEQUENCE: Final = 0x54000100
_WAVEFORM_DATA: Final = 0x54001010


def is_bulk_data(tag: int) -> bool:
    """Whether a top-level element is left out (PS3.4 Z.1.3). An icon's pixel data is deeper, and stays."""
    group, number = tag >> 16, tag & 0xFFFF
    if tag in _LEFT_OUT:
        return True
    return group <= 0x60FF and not group & 1 and number in _REPEATING.get(group & 0xFF00, ())


EDITS: Final = Edits(drop=is_bulk_data, drop_within={_WAVEFORM_SEQUENCE: _WAVEFORM_DATA})
"""What makes a data set one without bulk data; Waveform Data is inside the items of Waveform Sequence (Z.1.3)."""


def forms(transfer_syntax: str) -> tuple[str, ...]:
    """The transfer syntaxes an instance can be sent in without bulk data, by preference: as it is encoded first.

    Without pixels a compressed transfer syntax says no more than explicit VR little endian, in which it is sent; in its
    own when the peer takes no other. Big endian becomes little.
    """
    if transfer_syntax in (IMPLICIT_LITTLE, DEFLATED):
        return tuple(dict.fromkeys((transfer_syntax, EXPLICIT_LITTLE, IMPLICIT_LITTLE, DEFLATED)))
    own = () if transfer_syntax == EXPLICIT_BIG or not _is_explicit_little(transfer_syntax) else (transfer_syntax,)
    return tuple(dict.fromkeys((EXPLICIT_LITTLE, IMPLICIT_LITTLE, DEFLATED, *own)))


def prepared(instance: StoredInstance, accepted: Sequence[str]) -> Prepared:
    """An instance without bulk data in one of the accepted transfer syntaxes.

    Raises Undeliverable when there is none, or when its data set makes no sense; StorageError when the file is gone.
    """
    target = next((form for form in forms(instance.transfer_syntax) if form in accepted), None)
    if target is None:
        name = uid_name(instance.transfer_syntax) or instance.transfer_syntax
        raise Undeliverable(f"not accepted without bulk data: {name}")
    return converted(instance, target, EDITS)


def _is_explicit_little(transfer_syntax: str) -> bool:
    return Encoding.of(transfer_syntax) == Encoding.of(EXPLICIT_LITTLE)
