"""Faults of the connection, on a raw socket and in the recording: FIN, RST, silence, deafness, slowness."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from mockpacs.wire import AssociateAC, encode_pdu
from mockpacs.wire.pdu import Abort, ReleaseRQ
from tests.net.conftest import PATIENCE_SECONDS, Served
from tests.net.faults.conftest import Play, Visit, end, ended
from tests.net.faults.test_pdu import ANSWER
from tests.net.faults.visitor import STUDIES, Visitor
from tests.net.wire_client import associate_request, ct_image
from tests.traffic.pcapng_reader import Connection, in_file

RELEASE_RQ = encode_pdu(ReleaseRQ())


def recorded(server: Served, number: int = 1) -> Connection:
    """A connection as the recording has it, when the server is gone."""
    path = server.recording
    end(server)
    assert isinstance(path, Path)
    (connection,) = [one for one in in_file(path) if one.number == number]
    return connection


def knock(server: Served) -> tuple[bytes, str]:
    """Connect, hear all, leave. The end may come before the connection stood."""
    try:
        with Visitor(server.host, server.port) as visitor:
            return visitor.rest()
    except ConnectionResetError:
        return b"", "RST"


def connect_rule(then: str) -> str:
    """Whoever comes first meets it."""
    return f"rules: [{{ name: door, when: {{ event: connect }}, nth: 1, then: {then} }}]"


# at the door


def test_connecting_is_refused_for_a_while(play: Play, visit: Visit) -> None:
    server = play("rules: [{ name: door, when: { event: connect }, nth: 2, then: { refuse: 400ms } }]")
    before = visit(server)

    assert knock(server) == (b"", "RST")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), PATIENCE_SECONDS)
    assert before.echo() == 0  # who is in stays

    server.wait_until(lambda: knock_is_heard(server))
    assert server.notices("scenario")[0].text == 'rule "door" at connect: refuse for 400 ms'


@pytest.mark.parametrize(
    ("then", "heard", "ending"),
    [
        ("close", b"", "FIN"),
        ("reset", b"", "RST"),
        ("abort", bytes.fromhex("07000000000400000000"), "FIN"),
        ('{ send: !bytes "48 49", close: true }', b"HI", "FIN"),
        ("[{ delay: 5ms }, close]", b"", "FIN"),
    ],
)
def test_a_connection_is_accepted_and_ends(play: Play, then: str, heard: bytes, ending: str) -> None:
    server = play(connect_rule(then))

    assert knock(server) == (heard, ending)

    server.wait_until_nobody_is_connected()
    assert recorded(server).acceptor.closed == {"FIN": "fin", "RST": "reset"}[ending]


def test_a_connection_is_accepted_and_nothing_is_said(play: Play, visit: Visit) -> None:
    """Not even after the time in which others are closed who say nothing."""
    server = play(connect_rule("silence"), artim_timeout=0.05, network_timeout=0.05)
    silent, patient = visit(server, associated=False), visit(server, associated=False)
    silent.send(associate_request())

    assert patient.rest() == (b"", "FIN")  # ARTIM ran out

    silent.nothing_came()
    silent.finish()
    assert silent.rest() == (b"", "FIN")
    connection = recorded(server)
    assert bytes(connection.requestor.data) == associate_request()
    assert bytes(connection.acceptor.data) == b""


def test_nothing_is_read_from_the_beginning(play: Play, visit: Visit) -> None:
    server = play(connect_rule("stop-reading"), artim_timeout=0.05)
    client, patient = visit(server, associated=False), visit(server, associated=False)
    much = associate_request() + bytes(16_000_000)

    assert client.send_what_is_taken(much) < len(much)
    assert patient.rest() == (b"", "FIN")

    client.nothing_came()
    client.reset()
    assert bytes(recorded(server).requestor.data) == b""


def test_a_slow_connect_loses_nothing(play: Play, visit: Visit) -> None:
    server = play(connect_rule("{ delay: 30ms }"), artim_timeout=0.02)
    began = time.monotonic()
    client = visit(server, associated=False)
    request = associate_request()
    client.send(request[:10])
    client.send(request[10:])

    assert isinstance(client.read(), AssociateAC)

    assert time.monotonic() - began >= 0.03
    client.send(client.echo_request())
    assert client.exactly(len(ANSWER)) == ANSWER


def test_somebody_gives_up_while_the_server_is_slow_to_connect(play: Play, visit: Visit) -> None:
    server = play(connect_rule("{ delay: 30s }"))
    client = visit(server, associated=False)
    client.send(associate_request())
    server.wait_for(lambda: server.notices("scenario"))

    client.finish()

    assert client.rest() == (b"", "FIN")


# in the middle


@pytest.mark.parametrize(("then", "ending"), [("close", "FIN"), ("reset", "RST")])
def test_the_end_in_the_middle_of_a_data_set(play: Play, visit: Visit, then: str, ending: str) -> None:
    server = play(
        f"rules: [{{ when: {{ service: C-STORE, calling: RAW, at: {{ received: 10kB }} }}, then: {then} }}]",
        max_pdu=4096,
    )
    client = visit(server)
    client.send_as_far_as_taken(client.store_request(ct_image(pixels=1_000_000)))

    heard, _ = client.rest()  # who closes with bytes unread sends RST, whatever was meant

    assert heard == b""
    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.fault) == (None, then)
    assert server.pacs.archive.instance("1.2.3.4.5") is None
    assert recorded(server).acceptor.closed == {"FIN": "fin", "RST": "reset"}[ending]


def test_a_half_closed_connection_is_still_read(play: Play, visit: Visit) -> None:
    server = play(
        "rules: [{ name: half, when: { service: C-ECHO, calling: RAW, at: after-response }, then: half-close }]",
        network_timeout=0.05,
    )
    client = visit(server)
    client.send(client.echo_request())

    assert client.rest() == (ANSWER, "FIN")
    client.send(RELEASE_RQ)
    server.wait_until(lambda: server.recording and RELEASE_RQ in server.recording.read_bytes())
    client.send(b"and more")
    client.finish()

    server.wait_until_nobody_is_connected()
    connection = recorded(server)
    assert bytes(connection.requestor.data).endswith(RELEASE_RQ + b"and more")
    assert (connection.requestor.closed, connection.acceptor.closed) == ("fin", "fin")


def test_stopping_to_read_in_the_middle_of_a_data_set(play: Play, visit: Visit) -> None:
    """The sender is stuck, and the server does not lose patience with it."""
    server = play(
        "rules: [{ when: { service: C-STORE, calling: RAW, at: { received: 10kB } }, then: stop-reading }]",
        network_timeout=1,  # longer than the client needs to make what it sends
    )
    client, idle = visit(server), visit(server, calling="IDLE")
    request = client.store_request(ct_image(pixels=16_000_000))

    assert client.send_what_is_taken(request) < len(request)
    idle.read_abort()  # network timeout

    client.nothing_came()
    client.reset()
    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.fault) == (None, "stop-reading")


@pytest.mark.parametrize("at", ["", "at: before-response", "at: response"])
def test_silence_instead_of_an_answer(play: Play, visit: Visit, at: str) -> None:
    server = play(
        f"rules: [{{ name: mute, when: {{ service: C-ECHO, calling: RAW, {at} }}, then: silence }}]",
        network_timeout=0.05,
    )
    client, idle = visit(server), visit(server, calling="IDLE")
    client.send(client.echo_request())
    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.comment) == (None, "no answer, by the scenario")

    client.send(client.echo_request(), RELEASE_RQ)
    idle.read_abort()  # network timeout

    client.nothing_came()
    client.finish()
    assert client.rest() == (b"", "FIN")
    connection = recorded(server)
    assert bytes(connection.requestor.data).endswith(RELEASE_RQ)
    assert connection.comments[-1] == '1 closed: closed, after silence by rule "mute"'


def test_silence_after_an_answer(play: Play, visit: Visit) -> None:
    server = play("rules: [{ when: { service: C-ECHO, calling: RAW, at: after-response }, then: silence }]")
    client = visit(server)

    assert client.echo() == 0

    client.send(client.echo_request())
    server.still_serves()
    client.nothing_came()


def test_silence_in_the_middle_of_the_matches(play: Play, visit: Visit) -> None:
    server = play(
        """
        data: { studies: [{ StudyInstanceUID: 1.2.3 }] }
        rules:
          - { when: { service: C-FIND, calling: RAW }, then: { pending: { from: studies, forever: true } } }
          - { when: { service: C-FIND, calling: RAW, at: between-responses }, nth: 3, then: silence }
        """
    )
    client = visit(server)
    client.send(client.find_request(STUDIES))

    assert [client.response()[0].status for _ in range(3)] == [0xFF00] * 3

    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.responses) == (None, 3)
    client.nothing_came()


def test_a_connection_that_is_never_closed_after_an_abort(play: Play, visit: Visit) -> None:
    server = play("rules: [{ name: stays, when: { event: abort, calling: RAW }, then: silence }]", artim_timeout=0.05)
    client = visit(server)
    client.send(encode_pdu(Abort(0, 0)))
    server.wait_for(lambda: server.notices("scenario"))
    assert visit(server, associated=False).rest() == (b"", "FIN")  # ARTIM ran out

    client.nothing_came()
    client.send(b"anything")
    client.finish()
    assert client.rest() == (b"", "FIN")


def test_a_slow_close_after_an_abort(play: Play, visit: Visit) -> None:
    server = play("rules: [{ name: slow, when: { event: abort, calling: RAW }, then: { delay: 20ms } }]")
    client = visit(server)
    client.send(encode_pdu(Abort(0, 0)))

    assert client.rest() == (b"", "FIN")

    assert server.notices("scenario")[0].text == 'rule "slow" at abort: delay 20 ms'


def test_a_connection_that_is_never_closed_after_the_peers_fin(play: Play, visit: Visit) -> None:
    server = play("rules: [{ name: stays, when: { event: close, calling: RAW }, then: silence }]")
    client = visit(server)
    assert client.echo() == 0

    client.finish()

    server.wait_for(lambda: server.notices("scenario"))
    server.still_serves()
    client.nothing_came()
    assert server.connections() == 1


def test_a_slow_close_after_the_peers_fin(play: Play, visit: Visit) -> None:
    server = play("rules: [{ name: slow, when: { event: close, calling: RAW }, then: { delay: 20ms } }]")
    client = visit(server)
    client.finish()

    assert client.rest() == (b"", "FIN")

    assert server.notices("scenario")[0].text == 'rule "slow" at close: delay 20 ms'


# slowness


def pieces(server: Served) -> list[bytes]:
    """What left in one go each, of the first connection."""
    return [data for is_inbound, data in recorded(server).chunks if not is_inbound]


def test_an_answer_byte_by_byte(play: Play, visit: Visit) -> None:
    server = play("rules: [{ when: { service: C-ECHO, calling: RAW }, then: { drip: { bytes: 1, every: 1ms } } }]")
    client = visit(server)
    client.send(client.echo_request())

    assert client.exactly(len(ANSWER)) == ANSWER
    client.release()

    _, *answer, _ = pieces(server)
    assert answer == [ANSWER[at : at + 1] for at in range(len(ANSWER))]


def test_everything_in_small_pieces_from_the_acceptance_on(play: Play, visit: Visit) -> None:
    server = play("rules: [{ when: { event: associate, calling: RAW }, then: { drip: { bytes: 9, every: 1ms } } }]")
    client = visit(server)
    client.send(client.echo_request())
    assert client.exactly(len(ANSWER)) == ANSWER
    client.release()

    assert {len(one) for one in pieces(server)[:10]} == {9}
    assert b"".join(pieces(server))[-100:-10] == ANSWER


@pytest.mark.parametrize(
    "rule",
    [
        "{ when: { event: associate, calling: RAW }, then: { bandwidth: 2kB/s } }",
        "{ when: { event: connect }, nth: 1, then: { bandwidth: 2kB/s } }",
        "{ when: { service: C-ECHO, calling: RAW }, then: { bandwidth: 2kB/s } }",
    ],
)
def test_little_bandwidth(play: Play, visit: Visit, rule: str) -> None:
    server = play(f"rules: [{rule}]")
    client = visit(server)
    began = time.monotonic()
    client.send(*(client.echo_request() for _ in range(3)))

    assert client.exactly(3 * len(ANSWER)).startswith(ANSWER)

    assert time.monotonic() - began >= 2 * len(ANSWER) / 2000  # what went before the last answer took its time


def test_slowness_of_one_association_is_not_that_of_others(play: Play, visit: Visit) -> None:
    server = play("rules: [{ when: { event: associate, calling: RAW }, then: { bandwidth: 10B/s } }]")
    slow = visit(server, associated=False)
    slow.send(associate_request())
    assert slow.exactly(1) == b"\x02"

    server.still_serves()

    assert len(slow.socket.recv(1000)) < 100


def test_a_drip_ends_with_the_association(play: Play, visit: Visit) -> None:
    server = play("rules: [{ when: { service: C-ECHO, calling: RAW }, then: { drip: { bytes: 1, every: 1ms } } }]")
    client = visit(server)
    client.send(client.echo_request())
    assert client.exactly(3) == ANSWER[:3]

    client.reset()

    (exchange,) = ended(server, 1)
    assert exchange.rule


@pytest.mark.parametrize(
    "when",
    [
        "service: C-ECHO, calling: RAW",
        "service: C-ECHO, calling: RAW, at: response",
        "service: C-ECHO, calling: RAW, at: after-response",
        "event: associate, calling: RAW",
        "event: release, calling: RAW",
    ],
)
def test_a_server_that_seems_to_restart_at_any_moment(play: Play, visit: Visit, when: str) -> None:
    server = play(f"rules: [{{ name: restart, when: {{ {when} }}, then: {{ refuse: 400ms }} }}]")
    client = visit(server, associated=False)
    client.send(associate_request())
    if "associate" not in when:
        assert client.pdu().kind == 2
        client.send(client.echo_request(), RELEASE_RQ)

    assert client.rest()[1] == "RST"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), PATIENCE_SECONDS)

    server.wait_until(lambda: knock_is_heard(server))


def knock_is_heard(server: Served) -> bool:
    try:
        socket.create_connection((server.host, server.port), PATIENCE_SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True
