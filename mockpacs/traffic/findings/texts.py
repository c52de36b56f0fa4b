"""Checks of text in a data set: is its character set defined, and can it say this (PS3.3 C.12.1.1.2, PS3.5 6.1)."""

from __future__ import annotations

from typing import Final

from mockpacs.traffic.dump.naming import tag_name
from mockpacs.traffic.dump.value import TEXT_VRS
from mockpacs.traffic.findings.data_sets import Add, Contents
from mockpacs.traffic.findings.values import check_characters, check_padding, check_values
from mockpacs.traffic.findings.words import quoted
from mockpacs.wire.dataset import Element, Encoding, inside, items
from mockpacs.wire.dictionary import vr_of
from mockpacs.wire.text import LOCALISED, decode, values

CHARACTER_SET: Final = 0x00080005
_WITHOUT_EXTENSIONS: Final = frozenset(
    f"ISO_IR {number}" for number in (100, 101, 109, 110, 144, 127, 126, 138, 148, 203, 13, 166, 192)
) | {"GB18030", "GBK"}
_WITH_EXTENSIONS: Final = frozenset(
    f"ISO 2022 IR {number}"
    for number in (6, 100, 101, 109, 110, 144, 127, 126, 138, 148, 203, 13, 166, 87, 159, 149, 58)
)
_ESCAPE: Final = b"\x1b"
_LONGEST_VALUE: Final = 4096
_MOST_ITEMS: Final = 500
_REPLACEMENT: Final = "\ufffd"


def check_texts(contents: Contents, *, is_key: bool, add: Add) -> None:
    """Look at all text of a data set, also in its sequences, as far as time allows."""
    character_set = _check_character_set(contents.elements, add, "")
    waiting: list[tuple[dict[int, Element], Encoding, str]] = [(contents.elements, contents.encoding, character_set)]
    looked_at = 0
    while waiting and looked_at < _MOST_ITEMS:
        elements, encoding, outer = waiting.pop()
        own = outer if looked_at == 0 else _check_character_set(elements, add, outer)
        looked_at += 1
        for element in elements.values():
            vr = element.vr or vr_of(element.tag)
            if vr == "SQ" or (vr == "UN" and element.undefined_length):
                within = inside(element, encoding)
                if len(waiting) < _MOST_ITEMS:
                    waiting += [(item, within, own) for item in items(element, encoding)[:_MOST_ITEMS]]
            elif vr in TEXT_VRS and len(element.value) <= _LONGEST_VALUE:
                _check_text(element.tag, vr, bytes(element.value), own, is_key=is_key, add=add)


def _check_character_set(elements: dict[int, Element], add: Add, outer: str) -> str:
    """The character set of a data set or an item, which inherits that around it (PS3.5 6.1.2.5.3)."""
    element = elements.get(CHARACTER_SET)
    if element is None:
        return outer
    written = decode(element.value).rstrip(" \0")
    terms = [term.strip(" ") for term in written.split("\\")]
    if len(terms) == 1:
        wrong = [term for term in terms if term and term not in _WITHOUT_EXTENSIONS | _WITH_EXTENSIONS]
    else:
        wrong = [term for number, term in enumerate(terms) if term not in _WITH_EXTENSIONS and (term or number)]
    if wrong:
        many = " among several" if len(terms) > 1 else ""
        text = f"Specific Character Set {quoted(written)}: {quoted(wrong[0])} is not a defined term{many}"
        add("character-set", text, "")
    return written


def _check_text(tag: int, vr: str, raw: bytes, character_set: str, *, is_key: bool, add: Add) -> None:
    if not raw:
        return
    check_padding(tag, vr, raw, add)
    is_plain = raw.isascii() and _ESCAPE not in raw
    if not is_plain and not _is_decodable(tag, vr, raw, character_set, add):
        return
    text = decode(raw, character_set) if vr in LOCALISED else decode(raw)
    check_characters(tag, vr, text.rstrip(" \0"), add)
    check_values(tag, vr, values(raw, vr, character_set), is_key=is_key, add=add)


def _is_decodable(tag: int, vr: str, raw: bytes, character_set: str, add: Add) -> bool:
    """Whether bytes beyond ASCII mean something; that they mean the right thing nobody can tell."""
    shown = quoted(raw[:32].decode("ascii", "backslashreplace"))
    if vr not in LOCALISED:
        add("undecodable-text", f"{tag_name(tag)} is a {vr}, which is ASCII only: {shown}", "PS3.5 6.1.2")
        return False
    if not character_set:
        text = f"{tag_name(tag)} has bytes beyond ASCII and there is no Specific Character Set: {shown}"
        add("undecodable-text", text, "")
        return False
    if _REPLACEMENT in decode(raw, character_set) and _REPLACEMENT.encode() not in raw:
        add("undecodable-text", f"{tag_name(tag)} cannot be decoded with {quoted(character_set)}: {shown}", "")
        return False
    return True
