"""P-DATA-TF PDUs cut again for a peer that takes shorter ones."""

from __future__ import annotations

from collections.abc import Iterable

from mockpacs.wire import PDV, PDataTF, can_carry_data, encode_pdu

_PDV_HEADER_LENGTH = 6


def fitting(pdvs: Iterable[PDV], longest: int) -> list[bytes]:
    """The same fragments in their order, in PDUs of at most so many bytes (0 is no limit); longer ones are cut."""
    if longest and not can_carry_data(longest):
        longest = 0  # it takes none at all: then it may see what it said
    pdus: list[bytes] = []
    together: list[PDV] = []
    size = 0
    for pdv in pdvs:
        for piece in _cut(pdv, longest):
            length = _PDV_HEADER_LENGTH + len(piece.data)
            if together and longest and size + length > longest:
                pdus.append(encode_pdu(PDataTF(tuple(together))))
                together, size = [], 0
            together.append(piece)
            size += length
    if together:
        pdus.append(encode_pdu(PDataTF(tuple(together))))
    return pdus


def _cut(pdv: PDV, longest: int) -> Iterable[PDV]:
    room = longest - _PDV_HEADER_LENGTH if longest else len(pdv.data)
    if len(pdv.data) <= room or not room:
        return [pdv]
    starts = range(0, len(pdv.data), room)
    return [pdv._replace(data=pdv.data[at : at + room], is_last=pdv.is_last and at == starts[-1]) for at in starts]
