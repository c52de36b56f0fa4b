"""What a client has seen answered is counted: by the time a test asks, the journal has it. Seen 500 times each."""

from __future__ import annotations

from typing import Any

import pytest

from mockpacs import MockPACS
from tests.net.wire_client import WireClient

TIMES = 500


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
