"""Faults of queries, on bytes: no matches, too many, wrong ones, odd ones; failures; cancels that are not obeyed."""

from __future__ import annotations

from typing import Any

import pytest

from mockpacs.wire import Tag
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit, ended
from tests.net.faults.visitor import STUDIES, Visitor, number
from tests.net.wire_client import ct_image, element

STUDY_LEVEL = element(0x00080052, "CS", b"STUDY")
DATA = """
data:
  studies:
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.3 }
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.4 }
  stranger:
    - { QueryRetrieveLevel: STUDY, PatientName: "Nobody^Asked", StudyInstanceUID: 9.9 }
"""
FIND = "when: { service: C-FIND, calling: RAW }"


def filled(play: Play, visit: Visit, *rules: str, studies: int = 3) -> tuple[Served, Visitor]:
    """A server with rules and an archive with studies of patient P1, and somebody who may ask."""
    server = play("\n".join((DATA, "rules:", *(f"  - {rule}" for rule in rules))))
    with Visitor(server.host, server.port) as sender:
        sender.associate(calling="SENDER")
        for at in range(studies):
            assert sender.store(ct_image(f"1.2.5.{at}.1", study=f"1.2.5.{at}"), f"1.2.5.{at}.1") == 0
        sender.release()
    return server, visit(server)


def asked(play: Play, visit: Visit, *rules: str, **how: Any) -> tuple[Served, list[tuple[int, bytes | None]]]:
    """What somebody hears who asks for studies: status and identifier of each response."""
    server, client = filled(play, visit, *rules, **how)
    heard = client.find(STUDIES)
    ended(server, 1)
    client.release()
    return server, heard


def uids(heard: list[tuple[int, bytes | None]]) -> list[str]:
    """The Study Instance UIDs of the matches."""
    return [uid(data) for _, data in heard if data is not None]


def uid(data: bytes) -> str:
    at = data.index(bytes.fromhex("20000d00 5549"))
    return data[at + 8 : at + 8 + data[at + 6]].rstrip(b"\0").decode()


def test_the_honest_matches_are_what_the_tests_begin_with(play: Play, visit: Visit) -> None:
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ delay: 1ms }} }}")

    assert [status for status, _ in heard] == [0xFF00] * 3 + [0]
    assert uids(heard) == ["1.2.5.0", "1.2.5.1", "1.2.5.2"]


def test_no_match_although_there_are_some(play: Play, visit: Visit) -> None:
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ pending: {{ take: 0 }} }} }}")

    assert heard == [(0, None)]


@pytest.mark.parametrize(
    ("pending", "wanted"),
    [
        ("{ take: 2 }", ["1.2.5.0", "1.2.5.1"]),
        ("{ skip: 1 }", ["1.2.5.1", "1.2.5.2"]),
        ("{ skip: 1, take: 1 }", ["1.2.5.1"]),
        ("{ skip: 9 }", []),
        ("{ from: studies }", ["1.2.3", "1.2.4"]),
        ("{ from: studies, take: 1 }", ["1.2.3"]),
    ],
)
def test_some_of_the_matches(play: Play, visit: Visit, pending: str, wanted: list[str]) -> None:
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ pending: {pending} }} }}")

    assert uids(heard) == wanted
    assert heard[-1] == (0, None)


def test_a_thousand_times_the_same_match(play: Play, visit: Visit) -> None:
    server, heard = asked(
        play,
        visit,
        "{ when: { service: C-FIND, calling: RAW, at: response, status: pending }, then: { lie: { repeat: 1000 } } }",
        studies=1,
    )

    assert uids(heard) == ["1.2.5.0"] * 1000
    assert len({data for _, data in heard}) == 2
    assert ended(server, 1)[0].fault == "lie repeat 1000"


def test_more_matches_than_anybody_has_studies(play: Play, visit: Visit) -> None:
    rows = "\n".join(f"    - {{ QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.{at} }}" for at in range(2000))
    server = play(f"data:\n  many:\n{rows}\nrules: [{{ {FIND}, then: {{ answer: many }} }}]")
    client = visit(server)

    heard = client.find(STUDIES)

    assert uids(heard) == [f"1.2.{at}" for at in range(2000)]
    (exchange,) = ended(server, 1)
    assert exchange.responses == 2001


def test_a_huge_match(play: Play, visit: Visit) -> None:
    """Longer than any PDU: it comes in fragments."""
    name = "x" * 100_000
    match = f"{{ StudyInstanceUID: 1.2, TextValue: {name} }}"
    server = play(f"rules: [{{ {FIND}, then: {{ answer: [{match}] }} }}]")
    client = visit(server)

    ((_, data), _) = client.find(STUDIES)

    assert data is not None
    assert name.encode() in data


def test_a_match_that_does_not_match(play: Play, visit: Visit) -> None:
    server = play(f"{DATA}\nrules: [{{ {FIND}, then: {{ answer: stranger }} }}]")
    client = visit(server)

    heard = client.find(STUDY_LEVEL + element(0x0020000D, "UI", b"1.2.5.0"))

    assert uids(heard) == ["9.9"]


def test_matches_written_in_the_rule_itself(play: Play, visit: Visit) -> None:
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ answer: [{{ StudyInstanceUID: 1.2.7 }}] }} }}")

    assert uids(heard) == ["1.2.7"]


def test_a_wrong_character_set(play: Play, visit: Visit) -> None:
    """Latin-1 that says it is UTF-8."""
    match = '{ SpecificCharacterSet: ISO_IR 192, PatientName: !bytes "4d fc 6c 6c 65 72" }'
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ answer: [{match}] }} }}")

    data = heard[0][1]
    assert data == element(0x00080005, "CS", b"ISO_IR 192") + element(0x00100010, "PN", bytes.fromhex("4dfc6c6c6572"))
    with pytest.raises(UnicodeDecodeError):
        data[-6:].decode("utf-8")


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_an_identifier_that_ends_too_soon(play: Play, visit: Visit, cut: int) -> None:
    _, whole = asked(play, visit, f"{{ {FIND}, then: {{ delay: 1ms }} }}")
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ pending: {{ cut: {cut} }} }} }}")

    assert [data for _, data in heard] == [data and data[:-cut] for _, data in whole]


def test_an_identifier_that_a_lie_cuts(play: Play, visit: Visit) -> None:
    _, whole = asked(play, visit, f"{{ {FIND}, then: {{ answer: studies }} }}")
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ answer: studies, lie: {{ cut: 7 }} }} }}")

    assert [data for _, data in heard] == [data and data[:-7] for _, data in whole]


def test_keys_that_are_said_to_be_unsupported(play: Play, visit: Visit) -> None:
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ pending: {{ status: FF01 }} }} }}")

    assert [status for status, _ in heard] == [0xFF01] * 3 + [0]
    assert uids(heard) == ["1.2.5.0", "1.2.5.1", "1.2.5.2"]


def test_a_single_match_with_another_status(play: Play, visit: Visit) -> None:
    _, heard = asked(
        play, visit, "{ when: { service: C-FIND, calling: RAW, at: response }, nth: 2, then: { status: FF01 } }"
    )

    assert [status for status, _ in heard] == [0xFF00, 0xFF01, 0xFF00, 0]


def test_attributes_that_are_changed_and_left_out(play: Play, visit: Visit) -> None:
    pending = '{ take: 1, set: { StudyInstanceUID: "", PatientName: Other }, remove: PatientID }'
    _, heard = asked(play, visit, f"{{ {FIND}, then: {{ pending: {pending} }} }}")

    data = heard[0][1]
    assert data is not None
    assert element(0x0020000D, "UI", b"") in data
    assert element(0x00100010, "PN", b"Other") in data
    assert bytes.fromhex("10002000") not in data


# failures


@pytest.mark.parametrize(
    ("then", "wanted"),
    [
        ("{ status: A700 }", [0xA700]),
        ("{ status: out-of-resources, comment: Full }", [0xA700]),
        ("{ status: A900 }", [0xA900]),
        ("{ status: C000 }", [0xC000]),
        ("{ status: CFFF }", [0xCFFF]),
        ('{ status: "0122" }', [0x0122]),
        ("{ status: FE00 }", [0xFE00]),
        ('{ status: "1234" }', [0x1234]),
        ("{ pending: { take: 2 }, status: A700 }", [0xFF00, 0xFF00, 0xA700]),
        ("{ answer: studies, status: C000 }", [0xFF00, 0xFF00, 0xC000]),
        ("{ status: success }", [0xFF00, 0xFF00, 0xFF00, 0]),
    ],
)
def test_a_final_status(play: Play, visit: Visit, then: str, wanted: list[int]) -> None:
    server, heard = asked(play, visit, f"{{ {FIND}, then: {then} }}")

    assert [status for status, _ in heard] == wanted
    assert ended(server, 1)[0].status == wanted[-1]


def test_a_failure_explains_itself(play: Play, visit: Visit) -> None:
    _, client = filled(
        play, visit, f"{{ {FIND}, then: {{ status: A900, comment: No, offending: [StudyDate], error_id: 7 }} }}"
    )
    client.send(client.find_request(STUDIES))

    elements = client.command_set()

    assert elements[Tag.STATUS] == number(0xA900)
    assert elements[Tag.ERROR_COMMENT] == b"No"
    assert elements[Tag.OFFENDING_ELEMENT] == bytes.fromhex("08002000")
    assert elements[Tag.ERROR_ID] == number(7)


def test_the_honest_failure_stays_when_a_rule_says_success(play: Play, visit: Visit) -> None:
    _, client = filled(play, visit, f"{{ {FIND}, then: {{ status: success }} }}")

    ((status, _),) = client.find(element(0x00080052, "CS", b"NOWHERE"))

    assert status == 0xA900


def test_the_final_response_becomes_another_one_as_it_leaves(play: Play, visit: Visit) -> None:
    _, heard = asked(
        play,
        visit,
        "{ when: { service: C-FIND, calling: RAW, at: response, status: success }, then: { status: A700 } }",
    )

    assert [status for status, _ in heard] == [0xFF00] * 3 + [0xA700]


# cancels

FOR_EVER = f"{{ {FIND}, then: {{ pending: {{ from: studies, forever: true }} }} }}"


def cancelled(play: Play, visit: Visit, *rules: str) -> tuple[Served, Visitor]:
    """Somebody has cancelled a query without end."""
    server, client = filled(play, visit, FOR_EVER, *rules, studies=0)
    client.send(client.find_request(STUDIES))
    assert client.response()[0].status == 0xFF00
    client.send(client.cancel_request())
    return server, client


def test_a_cancel_that_is_ignored(play: Play, visit: Visit) -> None:
    server, client = cancelled(play, visit, "{ name: deaf, when: { event: cancel, calling: RAW }, then: nothing }")

    statuses = {client.response()[0].status for _ in range(5000)}

    assert statuses == {0xFF00}
    client.reset()
    (exchange,) = ended(server, 1)
    assert exchange.rule.endswith(", deaf")
    assert exchange.fault.endswith(", nothing")


def test_a_cancel_that_is_obeyed_late(play: Play, visit: Visit) -> None:
    server, client = cancelled(
        play, visit, "{ name: slow, when: { event: cancel, calling: RAW }, then: { delay: 20ms } }"
    )

    *pending, final = [response.status for response, _ in client.responses()]

    assert set(pending) == {0xFF00}
    assert final == 0xFE00
    assert ended(server, 1)[0].fault.endswith(", delay 20 ms")
    client.release()


@pytest.mark.parametrize(("then", "ending"), [("abort", "FIN"), ("close", "FIN"), ("reset", "RST")])
def test_a_cancel_that_is_answered_with_the_end(play: Play, visit: Visit, then: str, ending: str) -> None:
    server, client = cancelled(play, visit, f"{{ when: {{ event: cancel, calling: RAW }}, then: {then} }}")

    heard = b""
    while then == "abort" and not heard.endswith(bytes.fromhex("07000000000400000000")):
        heard += client.exactly(1)
    if then == "abort":
        client.finish()
    assert client.rest()[1] == ending

    (exchange,) = ended(server, 1)
    assert exchange.status is None


def test_a_cancel_that_is_met_with_silence(play: Play, visit: Visit) -> None:
    server, client = cancelled(play, visit, "{ when: { event: cancel, calling: RAW }, then: silence }")
    ended(server, 1)
    server.still_serves()
    client.take_what_came()

    server.still_serves()

    client.nothing_came()


def test_a_query_that_waits_for_its_cancel(play: Play, visit: Visit) -> None:
    server, client = filled(play, visit, f"{{ {FIND}, then: {{ wait: cancel, status: FE00 }} }}")
    client.send(client.find_request(STUDIES))
    server.still_serves()
    client.nothing_came()

    client.send(client.cancel_request())

    assert client.command_set()[Tag.STATUS] == number(0xFE00)
    client.release()


def test_what_is_pending_after_a_cancel_is_not_sent_by_the_honest_query(play: Play, visit: Visit) -> None:
    """Under a rule as without one: FE00, and nothing between."""
    server, client = filled(play, visit, f"{{ {FIND}, then: {{ wait: cancel }} }}", studies=20)
    client.send(client.find_request(STUDIES))
    server.still_serves()

    client.send(client.cancel_request())

    assert [response.status for response, _ in client.responses()] == [0xFE00]


def test_a_cancel_between_two_matches_ends_the_query(play: Play, visit: Visit) -> None:
    """The other matches had been found before it came."""
    server, client = filled(
        play,
        visit,
        "{ when: { service: C-FIND, calling: RAW, at: between-responses }, times: 1, then: { wait: cancel } }",
    )
    client.send(client.find_request(STUDIES))
    assert client.response()[0].status == 0xFF00
    server.still_serves()
    client.nothing_came()

    client.send(client.cancel_request())

    assert [response.status for response, _ in client.responses()] == [0xFE00]
    assert ended(server, 1)[0].status == 0xFE00
    client.release()


# time


def test_matches_that_come_one_by_one(play: Play, visit: Visit) -> None:
    server, heard = asked(play, visit, f"{{ {FIND}, then: {{ pending: {{ every: 5ms }} }} }}")

    assert uids(heard) == ["1.2.5.0", "1.2.5.1", "1.2.5.2"]
    (exchange,) = ended(server, 1)
    assert exchange.seconds >= 0.01
    pending, _ = exchange.answers
    assert pending.last - pending.first >= 0.01


def test_one_match_that_is_late(play: Play, visit: Visit) -> None:
    """Those before it are not."""
    server, client = filled(
        play, visit, "{ when: { service: C-FIND, calling: RAW, at: response }, nth: 3, then: { delay: 30s } }"
    )
    client.send(client.find_request(STUDIES))

    assert [client.response()[0].status for _ in range(2)] == [0xFF00] * 2

    server.still_serves()
    client.nothing_came()
