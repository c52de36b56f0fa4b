"""Exchanges as a list that can be paged through and polled, and one in full."""

from __future__ import annotations

import httpx
import pytest

from mockpacs import MockPACS
from mockpacs.traffic.journal import Journal
from tests.net.wire_client import WireClient
from tests.web.endpoints.asking import StandIn, asked, client_of, code, exchange, leg, notice


def filled(*, kept: int = 100, most: int = 10) -> StandIn:
    """Exchanges 1 to ``most``, a notice behind each."""
    journal = Journal(exchanges_kept=kept)
    for number in range(1, most + 1):
        journal.add(exchange(number, "C-STORE" if number % 2 else "C-ECHO"))
        journal.add(notice(str(number)))
    return StandIn(journal)


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [one["id"] for one in response.json()["exchanges"]]


def test_the_last_ones_are_listed_the_newest_last() -> None:
    response = asked(filled(), "exchanges?limit=3")

    assert ids(response) == ["1.8", "1.9", "1.10"]
    assert response.json() | {"exchanges": []} == {"exchanges": [], "mark": 20, "more": True, "dropped": 0}


def test_the_list_obeys_the_filter() -> None:
    assert ids(asked(filled(), "exchanges?filter=service:C-STORE number:>4")) == ["1.5", "1.7", "1.9"]


def test_a_client_pages_through_all_of_them_and_polls_for_more() -> None:
    desk, seen, mark, more = filled(), list[str](), 0, True
    while more:
        page = asked(desk, f"exchanges?after={mark}&limit=3&filter=service:C-STORE")
        seen += ids(page)
        mark, more = page.json()["mark"], page.json()["more"]

    assert seen == ["1.1", "1.3", "1.5", "1.7", "1.9"]
    assert ids(asked(desk, f"exchanges?after={mark}")) == []
    desk.journal.add(exchange(11))
    assert ids(asked(desk, f"exchanges?after={mark}")) == ["1.11"]


def test_what_left_the_memory_is_counted() -> None:
    desk = filled(kept=4)

    assert asked(desk, "exchanges").json()["dropped"] == 6
    assert asked(desk, "exchanges?after=0").json()["missed"] == 6
    assert asked(desk, "exchanges?after=8").json()["missed"] == 2
    assert asked(desk, "exchanges?after=12").json()["missed"] == 0


def test_who_polls_across_a_reset_misses_once_what_went_with_it() -> None:
    desk = filled()
    desk.journal.clear()

    first = asked(desk, "exchanges?after=4").json()
    assert (first["missed"], first["mark"]) == (16, 20)
    assert asked(desk, "exchanges?after=20").json()["missed"] == 0


def test_a_mark_of_another_run_is_refused() -> None:
    assert code(asked(filled(), "exchanges?after=21")) == (409, "unknown-mark")


def test_what_a_peer_has_seen_is_there() -> None:
    desk = StandIn()
    desk.on_settled = lambda: desk.journal.add(exchange(1))

    assert ids(asked(desk, "exchanges")) == ["1.1"]
    assert asked(desk, "exchanges/1.1").status_code == 200


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("limit=20000", "10000"),
        ("after=-1", "after"),
        ("filtre=service:C-ECHO", 'did you mean "filter"'),
        ("limit=1&limit=2", "twice"),
        ("filter=servise:C-ECHO", "service"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(query: str, told: str) -> None:
    response = asked(filled(), f"exchanges?{query}")

    assert response.status_code == 400
    assert told in response.json()["error"]["message"]


@pytest.mark.parametrize("name", ["9.9", "1", "1.1.1", "x", "99999999999999999999.1", "%3Cb%3E"])
def test_an_exchange_that_is_not_there(name: str) -> None:
    response = asked(filled(), f"exchanges/{name}")

    assert code(response) == (404, "no-such-exchange")
    assert "<" not in response.text


def test_one_that_was_not_recorded_has_no_messages_but_says_so() -> None:
    told = asked(filled(), "exchanges/1.2").json()

    assert told["id"] == "1.2"
    assert "not recorded" in told["remark"]


def test_attributes_cannot_be_asked_for_without_a_recording() -> None:
    assert code(asked(filled(), "exchanges?filter=PatientID:P1")) == (409, "not-recorded")


def test_one_exchange_has_its_command_sets(api: httpx.Client, scu: WireClient) -> None:
    scu.store()
    told = api.get("exchanges/1.1").json()

    assert [message["message"] for message in told["messages"]] == ["C-STORE-RQ", "C-STORE-RSP"]
    assert told["messages"][0]["command"]["00001000"] == {"vr": "UI", "Value": ["1.2.3.4.5"]}
    assert told["messages"][1]["command"]["00000900"] == {"vr": "US", "Value": [0]}
    assert "dataset" not in told["messages"][0]
    assert "pdus" not in told


def test_data_sets_and_pdus_come_when_they_are_asked_for(api: httpx.Client, scu: WireClient) -> None:
    scu.store()
    told = api.get("exchanges/1.1?datasets=yes&pdus=yes").json()

    assert told["messages"][0]["dataset"]["00100020"] == {"vr": "LO", "Value": ["P1"]}
    assert len(told["pdus"]) >= 2


def test_attributes_are_found_in_the_recording(api: httpx.Client, scu: WireClient) -> None:
    scu.store()

    assert ids(api.get("exchanges?filter=PatientID:P1")) == ["1.1"]
    assert ids(api.get("exchanges?filter=PatientID:P2")) == []


def test_a_server_that_does_not_record_lists_as_well() -> None:
    with MockPACS(http=0, record=False) as pacs, client_of(pacs) as api, WireClient(pacs.host, pacs.port) as scu:
        scu.associate()
        scu.store()
        assert ids(api.get("exchanges")) == ["1.1"]
        assert api.get("exchanges/1.1").json()["messages"][0]["message"] == "C-STORE-RQ"
        assert code(api.get("exchanges/1.1/dataset")) == (404, "not-recorded")
        assert code(api.get("exchanges/1.1/bytes")) == (404, "not-recorded")
        assert code(api.get("recording")) == (404, "not-recorded")


def test_the_list_has_what_we_asked_with_what_for_and_a_filter_leaves_it_out() -> None:
    desk = StandIn()
    for one in (exchange(1, "C-MOVE"), leg(1), exchange(2, "C-STORE")):
        desk.journal.add(one)
    (first, second, third) = asked(desk, "exchanges").json()["exchanges"]

    assert [first["id"], second["id"], third["id"]] == ["1.1", "9.1", "1.2"]
    assert (second["asked_by_us"], second["cause"], "cause" in first) == (True, "1.1", False)
    assert ids(asked(desk, "exchanges?filter=service:C-STORE")) == ["1.2"]
    assert ids(asked(desk, "exchanges?filter=leg:1.1")) == ["9.1"]
    assert asked(desk, "exchanges/9.1").json()["cause"] == "1.1"
