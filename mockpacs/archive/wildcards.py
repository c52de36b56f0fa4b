"""Wild card matching without regular expressions: linear in the text, whatever the key (PS3.4 C.2.2.2.4)."""

from __future__ import annotations

from collections.abc import Callable


def has_wildcard(text: str) -> bool:
    """Whether a key of a VR that knows wild cards contains one."""
    return "*" in text or "?" in text


def literal_prefix(pattern: str) -> str:
    """What every matching text begins with."""
    ends = [at for at in (pattern.find("*"), pattern.find("?")) if at >= 0]
    return pattern[: min(ends)] if ends else pattern


def longest_literal(pattern: str) -> str:
    """The longest run of plain characters: every matching text contains it."""
    return max(pattern.replace("?", "*").split("*"), key=len)


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A predicate for ``*`` (any characters, also none) and ``?`` (exactly one); every other character is itself.

    The pieces between the asterisks are found one after the other, each at its leftmost place, so nothing is ever tried
    twice: there is no backtracking to blow up.
    """
    head, *rest = pattern.split("*")
    if not rest:
        return lambda text: len(text) == len(head) and _agrees(head, text, 0)
    tail = rest.pop()
    middle = [_finder(piece) for piece in rest if piece]
    shortest = len(pattern) - pattern.count("*")

    def matches(text: str) -> bool:
        if len(text) < shortest or not _agrees(head, text, 0) or not _agrees(tail, text, len(text) - len(tail)):
            return False
        at, end = len(head), len(text) - len(tail)
        for find in middle:
            at = find(text, at, end)
            if at < 0:
                return False
        return True

    return matches


def _agrees(piece: str, text: str, at: int) -> bool:
    if "?" not in piece:
        return text.startswith(piece, at)
    return all(mark in ("?", character) for mark, character in zip(piece, text[at : at + len(piece)], strict=True))


def _finder(piece: str) -> Callable[[str, int, int], int]:
    """A function giving the end of the leftmost place of a piece in ``text[start:end]``, or -1."""
    if "?" not in piece:

        def find_plain(text: str, start: int, end: int) -> int:
            at = text.find(piece, start, end)
            return at + len(piece) if at >= 0 else -1

        return find_plain

    # Shift-and: bit i of the state says that the last i + 1 characters agree with the first i + 1 of the piece.
    anything = sum(1 << place for place, mark in enumerate(piece) if mark == "?")
    masks: dict[str, int] = {}
    for place, mark in enumerate(piece):
        masks[mark] = masks.get(mark, anything) | 1 << place
    masks.pop("?")
    accepted = 1 << (len(piece) - 1)

    def find(text: str, start: int, end: int) -> int:
        state = 0
        for at in range(start, end):
            state = (state << 1 | 1) & masks.get(text[at], anything)
            if state & accepted:
                return at + 1
        return -1

    return find
