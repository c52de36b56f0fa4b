"""Filling the tables of an index, in raw SQL and in batches: peewee's ``create`` would take ten times as long."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mockpacs.traffic.exchange import Association, Exchange, Notice, Place, Record
from mockpacs.traffic.filter import moment_of
from mockpacs.traffic.filter.keys import leg_of
from mockpacs.traffic.filter.status import outcome_of
from mockpacs.traffic.index.runs import Runs
from mockpacs.wire import Tag, Value

_BATCH: Final = 2000
_REMEMBERED: Final = 50_000
"""Texts whose id is remembered; one that is forgotten gets another row, which harms nobody."""
_INSERTS: Final = {
    "exchange": 17,
    "detail": 14,
    "notice": 8,
    "attribute": 6,
    "text": 2,
    "peer": 10,
    "context": 4,
    "shape": 2,
    "outcome": 5,
}
"""The tables with the number of their columns, in the order in which a batch is written."""


class Writer:
    """Takes records one by one; ``finish`` writes what is left. ``parts``: the files of the recording."""

    def __init__(self, connection: sqlite3.Connection, parts: Sequence[Path]) -> None:
        self.first: float | None = None
        self._connection = connection
        self._parts = {os.fsencode(part.name): number for number, part in enumerate(parts)}
        self._part_path: Path | None = None
        self._part_number = 0
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _INSERTS}
        self._known: dict[str, dict[Any, int]] = {table: {} for table in ("text", "context", "shape", "outcome")}
        self._peers: dict[int, tuple[Association, int]] = {}
        self._last: dict[str, int] = {}
        self._sequences: dict[int, int] = {}
        self._highest: dict[int, int] = {}
        self._runs = Runs(self._rows["attribute"])
        self._count = 0

    def add(self, record: Record, attributes: Mapping[int, Sequence[str]]) -> None:
        """One more record, and the values of the attributes of its request's data set."""
        if self.first is None:
            self.first = moment_of(record)
        if isinstance(record, Exchange):
            self._add_exchange(record, attributes)
        else:
            self._add_notice(record)
        self._count += 1
        if self._count % _BATCH == 0:
            self._write()

    def finish(self) -> None:
        """Write what has not been written yet."""
        self._runs.finish()
        self._write()

    def _add_exchange(self, one: Exchange, attributes: Mapping[int, Sequence[str]]) -> None:
        association, command, sop_instance = one.association.number, one.command, one.sop_instance
        sequence = self._sequences[association] = self._sequences.get(association, 0) + 1
        if one.number > self._highest.get(association, 0):
            self._highest[association] = one.number
        message_id = command.message_id if command else None
        text = self._text
        row = self._last["exchange"] = self._last.get("exchange", 0) + 1
        self._rows["exchange"].append(
            (
                *(row, association, sequence, one.number, self._peer(one.association), self._outcome(one)),
                None if one.context is None else self._id("context", one.context),
                *(text(one.sop_class), text(one.comment), text(one.rule), text(one.fault), text(leg_of(one))),
                *(one.started, one.seconds, one.size, one.responses, message_id),
            )
        )
        answers = None if one.answers == ((one.status, 1, one.seconds, one.seconds),) else _encode(one.answers)
        shape = None if command is None else self._shape(command.elements, message_id, sop_instance)
        leg = (one.asked_by_us, one.cause, None if one.counts is None else _encode(one.counts))
        self._rows["detail"].append((row, one.subject, sop_instance, answers, shape, *self._place(one.place), *leg))
        self._runs.add(association, sequence, attributes)

    def _add_notice(self, one: Notice) -> None:
        association = one.association.number if one.association else 0
        peer = None if one.association is None else self._peer(one.association)
        after = self._highest.get(association, 0)
        self._rows["notice"].append((None, association, after, one.when, one.kind, one.text, peer, one.detail))

    def _peer(self, one: Association) -> int:
        known = self._peers.get(one.number)
        if known is not None and (known[0] is one or known[0] == one):
            return known[1]
        calling, called, user = self._text(one.calling), self._text(one.called), self._text(one.user)
        row = self._last["peer"] = self._last.get("peer", 0) + 1
        opened = (one.secure, one.server, one.cause, one.by_us)
        self._rows["peer"].append((row, one.number, one.address, calling, called, user, *opened))
        self._peers[one.number] = one, row
        return row

    def _outcome(self, one: Exchange) -> int:
        if len(one.answers) == 1 and one.answers[0].status == one.status == 0:
            return self._id("outcome", (one.service, 0, False, False))  # nearly always
        return self._id("outcome", outcome_of(one))

    def _shape(self, elements: Mapping[int, Value], message_id: int | None, sop_instance: str) -> int:
        """Commands differ in their message ID and their instance, hardly ever in anything else.

        They are kept as JSON, not as they came: what was made by hand, or was sent with a lying group length, comes
        back equal too.
        """
        rest: dict[int, Value | None] = dict(elements)
        if message_id is not None:
            rest[Tag.MESSAGE_ID.value] = None
        if sop_instance and rest.get(Tag.AFFECTED_SOP_INSTANCE.value) == sop_instance:
            rest[Tag.AFFECTED_SOP_INSTANCE.value] = None
        key = tuple(rest.items())
        return self._known["shape"].get(key) or self._id("shape", key, (_encode(key),))

    def _text(self, text: str) -> int:
        return self._known["text"].get(text) or self._id("text", text, (text,))

    def _id(self, table: str, key: Any, values: tuple[Any, ...] | None = None) -> int:
        known = self._known[table]
        found = known.get(key)
        if found is not None:
            return found
        if len(known) >= _REMEMBERED:
            known.clear()
        row = known[key] = self._last[table] = self._last.get(table, 0) + 1
        self._rows[table].append((row, *(key if values is None else values)))
        return row

    def _place(self, place: Place | None) -> tuple[int | None, ...]:
        if place is None:
            return (None,) * 6
        last = None if place.last is None else self._part(place.last)
        return self._part(place.path), place.offset, last, place.end, place.requestor, place.acceptor

    def _part(self, path: Path) -> int:
        """Files are known by their names: however their folder is written, they are in the same one."""
        if path is not self._part_path:
            number = self._parts.get(os.fsencode(path.name))
            if number is None:
                raise ValueError(f"a record lies in {path}, which is no file of this recording")
            self._part_path, self._part_number = path, number
        return self._part_number

    def _write(self) -> None:
        for table, columns in _INSERTS.items():
            rows = self._rows[table]
            if rows:
                if table == "attribute":
                    rows.sort()  # as the table is: neighbours are written together
                self._connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", rows)
                rows.clear()


def _bytes(value: object) -> dict[str, str]:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"hex": bytes(value).hex()}
    raise TypeError(f"a command set cannot hold {value!r}")


_encode: Final = json.JSONEncoder(default=_bytes, check_circular=False, separators=(",", ":")).encode
