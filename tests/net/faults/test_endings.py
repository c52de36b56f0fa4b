"""Faults of the end of an association, on bytes: aborts at every moment, releases that are not answered."""

from __future__ import annotations

import pytest

from mockpacs.wire import ReleaseRP, encode_pdu
from mockpacs.wire.pdu import ReleaseRQ
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit, ended
from tests.net.faults.visitor import ABORT, P_DATA, STUDIES, Visitor
from tests.net.wire_client import ct_image

RELEASE_RP = bytes.fromhex("06000000000400000000")


# aborts

ABORTS = {
    "abort": (0, 0),
    "{ abort: { source: user } }": (0, 0),
    "{ abort: { source: user, reason: 3 } }": (0, 3),
    **{
        f"{{ abort: {{ source: provider, reason: {name} }} }}": (2, number)
        for name, number in {
            "not-specified": 0,
            "unrecognized-pdu": 1,
            "unexpected-pdu": 2,
            "unrecognized-parameter": 4,
            "unexpected-parameter": 5,
            "invalid-parameter": 6,
        }.items()
    },
    "{ abort: { source: 1, reason: 3 } }": (1, 3),
    "{ abort: { source: 255, reason: 255 } }": (255, 255),
}


@pytest.mark.parametrize(("then", "numbers"), ABORTS.items(), ids=ABORTS)
def test_every_abort_instead_of_an_answer(play: Play, visit: Visit, then: str, numbers: tuple[int, int]) -> None:
    server = play(f"rules: [{{ name: door, when: {{ service: C-ECHO, calling: RAW }}, then: {then} }}]")
    client = visit(server)
    client.send(client.echo_request())

    assert client.pdu() == (ABORT, bytes((0, 0, *numbers)))
    client.finish()
    assert client.rest() == (b"", "FIN")

    (exchange,) = ended(server, 1)
    assert exchange.status is None
    (notice,) = server.notices("aborted")
    assert notice.text == f'aborted by us: rule "door" (source {numbers[0]}, reason {numbers[1]})'


MOMENTS = {
    "request": "",
    "before the response": "at: before-response",
    "at the response": "at: response",
}


@pytest.mark.parametrize("at", MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize(
    ("then", "heard", "ending"),
    [
        ("abort", bytes.fromhex("07000000000400000000"), "FIN"),
        ("close", b"", "FIN"),
        ("reset", b"", "RST"),
    ],
)
def test_a_store_that_ends_at_any_moment(
    play: Play, visit: Visit, at: str, then: str, heard: bytes, ending: str
) -> None:
    server = play(f"rules: [{{ when: {{ service: C-STORE, calling: RAW, {at} }}, then: {then} }}]")
    client = visit(server)
    client.send(client.store_request(ct_image()))

    assert client.exactly(len(heard)) == heard
    if heard:
        client.finish()  # whoever aborts waits for the other to close (PS3.8 9.2, AA-1)
    assert client.rest() == (b"", ending)

    ended(server, 1)
    assert (server.pacs.archive.instance("1.2.3.4.5") is not None) == bool(at)


def test_an_abort_after_the_answer(play: Play, visit: Visit) -> None:
    server = play("rules: [{ when: { service: C-ECHO, calling: RAW, at: after-response }, then: abort }]")
    client = visit(server)

    assert client.echo() == 0

    assert client.pdu() == (ABORT, bytes(4))
    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.fault) == (0, "abort user not-specified")


def test_an_abort_in_the_middle_of_the_matches(play: Play, visit: Visit) -> None:
    server = play(
        """
        data: { studies: [{ StudyInstanceUID: 1.2.3 }, { StudyInstanceUID: 1.2.4 }, { StudyInstanceUID: 1.2.5 }] }
        rules:
          - { when: { service: C-FIND, calling: RAW }, then: { answer: studies }, continue: true }
          - { when: { service: C-FIND, calling: RAW, at: between-responses }, nth: 2, then: abort }
        """
    )
    client = visit(server)
    client.send(client.find_request(STUDIES))

    pdus = [client.pdu() for _ in range(5)]

    assert [pdu.kind for pdu in pdus] == [P_DATA] * 4 + [ABORT]
    assert pdus[1].body.endswith(b"1.2.3\0")
    assert pdus[3].body.endswith(b"1.2.4\0")


# releases


def released(play: Play, visit: Visit, then: str) -> tuple[Served, Visitor]:
    """Somebody has done something and asks for the release."""
    server = play(f"rules: [{{ name: door, when: {{ event: release, calling: RAW }}, then: {then} }}]")
    client = visit(server)
    assert client.echo() == 0
    client.send(encode_pdu(ReleaseRQ()))
    return server, client


@pytest.mark.parametrize(
    ("then", "heard", "ending"),
    [
        ("abort", bytes.fromhex("07000000000400000000"), "FIN"),
        ("{ abort: { source: provider, reason: 2 } }", bytes.fromhex("07000000000400000202"), "FIN"),
        ("close", b"", "FIN"),
        ("reset", b"", "RST"),
    ],
)
def test_the_end_instead_of_a_release(play: Play, visit: Visit, then: str, heard: bytes, ending: str) -> None:
    server, client = released(play, visit, then)

    assert client.exactly(len(heard)) == heard
    if heard:
        client.finish()  # whoever aborts waits for the other to close (PS3.8 9.2, AA-1)
    assert client.rest() == (b"", ending)

    server.wait_for(lambda: server.notices("scenario"))
    assert server.notices("released") == []


@pytest.mark.parametrize("then", ["silence", "nothing"])
def test_an_ignored_release(play: Play, visit: Visit, then: str) -> None:
    server, client = released(play, visit, then)
    server.wait_for(lambda: server.notices("scenario"))

    server.still_serves()

    client.nothing_came()
    client.finish()
    assert client.rest() == (b"", "FIN")
    assert not [one for one in server.notices("released") if one.association and one.association.calling == "RAW"]


def test_a_slow_release(play: Play, visit: Visit) -> None:
    server, client = released(play, visit, "{ delay: 20ms }")

    assert isinstance(client.read(), ReleaseRP)
    assert server.notices("scenario")[0].text == 'rule "door" at release: delay 20 ms'


@pytest.mark.parametrize(
    ("then", "wanted"),
    [
        ("{ truncate: { after: 4 } }", RELEASE_RP[:4]),
        ("{ corrupt: { offset: 0, xor: 0f } }", b"\x09" + RELEASE_RP[1:]),
        ('{ send: !bytes "01 02" }', b"\x01\x02" + RELEASE_RP),
        ('{ nothing: true, send: !bytes "01 02" }', b"\x01\x02"),
        ("{ drip: { bytes: 3, every: 1ms } }", RELEASE_RP),
    ],
)
def test_the_bytes_of_a_release(play: Play, visit: Visit, then: str, wanted: bytes) -> None:
    _, client = released(play, visit, then)

    assert client.exactly(len(wanted)) == wanted
    client.finish()
    assert client.rest() == (b"", "FIN")
