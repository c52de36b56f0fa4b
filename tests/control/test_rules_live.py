"""Rules of a running server: they come, go and change between exchanges, never within one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS, Rule
from mockpacs.errors import ConfigurationError, ScenarioError, StartError
from tests.net.wire_client import WireClient, element

BUSY = 0xA700


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS() as running:
        yield running


@pytest.fixture
def client(pacs: MockPACS) -> Iterator[WireClient]:
    with WireClient(pacs.host, pacs.port) as connected:
        connected.associate()
        yield connected


def refuse(name: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "when": {"service": "C-STORE"}, "then": {"status": "out-of-resources"}, **more}


def test_a_rule_holds_for_an_association_that_was_open_before_there_was_any(pacs: MockPACS, client: WireClient) -> None:
    assert client.store() == 0

    (added,) = pacs.rules.add(refuse("busy"))
    assert client.store() == BUSY
    assert (added.fired, added.name, pacs.exchanges[-1].rule) == (1, "busy", "busy")

    assert added.remove()
    assert client.store() == 0
    assert (added.fired, added.remove(), len(pacs.rules)) == (0, False, 0)


def test_the_rule_that_came_last_is_asked_first(pacs: MockPACS, client: WireClient) -> None:
    pacs.rules.add(refuse("below"))
    pacs.rules.add({"name": "above", "when": {"service": "C-STORE"}, "then": {"status": "0110"}})

    assert client.store() == 0x0110
    assert [rule.name for rule in pacs.rules] == ["above", "below"]


def test_several_are_added_in_their_order(pacs: MockPACS) -> None:
    pacs.rules.add(refuse("one"), refuse("two"))

    assert [rule.name for rule in pacs.rules] == ["one", "two"]
    assert pacs.rules.added == ("one", "two")


def test_names_are_given_and_used_once(pacs: MockPACS) -> None:
    first, second = pacs.rules.add(refuse(), refuse())
    assert (first.name, second.name) == ("rule 1", "rule 2")

    first.remove()
    (third,) = pacs.rules.add(refuse())
    assert third.name == "rule 3"
    with pytest.raises(ScenarioError, match='there is a rule "rule 3" already'):
        pacs.rules.add(refuse("rule 3"))


def test_nothing_is_added_when_one_of_several_cannot_be(pacs: MockPACS) -> None:
    with pytest.raises(ScenarioError, match="there is a rule"):
        pacs.rules.add(refuse("one"), refuse("one"))

    assert len(pacs.rules) == 0


def test_a_rule_object_is_as_good_as_a_mapping(pacs: MockPACS, client: WireClient) -> None:
    pacs.rules.add(Rule.model_validate(refuse("busy")))

    assert client.store() == BUSY


def test_a_rule_is_replaced_where_it_stands_and_counts_from_the_start(pacs: MockPACS, client: WireClient) -> None:
    pacs.rules.add(refuse("busy", times=1), refuse("below", times=1))
    assert (client.store(), client.store(), client.store()) == (BUSY, BUSY, 0)

    pacs.rules.replace("busy", {"when": {"service": "C-STORE"}, "then": {"status": "0110"}, "times": 1})
    assert (client.store(), client.store()) == (0x0110, 0)
    with pytest.raises(KeyError, match='did you mean "busy"'):
        pacs.rules.replace("bussy", refuse())


def test_a_text_adds_rules_as_a_file_has_them(pacs: MockPACS, client: WireClient) -> None:
    pacs.rules.add_text('{"when": {"service": "C-STORE"}, "then": {"status": "out-of-resources"}}', "posted")
    assert client.store() == BUSY
    with pytest.raises(ScenarioError, match=r"posted:1:\d+: "):
        pacs.rules.add_text('{"when": {"servise": "C-STORE"}, "then": "abort"}', "posted")


def test_other_rules_are_played_and_the_first_ones_come_back(tmp_path: Path) -> None:
    path = tmp_path / "first.yaml"
    path.write_text(
        "mockpacs: 1\nrules:\n  - {name: first, when: {service: C-STORE}, then: {status: A700}, times: 1}\n"
    )
    with MockPACS(path) as pacs, WireClient(pacs.host, pacs.port) as client:
        client.associate()
        assert (client.store(), client.store()) == (BUSY, 0)

        pacs.rules.play_text("mockpacs: 1\nrules: [{when: {service: C-STORE}, then: {status: '0110'}}]", "second")
        assert client.store() == 0x0110

        pacs.rules.add(refuse("added"))
        pacs.reset("rules")
        assert [rule.name for rule in pacs.rules] == ["first"]
        assert pacs.rules.added == ()
        assert (client.store(), client.store()) == (BUSY, 0)


def test_a_rule_ends_when_its_time_is_over(pacs: MockPACS, client: WireClient) -> None:
    gone = threading.Event()
    pacs.journal.subscribe(lambda record: gone.set() if "its time was over" in getattr(record, "text", "") else None)
    (rule,) = pacs.rules.add(refuse("short"), seconds=0.01)
    (stays,) = pacs.rules.add(refuse("stays", when={"service": "C-FIND"}))

    assert gone.wait(20)
    assert (pacs.rules.find("short"), stays.lives, rule.lives) == (None, None, None)
    assert client.store() == 0


def test_a_rule_with_a_life_says_how_much_is_left(pacs: MockPACS) -> None:
    (rule,) = pacs.rules.add(refuse(), seconds=3600)

    assert rule.lives is not None
    assert 0 < rule.lives <= 3600


def test_an_exchange_goes_on_under_the_rules_it_began_with(pacs: MockPACS, client: WireClient) -> None:
    """It waits for its response, all rules change, and it is answered as it was decided."""
    pacs.rules.play_text("{state: {seen: no}, rules: []}", "states")
    pacs.rules.add(
        {
            "name": "slow",
            "when": {"service": "C-ECHO"},
            "then": {"wait": {"until": "end", "max": "100ms"}},
            "continue": True,
        },
        {"name": "comment", "when": {"service": "C-ECHO", "at": "before-response"}, "then": {"status": "A700"}},
    )
    pacs.rules.add({"name": "seen", "when": {"service": "C-ECHO"}, "set": {"seen": "yes"}, "continue": True})
    client.send(client.echo_request())
    while pacs.rules.states()["seen"][""] != "yes":
        threading.Event().wait(0.001)
    pacs.rules.clear()
    pacs.rules.add({"name": "new", "when": {"service": "C-ECHO", "at": "before-response"}, "then": {"status": "0110"}})

    assert client.response()[0].status == BUSY
    assert client.echo() == 0x0110


def test_states_are_seen_set_and_put_back(tmp_path: Path) -> None:
    path = tmp_path / "states.yaml"
    path.write_text(
        "mockpacs: 1\nstate: {archive: {start: empty}}\n"
        "rules: [{when: {service: C-STORE, state: {archive: full}}, then: {status: A700}}]\n"
    )
    with MockPACS(path) as pacs, WireClient(pacs.host, pacs.port) as client:
        client.associate()
        assert (pacs.rules.states(), client.store()) == ({"archive": {"": "empty"}}, 0)

        pacs.rules.set_state("archive", "full")
        assert (pacs.rules.state("archive"), client.store()) == ("full", BUSY)

        pacs.reset("state")
        assert (pacs.rules.state("archive"), client.store()) == ("empty", 0)
        with pytest.raises(ScenarioError, match='did you mean "archive"'):
            pacs.rules.set_state("archve", "full")


def test_all_is_put_back_at_once(pacs: MockPACS, client: WireClient) -> None:
    client.store()
    pacs.rules.add(refuse())
    pacs.reset()

    assert (len(pacs.rules), pacs.exchanges, pacs.archive.counts().instances) == (0, [], 0)
    assert client.store() == 0


def test_an_archive_on_disk_is_only_emptied_by_name(tmp_path: Path) -> None:
    with MockPACS(storage=tmp_path) as pacs, WireClient(pacs.host, pacs.port) as client:
        client.associate()
        client.store()
        pacs.reset()
        assert pacs.archive.counts().instances == 1

        pacs.reset("archive")
        assert pacs.archive.counts().instances == 0
        with pytest.raises(ConfigurationError, match='did you mean "archive"'):
            pacs.reset("archve")


def test_rules_are_yaml_that_loads_again(pacs: MockPACS, tmp_path: Path) -> None:
    pacs.rules.add(refuse("busy", times=2))
    path = tmp_path / "again.yaml"
    path.write_text(str(pacs.rules))

    with MockPACS(path) as again:
        assert [rule.rule for rule in again.rules] == [rule.rule for rule in pacs.rules]


def test_after_the_stop_rules_can_be_read_and_not_changed() -> None:
    with MockPACS() as pacs:
        pacs.rules.add(refuse("busy"))

    assert [rule.name for rule in pacs.rules] == ["busy"]
    with pytest.raises(StartError, match="does not serve any more"):
        pacs.rules.add(refuse())


def test_rules_change_while_many_store_and_each_exchange_has_the_old_or_the_new_ones(pacs: MockPACS) -> None:
    """Two rules that must be there together or not at all: one refuses, the other comments on it."""
    pair = (
        {"name": "comments", "when": {"service": "C-ECHO"}, "then": {"comment": "both"}, "continue": True},
        {"name": "refuses", "when": {"service": "C-ECHO", "at": "before-response"}, "then": {"status": "A700"}},
    )
    done = threading.Event()
    seen: set[str] = set()

    def ask() -> None:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
            while not done.is_set():
                client.echo()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            pacs.rules.add(*pair)
            pacs.rules.play_text("{rules: []}", "nothing")
            seen |= {exchange.rule for exchange in pacs.exchanges}
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert {exchange.rule for exchange in pacs.exchanges} <= {"", "comments, refuses"}


@pytest.mark.parametrize("seconds", ["5", -1, True, float("nan")])
def test_a_rule_with_no_possible_time_to_live_is_not_added(pacs: MockPACS, seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match="is no time that a rule can stay"):
        pacs.rules.add(refuse("busy"), seconds=seconds)

    assert len(pacs.rules) == 0


def test_after_the_stop_no_rule_has_an_end() -> None:
    with MockPACS() as pacs:
        (rule,) = pacs.rules.add(refuse("busy"), seconds=60)
        assert rule.lives is not None

    assert rule.lives is None


def test_what_was_taken_away_is_not_kept_among_the_added(pacs: MockPACS) -> None:
    for _ in range(3):
        pacs.rules.add(refuse("busy"))[0].remove()
    pacs.rules.add(refuse("busy"))

    assert pacs.rules.added == ("busy",)


@pytest.mark.parametrize(("before", "expected"), [("nothing", [0xFF00, 0]), (None, [0xFE00])])
def test_a_cancel_meets_the_rules_that_its_exchange_began_with(
    pacs: MockPACS, client: WireClient, before: str | None, expected: list[int]
) -> None:
    go_on = threading.Event()

    @pacs.on("C-FIND")
    def find(_: Any) -> Iterator[dict[str, str]]:
        yield {"PatientID": "1"}
        assert go_on.wait(5)
        yield {"PatientID": "2"}

    if before is not None:
        pacs.rules.add({"name": "before", "when": {"event": "cancel"}, "then": before})
    client.send(client.find_request(element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"")))
    client.response()
    if before is not None:
        pacs.rules.remove("before")
    pacs.rules.add({"name": "after", "when": {"event": "cancel"}, "then": "abort"})
    client.send(client.cancel_request())
    for _ in range(2):  # a whole turn of the loop: the cancel was read
        pacs.desk.call(lambda: None)
    go_on.set()

    assert [response.status for response, _ in client.responses()] == expected
