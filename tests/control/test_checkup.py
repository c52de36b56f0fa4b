"""What makes a test fail that looked at nothing itself; every complaint is a golden file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.control.checkup import complaints, dialogue, findings
from mockpacs.control.excuses import disturbs
from mockpacs.errors import RecordingError, VerificationError
from mockpacs.traffic.exchange import Association, Exchange
from mockpacs.traffic.findings.check import CHECKS, PROTOCOL
from mockpacs.wire import CommandField, ReleaseRQ, Tag, encode_pdu, request
from tests.control.said import check_golden
from tests.net.wire_client import CT, WireClient, ct_image

SCENARIO = """
mockpacs: 1
name: two echoes
expect:
  - service: C-ECHO
    calling: CT*
    count: 2
  - service: C-STORE
    status: out-of-resources
rules:
  - when: {service: C-STORE, calling: MR*}
    then: {status: out-of-resources}
"""


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS() as serving:
        yield serving


@pytest.fixture
def connect(pacs: MockPACS) -> Iterator[Callable[..., WireClient]]:
    clients: list[WireClient] = []

    def make(calling: str = "CT1") -> WireClient:
        clients.append(WireClient(pacs.host, pacs.port))
        clients[-1].associate(calling=calling)
        return clients[-1]

    yield make
    for client in clients:
        client.socket.close()


def store_without_priority(client: WireClient, instance: str = "1.2.3") -> int:
    """A C-STORE-RQ that lacks what it must have (PS3.7 9.3.1.1)."""
    command = request(
        CommandField.C_STORE_RQ,
        7,
        has_dataset=True,
        elements={Tag.AFFECTED_SOP_CLASS: CT, Tag.AFFECTED_SOP_INSTANCE: instance},
    )
    assert Tag.PRIORITY not in command.elements
    client.send(client.message(3, command, ct_image(instance)))
    response, _ = client.response()
    return response.status or 0


def checks_of(pacs: MockPACS) -> list[str]:
    """The names of the breaches that a strict test fails for."""
    found = complaints(pacs.desk)
    assert all(text.startswith("A peer broke the protocol") for text in found), found
    return [text.splitlines()[0].rpartition("(")[2].rstrip(").") for text in found]


def test_when_all_is_well_there_is_nothing_to_say(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    pacs.when("C-ECHO").reply("success")
    client = connect()
    client.echo()
    client.store()
    client.release()

    assert complaints(pacs.desk) == []
    assert findings(pacs.desk) == []
    pacs.check()


def test_without_a_recording_peers_cannot_be_judged() -> None:
    with MockPACS(record=False) as pacs:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
        assert findings(pacs.desk) == []
        assert complaints(pacs.desk) == []


def test_an_unmet_expectation(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(SCENARIO)
    with MockPACS(path) as pacs:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate(calling="CT1")
            client.echo()
            client.store()
            client.release()
        (text,) = complaints(pacs.desk)

    check_golden("expectation", text)


def test_a_handler_that_failed(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    @pacs.on("C-ECHO")
    def find(request: Any) -> None:
        raise ValueError("no such patient")

    client = connect()
    client.echo()
    client.release()
    (text,) = complaints(pacs.desk)

    check_golden("handler", text)


def test_of_many_failures_the_first_are_told(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    @pacs.on("C-ECHO")
    def find(request: Any) -> None:
        raise ValueError("no such patient")

    client = connect()
    for _ in range(5):
        client.echo()
    client.release()
    found = complaints(pacs.desk)

    assert [text.splitlines()[0].startswith("A handler failed: handler find, C-ECHO") for text in found[:3]] == [
        True
    ] * 3
    assert found[3:] == ["Handlers failed 2 times more."]


def test_a_rule_that_never_fired(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    pacs.when("C-STORE", calling="CT1", dataset={"PatientID": "P1"}).reply("out-of-resources", name="full")
    pacs.when("C-MOVE").abort()
    client = connect("ct1")
    client.store()
    client.release()

    check_golden("rule-never-fired", "\n\n".join(complaints(pacs.desk)))


def test_rules_of_a_scenario_need_not_fire(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("mockpacs: 1\nrules:\n  - when: {service: C-MOVE}\n    then: {status: A801}\n")
    with MockPACS(path) as pacs:
        assert complaints(pacs.desk) == []


def test_a_when_without_an_end(pacs: MockPACS) -> None:
    pacs.when("C-STORE", calling="CT1", dataset={"PatientID": "P1"})
    (text,) = pacs.complaints()

    check_golden("when-without-an-end", text)


def test_a_peer_that_broke_the_protocol(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    client = connect()
    for number in range(5):
        store_without_priority(client, f"1.2.{number}")
    client.socket.close()
    found = complaints(pacs.desk)

    check_golden("peer", "\n\n".join(found))
    with pytest.raises(VerificationError, match="without A-RELEASE"):
        pacs.check()


@pytest.mark.parametrize(
    ("allowed", "left"),
    [
        (["*"], []),
        (["closed-without-release"], ["missing-command-element"]),
        (["closed-*", "missing-*"], []),
        ([], ["missing-command-element", "closed-without-release"]),
    ],
)
def test_what_a_test_is_about_is_allowed(
    pacs: MockPACS, connect: Callable[..., WireClient], allowed: list[str], left: list[str]
) -> None:
    client = connect()
    store_without_priority(client)
    client.socket.close()

    found = complaints(pacs.desk, allowed=allowed)
    assert [check for check in left if any(f"({check})." in text for text in found)] == left
    assert len(found) == len(left)
    assert {finding.check for finding in findings(pacs.desk)} == {"missing-command-element", "closed-without-release"}


def test_what_is_allowed_must_exist(pacs: MockPACS) -> None:
    (text,) = complaints(pacs.desk, allowed=["closed-without-relaese"])

    assert text == 'allow: there is no finding "closed-without-relaese"; did you mean "closed-without-release"?'


def test_what_a_data_set_says_is_no_breach_of_the_protocol(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    client = connect()
    client.store(ct_image("1.2.03"), "1.2.3")
    client.release()

    assert {finding.check for finding in pacs.findings} == {"uid-invalid", "instance-differs"}
    assert complaints(pacs.desk) == []


def test_the_protocol_is_how_one_speaks_not_what_is_said() -> None:
    assert set(CHECKS) > PROTOCOL
    assert {"closed-without-release", "pdu-too-long", "no-contexts", "priority", "unanswered-request"} < PROTOCOL
    assert not PROTOCOL & {"uid-invalid", "file-for-data-set", "odd-length", "value-format", "query-level"}


def test_a_probe_of_the_port_breaks_nothing(pacs: MockPACS) -> None:
    for _ in range(3):
        WireClient(pacs.host, pacs.port).socket.close()

    assert complaints(pacs.desk) == []


# what our own scenario did


@pytest.mark.parametrize(
    "step",
    [
        "nothing",
        "silence",
        "abort",
        "reset",
        "close",
        {"delay": "1ms"},
        {"lie": {"message_id": 7}},
        {"drip": {"bytes": 50, "every": 0}},
    ],
    ids=str,
)
def test_nothing_is_held_against_a_peer_after_a_rule_disturbed_it(
    pacs: MockPACS, connect: Callable[..., WireClient], step: Any
) -> None:
    pacs.when("C-ECHO").then(step)
    client = connect()
    client.store()
    client.send(client.echo_request())
    pacs.wait_for("C-ECHO")
    client.socket.close()

    assert checks_of(pacs) == []


@pytest.mark.parametrize(
    ("event", "step"),
    [
        ("associate", {"delay": "1ms"}),
        ("connect", {"delay": "1ms"}),
        ("associate", {"corrupt": {"offset": 7}}),
    ],
)
def test_nor_after_a_rule_disturbed_the_association(
    pacs: MockPACS, connect: Callable[..., WireClient], event: str, step: Any
) -> None:
    pacs.when(event).then(step)
    client = connect()
    client.echo()
    client.socket.close()

    assert checks_of(pacs) == []


@pytest.mark.parametrize(
    "step", [{"status": "out-of-resources"}, {"comment": "so it is"}, {"status": 0xA900, "store": True}], ids=str
)
def test_an_answer_excuses_nothing(pacs: MockPACS, connect: Callable[..., WireClient], step: Any) -> None:
    pacs.when("C-STORE").then(step)
    client = connect()
    client.store()
    client.socket.close()

    assert checks_of(pacs) == ["closed-without-release"]


def test_terms_of_an_association_excuse_nothing(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    pacs.when("associate").accept(max_pdu=128)
    client = connect()
    client.max_pdu = 4096
    client.store()
    client.release()

    assert checks_of(pacs) == ["pdu-too-long"]


def test_what_came_before_is_held_against_it(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    pacs.when("C-ECHO").abort()
    client = connect()
    store_without_priority(client)
    client.send(client.echo_request())
    client.read_abort()
    client.socket.close()

    assert checks_of(pacs) == ["missing-command-element"]


def test_another_association_is_another_matter(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    pacs.when("C-ECHO").then("silence")
    one, other = connect("CT1"), connect("CT2")
    one.send(one.echo_request())
    pacs.wait_for("C-ECHO")
    one.socket.close()
    other.socket.close()

    assert [finding.association.calling for finding in findings(pacs.desk)] == ["CT1", "CT2"]
    (text,) = complaints(pacs.desk)
    assert "CT2 > MOCKPACS" in text
    assert "CT1" not in text


def test_what_the_journal_forgot_is_known_from_the_recording(
    pacs: MockPACS, connect: Callable[..., WireClient]
) -> None:
    pacs.when("C-ECHO").then({"lie": {"message_id": 7}})
    client = connect()
    client.send(client.echo_request())
    client.response()
    pacs.wait_for("C-ECHO")
    pacs.reset("journal")
    client.socket.close()

    assert [finding.check for finding in findings(pacs.desk)] == ["closed-without-release"]
    assert checks_of(pacs) == []


def test_what_was_before_a_reset_does_not_count(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    store_without_priority(client := connect())
    client.release()
    pacs.reset("journal")

    assert complaints(pacs.desk) == []


@pytest.mark.parametrize(
    ("fault", "is_disturbing"),
    [
        ("", False),
        ("status A700", False),
        ("status A700, not stored", False),
        ("call find", False),
        ("delay 2.0 s, status A700", True),
        ("status A700, reset", True),
        ("lie message_id 4242", True),
        ("nothing", True),
    ],
)
def test_only_what_no_honest_server_does_disturbs(fault: str, is_disturbing: bool) -> None:
    assert disturbs(fault) is is_disturbing


# the recording, the dialogue


def test_all_parts_of_a_recording_are_read(tmp_path: Path) -> None:
    with MockPACS(recordings=tmp_path, recording_size=100_000) as pacs:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate(calling="FIRST")
        for number in range(4):
            with WireClient(pacs.host, pacs.port) as client:
                client.associate()
                client.store(ct_image(f"1.2.{number}", pixels=60_000), f"1.2.{number}")
                client.release()
        assert len(list(tmp_path.glob("*.pcapng"))) > 1

        assert checks_of(pacs) == ["closed-without-release"]


def test_a_recording_that_is_gone_is_told_with_the_remedy() -> None:
    with MockPACS() as pacs, WireClient(pacs.host, pacs.port) as client:
        client.associate()
        client.release()
    with pytest.raises(RecordingError, match="recordings=FOLDER"):
        findings(pacs.desk)


def test_after_the_stop_a_recording_that_was_kept_can_be_judged(tmp_path: Path) -> None:
    with MockPACS(recordings=tmp_path) as pacs:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
        assert checks_of(pacs) == ["closed-without-release"]

    assert checks_of(pacs) == ["closed-without-release"]


def test_where_nothing_was_said_there_is_nothing_to_judge_after_the_stop() -> None:
    with MockPACS() as pacs:
        pacs.when("C-STORE").reply("out-of-resources", name="full")

    (text,) = complaints(pacs.desk)
    assert text.startswith('Rule "full"')


def test_the_dialogue_is_what_was_said_last(pacs: MockPACS, connect: Callable[..., WireClient]) -> None:
    assert dialogue(pacs.desk) == "nothing was said"

    pacs.when("release", calling="CT1").abort()
    client = connect()
    client.echo()
    client.store()
    client.send(encode_pdu(ReleaseRQ()))
    client.read_abort()
    pacs.desk.settle()

    check_golden("dialogue", dialogue(pacs.desk))
    assert dialogue(pacs.desk, most=1).splitlines()[0] == "... 3 earlier"
    assert len(dialogue(pacs.desk, most=1).splitlines()) == 2


def test_the_dialogue_shows_legs_that_failed_and_counts_the_others(pacs: MockPACS) -> None:
    asked = Association(1, "127.0.0.1:50000", "WS", "MOCKPACS")
    there = Association(2, "127.0.0.1:40000", "MOCKPACS", "STORE", server="127.0.0.1:104", cause="1.1", by_us=True)
    for number, status in enumerate([0, 0, 0xA700, 0, 0xB000], 1):
        leg = Exchange(
            there, number, "C-STORE", status, "CT 1.2.3  524 kB", "", 1e9, 0.0, asked_by_us=True, cause="1.1"
        )
        pacs.desk.journal.add(leg)
    pacs.desk.journal.add(Exchange(asked, 1, "C-MOVE", 0xB000, "STUDY > STORE", "", 1e9, 0.0, counts=(3, 1, 1)))

    assert [" ".join(line.split()[1:]) for line in dialogue(pacs.desk).splitlines()] == [
        "2.3 C-STORE > STORE out-of-resources CT 1.2.3 524 kB <- 1.1 0.0 ms",
        "C-STORE > STORE success 3 sub-operations <- 1.1",
        "C-STORE > STORE coercion-of-data-elements 1 sub-operation <- 1.1",
        "1.1 C-MOVE WS sub-operations-failed STUDY > STORE 3 completed, 1 failed, 1 with a warning 0.0 ms",
    ]
    assert dialogue(pacs.desk, most=1).startswith("... 3 earlier")
