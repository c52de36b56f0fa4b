"""Rules through HTTP: the grammar of scenario files as YAML and as JSON, changed while a server runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from mockpacs import MockPACS
from mockpacs.scenario.load import parse_text
from tests.net.wire_client import WireClient
from tests.web.endpoints.asking import client_of, code

BUSY = 0xA700
YAML = {"Content-Type": "application/yaml"}


def refuse(name: str = "busy", status: str = "A700", **more: Any) -> dict[str, Any]:
    """It fires often enough; a rule below one that takes everything would be refused."""
    return {"name": name, "when": {"service": "C-STORE"}, "then": {"status": status}, "times": 1000, **more}


def names(api: httpx.Client) -> list[str]:
    return [rule["name"] for rule in api.get("rules").json()["rules"]]


@pytest.mark.parametrize(
    "body", [refuse(), [refuse()], {"rules": [refuse()]}], ids=["one rule", "a list", "a mapping with rules"]
)
def test_rules_are_added_as_json(body: object, api: httpx.Client, scu: WireClient) -> None:
    response = api.post("rules", json=body)

    assert response.status_code == 201
    (added,) = response.json()["rules"]
    assert (added["name"], added["fired"], added["seconds_left"]) == ("busy", 0, None)
    assert scu.store() == BUSY
    assert api.get("rules/busy").json()["fired"] == 1


def test_rules_are_added_as_yaml(api: httpx.Client, scu: WireClient) -> None:
    text = "# a comment\nwhen: {service: C-STORE}\nthen: {status: out-of-resources}\n"
    added = api.post("rules", content=text, headers=YAML).json()["rules"]

    assert [rule["name"] for rule in added] == ["rule 1"]
    assert scu.store() == BUSY


def test_what_comes_last_stands_on_top(api: httpx.Client, scu: WireClient) -> None:
    api.post("rules", json=[refuse("third"), refuse("fourth")])
    api.post("rules", json=[refuse("first", "0110"), refuse("second")])

    assert names(api) == ["first", "second", "third", "fourth"]
    assert scu.store() == 0x0110


def test_what_is_listed_can_be_sent_back(api: httpx.Client, scu: WireClient) -> None:
    rule = {
        "name": "one",
        "when": {"service": "C-FIND", "calling": "CT*", "query": {"PatientName": "DOE*"}},
        "then": {"status": "A700", "comment": "no room"},
        "times": 2,
    }
    api.post("rules", json=[rule, refuse("two")]).raise_for_status()
    listed = [one["rule"] for one in api.get("rules").json()["rules"]]
    api.put("rules", json={"rules": listed}).raise_for_status()

    assert [one["rule"] for one in api.get("rules").json()["rules"]] == listed
    assert scu.store() == BUSY


def test_yaml_for_who_asks_for_it(api: httpx.Client) -> None:
    api.post("rules", json=[refuse("one"), refuse("two")])
    whole = api.get("rules", headers={"Accept": "application/yaml"})

    assert whole.headers["content-type"].startswith("application/yaml")
    assert [placed.name for placed in parse_text(whole.text).rules] == ["one", "two"]
    alone = api.get("rules/two", headers={"Accept": "application/yaml"})
    assert api.put("rules", content=alone.text, headers=YAML).json()["rules"][0]["name"] == "two"


def test_a_rule_with_a_time_to_live_says_how_much_is_left(api: httpx.Client) -> None:
    (added,) = api.post("rules?ttl=1h", json=refuse()).json()["rules"]

    assert 3500 < added["seconds_left"] <= 3600


def test_a_rule_ends_when_its_time_is_over(pacs: MockPACS, api: httpx.Client, scu: WireClient) -> None:
    with api.stream("GET", "events") as stream:
        lines = stream.iter_lines()
        api.post("rules?ttl=20ms", json=refuse("short")).raise_for_status()
        while "its time was over" not in next(lines):
            pass
    assert names(api) == []
    assert scu.store() == 0


def test_another_rule_in_the_same_place(api: httpx.Client, scu: WireClient) -> None:
    api.post("rules", json=[refuse("one"), refuse("two")])
    assert scu.store() == BUSY

    replaced = api.put("rules/one", json={"when": {"service": "C-STORE"}, "then": {"status": "0110"}}).json()
    assert (replaced["name"], replaced["fired"]) == ("one", 0)
    assert scu.store() == 0x0110
    assert names(api) == ["one", "two"]


def test_rules_are_taken_away_one_by_one_and_all_at_once(api: httpx.Client, scu: WireClient) -> None:
    api.post("rules", json=[refuse("one"), refuse("two", "0110"), refuse("three")])

    assert api.delete("rules/one").json() == {"removed": 1}
    assert scu.store() == 0x0110
    assert api.delete("rules").json() == {"removed": 2}
    assert scu.store() == 0
    assert code(api.delete("rules/one")) == (404, "no-such-rule")


def test_rules_of_a_file_are_called_by_its_lines_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "flaky.yaml"
    path.write_text("mockpacs: 1\nname: flaky\nrules:\n  - {when: {service: C-STORE}, then: {status: A700}}\n")
    with MockPACS(path, http=0) as pacs, client_of(pacs) as api, WireClient(pacs.host, pacs.port) as scu:
        scu.associate()
        told = api.get("rules").json()
        (rule,) = told["rules"]
        assert told["scenarios"] == ["flaky"]
        assert rule["name"].startswith("flaky.yaml:")
        assert api.get(f"rules/{quote(rule['name'], safe='')}").json() == rule

        api.delete(f"rules/{quote(rule['name'])}").raise_for_status()
        assert scu.store() == 0
        api.post("reset?what=rules").raise_for_status()
        assert scu.store() == BUSY


@pytest.mark.parametrize("name", ["a/b", "50 %", "a?b#c", "ü", "x" * 200, "<b>"])
def test_a_rule_of_any_name_is_found(name: str, api: httpx.Client) -> None:
    api.post("rules", json=refuse(name)).raise_for_status()
    path = f"rules/{quote(name, safe='')}"

    assert api.get(path).json()["name"] == name
    assert api.put(path, json=refuse(name, "0110")).json()["rule"]["then"]["status"]
    assert api.delete(path).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_rule_that_is_not_there(method: str, api: httpx.Client) -> None:
    api.post("rules", json=refuse())
    response = api.request(method, "rules/bussy", json=refuse("") if method == "PUT" else None)

    assert code(response) == (404, "no-such-rule")
    assert 'did you mean "busy"' in response.json()["error"]["message"]


def test_all_or_nothing_is_added(api: httpx.Client) -> None:
    response = api.post(
        "rules?name=mine.yaml", json=[refuse("good"), {"when": {"servise": "C-STORE"}, "then": "abort"}]
    )

    assert code(response) == (422, "bad-rule")
    (problem, *_) = response.json()["error"]["problems"]
    assert problem["place"].startswith("mine.yaml:1:")
    assert 'Did you mean "service"' in problem["message"]
    assert names(api) == []
    assert code(api.post("rules", json=[refuse("good"), refuse("good")])) == (422, "bad-rule")
    assert names(api) == []


def test_the_place_of_a_mistake_is_that_in_what_was_sent(api: httpx.Client) -> None:
    text = json.dumps([refuse(), {"when": {"servise": "C-STORE"}}], indent="\t")
    response = api.post("rules", content=text, headers={"Content-Type": "application/json"})

    line = next(number for number, line in enumerate(text.splitlines(), 1) if "servise" in line)
    assert response.json()["error"]["problems"][0]["place"].startswith(f"request:{line}:")


@pytest.mark.parametrize("ascii_only", [False, True])
def test_json_is_read_as_json_is(ascii_only: bool, api: httpx.Client) -> None:
    """Surrogate pairs, escaped slashes, no blanks, and words that YAML would take for something else."""
    rule = refuse("no/\U0001f600/\\ud83d", then={"status": "A700", "comment": "yes: [off] # 0110"})
    text = json.dumps(rule, ensure_ascii=ascii_only, separators=(",", ":")).replace("/", "\\/")
    (added,) = api.post("rules", content=text.encode(), headers={"Content-Type": "application/json"}).json()["rules"]

    assert added["name"] == rule["name"]
    assert added["rule"]["then"]["comment"] == "yes: [off] # 0110"


@pytest.mark.parametrize(
    ("content", "media", "expected"),
    [
        (b"{", "application/json", (400, "bad-json")),
        (b'{"times": NaN}', "application/json", (400, "bad-json")),
        (b"[" * 100_000, "application/json", (400, "bad-json")),
        (b"\xff", "application/json", (400, "bad-text")),
        (b"when: [", "application/yaml", (422, "bad-rule")),
        (b"&a [*a]", "application/yaml", (422, "bad-rule")),
        (b"5", "application/json", (422, "bad-rule")),
        (b"when: {service: C-STORE}", "application/x-www-form-urlencoded", (415, "bad-type")),
        (b"x" * (2 << 20), "application/yaml", (413, "too-large")),
    ],
)
def test_a_body_that_is_no_rule(content: bytes, media: str, expected: tuple[int, str], api: httpx.Client) -> None:
    for method, path in (("POST", "rules"), ("PUT", "rules")):
        assert code(api.request(method, path, content=content, headers={"Content-Type": media})) == expected
    assert names(api) == []


@pytest.mark.parametrize("ttl", ["0", "-1", "soon", "900d", "8760h"])
def test_a_time_to_live_that_is_none(ttl: str, api: httpx.Client) -> None:
    assert code(api.post(f"rules?ttl={ttl}", json=refuse())) == (400, "bad-parameter")


def test_rules_that_never_fired_with_what_came_closest(api: httpx.Client, scu: WireClient) -> None:
    assert api.get("near-misses").json() == {"rules": [], "text": "there are no rules"}
    api.post(
        "rules", json=[refuse("mr", when={"service": "C-STORE", "calling": "MR*"}), refuse("all", "0000")]
    ).raise_for_status()
    scu.store()
    told = api.get("near-misses").json()

    (rule,) = told["rules"]
    assert (rule["name"], rule["held"], rule["closest"]["fires"]) == ("mr", 0, False)
    (missed,) = [one for one in rule["closest"]["conditions"] if not one["holds"]]
    assert (missed["condition"], missed["expected"]) == (["calling"], "MR*")
    assert "CT1" in missed["received"]
    assert '"mr"' in told["text"]
    text = api.get("near-misses", headers={"Accept": "text/plain"})
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text == told["text"] + "\n"


def test_all_rules_beside_one_exchange(api: httpx.Client, scu: WireClient) -> None:
    api.post("rules", json=[refuse("mr", when={"service": "C-STORE", "calling": "MR*"}), refuse("p1")])
    api.put("rules/p1", json=refuse("p1", when={"service": "C-STORE", "dataset": {"PatientID": "P1"}}))
    scu.store()
    told = api.get("near-misses?exchange=1.1").json()

    assert {rule["name"]: rule["fires"] for rule in told["rules"]} == {"p1": True, "mr": False}
    assert told["exchange"] == "1.1"
    assert "C-STORE from CT1 fires" in told["text"]
    assert code(api.get("near-misses?exchange=9.9")) == (404, "no-such-exchange")
