"""The tables of a recording's index. It holds nothing that the recording could not give again, so it may be deleted.

Texts that repeat are kept once, in ``text``: a row of ``exchange`` is then small, and 280 000 of them are read in the
time that a person does not notice. The models carry no database; only building needs them.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import peewee


class Recording(peewee.Model):
    """One row: which recording this is the index of, when its first record was made, and what was counted."""

    identity = peewee.TextField()
    first = peewee.FloatField(null=True)
    counts = peewee.TextField()


class Text(peewee.Model):
    """A text that other rows mean by its id; the same text may be here more than once."""

    text = peewee.TextField()


class Peer(peewee.Model):
    """An association as records tell it: what is known of it grows, so one number may have several rows."""

    number = peewee.IntegerField()
    address = peewee.TextField()
    calling = peewee.IntegerField()
    called = peewee.IntegerField()
    user = peewee.IntegerField()
    secure = peewee.IntegerField()
    server = peewee.TextField()
    cause = peewee.TextField()
    by_us = peewee.IntegerField()


class Context(peewee.Model):
    """A presentation context."""

    context_id = peewee.IntegerField()
    abstract_syntax = peewee.TextField()
    transfer_syntax = peewee.TextField()


class Shape(peewee.Model):
    """A command set as JSON, pairs of tag and value, with null for what is in a column of its own."""

    elements = peewee.TextField()


class Outcome(peewee.Model):
    """A final status of a service, NULL for no answer, and whether FF00 and FF01 were among the responses."""

    service = peewee.TextField()
    status = peewee.IntegerField(null=True)
    pending = peewee.IntegerField()
    pending_with_warning = peewee.IntegerField()


class Exchange(peewee.Model):
    """What is searched. ``sequence`` counts the exchanges of an association as they came, from 1, without a gap.

    ``leg``: what the key of this name compares.
    """

    association = peewee.IntegerField()
    sequence = peewee.IntegerField()
    number = peewee.IntegerField()
    peer = peewee.IntegerField()
    outcome = peewee.IntegerField()
    context = peewee.IntegerField(null=True)
    sop_class = peewee.IntegerField()
    comment = peewee.IntegerField()
    rule = peewee.IntegerField()
    fault = peewee.IntegerField()
    leg = peewee.IntegerField()
    started = peewee.FloatField()
    seconds = peewee.FloatField()
    size = peewee.IntegerField()
    responses = peewee.IntegerField()
    message_id = peewee.IntegerField(null=True)


class Detail(peewee.Model):
    """The rest of an exchange, under the same id. ``part`` and ``last_part`` count the files of the recording.

    ``answers`` is JSON; NULL where there was one, with the final status and at the end. ``counts`` is JSON as well.
    """

    subject = peewee.TextField()
    sop_instance = peewee.TextField()
    answers = peewee.TextField(null=True)
    shape = peewee.IntegerField(null=True)
    part = peewee.IntegerField(null=True)
    offset = peewee.IntegerField(null=True)
    last_part = peewee.IntegerField(null=True)
    end = peewee.IntegerField(null=True)
    requestor = peewee.IntegerField(null=True)
    acceptor = peewee.IntegerField(null=True)
    asked_by_us = peewee.IntegerField()
    cause = peewee.TextField()
    counts = peewee.TextField(null=True)


class Notice(peewee.Model):
    """A notice; it comes after exchange ``after`` of its association, 0 for none."""

    association = peewee.IntegerField()
    after = peewee.IntegerField()
    moment = peewee.FloatField()
    kind = peewee.TextField()
    text = peewee.TextField()
    peer = peewee.IntegerField(null=True)
    detail = peewee.IntegerField()


class Attribute(peewee.Model):
    """The exchanges ``first`` to ``last`` of an association (`Exchange.sequence`) have these values of an attribute.

    ``text``: the values joined by backslashes. Where ``whole`` is 0 it is cut, or a value has a backslash itself: only
    the data set can tell. Instances of a series share most values, so a row stands for many of them.
    """

    tag = peewee.IntegerField()
    association = peewee.IntegerField()
    first = peewee.IntegerField()
    last = peewee.IntegerField()
    text = peewee.TextField()
    whole = peewee.IntegerField()

    class Meta:
        """Clustered by tag: a term reads one stretch of it."""

        primary_key = peewee.CompositeKey("tag", "association", "first")
        without_rowid = True


MODELS: Final = (Recording, Text, Peer, Context, Shape, Outcome, Exchange, Detail, Notice, Attribute)

Exchange.add_index(Exchange.association, Exchange.number)
Exchange.add_index(Exchange.association, Exchange.sequence, unique=True)
Detail.add_index(Detail.sop_instance)
Notice.add_index(Notice.association, Notice.after)


class Schema(NamedTuple):
    """The statements that make the tables, and those that make the indexes once the tables are full."""

    tables: tuple[str, ...]
    indexes: tuple[str, ...]


@cache
def schema() -> Schema:
    """Made by peewee once."""
    database = peewee.SqliteDatabase(":memory:", thread_safe=False)
    try:
        for model in MODELS:
            peewee.SchemaManager(model, database).create_all(safe=False)
        rows = database.execute_sql("SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()  # type: ignore[no-untyped-call]
        tables = tuple(sql for what, sql in rows if what == "table")
        return Schema(tables, tuple(sql for what, sql in rows if what == "index"))
    finally:
        database.close()
