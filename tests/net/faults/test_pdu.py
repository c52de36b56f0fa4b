"""Faults of PDUs and PDVs, on bytes: types, lengths, fragments, control headers, order, garbage."""

from __future__ import annotations

import pytest

from mockpacs.wire import CommandField, Tag, cut, encode_response, request
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit, ended
from tests.net.faults.visitor import P_DATA, STUDIES, Visitor
from tests.net.wire_client import ct_image

ANSWER = bytes.fromhex(
    "040000000054 00000050 0103"  # P-DATA-TF, PDV, context 1, command and last
    "00000000 04000000 42000000"
    "00000200 12000000 312e322e3834302e31303030382e312e3100"
    "00000001 02000000 3080"
    "00002001 02000000 0100"
    "00000008 02000000 0101"
    "00000009 02000000 0000"
)
"""The honest answer to the first echo, written by hand."""
COMMAND = ANSWER[12:]
ONE_MATCH = """
data:
  studies: [{ QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.3 }]
"""
IDENTIFIER = bytes.fromhex("08005200 43530600") + b"STUDY " + bytes.fromhex("20000d00 55490600") + b"1.2.3\0"


def answered(play: Play, visit: Visit, then: str, **how: object) -> tuple[Served, Visitor]:
    """Somebody has asked for an echo, of a server that answers like this."""
    server = play(f"rules: [{{ name: fault, when: {{ service: C-ECHO, calling: RAW }}, then: {then} }}]")
    client = visit(server, **how)
    client.send(client.echo_request())
    return server, client


def asked(play: Play, visit: Visit, then: str) -> tuple[Served, Visitor]:
    """Somebody has asked for studies; there is one."""
    server = play(f"{ONE_MATCH}\nrules: [{{ name: fault, when: {{ service: C-FIND, calling: RAW }}, then: {then} }}]")
    client = visit(server)
    client.send(client.find_request(STUDIES))
    return server, client


def test_an_answer_without_a_fault_is_the_one_that_the_tests_compare_with(play: Play, visit: Visit) -> None:
    _, client = answered(play, visit, "{ delay: 1ms }")

    assert client.exactly(len(ANSWER)) == ANSWER
    client.release()


BYTES = {
    "{ lie: { pdu_type: 42 } }": b"\x2a" + ANSWER[1:],
    "{ lie: { pdu_type: 0 } }": b"\x00" + ANSWER[1:],
    "{ lie: { pdu_length: 1000000 } }": ANSWER[:2] + (1_000_000).to_bytes(4, "big") + ANSWER[6:],
    "{ lie: { pdu_length: 4294967295 } }": ANSWER[:2] + b"\xff" * 4 + ANSWER[6:],
    "{ lie: { pdu_length: 10 } }": ANSWER[:2] + (10).to_bytes(4, "big") + ANSWER[6:],
    "{ lie: { pdu_length: 0 } }": ANSWER[:2] + bytes(4) + ANSWER[6:],
    "{ lie: { pdv_length: 99999 } }": ANSWER[:6] + (99999).to_bytes(4, "big") + ANSWER[10:],
    "{ lie: { pdv_length: 1 } }": ANSWER[:6] + (1).to_bytes(4, "big") + ANSWER[10:],
    "{ lie: { last_fragment: false } }": ANSWER[:11] + b"\x01" + ANSWER[12:],
    "{ lie: { command_bit: false } }": ANSWER[:11] + b"\x02" + ANSWER[12:],
    "{ lie: { command_bit: false, last_fragment: false } }": ANSWER[:11] + b"\x00" + ANSWER[12:],
    "{ lie: { context_id: 99 } }": ANSWER[:10] + b"\x63" + ANSWER[11:],
    "{ lie: { repeat: 3 } }": ANSWER * 3,
    "{ corrupt: { offset: 6, xor: ff } }": ANSWER[:6] + b"\xff" + ANSWER[7:],
    "{ corrupt: { offset: 0, xor: 80 } }": b"\x84" + ANSWER[1:],
    "{ corrupt: { offset: 1000 } }": ANSWER,
    "{ truncate: { after: 20 } }": ANSWER[:20],
    "{ truncate: { after: 0 } }": b"",
    "{ truncate: { after: 1000 } }": ANSWER,
    '{ send: !bytes "99 00 00 00 00 04 61 62 63 64" }': bytes.fromhex("990000000004 61626364") + ANSWER,
    '{ status: success, send: !bytes "de ad be ef" }': ANSWER + bytes.fromhex("deadbeef"),
    '[{ send: !bytes "01" }, { send: !bytes "02" }]': b"\x01\x02" + ANSWER,
    '{ nothing: true, send: !bytes "07 00 00 00 00 04 00 00 00 00" }': bytes.fromhex("070000000004 00000000"),
    "{ lie: { pdu_type: 42, message_id: 1 }, truncate: { after: 3 } }": b"\x2a\x00\x00",
}


@pytest.mark.parametrize(("then", "wanted"), BYTES.items(), ids=BYTES)
def test_the_bytes_of_an_answer(play: Play, visit: Visit, then: str, wanted: bytes) -> None:
    """And nothing else is said, up to the end of the connection."""
    server, client = answered(play, visit, then)
    assert client.exactly(len(wanted)) == wanted
    (exchange,) = ended(server, 1)
    assert exchange.rule == "fault"
    assert exchange.fault

    client.finish()

    assert client.rest() == (b"", "FIN")


SLOW = {then: wanted for then, wanted in BYTES.items() if "send" not in then}


@pytest.mark.parametrize(("then", "wanted"), SLOW.items(), ids=SLOW)
@pytest.mark.parametrize("pace", ["drip: { bytes: 7, every: 1ms }", "bandwidth: 20kB/s"])
def test_the_bytes_of_a_slow_answer_are_the_same(play: Play, visit: Visit, then: str, wanted: bytes, pace: str) -> None:
    _, client = answered(play, visit, then.replace("{ ", f"{{ {pace}, ", 1))

    assert client.exactly(len(wanted)) == wanted
    client.finish()
    assert client.rest() == (b"", "FIN")


@pytest.mark.parametrize(("ending", "seen"), [("close: true", "FIN"), ("reset: true", "RST")])
def test_a_truncated_answer_and_the_end_of_the_connection(play: Play, visit: Visit, ending: str, seen: str) -> None:
    server, client = answered(play, visit, f"{{ truncate: {{ after: 20 }}, {ending} }}")

    heard, ended_with = client.rest()

    assert ended_with == seen
    assert heard == ANSWER[: len(heard)]
    assert len(heard) == 20 or seen == "RST"
    ended(server, 1)


def test_bytes_at_places_drawn_by_the_seed_are_changed(play: Play, visit: Visit) -> None:
    heard = []
    for seed in (1, 1, 2):
        rule = "{ when: { service: C-ECHO, calling: RAW }, then: { corrupt: { bytes: 3 } } }"
        client = visit(play(f"seed: {seed}\nrules: [{rule}]"))
        client.send(client.echo_request())
        heard.append(client.exactly(len(ANSWER)))

    assert heard[0] == heard[1] != heard[2]
    for one in heard:
        changed = [new for new, old in zip(one, ANSWER, strict=True) if new != old]
        assert len(changed) == 3


# fragments


def fragments(client: Visitor, pdus: int) -> list[list[tuple[bool, bool, bytes]]]:
    """Of each PDU its fragments: command, last, data. All lengths are right."""
    found = []
    for _ in range(pdus):
        pdu = client.pdu()
        assert pdu.kind == P_DATA
        assert all(pdv.said == len(pdv.data) + 2 for pdv in pdu.pdvs)
        found.append([(pdv.is_command, pdv.is_last, pdv.data) for pdv in pdu.pdvs])
    return found


def test_one_byte_in_each_pdv(play: Play, visit: Visit) -> None:
    _, client = answered(play, visit, "{ lie: { pdv_size: 1 } }")

    found = fragments(client, len(COMMAND))

    assert found == [[(True, at == len(COMMAND), COMMAND[at - 1 : at])] for at in range(1, len(COMMAND) + 1)]
    client.release()


def test_four_pdvs_in_a_pdu(play: Play, visit: Visit) -> None:
    _, client = answered(play, visit, "{ lie: { pdv_size: 10, pdvs_per_pdu: 4 } }")

    found = fragments(client, 2)

    assert [len(one) for one in found] == [4, 4]
    assert b"".join(data for one in found for _, _, data in one) == COMMAND
    assert [is_last for one in found for _, is_last, _ in one] == [False] * 7 + [True]
    client.release()


def test_each_of_several_pieces_says_it_is_the_last(play: Play, visit: Visit) -> None:
    _, client = answered(play, visit, "{ lie: { pdv_size: 20, last_fragment: true } }")

    found = fragments(client, 4)

    assert [(is_command, is_last) for one in found for is_command, is_last, _ in one] == [(True, True)] * 4
    assert b"".join(data for one in found for _, _, data in one) == COMMAND


def test_no_piece_says_it_is_the_last(play: Play, visit: Visit) -> None:
    _, client = asked(play, visit, "{ answer: studies, lie: { last_fragment: false } }")

    found = fragments(client, 3)

    assert [(is_command, is_last) for one in found for is_command, is_last, _ in one] == [
        (True, False),
        (False, False),
        (True, False),
    ]


def test_a_command_set_and_its_data_set_in_one_pdu(play: Play, visit: Visit) -> None:
    _, client = asked(play, visit, "{ answer: studies, lie: { pdvs_per_pdu: 2 } }")

    ((command, data), final) = fragments(client, 2)

    assert (command[:2], data) == ((True, True), (False, True, IDENTIFIER))
    assert {one[0] for one in final} == {True}
    client.release()


def test_data_before_its_command(play: Play, visit: Visit) -> None:
    _, client = asked(play, visit, "{ answer: studies, lie: { dataset_first: true } }")

    first, second, final = fragments(client, 3)

    assert first == [(False, True, IDENTIFIER)]
    assert [one[:2] for one in (*second, *final)] == [(True, True)] * 2


def test_an_identifier_that_is_said_to_be_a_command_set(play: Play, visit: Visit) -> None:
    _, client = asked(play, visit, "{ answer: studies, lie: { command_bit: true } }")

    _, identifier, _ = fragments(client, 3)

    assert identifier == [(True, True, IDENTIFIER)]


@pytest.mark.parametrize("length", [7, 20, 64])
def test_an_answer_with_a_lie_keeps_to_what_the_peer_takes(play: Play, visit: Visit, length: int) -> None:
    _, client = answered(play, visit, "{ lie: { message_id: 1 } }", max_pdu_length=length)

    heard = b""
    while len(heard) < len(COMMAND):
        pdu = client.pdu()
        assert len(pdu.body) <= length
        heard += b"".join(pdv.data for pdv in pdu.pdvs)
    assert heard == COMMAND
    client.release()


def test_a_pdu_longer_than_the_peer_takes(play: Play, visit: Visit) -> None:
    _, client = answered(play, visit, "{ lie: { pdv_size: 16kB } }".replace("16kB", "16000"), max_pdu_length=64)

    assert client.exactly(len(ANSWER)) == ANSWER


# beside the answer


def test_garbage_between_two_answers_is_where_the_rule_says(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - { when: { service: C-ECHO, calling: RAW, at: after-response }, nth: 1, then: { send: !bytes "de ad" } }
          - { when: { service: C-ECHO, calling: RAW, at: before-response }, nth: 3, then: { send: !bytes "be ef" } }
        """
    )
    client = visit(server)
    client.send(*(client.echo_request() for _ in range(3)))

    heard = client.exactly(3 * len(ANSWER) + 4)

    assert heard[len(ANSWER) : len(ANSWER) + 2] == bytes.fromhex("dead")
    assert heard[2 * len(ANSWER) + 2 : 2 * len(ANSWER) + 4] == bytes.fromhex("beef")
    assert [one.fault for one in ended(server, 3)] == ["send 2 bytes", "", "send 2 bytes"]
    client.release()


def test_garbage_while_a_data_set_is_coming(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - when: { service: C-STORE, calling: RAW, at: { received: 10kB } }
            then: { send: !bytes "99 00 00 00 00 00" }
        """,
        max_pdu=4096,
    )
    client = visit(server)
    data = ct_image(pixels=30_000)
    request = client.store_request(data)

    client.send(request[:20_000])
    assert client.pdu() == (0x99, b"")
    client.send(request[20_000:])

    assert client.status() == 0
    assert ended(server, 1)[0].fault == "send 6 bytes"
    client.release()


def test_the_honest_encoding_is_that_of_the_hand() -> None:
    """If what is compared with changes, it should be seen here first."""
    command = request(CommandField.C_ECHO_RQ, 1, elements={Tag.AFFECTED_SOP_CLASS: "1.2.840.10008.1.1"})
    assert b"".join(cut(1, encode_response(command, 0, has_dataset=False), None, 0)) == ANSWER
