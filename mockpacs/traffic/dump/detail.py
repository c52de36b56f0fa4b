"""One exchange in full, as lines: its messages with command sets and data sets, its PDUs, their bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mockpacs.traffic.dump import command, dataset, pdu
from mockpacs.traffic.dump.line import Line, Tone
from mockpacs.traffic.dump.listing import exchange_line
from mockpacs.traffic.dump.naming import message_name, named
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.message import Message, PduRead
from mockpacs.traffic.render import iso_time, milliseconds, size
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.text import printable


class Wanted(NamedTuple):
    """What is to be shown beside the command sets."""

    datasets: bool = False
    pdus: bool = False
    bytes: bool = False
    """The bytes of each PDU as a hex dump."""


def lines(exchange: Exchange, messages: Sequence[Message], pdus: Sequence[PduRead], wanted: Wanted) -> Iterator[Line]:
    """All the lines of one exchange."""
    yield _head(exchange)
    yield exchange_line(exchange)
    context = None
    for message in messages:
        yield _message_head(message, exchange.started, tells_context=message.context != context)
        context = message.context
        yield from command.lines(message.command, indent="    ")
        yield from _data(message, with_dataset=wanted.datasets)
    if (wanted.pdus or wanted.bytes) and pdus:
        begin = pdus[0].when
        yield Line(f"  PDUs, times from {iso_time(begin)}", Tone.HEAD)
        for read in pdus:
            yield from pdu.lines(read, begin, with_bytes=wanted.bytes, indent="  ")
    yield Line("")


def _head(exchange: Exchange) -> Line:
    one = exchange.association
    titles = f"{printable(one.calling, 16)} > {printable(one.called, 16)}"
    address = f"{printable(one.address)} to {printable(one.server)}" if one.by_us else printable(one.address)
    text = f"exchange {exchange.id}  {iso_time(exchange.started)}  {address}  {titles}"
    return Line(text, Tone.HEAD)


def _message_head(message: Message, begin: float, *, tells_context: bool) -> Line:
    """Who sent what, when; and on which context, where that is another one than before."""
    name = message_name(message.command.field)
    offset = f"{milliseconds(message.when - begin):+.1f} ms"
    context = message.context
    text = f"  {pdu.ARROWS[message.sender]} {name}  {offset}  context {context.context_id}"
    if context.abstract_syntax and tells_context:
        text += f": {named(context.abstract_syntax)}, {named(context.transfer_syntax)}"
    return Line(text, Tone.HEAD)


def _data(message: Message, *, with_dataset: bool) -> Iterator[Line]:
    if message.data is None:
        return
    cut = "" if message.is_whole else ", not whole"
    yield Line(f"    data set: {size(len(message.data))}{cut}", Tone.PLAIN if message.is_whole else Tone.BAD)
    if with_dataset:
        encoding = Encoding.of(message.context.transfer_syntax)
        yield from dataset.lines(message.data, encoding, indent="      ")
