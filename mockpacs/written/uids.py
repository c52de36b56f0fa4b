"""SOP classes and transfer syntaxes as people write them: by UID, by name or keyword of PS3.6 Annex A, with globs."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import Final, Literal, NamedTuple

from mockpacs.written.kinds import quoted

Kind = Literal["SOP Class", "Transfer Syntax"]
SOP_CLASS: Final[Kind] = "SOP Class"
TRANSFER_SYNTAX: Final[Kind] = "Transfer Syntax"

WORDS: Final = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big": "1.2.840.10008.1.2.2",
}
"""What the uncompressed transfer syntaxes are called in conversation."""

_UID: Final = re.compile(r"[0-9.]+")
_UID_GLOB: Final = re.compile(r"[0-9.*?]+")


@dataclass(frozen=True, slots=True)
class UidGlob:
    """All UIDs that look so, known ones and private ones."""

    glob: str

    def __contains__(self, uid: object) -> bool:
        return isinstance(uid, str) and _matches(uid, self.glob)


@lru_cache(maxsize=1024)
def uids_of(text: str, kind: Kind) -> Container[str]:
    """The UIDs a text stands for: ``uid in uids_of("CT*", SOP_CLASS)``. Raises ValueError for an unknown name.

    A UID stands for itself, one with ``*`` or ``?`` for all that look so. Anything else is compared with names and
    keywords, without case, blanks and punctuation, and is a frozenset; pydicom is imported only for those.
    """
    text = str(text).strip()
    if _UID.fullmatch(text):
        return frozenset((text,))
    if _UID_GLOB.fullmatch(text):
        return UidGlob(text)
    wanted = _bare(text)
    if kind == TRANSFER_SYNTAX and wanted in WORDS:
        return frozenset((WORDS[wanted],))
    known = _known(kind)
    names = [wanted] if wanted in known else [name for name in known if _matches(name, wanted)]
    if wanted and names:
        return frozenset(uid for name in names for uid in known[name].uids)
    raise ValueError(f"{quoted(text)} is no UID, nor the name or keyword of a {kind}{_near(wanted, kind)}")


def _bare(name: str) -> str:
    """A name without what people leave out, except wild cards."""
    return "".join(mark for mark in name.casefold() if mark.isalnum() or mark in "*?")


def _near(wanted: str, kind: Kind) -> str:
    """A name that may be meant: compared bare, shown as PS3.6 writes it."""
    import difflib  # only wanted when something is already wrong

    shown = {name: named.shown for name, named in _known(kind).items()}
    if kind == TRANSFER_SYNTAX:
        shown |= {word: word for word in WORDS}
    near = difflib.get_close_matches(wanted, shown, n=1)
    return f'; did you mean "{shown[near[0]]}"?' if near else ""


class _Named(NamedTuple):
    """What bears a name. Retired classes share theirs with those that replaced them."""

    shown: str
    uids: frozenset[str]


@cache
def _known(kind: Kind) -> dict[str, _Named]:
    """Everything of a kind by its name, and by its keyword, both bare."""
    from pydicom._uid_dict import UID_dictionary

    found: dict[str, _Named] = {}
    for uid, (name, what, _, _, keyword) in UID_dictionary.items():
        for text in (name, keyword) if kind in what else ():
            others = found.get(_bare(text), _Named(text, frozenset()))
            found[_bare(text)] = others._replace(uids=others.uids | {uid})
    found.pop("", None)
    return found


def _matches(text: str, glob: str) -> bool:
    """Only * and ? are special, as everywhere in the language."""
    return fnmatchcase(text, glob.replace("[", "[[]"))
