"""Faults of C-STORE: every failure and warning, lies about what was stored, answers before the data set is complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.wire import Tag
from tests.net.conftest import Served, stored
from tests.net.faults.conftest import Play, Visit, end, ended
from tests.net.faults.visitor import Visitor, length, number
from tests.net.wire_client import CT, ct_image

STORE = "when: { service: C-STORE, calling: RAW }"
ALL_FAILURES = [*range(0xA700, 0xA800), *range(0xA900, 0xAA00), *range(0xC000, 0xD000)]


def is_stored(server: Served, instance: str = "1.2.3.4.5") -> bool:
    return server.pacs.archive.instance(instance) is not None


def ruled(play: Play, visit: Visit, then: str, **options: object) -> tuple[Served, Visitor]:
    server = play(f"rules: [{{ name: fault, {STORE}, then: {then} }}]", **options)
    return server, visit(server)


def test_every_failure_of_the_standard(play: Play, visit: Visit) -> None:
    """A7xx, A9xx, Cxxx: each is answered, and nothing is stored."""
    answers = "\n".join(f"      - {{ status: {status:04X} }}" for status in ALL_FAILURES)
    server = play(f"rules:\n  - {STORE}\n    sequence:\n{answers}\n    at_end: fail")
    client = visit(server)

    heard = [client.store(b"", f"1.2.{at}") for at in range(len(ALL_FAILURES))]

    assert heard == ALL_FAILURES
    assert client.store() == 0x0110  # the sequence is over
    assert not is_stored(server)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("out-of-resources", 0xA700),
        ("data-set-mismatch", 0xA900),
        ("cannot-understand", 0xC000),
        ("not-authorized", 0x0124),
        ("processing-failure", 0x0110),
        ("duplicate-sop-instance", 0x0111),
        ("invalid-sop-instance", 0x0117),
        ("sop-class-not-supported", 0x0122),
        ("duplicate-invocation", 0x0210),
        ("unrecognized-operation", 0x0211),
        ("mistyped-argument", 0x0212),
        ("resource-limitation", 0x0213),
    ],
)
def test_failures_by_name(play: Play, visit: Visit, name: str, code: int) -> None:
    server, client = ruled(play, visit, f"{{ status: {name} }}")

    assert client.store() == code

    assert not is_stored(server)
    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.rule, exchange.fault) == (code, "fault", f"status {code:04X}")


def test_a_failure_that_explains_itself(play: Play, visit: Visit) -> None:
    _, client = ruled(play, visit, '{ status: A900, comment: "Not CT", offending: [Rows, Modality], error_id: 42 }')
    client.send(client.store_request(ct_image()))

    assert client.command_set() == {
        Tag.GROUP_LENGTH: length(132),
        Tag.AFFECTED_SOP_CLASS: CT.encode() + b"\0",
        Tag.COMMAND_FIELD: number(0x8001),
        Tag.MESSAGE_ID_RESPONDED_TO: number(1),
        Tag.DATA_SET_TYPE: number(0x0101),
        Tag.STATUS: number(0xA900),
        Tag.OFFENDING_ELEMENT: bytes.fromhex("28001000 08006000"),
        Tag.ERROR_COMMENT: b"Not CT",
        Tag.ERROR_ID: number(42),
        Tag.AFFECTED_SOP_INSTANCE: b"1.2.3.4.5\0",
    }


@pytest.mark.parametrize("status", [0xB000, 0xB006, 0xB007, 0x0107, 0x0116])
def test_a_warning_is_answered_and_the_instance_is_stored(
    play: Play, tmp_path: Path, visit: Visit, status: int
) -> None:
    server, client = ruled(play, visit, f'{{ status: "{status:04X}" }}', storage=tmp_path / "storage")
    data = ct_image()

    assert client.store(data) == status

    (file,) = stored(server.storage).values()
    assert file.endswith(data)


def test_success_although_nothing_is_stored(play: Play, visit: Visit) -> None:
    server, client = ruled(play, visit, "{ status: success, store: false }")

    assert client.store() == 0

    assert not is_stored(server)
    assert ended(server, 1)[0].fault == "not stored"


def test_success_without_a_word_about_the_status(play: Play, visit: Visit) -> None:
    server, client = ruled(play, visit, "{ store: false }")

    assert client.store() == 0
    assert not is_stored(server)


def test_a_failure_although_it_is_stored(play: Play, tmp_path: Path, visit: Visit) -> None:
    server, client = ruled(play, visit, "{ status: processing-failure, store: true }", storage=tmp_path / "storage")
    data = ct_image()

    assert client.store(data) == 0x0110

    (file,) = stored(server.storage).values()
    assert file.endswith(data)
    assert ended(server, 1)[0].fault == "status 0110, stored"


@pytest.mark.parametrize("then", ["{ status: success }", "{ status: B000 }", "{ delay: 1ms }", "{ comment: Fine }"])
def test_a_success_is_never_said_by_accident(play: Play, visit: Visit, then: str) -> None:
    """The archive cannot take it: what the rule says is not said."""
    server, client = ruled(play, visit, then)

    status = client.store(b"no data set at all", "../../etc/passwd")

    assert status not in (0, 0xB000)
    assert not is_stored(server)


def test_nothing_is_left_of_what_was_refused(play: Play, tmp_path: Path, visit: Visit) -> None:
    server, client = ruled(play, visit, "{ status: A700 }", storage=tmp_path / "storage")

    for at in range(5):
        assert client.store(ct_image(f"1.2.{at}", pixels=3_000_000), f"1.2.{at}") == 0xA700

    server.wait_until_nothing_is_incoming()
    assert stored(server.storage) == {}


def test_an_instance_is_stored_once_for_two_answers(play: Play, visit: Visit) -> None:
    server, client = ruled(play, visit, "[{ status: FF00, store: false }, { status: success }]")
    client.send(client.store_request(ct_image()))

    statuses = [client.command_set()[Tag.STATUS] for _ in range(2)]

    assert statuses == [number(0xFF00), number(0)]
    assert is_stored(server)
    client.release()


@pytest.mark.parametrize(
    ("at", "is_kept"),
    [("", False), ("at: before-response", True), ("at: response", True), ("at: after-response", True)],
)
def test_the_connection_breaks_and_the_instance_is_stored_or_not(
    play: Play, visit: Visit, at: str, is_kept: bool
) -> None:
    server = play(f"rules: [{{ when: {{ service: C-STORE, calling: RAW, {at} }}, then: reset }}]")
    client = visit(server)
    client.send(client.store_request(ct_image()))

    assert client.rest()[1] == "RST"

    ended(server, 1)
    assert is_stored(server) is is_kept


@pytest.mark.parametrize("at", ["before-response", "response"])
def test_a_status_is_changed_when_all_is_done(play: Play, visit: Visit, at: str) -> None:
    server = play(f"rules: [{{ when: {{ service: C-STORE, calling: RAW, at: {at} }}, then: {{ status: A700 }} }}]")
    client = visit(server)

    assert client.store() == 0xA700

    assert is_stored(server)


def test_a_rule_about_what_the_archive_says(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - { when: { service: C-STORE, calling: RAW, at: before-response, status: success }, then: { status: B007 } }
          - { when: { service: C-STORE, calling: RAW, at: before-response }, then: { status: "0110" } }
        """
    )
    client = visit(server)

    assert client.store() == 0xB007
    assert client.store(b"nothing", "../x") == 0x0110


# before the data set is complete


def early(play: Play, visit: Visit, then: str, at: str = "{ received: 10kB }") -> tuple[Served, Visitor, bytes]:
    """A rule about the middle of a data set; the request as bytes."""
    rule = f"{{ name: early, when: {{ service: C-STORE, calling: RAW, at: {at} }}, then: {then} }}"
    server = play(f"rules: [{rule}]", max_pdu=4096)
    client = visit(server)
    return server, client, client.store_request(ct_image(pixels=60_000))


@pytest.mark.parametrize("at", ["{ received: 10kB }", "{ pdu: 4 }"])
@pytest.mark.parametrize(("then", "status"), [("{ status: A700 }", 0xA700), ("{ status: success }", 0)])
def test_an_answer_before_the_data_set_is_complete(play: Play, visit: Visit, at: str, then: str, status: int) -> None:
    server, client, request = early(play, visit, then, at)

    client.send(request[:30_000])
    assert client.status() == status
    client.send(request[30_000:])

    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.rule) == (status, "early")
    assert exchange.size == len(ct_image(pixels=60_000))
    assert not is_stored(server)
    assert client.echo() == 0  # the rest was dropped, and nothing more was said about it
    client.release()


def test_no_answer_at_all_decided_in_the_middle(play: Play, visit: Visit) -> None:
    server, client, request = early(play, visit, "nothing")

    client.send(request)

    assert ended(server, 1)[0].status is None
    assert client.echo() == 0
    assert not is_stored(server)


@pytest.mark.parametrize(("then", "heard", "ending"), [("abort", 10, "FIN"), ("close", 0, "FIN"), ("reset", 0, "RST")])
def test_the_end_in_the_middle_of_a_data_set(play: Play, visit: Visit, then: str, heard: int, ending: str) -> None:
    server, client, request = early(play, visit, then)
    client.send(request[:30_000])

    assert client.exactly(heard) == bytes.fromhex("07000000000400000000")[:heard]
    if heard:
        client.finish()
    assert client.rest() == (b"", ending)

    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.rule) == (None, "early")
    assert 10_000 <= exchange.size < 60_000
    assert not is_stored(server)


def test_a_mark_that_is_not_reached_changes_nothing(play: Play, visit: Visit) -> None:
    server, client, request = early(play, visit, "reset", "{ received: 1MB }")

    client.send(request)

    assert client.status() == 0
    assert ended(server, 1)[0].rule == ""
    assert is_stored(server)


def test_two_marks_in_one_data_set(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - when: { service: C-STORE, calling: RAW, at: { received: 10kB } }
            then: { send: !bytes "01 02" }
          - when: { service: C-STORE, calling: RAW, at: { received: 20kB } }
            then: [{ send: !bytes "03 04" }, { delay: 1ms, status: A700 }]
          - when: { service: C-STORE, calling: RAW, at: { pdu: 3 } }
            then: { send: !bytes "05" }
        """,
        max_pdu=4096,
    )
    client = visit(server)
    client.send(client.store_request(ct_image(pixels=60_000)))

    assert client.exactly(5) == bytes.fromhex("05 01 02 03 04")
    assert client.status() == 0xA700
    assert ended(server, 1)[0].fault == "send 1 byte, send 2 bytes, send 2 bytes, delay 1 ms, status A700"


def test_a_rule_sees_as_much_of_the_data_set_as_has_come(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - when: { service: C-STORE, calling: RAW, at: { received: 4kB }, dataset: { PatientID: P7 } }
            then: { status: A700 }
        """,
        max_pdu=4096,
    )
    client = visit(server)

    statuses = [client.store(ct_image(f"1.2.{at}", patient=f"P{at}", pixels=9000), f"1.2.{at}") for at in (6, 7)]

    assert statuses == [0, 0xA700]


def test_a_mark_in_the_second_request_of_a_queue(play: Play, visit: Visit) -> None:
    """While the first is still waiting for its answer, the second one is answered early, and then the first."""
    server = play(
        """
        rules:
          - { when: { service: C-ECHO, calling: RAW }, then: { delay: 30ms } }
          - { when: { service: C-STORE, calling: RAW, at: { received: 10kB } }, then: { status: A700 } }
        """,
        max_pdu=4096,
    )
    client = visit(server)
    client.send(client.echo_request(), client.store_request(ct_image(pixels=60_000)))

    answers = [client.response()[0] for _ in range(2)]

    assert [(one.service, one.status) for one in answers] == [("C-STORE", 0xA700), ("C-ECHO", 0)]
    assert [one.status for one in ended(server, 2)] == [0, 0xA700]


def test_the_end_of_the_connection_in_a_data_set_that_a_rule_has_looked_at(play: Play, visit: Visit) -> None:
    server, client, request = early(play, visit, "{ delay: 1ms }")
    client.send(request[:30_000])
    client.reset()

    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.rule, exchange.fault) == (None, "early", "delay 1 ms")
    end(server)
