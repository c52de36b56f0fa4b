"""An exchange of the journal as a scenario would have been asked about it, so that it can be explained afterwards."""

from __future__ import annotations

from typing import Final

from mockpacs.scenario.facts import DataFacts
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.detail import data_of
from mockpacs.wire.dataset import Encoding

_FAR_HEAD: Final = 4 << 20
"""Bytes of a data set in which a scenario looks for attributes."""


def stimulus_of(exchange: Exchange) -> Stimulus:
    """The moment its request was complete. Raises RecordingError when its data set cannot be read any more."""
    one, context = exchange.association, exchange.context
    facts = _facts(exchange)
    return Stimulus(
        exchange.service,
        association=one.number,
        exchange=exchange.number,
        calling=one.calling,
        called=one.called,
        peer=one.address.rpartition(":")[0].strip("[]"),
        destination=(exchange.command.move_destination or "") if exchange.command else "",
        sop_classes=(exchange.sop_class or (context.abstract_syntax if context else ""),),
        transfer_syntaxes=(context.transfer_syntax,) if context else (),
        sop_instance=exchange.sop_instance,
        dataset=None if facts is None else lambda: facts,
    )


class _Head:
    """Takes how a data set begins."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | memoryview, /) -> None:
        if (wanted := _FAR_HEAD - len(self.data)) > 0:
            self.data += data[:wanted]


def _facts(exchange: Exchange) -> DataFacts | None:
    if not exchange.size or exchange.place is None or exchange.context is None:
        return None
    head = _Head()
    data_of(exchange, head)
    return DataFacts(bytes(head.data), Encoding.of(exchange.context.transfer_syntax))
