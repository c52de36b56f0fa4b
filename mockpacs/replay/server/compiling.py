"""A recording as a scenario: its requests become rules, its answers sets of answers, what it brought an archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mockpacs.archive import Archive
from mockpacs.replay.server.answers import TapedAnswers
from mockpacs.replay.server.choices import Choices
from mockpacs.replay.server.heard import Asked, Heard, heard, is_leg
from mockpacs.replay.server.instances import Instance, assign, filled
from mockpacs.replay.server.odd import find_odd
from mockpacs.replay.server.retrieving import Stock
from mockpacs.replay.server.rules import Recorded, RuleWriter
from mockpacs.replay.tape import Tape, TapedAssociation
from mockpacs.scenario.script import Script

_DEFAULT: Final = Choices()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A server as it was recorded. The tape must stay open for as long as instances are read."""

    script: Script
    instances: tuple[Instance, ...]
    """What its retrieves brought, in the order in which it came."""
    answers: Mapping[str, TapedAnswers]
    recorded: Mapping[str, Recorded]
    """By the name of a rule about requests."""
    associations: Mapping[str, Recorded]
    """By the name of a rule about associations."""
    notes: tuple[str, ...] = ()
    """What cannot be played, a sentence each."""
    destinations: tuple[str, ...] = ()
    """AE titles that instances were sent to."""
    sop_classes: Mapping[str, str] = field(default_factory=dict)
    """By the name of a set of answers: the SOP class of the query."""

    def fill(self, archive: Archive) -> Iterator[str]:
        """Put the instances into an archive; yields a sentence about each that it does not take."""
        return filled(self.instances, archive)


def compiled(tape: Tape, choices: Choices = _DEFAULT, *, name: str = "") -> Compiled:
    """The server of a recording: of all associations that clients opened. ``name``: what to call the recording."""
    name = name or tape.parts[0].name
    legs = [one for one in tape.associations if is_leg(one)]
    served = [heard(one) for one in tape.associations if not is_leg(one) and _has_begun(one)]
    others = _legs_of_others(served)
    legs += [one.taped for one in others]
    served = [one for one in served if one not in others]
    cut_off = [one for one in served if one.taped.answer is None and one.parting is None and not one.taped.is_whole]
    served = [one for one in served if one not in cut_off]
    odd = [note for one in served for note in find_odd(one.taped, one.asked)]
    notes = [*tape.problems, *(note for one in served for note in one.notes), *odd]
    if any(one.taped.association.secure for one in served):
        notes.append("TLS was spoken; give --tls-cert and --tls-key to speak it again")
    notes += [f"association {one.number}: the recording ends before its answer; it is left out" for one in cut_off]
    asked = [one for heard_one in served for one in heard_one.asked]
    assign(asked, legs)
    stock = Stock(asked)
    writer = RuleWriter(name, served, stock, choices)
    writer.write_connections([one for one in tape.associations if not is_leg(one)])
    writer.write()
    return Compiled(
        writer.script(),
        tuple(stock.instances),
        writer.sets.by_name,
        writer.recorded,
        writer.associations,
        (*notes, *stock.notes, *writer.notes),
        tuple(dict.fromkeys(_destinations(asked))),
        writer.sets.sop_classes,
    )


def _has_begun(taped: TapedAssociation) -> bool:
    return taped.request is not None or bool(taped.exchanges)


def _legs_of_others(served: Sequence[Heard]) -> list[Heard]:
    """In a capture of others: associations that only bring what a C-MOVE on another one asked for."""
    movers = {
        (one.calling, one.request.command.message_id)
        for heard_one in served
        for one in heard_one.asked
        if one.service == "C-MOVE"
    }
    return [
        one
        for one in served
        if one.asked
        and all(
            (asked.request.command.move_originator_aet, asked.request.command.move_originator_message_id) in movers
            for asked in one.asked
        )
    ]


def _destinations(asked: Sequence[Asked]) -> Iterator[str]:
    for one in asked:
        if one.service == "C-MOVE" and one.brought and one.request.command.move_destination:
            yield one.request.command.move_destination.strip()
