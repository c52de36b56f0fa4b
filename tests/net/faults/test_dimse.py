"""Faults of responses, on bytes: message IDs, contexts, statuses, command fields; twice, never, late, without end."""

from __future__ import annotations

import pytest

from mockpacs.wire import Tag
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit, ended
from tests.net.faults.visitor import STUDIES, Visitor, length, number
from tests.net.wire_client import CT, VERIFICATION, ct_image
from tests.traffic.pcapng_reader import PACKET, cut_blocks, packet_of

ECHO = {
    Tag.GROUP_LENGTH: length(66),
    Tag.AFFECTED_SOP_CLASS: b"1.2.840.10008.1.1\0",
    Tag.COMMAND_FIELD: number(0x8030),
    Tag.MESSAGE_ID_RESPONDED_TO: number(1),
    Tag.DATA_SET_TYPE: number(0x0101),
    Tag.STATUS: number(0),
}
"""The honest answer to the first echo, as bytes."""
DATA = """
data:
  studies:
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.3 }
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.4 }
"""


def echo_rule(then: str) -> str:
    return f"rules: [{{ name: fault, when: {{ service: C-ECHO, calling: RAW }}, then: {then} }}]"


def answered(play: Play, visit: Visit, then: str) -> tuple[Served, Visitor]:
    """Somebody has asked for an echo, of a server that answers like this."""
    server = play(echo_rule(then))
    client = visit(server)
    client.send(client.echo_request())
    return server, client


def goes_on(client: Visitor) -> None:
    """Nothing else was said, and the association lives: the next request is answered, in full and once."""
    client.release()


LIES = {
    "{ lie: { message_id: 4242 } }": {Tag.MESSAGE_ID_RESPONDED_TO: number(4242)},
    "{ lie: { message_id: 0 } }": {Tag.MESSAGE_ID_RESPONDED_TO: number(0)},
    "{ lie: { message_id: 65535 } }": {Tag.MESSAGE_ID_RESPONDED_TO: number(65535)},
    "{ lie: { remove: MessageIDBeingRespondedTo } }": {Tag.MESSAGE_ID_RESPONDED_TO: None, Tag.GROUP_LENGTH: length(56)},
    "{ lie: { remove: Status } }": {Tag.STATUS: None, Tag.GROUP_LENGTH: length(56)},
    "{ lie: { remove: CommandField } }": {Tag.COMMAND_FIELD: None, Tag.GROUP_LENGTH: length(56)},
    "{ lie: { remove: CommandDataSetType } }": {Tag.DATA_SET_TYPE: None, Tag.GROUP_LENGTH: length(56)},
    "{ lie: { remove: AffectedSOPClassUID } }": {Tag.AFFECTED_SOP_CLASS: None, Tag.GROUP_LENGTH: length(40)},
    "{ lie: { remove: CommandGroupLength } }": {Tag.GROUP_LENGTH: None},
    "{ lie: { remove: [Status, MessageIDBeingRespondedTo] } }": {
        Tag.STATUS: None,
        Tag.MESSAGE_ID_RESPONDED_TO: None,
        Tag.GROUP_LENGTH: length(46),
    },
    "{ lie: { command_field: C-STORE-RSP } }": {Tag.COMMAND_FIELD: number(0x8001)},
    "{ lie: { command_field: C-ECHO-RQ } }": {Tag.COMMAND_FIELD: number(0x0030)},
    "{ lie: { command_field: 7777 } }": {Tag.COMMAND_FIELD: number(0x7777)},
    "{ lie: { sop_class: 1.2.840.10008.5.1.4.1.1.2 } }": {
        Tag.AFFECTED_SOP_CLASS: b"1.2.840.10008.5.1.4.1.1.2\0",
        Tag.GROUP_LENGTH: length(74),
    },
    "{ lie: { sop_instance: 1.2.3.45 } }": {Tag.AFFECTED_SOP_INSTANCE: b"1.2.3.45", Tag.GROUP_LENGTH: length(82)},
    '{ lie: { dataset_type: "0000" } }': {Tag.DATA_SET_TYPE: number(0)},
    "{ lie: { remaining: 3, completed: 2, failed: 1, warning: 4 } }": {
        Tag.REMAINING_SUB_OPERATIONS: number(3),
        Tag.COMPLETED_SUB_OPERATIONS: number(2),
        Tag.FAILED_SUB_OPERATIONS: number(1),
        Tag.WARNING_SUB_OPERATIONS: number(4),
        Tag.GROUP_LENGTH: length(106),
    },
    '{ status: "1234" }': {Tag.STATUS: number(0x1234)},
    "{ status: FFFF }": {Tag.STATUS: number(0xFFFF)},
    "{ status: sop-class-not-supported }": {Tag.STATUS: number(0x0122)},
    "{ status: C001, comment: No }": {
        Tag.STATUS: number(0xC001),
        Tag.ERROR_COMMENT: b"No",
        Tag.GROUP_LENGTH: length(76),
    },
    '{ status: "0110", error_id: 42 }': {
        Tag.STATUS: number(0x0110),
        Tag.ERROR_ID: number(42),
        Tag.GROUP_LENGTH: length(76),
    },
    '{ status: "0106", offending: [PatientID, "(0020,000D)"] }': {
        Tag.STATUS: number(0x0106),
        Tag.OFFENDING_ELEMENT: bytes.fromhex("1000200020000d00"),
        Tag.GROUP_LENGTH: length(82),
    },
}


@pytest.mark.parametrize(("then", "changed"), LIES.items(), ids=LIES)
def test_an_answer_is_right_but_for_what_the_rule_says(
    play: Play, visit: Visit, then: str, changed: dict[int, object]
) -> None:
    server, client = answered(play, visit, then)

    assert client.command_set() == {tag: value for tag, value in (ECHO | changed).items() if value is not None}

    (exchange,) = ended(server, 1)
    assert exchange.rule == "fault"
    assert exchange.fault or "comment" in then or "offending" in then
    goes_on(client)


def test_a_comment_is_cut_to_what_its_element_holds(play: Play, visit: Visit) -> None:
    _, client = answered(play, visit, f"{{ status: A700, comment: {'x' * 100} }}")

    assert client.command_set()[Tag.ERROR_COMMENT] == b"x" * 64


@pytest.mark.parametrize("context", [3, 99, 0, 254])
def test_a_response_on_another_context(play: Play, visit: Visit, context: int) -> None:
    _, client = answered(play, visit, f"{{ lie: {{ context_id: {context} }} }}")

    (pdv,) = client.pdu().pdvs
    assert pdv.context_id == context
    goes_on(client)


def test_the_same_response_twice(play: Play, visit: Visit) -> None:
    server, client = answered(play, visit, "{ lie: { repeat: 2 } }")

    assert client.command_set() == client.command_set() == ECHO
    assert len(ended(server, 1)) == 1
    goes_on(client)


def test_a_response_that_is_missing(play: Play, visit: Visit) -> None:
    server, client = answered(play, visit, "nothing")

    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.comment, exchange.fault) == (None, "no answer, by the scenario", "nothing")
    client.nothing_came()
    goes_on(client)


def test_a_response_that_is_late_comes_before_what_was_asked_later(play: Play, visit: Visit) -> None:
    server = play("rules: [{ name: late, when: { service: C-ECHO, calling: RAW }, nth: 1, then: { delay: 50ms } }]")
    client = visit(server)

    client.send(client.echo_request(), client.echo_request())

    assert [client.response()[0].message_id_responded_to for _ in range(2)] == [1, 2]
    first, second = ended(server, 2)
    assert first.seconds >= 0.05
    assert first.fault == "delay 50 ms"
    assert second.rule == ""


def test_a_delay_between_two_answers_of_one_rule(play: Play, visit: Visit) -> None:
    server, client = answered(
        play, visit, "[{ delay: 5ms }, { lie: { message_id: 4242 } }, { delay: 5ms, status: success }, close]"
    )

    answers = [client.command_set()[Tag.MESSAGE_ID_RESPONDED_TO] for _ in range(2)]
    assert (answers, client.rest()) == ([number(4242), number(1)], (b"", "FIN"))
    (exchange,) = ended(server, 1)
    assert exchange.fault == "delay 5 ms, lie message_id 4242, delay 5 ms, close"


def test_an_answer_that_waits_for_the_end_never_comes(play: Play, visit: Visit) -> None:
    server, client = answered(play, visit, "{ wait: end, status: success }")

    client.finish()

    assert client.rest() == (b"", "FIN")
    (exchange,) = ended(server, 1)
    assert exchange.status is None


def test_a_wait_that_is_limited(play: Play, visit: Visit) -> None:
    _, client = answered(play, visit, "{ wait: { until: end, max: 5ms } }")

    assert client.command_set() == ECHO


# responses without end, without a final one, after it


def bytes_sent(server: Served, client: Visitor) -> int:
    """How much has left for somebody, by the recording."""
    assert server.recording is not None
    blocks, _ = cut_blocks(server.recording.read_bytes())
    found = (packet_of(block) for block in blocks if block.kind == PACKET)
    return sum(len(packet.payload) for packet in found if packet.target == client.socket.getsockname())


def find_rules(*rules: str) -> str:
    return "\n".join([DATA, "rules:", *(f"  - {rule}" for rule in rules)])


def asked(play: Play, visit: Visit, *rules: str) -> tuple[Served, Visitor]:
    server = play(find_rules(*rules))
    client = visit(server)
    client.send(client.find_request(STUDIES))
    return server, client


def statuses(client: Visitor, count: int) -> list[int | None]:
    return [client.response()[0].status for _ in range(count)]


FIND = "when: { service: C-FIND, calling: RAW }"


def test_pending_after_the_final_response(play: Play, visit: Visit) -> None:
    server, client = asked(
        play,
        visit,
        f"{{ {FIND}, then: [{{ answer: studies, status: success }}, {{ answer: studies, status: success }}] }}",
    )

    assert statuses(client, 6) == [0xFF00, 0xFF00, 0, 0xFF00, 0xFF00, 0]
    assert len(ended(server, 1)) == 1
    goes_on(client)


def test_pending_after_the_final_response_and_nothing_behind_it(play: Play, visit: Visit) -> None:
    server, client = asked(play, visit, f"{{ {FIND}, then: [{{ status: success }}, {{ status: FF00 }}] }}")

    assert statuses(client, 2) == [0, 0xFF00]
    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.responses) == (0, 2)
    goes_on(client)


def test_pending_for_ever_until_a_cancel(play: Play, visit: Visit) -> None:
    server, client = asked(play, visit, f"{{ {FIND}, then: {{ pending: {{ from: studies, forever: true }} }} }}")

    assert statuses(client, 1000) == [0xFF00] * 1000
    client.send(client.cancel_request())

    assert [response.status for response, _ in client.responses()][-1] == 0xFE00
    (exchange,) = ended(server, 1)
    assert exchange.status == 0xFE00
    goes_on(client)


def test_pending_for_ever_until_the_end_of_the_connection(play: Play, visit: Visit) -> None:
    server, client = asked(
        play, visit, f"{{ {FIND}, then: {{ pending: {{ from: studies, forever: true, every: 1ms }} }} }}"
    )
    assert statuses(client, 20) == [0xFF00] * 20

    client.reset()

    (exchange,) = ended(server, 1)
    assert exchange.status is None


def test_pending_for_ever_to_somebody_who_reads_nothing_is_held_back(play: Play, visit: Visit) -> None:
    """The server makes no more than the peer takes: it would fill the memory."""
    server, client = asked(play, visit, f"{{ {FIND}, then: {{ pending: {{ from: studies, forever: true }} }} }}")

    sent = [-1, 0]
    while sent[-1] != sent[-2]:  # it ends only when no more is made
        server.still_serves()
        sent.append(bytes_sent(server, client))
    client.reset()
    ended(server, 1)


def test_no_final_response(play: Play, visit: Visit) -> None:
    server, client = asked(
        play,
        visit,
        f"{{ {FIND}, then: {{ answer: studies }} }}",
        "{ name: swallowed, when: { service: C-FIND, calling: RAW, at: response, status: success }, then: nothing }",
    )

    assert statuses(client, 2) == [0xFF00, 0xFF00]
    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.responses) == (None, 2)
    assert "swallowed" in exchange.rule
    client.nothing_came()
    goes_on(client)


def test_a_response_with_success_and_a_match_is_not_the_last(play: Play, visit: Visit) -> None:
    server, client = asked(play, visit, f'{{ {FIND}, then: {{ pending: {{ from: studies, status: "0000" }} }} }}')

    answers = [client.response() for _ in range(3)]

    assert [response.status for response, _ in answers] == [0, 0, 0]
    assert [data is None for _, data in answers] == [False, False, True]
    assert len(ended(server, 1)) == 1
    goes_on(client)


def test_lies_in_the_responses_of_a_query(play: Play, visit: Visit) -> None:
    _, client = asked(
        play,
        visit,
        f"{{ {FIND}, then: {{ answer: studies }} }}",
        "{ when: { service: C-FIND, at: response, status: pending }, nth: 2, then: { lie: { message_id: 7 } } }",
    )

    answers = [response.message_id_responded_to for response, _ in client.responses()]

    assert answers == [1, 7, 1]


def test_a_lie_of_a_rule_about_a_query_is_in_every_response(play: Play, visit: Visit) -> None:
    _, client = asked(play, visit, f"{{ {FIND}, then: {{ answer: studies, lie: {{ message_id: 7 }} }} }}")

    assert [response.message_id_responded_to for response, _ in client.responses()] == [7, 7, 7]


def test_a_data_set_that_is_announced_and_does_not_follow(play: Play, visit: Visit) -> None:
    _, client = asked(play, visit, f"{{ {FIND}, then: {{ answer: studies, lie: {{ no_dataset: true }} }} }}")

    answers = [client.command_set() for _ in range(3)]

    assert [answer[Tag.STATUS] for answer in answers] == [number(0xFF00), number(0xFF00), number(0)]
    assert [answer[Tag.DATA_SET_TYPE] for answer in answers] == [number(1), number(1), number(0x0101)]
    goes_on(client)


def test_a_data_set_that_follows_and_is_not_announced(play: Play, visit: Visit) -> None:
    _, client = asked(play, visit, f'{{ {FIND}, then: {{ answer: studies, lie: {{ dataset_type: "0101" }} }} }}')

    for uid in (b"1.2.3\0", b"1.2.4\0"):
        assert client.command_set()[Tag.DATA_SET_TYPE] == number(0x0101)
        (identifier,) = client.pdu().pdvs
        assert not identifier.is_command
        assert uid in identifier.data
    assert client.command_set()[Tag.STATUS] == number(0)
    goes_on(client)


def test_a_store_is_answered_about_another_instance_or_class(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - { when: { service: C-STORE, calling: RAW }, nth: 1, then: { lie: { sop_instance: 1.2.3.4.5.6.7 } } }
          - { when: { service: C-STORE, calling: RAW }, nth: 2, then: { lie: { sop_class: 1.2.840.10008.1.1 } } }
          - { when: { service: C-STORE, calling: RAW }, nth: 3, then: { lie: { dataset_type: "0000" } } }
        """
    )
    client = visit(server)
    answers = []
    for _ in range(3):
        client.send(client.store_request(ct_image()))
        answers.append(client.command_set())

    assert [answer[Tag.AFFECTED_SOP_INSTANCE] for answer in answers] == [
        b"1.2.3.4.5.6.7\0",
        b"1.2.3.4.5\0",
        b"1.2.3.4.5\0",
    ]
    classes = [CT.encode() + b"\0", VERIFICATION.encode() + b"\0", CT.encode() + b"\0"]
    assert [answer[Tag.AFFECTED_SOP_CLASS] for answer in answers] == classes
    assert [answer[Tag.DATA_SET_TYPE] for answer in answers] == [number(0x0101), number(0x0101), number(0)]
    goes_on(client)
