"""From the rows of an index back to the records they were made of: equal to what a reading of the recording gives."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

from mockpacs.traffic.exchange import Answer, Association, Exchange, Notice, Place
from mockpacs.traffic.index.terms import Condition, values_of
from mockpacs.wire import AcceptedContext, Command, Tag, Value

_REMEMBERED: Final = 4096
"""Associations and texts that are kept while rows are read; they come in the order of associations."""
_EXCHANGES: Final = """
    SELECT e.association, e.sequence, e.number, e.peer, o.service, o.status, c.context_id, c.abstract_syntax,
        c.transfer_syntax, e.comment, e.rule, e.fault, e.started, e.seconds, e.size,
        d.subject, d.sop_instance, d.answers, d.shape, e.message_id,
        d.asked_by_us, d.cause, d.counts,
        d.part, d."offset", d.last_part, d."end", d.requestor, d.acceptor
    FROM exchange AS e
    CROSS JOIN detail AS d ON d.id = e.id
    CROSS JOIN outcome AS o ON o.id = e.outcome
    LEFT JOIN context AS c ON c.id = e.context
    WHERE {condition} ORDER BY e.association, e.number, e.id
"""
_NOTICES: Final = """
    SELECT association, after, moment, kind, text, peer, detail FROM notice ORDER BY association, after, id
"""
_PEER: Final = """
    SELECT p.number, p.address, calling.text, called.text, user.text, p.secure, p.server, p.cause, p.by_us
    FROM peer AS p JOIN text AS calling ON calling.id = p.calling
    JOIN text AS called ON called.id = p.called JOIN text AS user ON user.id = p.user WHERE p.id = ?
"""


class Reader:
    """Reads rows. ``parts``: the files of the recording, as they are called now."""

    def __init__(self, connection: sqlite3.Connection, parts: Sequence[Path]) -> None:
        self._connection = connection
        self._parts = parts
        self._peers: dict[int, Association] = {}
        self._texts: dict[int, str] = {}
        self._shapes: dict[int, dict[int, Value | None]] = {}

    def exchanges(self, condition: Condition) -> Iterator[tuple[int, Exchange]]:
        """The exchanges that pass a condition, by association and number, each with its place in its association."""
        for row in self._connection.execute(_EXCHANGES.format(condition=condition.sql), condition.parameters):
            yield row[1], self._exchange(row)

    def notices(self) -> Iterator[tuple[tuple[int, float], Notice]]:
        """All notices with what to sort them by among the exchanges: association, and a number between theirs."""
        for association, after, moment, kind, text, peer, detail in self._connection.execute(_NOTICES):
            one = None if peer is None else self._peer(peer)
            yield (association, after + 0.5), Notice(moment, kind, text, one, bool(detail))

    def values(self, tag: int, association: int, sequence: int) -> tuple[bool, tuple[str, ...] | None]:
        """The values of an indexed attribute, None where it is absent; False before it when only the data set knows."""
        row = self._connection.execute(
            "SELECT last, text, whole FROM attribute WHERE tag = ? AND association = ? AND first <= ? "
            "ORDER BY first DESC LIMIT 1",
            (tag, association, sequence),
        ).fetchone()
        if row is None or row[0] < sequence:
            return True, None
        return bool(row[2]), values_of(row[1])

    def _exchange(self, row: tuple[Any, ...]) -> Exchange:
        _, _, number, peer, service, status, context_id, abstract, transfer, *rest = row
        comment, rule, fault, started, seconds, size, subject, instance, answers, shape, message_id, *rest = rest
        by_us, cause, counts, *place = rest
        if answers is None:
            said: tuple[Answer, ...] = (Answer(status, 1, seconds, seconds),)
        else:
            said = tuple([Answer(*answer) for answer in json.loads(answers)])
        return Exchange(
            self._peers.get(peer) or self._peer(peer),
            number,
            service,
            status,
            subject,
            self._text(comment),
            started,
            seconds,
            size,
            said,
            None if shape is None else self._command(shape, message_id, instance),
            None if context_id is None else AcceptedContext(context_id, abstract, transfer),
            self._text(rule),
            self._text(fault),
            None if place[0] is None else self._place(*place),
            bool(by_us),
            cause,
            None if counts is None else tuple(json.loads(counts)),
        )

    def _command(self, shape: int, message_id: int, instance: str) -> Command:
        found = self._shapes.get(shape)
        if found is None:
            (text,) = self._connection.execute("SELECT elements FROM shape WHERE id = ?", (shape,)).fetchone()
            _make_room(self._shapes)
            found = self._shapes[shape] = _elements(text)
        elements = found.copy()
        if elements.get(Tag.MESSAGE_ID, 0) is None:
            elements[Tag.MESSAGE_ID.value] = message_id
        if elements.get(Tag.AFFECTED_SOP_INSTANCE, 0) is None:
            elements[Tag.AFFECTED_SOP_INSTANCE.value] = instance
        return Command(cast("dict[int, Value]", elements))

    def _place(self, part: int, offset: int, last: int | None, end: int, requestor: int, acceptor: int) -> Place:
        parts = self._parts
        return Place(parts[part], offset, end, requestor, acceptor, None if last is None else parts[last])

    def _peer(self, row: int) -> Association:
        row_of_peer = self._connection.execute(_PEER, (row,)).fetchone()
        number, address, calling, called, user, secure, server, cause, by_us = row_of_peer
        _make_room(self._peers)
        found = self._peers[row] = Association(
            number, address, calling, called, user, bool(secure), server, cause, bool(by_us)
        )
        return found

    def _text(self, row: int) -> str:
        found = self._texts.get(row)
        if found is None:
            _make_room(self._texts)
            (found,) = self._connection.execute("SELECT text FROM text WHERE id = ?", (row,)).fetchone()
            self._texts[row] = found
        return found


def _elements(text: str) -> dict[int, Value | None]:
    elements: dict[int, Any] = dict(json.loads(text))
    for tag, value in elements.items():
        if type(value) is list:
            elements[tag] = tuple(value)
        elif type(value) is dict:
            elements[tag] = bytes.fromhex(value["hex"])
    return elements


def _make_room(known: dict[int, Any]) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
