"""Whether a PDU may begin at a place of a stream whose boundaries are lost: after a gap, in mid-session, after garbage.

A wrong yes invents a PDU out of pixel data, so much is asked for: lengths that fit into one another up to the end of
the PDU; and behind the short ones, which hold little that can fit, a longer one or the end of the stream. The answer
depends on the bytes alone, never on how many came at once. Looking costs a bounded number of steps for each byte.
"""

from __future__ import annotations

import re
from struct import Struct

from mockpacs.wire.framer import MAX_ASSOCIATE_LENGTH
from mockpacs.wire.pdu import FIXED_BODY_LENGTH, PduType

_HEADER = Struct(">BxI")
_PDV_HEADER = Struct(">IBB")
_ITEM_HEADER = Struct(">BxH")
_HEADER_LENGTH = _HEADER.size
_P_DATA_START = _HEADER_LENGTH + _PDV_HEADER.size
_LEAST_P_DATA = _PDV_HEADER.size
_ASSOCIATE_FIXED = 68
_FIRST_ITEM = _HEADER_LENGTH + _ASSOCIATE_FIXED
_SHORT = (FIXED_BODY_LENGTH, FIXED_BODY_LENGTH)
_ASSOCIATE = (_ASSOCIATE_FIXED + _ITEM_HEADER.size, MAX_ASSOCIATE_LENGTH)
# by PDU type, the shortest and the longest body that makes sense
_LENGTHS = dict(enumerate((_ASSOCIATE, _ASSOCIATE, _SHORT, (_LEAST_P_DATA, 1 << 32), _SHORT, _SHORT, _SHORT), start=1))
# application context, proposed context, context answer, user information (PS3.8 9.3.2, 9.3.3)
_ITEMS = frozenset({0x10, 0x20, 0x21, 0x50})
# a chain of so many lengths that fit is no chance; more would let a crafted stream cost its length squared
_MOST_LINKS = 16
# A label map with many zeros has a release every few thousand bytes, and the shortest P-DATA-TF now and then. A command
# set takes more than that.
_LONGEST_SHORT = 48
# the end of a data set, A-RELEASE-RQ, A-RELEASE-RP, A-ABORT: no more short ones make sense in a row
_MOST_SHORT = 4

_ODD = b"[" + b"".join(b"\\x%02x" % number for number in range(1, 256, 2)) + b"]"
# the longest pattern; less than that at the end of a stream may yet become one
_PATTERN_LENGTH = _P_DATA_START
_CANDIDATE = re.compile(
    b"|".join(
        (
            rb"\x04\0[\0-\x07]...[\0-\x07]..." + _ODD + rb"[\0-\x03]",  # P-DATA-TF: context odd, two control bits
            rb"[\x01\x02]\0\0[\0-\x0f]..." + _ODD,  # A-ASSOCIATE-RQ, -AC: protocol version bit 0
            rb"[\x05\x06]\0\0\0\0\x04\0\0\0\0",  # A-RELEASE
            rb"\x07\0\0\0\0\x04\0\0[\0-\x02].",  # A-ABORT: source 0 to 2
            rb"\x03\0\0\0\0\x04\0[\x01\x02][\x01-\x03][\0-\x0a]",  # A-ASSOCIATE-RJ: result, source, reason
        )
    ),
    re.DOTALL,
)


def find(view: memoryview, offset: int, max_length: int, *, is_all: bool) -> tuple[int, bool]:
    """Look for a PDU from ``offset`` on. Returns (place, True) when a whole one begins at that place.

    (place, False): none begins before that place, and more bytes are needed to say whether one begins there.
    ``is_all`` says that nothing follows ``view``: then what is not refuted is taken. ``max_length`` is that of a body.
    """
    while match := _CANDIDATE.search(view, offset):
        at = match.start()
        verdict = _judge(view, at, max_length, is_all=is_all)
        if verdict:
            return at, True
        if verdict is None and not is_all:
            return at, False
        offset = at + 1
    end = len(view)
    return end if is_all else max(offset, end - _PATTERN_LENGTH + 1), False


def may_be_first(view: memoryview, max_length: int) -> bool | None:
    """Whether a stream may begin with this; None: too few bytes to say.

    Less is asked for than in `find`, as most streams are seen from their beginning: a request in a version that is not
    ours, or with items that lie, is a PDU. But a capture may as well begin in the middle of an image.
    """
    least, most = _LENGTHS.get(view[0], (1, 0))
    if not most:
        return False
    if len(view) < _HEADER_LENGTH:
        return None
    length = _length(view, 0)
    if not least <= length <= min(most, max_length):
        return False
    if view[0] == PduType.P_DATA_TF:
        return None if len(view) < _P_DATA_START else _after_pdv(view, _HEADER_LENGTH, _HEADER_LENGTH + length) != 0
    if length == FIXED_BODY_LENGTH:
        return True
    return view[_FIRST_ITEM] in _ITEMS if len(view) > _FIRST_ITEM else None


def _judge(view: memoryview, at: int, max_length: int, *, is_all: bool) -> bool | None:
    """Whether what looks like the beginning of a PDU is one; None: it may be, there are too few bytes to say."""
    undecided = None
    for _ in range(_MOST_SHORT):
        stop = at + _HEADER_LENGTH + _length(view, at)
        verdict = _fits(view, at, stop, max_length)
        if verdict is None:
            return undecided
        if not verdict or stop - at > _LONGEST_SHORT:
            return verdict
        at = stop
        undecided = is_all or None  # of what follows the first, half is enough when there is no more
        if not _CANDIDATE.match(view, at):
            return undecided if _may_become_header(view[at : at + _PATTERN_LENGTH], max_length) else False
    return False


def _fits(view: memoryview, at: int, stop: int, max_length: int) -> bool | None:
    """Whether the lengths within a PDU fit; None: too few bytes to say."""
    start = at + _HEADER_LENGTH
    least, most = _LENGTHS[view[at]]
    if not least <= stop - start <= min(most, max_length):
        return False
    if view[at] == PduType.P_DATA_TF:
        return _pdvs_fit(view, start, stop)
    return least == FIXED_BODY_LENGTH or _items_fit(view, start + _ASSOCIATE_FIXED, stop)


def _may_become_header(known: memoryview, max_length: int) -> bool:
    """Whether these bytes, too few for a pattern, may be the beginning of one."""
    if len(known) < _HEADER_LENGTH:
        return not known or (known[0] in _LENGTHS and not any(known[1:2]))
    length = _length(known, 0)
    least, most = _LENGTHS.get(known[0], (1, 0))
    return len(known) < _PATTERN_LENGTH and not known[1] and least <= length <= min(most, max_length)


def _length(view: memoryview, at: int) -> int:
    """The length that the header of a PDU claims for its body."""
    length: int = _HEADER.unpack_from(view, at)[1]
    return length


def _pdvs_fit(view: memoryview, offset: int, stop: int) -> bool | None:
    """Whether PDVs fill a body from ``offset`` to ``stop``."""
    end = len(view)
    for _ in range(_MOST_LINKS):
        if offset == stop:
            break
        if offset + _PDV_HEADER.size > end:
            return None if offset + _PDV_HEADER.size <= stop else False
        offset = _after_pdv(view, offset, stop)
        if not offset:
            return False
    return True if stop <= end else None


def _after_pdv(view: memoryview, offset: int, stop: int) -> int:
    """The place behind the PDV at ``offset``, 0 when it is none that fits before ``stop``."""
    length, context_id, control = _PDV_HEADER.unpack_from(view, offset)
    behind: int = offset + 4 + length
    return behind if length >= 2 and behind <= stop and context_id % 2 and control <= 3 else 0


def _items_fit(view: memoryview, offset: int, stop: int) -> bool | None:
    """Whether items fill the rest of an associate PDU from ``offset`` to ``stop``."""
    end = len(view)
    for _ in range(_MOST_LINKS):
        if offset == stop:
            break
        start = offset + _ITEM_HEADER.size
        if start > end:
            return None if start <= stop else False
        kind, length = _ITEM_HEADER.unpack_from(view, offset)
        offset = start + length
        if kind not in _ITEMS or offset > stop:
            return False
    return True if stop <= end else None
