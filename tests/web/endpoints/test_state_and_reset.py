"""The states of scenarios, and everything back to how it was at the start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mockpacs import MockPACS
from tests.net.wire_client import WireClient
from tests.web.endpoints.asking import code

SCENARIO = """
mockpacs: 1
state:
  archive: {start: empty}
  seen: {start: "no", per: calling-ae}
rules:
  - {name: full, when: {service: C-STORE, state: {archive: full}}, then: {status: A700}}
  - {name: note, when: {service: C-ECHO}, set: {seen: "yes"}}
"""


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[MockPACS]:
    path = tmp_path / "states.yaml"
    path.write_text(SCENARIO)
    with MockPACS(path, http=0) as running:
        yield running


def test_states_by_name_and_key(api: httpx.Client, scu: WireClient) -> None:
    assert api.get("state").json() == {"states": {"archive": {"": "empty"}, "seen": {"": "no"}}}
    scu.echo()

    assert api.get("state").json()["states"]["seen"] == {"": "no", "CT1": "yes"}
    assert api.get("state/seen?key=CT1").json() == {"name": "seen", "key": "CT1", "value": "yes"}
    assert api.get("state/seen").json() == {"name": "seen", "key": None, "value": "no"}


def test_a_state_is_set_and_put_back(api: httpx.Client, scu: WireClient) -> None:
    assert scu.store() == 0
    assert api.put("state/archive", json={"value": "full"}).json()["value"] == "full"
    assert scu.store() == 0xA700
    assert api.delete("state").json()["states"]["archive"] == {"": "empty"}
    assert scu.store() == 0


def test_a_state_is_set_for_one_key(api: httpx.Client) -> None:
    api.put("state/seen?key=MR1", json={"value": "perhaps"}).raise_for_status()

    assert api.get("state").json()["states"]["seen"] == {"": "no", "MR1": "perhaps"}


def test_a_state_that_is_not_there(api: httpx.Client) -> None:
    assert code(api.get("state/archve")) == (404, "no-such-state")
    response = api.put("state/archve", json={"value": "full"})
    assert code(response) == (404, "no-such-state")
    assert 'did you mean "archive"' in response.json()["error"]["message"]


@pytest.mark.parametrize("body", [{"value": 5}, {"value": "x", "key": "y"}, [], "full", {"valu": "x"}])
def test_a_value_that_is_none(body: object, api: httpx.Client) -> None:
    assert code(api.put("state/archive", json=body)) == (400, "bad-body")
    assert api.get("state/archive").json()["value"] == "empty"


def test_everything_is_put_back(api: httpx.Client, scu: WireClient) -> None:
    scu.store()
    scu.echo()
    api.delete("rules")

    assert api.post("reset").json() == {"reset": ["rules", "state", "journal", "archive", "peers"]}
    assert api.get("count").json() == {"count": 0, "dropped": 0}
    assert api.get("archive").json()["counts"]["instances"] == 0
    assert [rule["name"] for rule in api.get("rules").json()["rules"]] == ["full", "note"]
    assert api.get("state").json()["states"]["seen"] == {"": "no"}


def test_only_what_is_named_is_put_back(api: httpx.Client, scu: WireClient) -> None:
    scu.store()
    scu.echo()

    assert api.post("reset?what=state,journal").json() == {"reset": ["state", "journal"]}
    assert api.get("count").json()["count"] == 0
    assert api.get("archive").json()["counts"]["instances"] == 1
    assert api.get("rules/note").json()["fired"] == 1


def test_a_word_that_is_nothing(api: httpx.Client, scu: WireClient) -> None:
    scu.store()
    response = api.post("reset?what=journal,archve")

    assert code(response) == (400, "bad-request")
    assert 'did you mean "archive"' in response.json()["error"]["message"]
    assert api.get("count").json()["count"] == 1


def test_what_a_peer_has_seen_does_not_come_up_after_the_reset(api: httpx.Client, scu: WireClient) -> None:
    for _ in range(50):
        scu.store()
        api.post("reset?what=journal").raise_for_status()
        assert api.get("count").json()["count"] == 0
