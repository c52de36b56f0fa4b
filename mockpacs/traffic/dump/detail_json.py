"""One exchange in full as a mapping for JSON: its messages in the DICOM JSON model, its PDUs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mockpacs.traffic.dump import pdu
from mockpacs.traffic.dump.detail import Wanted
from mockpacs.traffic.dump.dicom_json import command_json, convert
from mockpacs.traffic.dump.naming import message_name
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.message import Message, PduRead
from mockpacs.traffic.render import as_json, iso_time, milliseconds
from mockpacs.wire import PDV, PDataTF
from mockpacs.wire.dataset import Encoding
from mockpacs.wire.seen import PduSeen


def exchange_json(
    exchange: Exchange,
    messages: Sequence[Message],
    pdus: Sequence[PduRead],
    wanted: Wanted,
    *,
    bulk: bool = False,
) -> dict[str, Any]:
    """What `mockpacs.traffic.render.as_json` says of an exchange, with ``messages`` and ``pdus``."""
    found: dict[str, Any] = dict(as_json(exchange))
    found["messages"] = [_message(message, exchange.started, wanted, bulk=bulk) for message in messages]
    if wanted.pdus or wanted.bytes:
        begin = pdus[0].when if pdus else 0.0
        found["pdus"] = [pdu_json(read, begin, with_bytes=wanted.bytes) for read in pdus]
    return found


def _message(message: Message, begin: float, wanted: Wanted, *, bulk: bool) -> dict[str, Any]:
    context = message.context
    found: dict[str, Any] = {
        "message": message_name(message.command.field),
        "sender": message.sender.value,
        "time": iso_time(message.when),
        "milliseconds": milliseconds(message.when - begin),
        "context": context.context_id,
        "abstract_syntax": context.abstract_syntax,
        "transfer_syntax": context.transfer_syntax,
        "command": command_json(message.command),
    }
    if message.data is not None:
        found |= {"dataset_bytes": len(message.data), "dataset_whole": message.is_whole}
        if wanted.datasets:
            converted = convert(message.data, Encoding.of(context.transfer_syntax), bulk=bulk)
            found["dataset"] = converted.model
            if converted.problems:
                found["dataset_problems"] = list(converted.problems)
    return found


def pdu_json(read: PduRead, begin: float, *, with_bytes: bool) -> dict[str, Any]:
    """One PDU; ``begin`` is what milliseconds count from, seconds since 1970."""
    seen = read.seen
    found: dict[str, Any] = {
        "pdu": pdu.name_of(seen),
        "sender": seen.sender.value,
        "time": iso_time(read.when),
        "milliseconds": milliseconds(read.when - begin),
        "position": seen.start,
        "bytes": len(read.raw),
    }
    if not isinstance(seen, PduSeen):
        found["problem"] = seen.why
    elif isinstance(seen.pdu, PDataTF):
        found["pdvs"] = [_pdv(pdv) for pdv in seen.pdu.pdvs]
    if with_bytes:
        found["hex"] = read.raw.hex()
    return found


def _pdv(pdv: PDV) -> dict[str, Any]:
    kind = "command" if pdv.is_command else "data"
    return {"context": pdv.context_id, "kind": kind, "last": pdv.is_last, "bytes": len(pdv.data)}
