"""How a filter is written: blanks, quotes, commas, minus, "or" and parentheses. It does not know what a key means.

any = all { "or" all }          all = one { one }          one = ["-"] ( "(" any ")" | term )
term = key ":" value { "," value } | number { "," number }
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from mockpacs.errors import FilterError
from mockpacs.traffic.filter.term import All, Either, Node, Not, Term
from mockpacs.wire.text import printable

LONGEST: Final = 65_536
"""Characters of a filter."""
DEEPEST: Final = 20
"""Parentheses within parentheses that are read; a person needs two."""
_TAG: Final = re.compile(r"\([0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\)(?=:)")
_KEY: Final = re.compile(r'[^\s:()"]*')
_PLAIN: Final = re.compile(r"[^\s,()]*")
_SHOWN: Final = 70
"""Characters of a long filter that an error shows on either side of the column."""


class Value(NamedTuple):
    """One of the alternatives of a term, without its quotes."""

    text: str
    at: int
    """Where it begins in the filter, from 0."""


class Written(NamedTuple):
    """A term as it was written; ``key`` is "" for bare numbers."""

    key: str
    at: int
    values: tuple[Value, ...]
    text: str


class MisreadError(Exception):
    """Inside the filter modules only: what is wrong, and where; it leaves as a `FilterError`."""

    def __init__(self, sentence: str, at: int) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.at = at

    def shown(self, text: str) -> FilterError:
        """The error for the user: the sentence, the filter, a caret below the place."""
        first = self.at - _SHOWN if self.at > 2 * _SHOWN else 0
        before = ("…" if first else "") + printable(text[first : self.at])
        after = printable(text[self.at :], 2 * _SHOWN)
        return FilterError(f"{self.sentence}\n  {before}{after}\n  {' ' * len(before)}^", column=self.at + 1)


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean "service"?``, or nothing when nothing is near. Case and punctuation do not count."""
    plain = {bare(name): name for name in known}
    near = difflib.get_close_matches(bare(word)[:64], plain, n=1, cutoff=0.55)
    return f'; did you mean "{plain[near[0]]}"?' if near else ""


def bare(name: str) -> str:
    """A name without what people leave out: case, blanks and punctuation, except wild cards."""
    return "".join(mark for mark in name.casefold() if mark.isalnum() or mark in "*?")


def parse(text: str, make_term: Callable[[Written], Term]) -> Node:
    """The filter as a tree; ``make_term`` gives a term its meaning. Raises `MisreadError`."""
    if len(text) > LONGEST:
        raise MisreadError(f"a filter has {LONGEST} characters at most", LONGEST)
    reader = _Reader(text, make_term)
    if not reader.rest():
        return All(())
    node = reader.any(0)
    if reader.rest():
        raise MisreadError('this ")" closes nothing; write it in quotes when it belongs to a value', reader.at)
    return node


class _Reader:
    def __init__(self, text: str, make_term: Callable[[Written], Term]) -> None:
        self.text = text
        self.at = 0
        self._make_term = make_term

    def rest(self) -> str:
        """The next character that is no blank, "" at the end."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def any(self, depth: int) -> Node:
        parts = [self._all(depth)]
        while self._take_or():
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _all(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.rest() not in ("", ")") and not self._sees_or():
            parts.append(self._one(depth))
        if not parts:
            raise MisreadError("a term is missing here", self.at)
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self, depth: int) -> Node:
        if self.text[self.at] == "-":
            self.at += 1
            if not self.text[self.at : self.at + 1].strip():
                raise MisreadError("a minus stands directly before the term that it negates", self.at - 1)
            return Not(self._group_or_term(depth))
        return self._group_or_term(depth)

    def _group_or_term(self, depth: int) -> Node:
        if self.text[self.at] != "(" or _TAG.match(self.text, self.at):
            return self._make_term(self._written())
        opened = self.at
        if depth >= DEEPEST:
            raise MisreadError(f"parentheses are read {DEEPEST} deep, not deeper", opened)
        self.at += 1
        node = self.any(depth + 1)
        if self.rest() != ")":
            raise MisreadError('this "(" is not closed', opened)
        self.at += 1
        return node

    def _sees_or(self) -> bool:
        word = self.text[self.at : self.at + 3]
        return word[:2].lower() == "or" and (len(word) == 2 or word[2].isspace() or word[2] in "()")

    def _take_or(self) -> bool:
        if self.rest() and self._sees_or():
            self.at += 2
            return True
        return False

    def _written(self) -> Written:
        start = self.at
        found = _TAG.match(self.text, start) or _KEY.match(self.text, start)
        key = found.group() if found else ""
        self.at += len(key)
        mark = self.text[self.at : self.at + 1]
        if mark == ":":
            if not key:
                raise MisreadError("a key is missing before the colon", start)
            self.at += 1
            values = self._values(key)
            return Written(key, start, values, self.text[start : self.at])
        if mark == '"':
            raise MisreadError('quotes stand around a value, after its key: subject:"two words"', self.at)
        return Written("", start, tuple(_pieces(key, start)), key)

    def _values(self, key: str) -> tuple[Value, ...]:
        values = [self._value(key)]
        while self.text[self.at : self.at + 1] == ",":
            self.at += 1
            values.append(self._value(key))
        return tuple(values)

    def _value(self, key: str) -> Value:
        start = self.at
        if self.text[start : start + 1] == '"':
            return Value(self._quoted(), start)
        found = _PLAIN.match(self.text, start)
        self.at = found.end() if found else start
        if self.at == start:
            shown = printable(key, 40)
            raise MisreadError(f'a value is missing; {shown}:* asks for any value, {shown}:"" for none', start)
        return Value(self.text[start : self.at], start)

    def _quoted(self) -> str:
        """Up to the closing quote; two quotes are one that belongs to the value."""
        opened = self.at
        parts = []
        while True:
            closing = self.text.find('"', self.at + 1)
            if closing < 0:
                raise MisreadError("this quote is not closed", opened)
            parts.append(self.text[self.at + 1 : closing])
            self.at = closing + 1
            if self.text[self.at : self.at + 1] != '"':
                break
        follows = self.text[self.at : self.at + 1]
        if follows and follows not in ",)" and not follows.isspace():
            raise MisreadError("after the closing quote comes a blank or a comma", self.at)
        return '"'.join(parts)


def _pieces(text: str, at: int) -> Iterable[Value]:
    """The bare numbers of ``2,4.1`` with their places."""
    for piece in text.split(","):
        yield Value(piece, at)
        at += len(piece) + 1
