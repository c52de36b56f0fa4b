"""When rules act: every moment of an exchange and every event of a connection, in order; later, continue, states."""

from __future__ import annotations

import pytest

from mockpacs.wire import Tag, encode_pdu
from mockpacs.wire.pdu import Abort
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit, end, ended
from tests.net.faults.test_pdu import ANSWER
from tests.net.faults.visitor import ABORT, STUDIES, Visitor, number
from tests.net.wire_client import ct_image

DATA = """
data:
  studies:
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.3 }
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.4 }
"""


def mark(name: str, when: str, number: int) -> str:
    """A rule that leaves its number on the wire."""
    then = f'{{ send: !bytes "{number:02x}" }}'
    return f"  - {{ name: {name}, when: {{ {when}, calling: RAW }}, then: {then}, continue: true }}"


def test_the_moments_of_a_query_come_in_their_order(play: Play, visit: Visit) -> None:
    moments = ["request", "before-response", "response", "between-responses", "after-response"]
    server = play(
        "\n".join(
            (
                DATA,
                "rules:",
                *(mark(at, f"service: C-FIND, at: {at}", place) for place, at in enumerate(moments, 0xE1)),
                "  - { name: last, when: { service: C-FIND, calling: RAW }, then: { answer: studies } }",
            )
        )
    )
    client = visit(server)
    client.send(client.find_request(STUDIES))

    marks = []
    for _ in range(3):
        while (kind := client.exactly(1)[0]) > 0xE0:
            marks.append(kind)
        assert kind == 4
        body = client.exactly(int.from_bytes(client.exactly(5)[1:], "big"))
        marks.append(4)
        if b"\x00\x00\x00\x08\x02\x00\x00\x00\x01\x00" in body:  # its identifier
            client.pdu()
    marks.append(client.exactly(1)[0])

    assert marks == [0xE1, 0xE2, 0xE3, 4, 0xE4, 0xE3, 4, 0xE4, 0xE3, 4, 0xE5]
    (exchange,) = ended(server, 1)
    assert exchange.rule == "request, last, before-response, response, between-responses, after-response"
    client.release()


def test_the_moments_of_a_store_come_in_their_order(play: Play, visit: Visit) -> None:
    moments = ["{ pdu: 2 }", "{ received: 9kB }", "request", "before-response", "response", "after-response"]
    server = play(
        "\n".join(
            ("rules:", *(mark(f"m{at}", f"service: C-STORE, at: {one}", 0xE1 + at) for at, one in enumerate(moments)))
        ),
        max_pdu=4096,
    )
    client = visit(server)
    client.send(client.store_request(ct_image(pixels=30_000)))

    assert client.exactly(5) == bytes.fromhex("e1e2e3e4e5")
    assert client.status() == 0
    assert client.exactly(1) == bytes.fromhex("e6")
    assert ended(server, 1)[0].rule == "m0, m1, m2, m3, m4, m5"
    client.release()


EVENTS = """
rules:
  - { name: on connect, when: { event: connect }, nth: 1, then: { delay: 1ms } }
  - { name: on associate, when: { event: associate, calling: RAW }, then: { delay: 1ms } }
  - { name: on cancel, when: { event: cancel, calling: RAW }, then: { delay: 1ms } }
  - { name: on release, when: { event: release, calling: RAW }, then: { delay: 1ms } }
  - { name: on abort, when: { event: abort, calling: RAW }, then: { delay: 1ms } }
  - { name: on close, when: { event: close, calling: RAW }, then: { delay: 1ms } }
  - { when: { service: C-FIND, calling: RAW }, then: { wait: cancel } }
"""


def told(server: Served) -> list[str]:
    """The events at which a rule fired, in order."""
    return [notice.text.split('"')[2].strip(" :").split(":")[0] for notice in server.notices("scenario")]


def test_the_events_of_an_association_that_is_released(play: Play, visit: Visit) -> None:
    server = play(EVENTS)
    client = visit(server)
    client.send(client.find_request(STUDIES), client.cancel_request())
    assert client.status() == 0xFE00
    client.release()
    client.socket.close()

    server.wait_for(lambda: len(server.notices("scenario")) == 4)

    assert told(server) == ["at connect", "at associate", "at release", "at close"]
    assert "on cancel" in ended(server, 1)[0].rule


def test_the_events_of_an_association_that_is_aborted(play: Play, visit: Visit) -> None:
    server = play(EVENTS)
    client = visit(server)
    client.send(encode_pdu(Abort(0, 0)))
    assert client.rest() == (b"", "FIN")

    server.wait_for(lambda: len(server.notices("scenario")) == 4)

    assert told(server) == ["at connect", "at associate", "at abort", "at close"]


@pytest.mark.parametrize("how", ["finish", "reset"])
def test_the_events_of_a_connection_that_breaks(play: Play, visit: Visit, how: str) -> None:
    server = play(EVENTS)
    client = visit(server)
    getattr(client, how)()

    server.wait_for(lambda: len(server.notices("scenario")) == 3)

    assert told(server) == ["at connect", "at associate", "at close"]


def test_a_connection_on_which_nobody_asks(play: Play, visit: Visit) -> None:
    server = play(EVENTS.replace("event: close, calling: RAW", "event: close, peer: 127.0.0.1"))
    visit(server, associated=False).finish()

    server.wait_for(lambda: len(server.notices("scenario")) == 2)

    assert told(server) == ["at connect", "at close"]


def test_a_rule_of_connect_knows_the_address(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - { when: { event: connect, peer: { not: "127.*" } }, then: reset }
          - { when: { event: connect, peer: 127.0.0.1 }, nth: 1, then: { send: !bytes "48 49", close: true } }
        """
    )

    assert visit(server, associated=False).rest() == (b"HI", "FIN")


# later


@pytest.mark.parametrize(
    "at", ["", "at: before-response", "at: response", "at: after-response"], ids=lambda at: at or "request"
)
def test_what_comes_later_comes_after_the_answer(play: Play, visit: Visit, at: str) -> None:
    server = play(
        f"""
        rules:
          - when: {{ service: C-ECHO, calling: RAW, {at} }}
            then: {{ delay: 1ms }}
            later: [{{ delay: 5ms, send: !bytes "ca fe" }}, {{ delay: 5ms, abort: true }}]
        """
    )
    client = visit(server)
    client.send(client.echo_request())

    assert client.exactly(len(ANSWER) + 2) == ANSWER + bytes.fromhex("cafe")
    assert client.pdu() == (ABORT, bytes(4))


@pytest.mark.parametrize("then", ["nothing", "{ status: A700 }"])
def test_something_comes_later_whatever_the_answer(play: Play, visit: Visit, then: str) -> None:
    server = play(
        f"rules: [{{ when: {{ service: C-ECHO, calling: RAW }}, then: {then}, later: {{ delay: 1ms, close: true }} }}]"
    )
    client = visit(server)
    client.send(client.echo_request())

    heard, ending = client.rest()

    assert ending == "FIN"
    assert bool(heard) is (then != "nothing")


def test_a_later_step_of_a_rule_about_the_middle_of_a_data_set(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - when: { service: C-STORE, calling: RAW, at: { received: 9kB } }
            then: { delay: 1ms }
            later: { send: !bytes "ca fe" }
        """,
        max_pdu=4096,
    )
    client = visit(server)
    client.send(client.store_request(ct_image(pixels=30_000)))

    assert client.status() == 0
    assert client.exactly(2) == bytes.fromhex("cafe")


@pytest.mark.parametrize(
    ("event", "provoke"),
    [
        ("associate", lambda client: None),
        ("cancel", lambda client: client.send(client.find_request(STUDIES), client.cancel_request())),
    ],
)
def test_something_comes_later_after_an_event(play: Play, visit: Visit, event: str, provoke: object) -> None:
    server = play(
        f"""
        rules:
          - when: {{ event: {event}, calling: RAW }}
            then: {{ delay: 1ms }}
            later: {{ delay: 5ms, abort: true }}
        """
    )
    client = visit(server)
    provoke(client)  # type: ignore[operator]

    while (pdu := client.pdu()).kind != ABORT:
        pass
    assert pdu.body == bytes(4)


def test_what_comes_later_does_not_hold_up_the_next_request(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - when: { service: C-ECHO, calling: RAW }
            nth: 1
            then: { delay: 1ms }
            later: { delay: 30s, abort: true }
        """
    )
    client = visit(server)

    assert [client.echo() for _ in range(3)] == [0, 0, 0]
    client.release()


# more than one rule


def test_rules_that_continue_are_all_applied_and_the_last_one_decides(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - { name: slow, when: { service: C-ECHO, calling: RAW }, then: { delay: 1ms }, continue: true }
          - { name: loud, when: { service: any, calling: RAW }, then: { send: !bytes "aa" }, continue: true }
          - { name: wrong, when: { service: C-ECHO, calling: RAW }, then: { status: "0110" } }
          - { name: never, when: { service: C-ECHO, called: NOBODY }, then: abort }
        """
    )
    client = visit(server)
    client.send(client.echo_request())

    assert client.exactly(1) == b"\xaa"
    assert client.command_set()[Tag.STATUS] == number(0x0110)
    (exchange,) = ended(server, 1)
    assert exchange.rule == "slow, loud, wrong"
    assert exchange.fault == "delay 1 ms, send 1 byte, status 0110"


def test_lies_of_several_moments_come_together(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - { when: { service: C-ECHO, calling: RAW }, then: { lie: { message_id: 7 } } }
          - { when: { service: C-ECHO, calling: RAW, at: before-response }, then: { lie: { context_id: 9 } } }
          - { when: { service: C-ECHO, calling: RAW, at: response }, then: { status: A700, lie: { pdu_type: 42 } } }
        """
    )
    client = visit(server)
    client.send(client.echo_request())

    heard = client.exactly(len(ANSWER))

    wanted = ANSWER.replace(bytes.fromhex("2001 02000000 0100"), bytes.fromhex("2001 02000000 0700"))
    assert heard == b"\x2a" + wanted[1:10] + b"\x09" + wanted[11:-2] + bytes.fromhex("00a7")


def test_a_state_changes_what_happens_next(play: Play, visit: Visit) -> None:
    server = play(
        """
        state: { archive: { start: open, per: StudyInstanceUID } }
        rules:
          - { when: { service: C-STORE, state: { archive: full } }, then: { status: A700 } }
          - { when: { service: C-STORE, calling: RAW, at: response }, set: { archive: full } }
          - { when: { service: C-ECHO, calling: RAW }, set: { archive: { all: open } } }
        """
    )
    client = visit(server)

    def store(study: str) -> int:
        return client.store(ct_image(f"{study}.9", study=study), f"{study}.9")

    assert [store("1.2.1"), store("1.2.1"), store("1.2.2"), store("1.2.1")] == [0, 0xA700, 0, 0xA700]
    assert client.echo() == 0
    assert store("1.2.1") == 0


def test_a_sequence_is_counted_per_instance_across_associations(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - when: { service: C-STORE, calling: RAW }
            per: SOPInstanceUID
            sequence: [{ status: A700 }, { status: "0110" }, { status: success }]
        expect:
          - { service: C-STORE, calling: RAW, count: 3, per: SOPInstanceUID }
          - { event: abort, count: 0 }
        """
    )
    clients = [visit(server) for _ in range(3)]

    def store(client: Visitor, instance: str) -> int:
        return client.store(ct_image(instance), instance)

    heard = [[store(client, f"1.2.{at}") for at in range(4)] for client in clients]

    assert heard == [[0xA700] * 4, [0x0110] * 4, [0] * 4]
    for client in clients:
        client.release()
    end(server)
    assert server.pacs.summary.unmet == ()


def test_every_association_meets_a_rule_that_counts_per_association(play: Play, visit: Visit) -> None:
    server = play(
        "rules: [{ when: { service: C-ECHO, calling: RAW }, per: association, nth: 2, then: { status: A700 } }]"
    )

    for client in (visit(server), visit(server)):
        assert [client.echo() for _ in range(3)] == [0, 0xA700, 0]


@pytest.mark.parametrize("at", ["request", "before-response", "response"])
def test_bytes_of_the_step_that_answers_come_after_its_answer(play: Play, visit: Visit, at: str) -> None:
    then = '{ status: success, send: !bytes "ca fe", close: true }'
    server = play(f"rules: [{{ when: {{ service: C-ECHO, calling: RAW, at: {at} }}, then: {then} }}]")
    client = visit(server)
    client.send(client.echo_request())

    assert client.rest() == (ANSWER + bytes.fromhex("cafe"), "FIN")


def test_a_rule_that_continues_changes_how_the_answer_of_another_one_looks(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - { when: { service: C-ECHO, calling: RAW }, then: { lie: { message_id: 7 } }, continue: true }
          - { when: { service: C-ECHO, calling: RAW }, then: { status: "0110" } }
        """
    )
    client = visit(server)
    client.send(client.echo_request())

    elements = client.command_set()

    assert elements[Tag.MESSAGE_ID_RESPONDED_TO] == number(7)
    assert elements[Tag.STATUS] == number(0x0110)
    client.release()


def test_no_rule_is_asked_about_an_answer_that_nobody_hears(play: Play, visit: Visit) -> None:
    """The association was aborted while the request was being answered: what would have been said is no occurrence."""
    server = play(
        """
        rules:
          - { name: slow, when: { service: C-ECHO, calling: RAW }, then: { delay: 30s } }
          - { name: never, when: { service: C-ECHO, calling: RAW, at: response }, then: { status: A700 } }
        """
    )
    client = visit(server)
    client.send(client.echo_request(), encode_pdu(Abort(0, 0)))

    assert client.rest() == (b"", "FIN")
    assert [one.rule for one in ended(server, 1)] in (["slow"], [""])
