"""What a client has seen answered is counted: by the time a test asks, the journal has it. Seen 500 times each."""

from __future__ import annotations

from typing import Any

import pytest

from mockpacs import MockPACS
from tests.net.wire_client import WireClient, element

TIMES = 500
STUDIES = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"")


def echo_many(pacs: MockPACS, client: WireClient) -> None:
    for count in range(1, TIMES + 1):
        client.send(client.echo_request())
        client.response()
        pacs.verify("C-ECHO", count=count)


@pytest.fixture
def client_of() -> Any:
    clients = []

    def make(pacs: MockPACS) -> WireClient:
        clients.append(WireClient(pacs.host, pacs.port, timeout=20))
        clients[-1].associate()
        return clients[-1]

    yield make
    for client in clients:
        client.socket.close()


def test_of_what_the_server_answers_by_itself(client_of: Any) -> None:
    with MockPACS() as pacs:
        echo_many(pacs, client_of(pacs))


@pytest.mark.parametrize(
    "step",
    [
        {"status": "success"},
        {"comment": "said by a rule"},
        {"drip": {"bytes": 40, "every": 0}},
        {"lie": {"message_id": 7}},
    ],
    ids=lambda step: next(iter(step)),
)
def test_of_what_a_rule_answers(client_of: Any, step: dict[str, Any]) -> None:
    with MockPACS() as pacs:
        pacs.when("C-ECHO").then(step)
        echo_many(pacs, client_of(pacs))


def test_and_a_rule_that_goes_on_after_the_answer_holds_up_nobody_who_asks(client_of: Any) -> None:
    with MockPACS() as pacs:
        pacs.when("C-ECHO", at="after-response").then({"delay": "1h"}, "abort")
        client = client_of(pacs)
        client.send(client.echo_request())
        client.response()

        pacs.verify("C-ECHO", count=1)


def test_an_answer_that_is_still_on_its_way_is_not_waited_for(client_of: Any) -> None:
    with MockPACS() as pacs:
        pacs.when("C-ECHO").then({"delay": "1h"})
        client = client_of(pacs)
        client.send(client.echo_request())

        pacs.verify("C-ECHO", count=0)


@pytest.mark.parametrize("is_pace", [False, True], ids=["of an answer", "of an association"])
def test_the_rest_of_a_bandwidth_holds_up_nobody_who_asks(client_of: Any, is_pace: bool) -> None:
    with MockPACS() as pacs:
        slow = {"bandwidth": "500 B/s"}
        pacs.when("C-ECHO").then({"comment": "said by a rule"} if is_pace else slow)
        if is_pace:
            pacs.when("associate").then({"accept": {}, **slow})
        client = client_of(pacs)
        for count in range(1, 6):
            client.send(client.echo_request())
            client.response()
            pacs.verify("C-ECHO", count=count)


def test_bytes_behind_the_answer_that_the_peer_does_not_take_hold_up_nobody_who_asks(client_of: Any) -> None:
    with MockPACS() as pacs:
        pacs.when("C-ECHO").then({"status": "success"}, {"send": "00" * 12_000_000})
        client = client_of(pacs)
        client.send(client.echo_request())
        client.response()

        pacs.verify("C-ECHO", count=1)


def test_the_handler_of_a_second_answer_can_ask_about_the_first(client_of: Any) -> None:
    seen = []
    with MockPACS() as pacs:

        def answer_again(_: Any) -> int:
            seen.extend(pacs.verify("C-ECHO", count=1))
            return 0

        called = pacs.desk.handlers.add(answer_again)
        pacs.when("C-ECHO").then({"status": "0110"}, {"call": called})
        client = client_of(pacs)
        client.send(client.echo_request())

        assert [client.response()[0].status for _ in range(2)] == [0x0110, 0]
        pacs.check()
    assert [exchange.status for exchange in seen] == [0x0110]


def test_what_a_client_has_seen_answered_goes_with_a_reset(client_of: Any) -> None:
    with MockPACS() as pacs:
        pacs.when("C-FIND").then({"comment": "said by a rule"})
        client = client_of(pacs)
        for _ in range(TIMES):
            assert [status for status, _ in client.find(STUDIES)] == [0]
            pacs.reset("journal")
            pacs.verify(count=0)
