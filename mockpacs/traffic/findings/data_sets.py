"""Checks of how a data set is encoded: transfer syntax, groups, order, lengths (PS3.5 7.1, 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from mockpacs.traffic.dump.naming import tag_name
from mockpacs.wire.dataset import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, PIXEL_GROUP, Element, Encoding, scan

Add: TypeAlias = Callable[[str, str, str], None]
"""Takes the name of a check, what was seen, and its clause ("" for the first of the check)."""

_STANDARD: Final = "1.2.840.10008.1.2"
_PREAMBLE_LENGTH: Final = 128
_EVERYTHING: Final = 1 << 32
_DEEPEST: Final = 256
_RESERVED_GROUPS: Final = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 0xFFFF})
_VRS: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
# A data set begins with one of these groups, in the byte order it is written in.
_FIRST_GROUPS: Final = frozenset({0x0002, 0x0004, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028, 0x0040})
_MOST_SHOWN: Final = 20


class Contents(NamedTuple):
    """A data set, as far as it could be read."""

    elements: dict[int, Element]
    encoding: Encoding
    """That it really has."""
    is_whole: bool
    """Whether there is nothing more than this."""


class _Witness:
    """Takes every tag and remembers the order."""

    def __init__(self) -> None:
        self.tags: list[int] = []

    def __contains__(self, tag: object) -> bool:
        if isinstance(tag, int):
            self.tags.append(tag)
        return True


def can_be_read(transfer_syntax: str) -> bool:
    """Whether the encoding of a transfer syntax is known: private ones may be anything."""
    return transfer_syntax == _STANDARD or transfer_syntax.startswith(f"{_STANDARD}.")


def check_encoding(data: bytes, transfer_syntax: str, *, is_whole: bool, add: Add) -> Contents:
    """Read a data set, or its head, and say what is wrong with its encoding."""
    if data[_PREAMBLE_LENGTH : _PREAMBLE_LENGTH + 4] == b"DICM":
        add("file-for-data-set", "a DICOM file with its preamble in place of the data set in it", "")
        return Contents({}, EXPLICIT_LITTLE, False)
    agreed = Encoding.of(transfer_syntax)
    encoding = agreed if agreed.deflated else _actual(data, agreed, add)
    witness = _Witness()
    # a whole data set is read past its pixel data; of a head the last element may be cut, which is no fault of it
    stop = _EVERYTHING if is_whole else PIXEL_GROUP
    header = scan(data, encoding, stop=stop, wanted=witness, deepest=_DEEPEST)
    if header.problem and is_whole:
        add("data-set-unreadable", f"a data set of {len(data)} bytes that cannot be read: {header.problem}", "")
    _check_tags(witness.tags, add)
    for element in header.elements.values():
        if len(element.value) % 2 and not element.undefined_length:
            add("odd-length", f"{tag_name(element.tag)} has {len(element.value)} bytes, an odd number", "")
    return Contents(header.elements, encoding._replace(deflated=False), is_whole and header.complete)


def _actual(data: bytes, agreed: Encoding, add: Add) -> Encoding:
    """The encoding the first element is in: its group shows the byte order, letters where a VR would be the rest."""
    if len(data) < 8:
        return agreed
    little = int.from_bytes(data[:2], "little")
    big = int.from_bytes(data[:2], "big")
    is_explicit = data[4:6] in _VRS
    if agreed.little_endian and little not in _FIRST_GROUPS and big in _FIRST_GROUPS:
        found = EXPLICIT_BIG if is_explicit else agreed
    elif not agreed.little_endian and big not in _FIRST_GROUPS and little in _FIRST_GROUPS:
        found = EXPLICIT_LITTLE if is_explicit else IMPLICIT_LITTLE
    elif agreed.implicit and is_explicit:
        # two letters that could be a VR are also the length of a value of 16 kB and more
        found = EXPLICIT_LITTLE if int.from_bytes(data[4:8], "little") > len(data) - 8 else agreed
    elif not agreed.implicit and not is_explicit and not data[4:6].isalpha():
        found = IMPLICIT_LITTLE if agreed.little_endian else agreed
    else:
        found = agreed
    if found != agreed:
        text = (
            f"the data set is encoded {_describe(found)}, {_describe(agreed)} was agreed: it begins {data[:8].hex(' ')}"
        )
        add("wrong-encoding", text, "")
    return found


def _describe(encoding: Encoding) -> str:
    vr = "implicit VR" if encoding.implicit else "explicit VR"
    return f"{vr} {'little' if encoding.little_endian else 'big'} endian"


def _check_tags(tags: list[int], add: Add) -> None:
    last, told = -1, 0
    for tag in tags:
        if tag >> 16 in _RESERVED_GROUPS and told < _MOST_SHOWN:
            add("group-not-allowed", f"{tag_name(tag)} in a data set", "")
            told += 1
        if tag <= last and told < _MOST_SHOWN:
            how = "twice" if tag == last else f"after {tag_name(last)}"
            add("data-set-order", f"{tag_name(tag)} {how}", "")
            told += 1
        last = max(last, tag)
