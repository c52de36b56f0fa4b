"""PDUs as lines, and bytes as a hex dump."""

from __future__ import annotations

import pytest

from mockpacs.traffic.dump import hexadecimal, pdu
from mockpacs.traffic.dump.line import Tone
from mockpacs.traffic.message import PduRead
from mockpacs.wire import PDV, Abort, AssociateRJ, Malformed, PDataTF, Pdu, PduType, ReleaseRQ, Role
from mockpacs.wire.seen import JunkSeen, NonsenseSeen, PduSeen
from tests.wire.samples import AC, RQ


def read(one: Pdu | Malformed, pdu_type: int, sender: Role = Role.REQUESTOR) -> PduRead:
    return PduRead(1000.25, PduSeen(sender, 0, 10, pdu_type, one), bytes(10))


@pytest.mark.parametrize(
    ("one", "pdu_type", "expected", "tone"),
    [
        (RQ, PduType.ASSOCIATE_RQ, "CALLING > CALLED, contexts 2, max PDU 16382, SAMPLE_1", Tone.PLAIN),
        (AC, PduType.ASSOCIATE_AC, "contexts 1 of 2, max PDU 16384, SAMPLE_2", Tone.PLAIN),
        (AssociateRJ(1, 1, 7), PduType.ASSOCIATE_RJ, "result 1, source 1, reason 7", Tone.BAD),
        (
            PDataTF((PDV(1, True, True, b"1234"), PDV(1, False, False, b"12"))),
            PduType.P_DATA_TF,
            "context 1 command 4 last; context 1 data 2",
            Tone.PLAIN,
        ),
        (ReleaseRQ(), PduType.RELEASE_RQ, "A-RELEASE-RQ        10 bytes", Tone.PLAIN),
        (Abort(2, 6), PduType.ABORT, "source 2, reason 6", Tone.BAD),
        (Malformed(4, "a PDV claims 9 bytes"), 4, "a PDV claims 9 bytes", Tone.BAD),
        (Malformed(9, "PDU type 09H is unknown"), 9, "type 09H", Tone.BAD),
    ],
)
def test_every_pdu_is_one_line(one: Pdu | Malformed, pdu_type: int, expected: str, tone: Tone) -> None:
    line = pdu.line(read(one, pdu_type), 1000.0)
    assert expected in line.text
    assert line.text.startswith("   +250.0 ms  >  ")
    assert line.tone is tone


def test_the_arrow_points_from_who_sent_it() -> None:
    assert "  <  A-RELEASE-RQ" in pdu.line(read(ReleaseRQ(), 5, Role.ACCEPTOR), 0).text


@pytest.mark.parametrize(
    "seen",
    [
        JunkSeen(Role.REQUESTOR, 0, 4, b"GET ", "an HTTP\x1b request"),
        NonsenseSeen(Role.REQUESTOR, 0, 4, "an HTTP\x1b request"),
    ],
)
def test_what_is_no_pdu_says_why(seen: JunkSeen | NonsenseSeen) -> None:
    line = pdu.line(PduRead(0.0, seen, b"GET "), 0.0)
    assert line.tone is Tone.BAD
    assert line.text.endswith(r"an HTTP\x1b request")


def test_an_agreement_is_told_line_by_line_without_secrets() -> None:
    lines = [line.text for one in (RQ, AC) for line in pdu.agreement(one)]
    assert "context 1: 1.2.840.10008.5.1.4.1.1.2 (CT Image Storage)" in lines
    assert "    1.2.840.10008.1.2.1 (Explicit VR Little Endian)" in lines
    assert "context 3: abstract syntax not supported" in lines
    assert "user identity: user name and passcode" in lines
    assert "engine" not in "".join(lines)
    assert list(pdu.agreement(ReleaseRQ())) == []


def test_a_hex_dump_has_offset_bytes_and_text() -> None:
    assert [line.text for line in hexadecimal.lines(b"DICM" + bytes(14), first=128)] == [
        "0080  44 49 43 4d 00 00 00 00  00 00 00 00 00 00 00 00  |DICM............|",
        "0090  00 00                                             |..|",
    ]


def test_a_hex_dump_that_is_cut_says_so() -> None:
    lines = [line.text for line in hexadecimal.lines(bytes(100), at_most=16)]
    assert len(lines) == 2
    assert lines[1].endswith("84 more bytes")
