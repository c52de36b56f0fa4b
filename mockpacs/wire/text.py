"""Text of DICOM values: character sets both ways, trimming by VR, text made safe to print. Never raises on bytes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_ESCAPE: Final = b"\x1b"
_SEGMENTS: Final = re.compile(rb"\x1b?[^\x1b]*")

# Defined terms of (0008,0005) whose codec is in the standard library (PS3.3 C.12.1.1.2). The rest comes from pydicom.
_CODECS: Final = {
    "": "ascii",
    "ISO_IR 6": "ascii",
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 192": "utf_8",
    "GB18030": "gb18030",
    "GBK": "gbk",
}

# PS3.5 6.2: these keep their leading spaces, only the padding at the end is not significant.
_TRAILING_ONLY: Final = frozenset(["LT", "ST", "UT", "UC", "UR"])
# PS3.5 6.2: a backslash inside these is text.
_SINGLE: Final = frozenset(["LT", "ST", "UT", "UR"])
# PS3.5 6.1.2.3: only these are written in the Specific Character Set; all others are plain ASCII.
LOCALISED: Final = frozenset(["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
_DELIMITERS: Final = frozenset(b"\\^=\r\n\f\t")


def decode(raw: bytes | memoryview, character_set: str = "") -> str:
    """Text of a value. ``character_set`` is the text of (0008,0005), values joined by backslashes.

    Bytes the character set cannot say become U+FFFD. Without a label, bytes above 127 are read as UTF-8 when they are
    valid UTF-8, else as Latin-1: senders that forget the label use one of the two.
    """
    data = bytes(raw)
    if data.isascii() and _ESCAPE not in data:
        return data.decode("ascii")
    codecs = _codecs(character_set)
    if _ESCAPE in data and len(codecs) + (codecs[0] not in ("utf_8", "gb18030", "gbk")) > 1:
        return _decode_extended(data, codecs)
    if codecs[0] == "ascii":
        return _decode_unlabelled(data)
    return data.decode(codecs[0], "replace")


def values(raw: bytes | memoryview, vr: str, character_set: str = "") -> tuple[str, ...]:
    """The values of a text element, split at backslashes where the VR allows several, without insignificant padding.

    An empty element has no values: ``()``.
    """
    text = decode(raw, character_set) if vr in LOCALISED else decode(raw)
    if vr in _SINGLE:
        text = text.rstrip(" \0")
        return (text,) if text else ()
    if vr in _TRAILING_ONLY:
        parts = tuple(part.rstrip(" \0") for part in text.split("\\"))
    else:
        parts = tuple(part.strip(" \0") for part in text.split("\\"))
    return () if parts == ("",) else parts


def encode(text: str, character_set: str) -> bytes | None:
    """The bytes of a text in a character set; None when that character set cannot say it."""
    if text.isascii():
        return text.encode("ascii")
    codecs = _codecs(character_set)
    if len(codecs) > 1 or character_set not in _CODECS:
        return _encode_extended(text, codecs)
    try:
        return text.encode(codecs[0])
    except UnicodeEncodeError:
        return None


def is_known(character_set: str) -> bool:
    """Whether every value is a defined term of PS3.3 C.12.1.1.2."""
    from pydicom.charset import python_encoding

    return all(term.strip() in python_encoding for term in character_set.split("\\"))


def printable(text: str, limit: int = 0) -> str:
    """Peer text for a terminal or a log: control characters and direction marks made visible, cut at ``limit``."""
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


@lru_cache(maxsize=256)
def _codecs(character_set: str) -> tuple[str, ...]:
    """Python codecs of a Specific Character Set; a misspelt or unknown term counts as the default repertoire."""
    terms = [re.sub(r"^ISO[ _-]?IR[ _-]?", "ISO_IR ", term.strip(" \0")) for term in character_set.split("\\")]
    if len(terms) == 1 and terms[0] in _CODECS:
        return (_CODECS[terms[0]],)
    from pydicom.charset import python_encoding  # 180 ms once, paid only by those who use code extensions

    return tuple(_CODECS.get(term) or _extension_codec(term, python_encoding) for term in terms)


def _extension_codec(term: str, known: dict[str, str]) -> str:
    codec = known.get(term, "ascii")
    return "ascii" if codec == "iso8859" else codec


def _decode_unlabelled(data: bytes) -> str:
    try:
        return data.decode("utf_8")
    except UnicodeDecodeError:
        return data.decode("latin_1")


def _decode_extended(data: bytes, codecs: tuple[str, ...]) -> str:
    """ISO 2022 code extensions (PS3.5 6.1.2.5): each segment starts with the escape sequence that names its codec."""
    from pydicom.charset import CODES_TO_ENCODINGS, need_tail_escape_sequence_encodings

    decoded = []
    for segment in _SEGMENTS.findall(data):
        if not segment.startswith(_ESCAPE):
            decoded.append(segment.decode(codecs[0], "replace"))
            continue
        length = 4 if segment[1:3] in (b"$(", b"$)") else 3
        codec = CODES_TO_ENCODINGS.get(segment[:length])
        if codec is None:  # not an escape sequence of DICOM: keep it visible
            decoded.append(segment.decode(codecs[0], "replace"))
        elif codec in need_tail_escape_sequence_encodings:  # Python's ISO 2022 codecs want to see the escape
            decoded.append(segment.decode(codec, "replace"))
        else:
            body = segment[length:]
            cut = next((i for i, byte in enumerate(body) if byte in _DELIMITERS), len(body))
            decoded.append(body[:cut].decode(codec, "replace") + body[cut:].decode(codecs[0], "replace"))
    return "".join(decoded)


def _encode_extended(text: str, codecs: tuple[str, ...]) -> bytes | None:
    """Code extensions, part by part: every delimiter returns to the first character set (PS3.5 6.1.2.5.3)."""
    encoded = []
    for part in re.split(r"([\\^=\r\n\f\t])", text):
        piece = _encode_part(part, codecs)
        if piece is None:
            return None
        encoded.append(piece)
    joined = b"".join(encoded)
    return joined if _decode_extended(joined, codecs) == text else None


def _encode_part(part: str, codecs: tuple[str, ...]) -> bytes | None:
    from pydicom.charset import ENCODINGS_TO_CODES, need_tail_escape_sequence_encodings

    if part.isascii():
        return part.encode("ascii")
    for place, codec in enumerate(codecs):
        try:
            piece = part.encode(codec)
        except UnicodeEncodeError:
            continue
        if codec == "shift_jis" and len(piece) != len(part):
            continue  # ISO-IR 13 is the single-byte half of Shift JIS
        if place == 0 or codec in need_tail_escape_sequence_encodings:  # Python's ISO 2022 codecs write the escapes
            return piece
        escape = ENCODINGS_TO_CODES.get(codec)
        if escape is not None:
            return escape + piece
    return None
