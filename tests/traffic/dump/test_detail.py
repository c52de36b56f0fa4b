"""An exchange in full, as lines and as JSON."""

from __future__ import annotations

import json

from mockpacs.traffic.dump import detail, detail_json
from mockpacs.traffic.dump.detail import Wanted
from mockpacs.traffic.dump.line import Tone
from mockpacs.traffic.exchange import Association, Exchange
from mockpacs.traffic.message import Message, PduRead
from mockpacs.wire import AcceptedContext, CommandField, Role, Tag, encode_pdu, request, response_to
from mockpacs.wire.dataset import EXPLICIT_LITTLE, encode_element
from mockpacs.wire.seen import JunkSeen, PduSeen
from tests.wire.samples import AC

CONTEXT = AcceptedContext(3, "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
UNKNOWN = AcceptedContext(5, "", "")
STORE = request(CommandField.C_STORE_RQ, 1, has_dataset=True, elements={Tag.AFFECTED_SOP_INSTANCE: "1.2.3"})
DATA = encode_element(0x00100020, "LO", b"P1", EXPLICIT_LITTLE)
EXCHANGE = Exchange(Association(2, "10.0.0.1:1", "CT\x1b1", "PACS"), 4, "C-STORE", 0xA700, "CT", "", 1000.0, 0.002)
MESSAGES = [
    Message(1000.0, Role.REQUESTOR, CONTEXT, STORE, DATA + b"\x10", False),
    Message(1000.002, Role.ACCEPTOR, CONTEXT, response_to(STORE, 0xA700), None, True),
]
PDUS = [
    PduRead(999.999, PduSeen(Role.ACCEPTOR, 0, 10, 2, AC), encode_pdu(AC)),
    PduRead(1000.0, JunkSeen(Role.REQUESTOR, 0, 4, b"GET ", "no PDU"), b"GET "),
]
ALL = Wanted(datasets=True, pdus=True, bytes=True)


def test_messages_are_shown_with_direction_offset_and_context() -> None:
    lines = [line.text for line in detail.lines(EXCHANGE, MESSAGES, [], Wanted())]
    assert lines[0].startswith("exchange 2.4  ")
    assert r"10.0.0.1:1  CT\x1b1 > PACS" in lines[0]
    assert [line for line in lines if line.startswith(("  > ", "  < "))] == [
        "  > C-STORE-RQ  +0.0 ms  context 3: 1.2.840.10008.5.1.4.1.1.2 (CT Image Storage), "
        "1.2.840.10008.1.2.1 (Explicit VR Little Endian)",
        "  < C-STORE-RSP  +2.0 ms  context 3",
    ]
    assert not any("PatientID" in line for line in lines)


def test_a_data_set_that_is_not_whole_says_so() -> None:
    lines = list(detail.lines(EXCHANGE, MESSAGES, [], ALL))
    [told] = [line for line in lines if "data set:" in line.text]
    assert told.text == "    data set: 11 B, not whole"
    assert told.tone is Tone.BAD
    assert any(line.text.endswith("P1") for line in lines)
    assert any("unreadable from byte 10" in line.text for line in lines)


def test_pdus_are_shown_with_what_they_agree_and_their_bytes() -> None:
    lines = [line.text for line in detail.lines(EXCHANGE, [], PDUS, ALL)]
    assert any("A-ASSOCIATE-AC" in line for line in lines)
    assert "      context 3: abstract syntax not supported" in lines
    assert any(line.endswith("|GET |") for line in lines)


def test_json_has_the_same() -> None:
    found = detail_json.exchange_json(EXCHANGE, MESSAGES, PDUS, ALL)
    json.dumps(found)
    asked, answered = found["messages"]
    assert asked["dataset"] == {"00100020": {"vr": "LO", "Value": ["P1"]}}
    assert asked["dataset_problems"] == ["byte 10: 1 byte left, too few for an element"]
    assert asked["dataset_whole"] is False
    assert answered["milliseconds"] == 2.0
    assert "dataset" not in answered
    assert found["pdus"][1]["problem"] == "no PDU"
    assert found["pdus"][1]["hex"] == "47455420"


def test_a_context_that_is_not_known_is_a_number() -> None:
    unknown = [MESSAGES[0]._replace(context=UNKNOWN)]
    lines = [line.text for line in detail.lines(EXCHANGE, unknown, [], ALL)]
    assert "  > C-STORE-RQ  +0.0 ms  context 5" in lines


def test_no_moment_is_before_the_begin() -> None:
    early = [MESSAGES[0]._replace(when=EXCHANGE.started - 0.000_066), MESSAGES[1]]
    told = detail_json.exchange_json(EXCHANGE, early, PDUS[::-1], ALL)
    lines = [line.text for line in detail.lines(EXCHANGE, early, [], Wanted())]

    assert [message["milliseconds"] for message in told["messages"]] == [0.0, 2.0]
    assert [pdu["milliseconds"] for pdu in told["pdus"]] == [0.0, 0.0]
    assert any("> C-STORE-RQ  +0.0 ms" in line for line in lines)
