"""The description of the control API: all that is served is in it, nothing else is, and it is well made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from mockpacs.scenario.shipped import shipped
from mockpacs.web.api import by_path, collected
from mockpacs.web.openapi import document, scenario_schemas
from mockpacs.web.route import PREFIX, Body, Parameter, Route
from tests.scenario.test_schema import EditorsLoader
from tests.web.opened import Opened, echo

ROUTES, SCHEMAS = collected()
DOCUMENT = json.loads(json.dumps(document(ROUTES, SCHEMAS)))
OPERATIONS = [
    (path, method, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
METHODS = {"get", "post", "put", "patch", "delete"}


def plain(path: str) -> str:
    return PREFIX + re.sub(r":\w+\}", "}", path)


def schemas(value: Any) -> Iterator[Any]:
    """Every schema in a part of the document."""
    if isinstance(value, dict):
        if "schema" in value and isinstance(value["schema"], dict):
            yield value["schema"]
        for part in value.values():
            yield from schemas(part)
    elif isinstance(value, list):
        for part in value:
            yield from schemas(part)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_route_is_in_it_and_nothing_else() -> None:
    served = {(plain(route.path), route.method.lower()) for route in ROUTES}
    assert {(path, method) for path, method, _ in OPERATIONS} == served
    assert len(served) == len(ROUTES)


def test_it_is_what_is_served() -> None:
    with Opened() as there:
        status, headers, body = there.ask("GET /api/v1/openapi.json")
        assert (status, headers["content-type"], json.loads(body)) == (200, "application/json", DOCUMENT)
        for path in ("/api/v1/",):
            listed = json.loads(there.ask(f"GET {path}")[2])["endpoints"]
            assert {(one["path"], one["method"].lower()) for one in listed} == {(p, m) for p, m, _ in OPERATIONS}
        version = json.loads(there.ask("GET /api/v1/version")[2])
        assert version["mockpacs"] == DOCUMENT["info"]["version"]


def test_every_endpoint_is_really_there() -> None:
    """A method that no path has is answered with those it has."""
    with Opened() as there:
        for path in DOCUMENT["paths"]:
            status, headers, _ = there.ask(f"BREW {re.sub(r'[{}]', '', path)}")
            assert status == 405, path
            allowed = {method.lower() for method in headers["allow"].split(", ")} - {"head"}
            assert allowed >= set(DOCUMENT["paths"][path]) or "{" in path, path


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=[f"{m} {p}" for p, m, _ in OPERATIONS])
def test_every_operation_is_well_made(path: str, method: str, operation: dict[str, Any]) -> None:
    assert path.startswith(PREFIX)
    assert method in METHODS
    assert operation["summary"].rstrip("?").rstrip(".")
    assert set(operation) <= {"operationId", "summary", "description", "parameters", "requestBody", "responses"}
    declared = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
    assert sorted(declared) == sorted(re.findall(r"\{(\w+)\}", path))
    names = [(one["in"], one["name"]) for one in operation.get("parameters", [])]
    assert len(set(names)) == len(names)
    for parameter in operation.get("parameters", []):
        assert parameter["in"] in ("path", "query", "header")
        assert parameter["required"] or parameter["in"] != "path"
        assert "description" in parameter, f"say what {parameter['name']} is"
    assert any(re.fullmatch(r"[23]\d\d", status) for status in operation["responses"])
    for status, response in operation["responses"].items():
        assert re.fullmatch(r"[1-5]\d\d|default", status)
        assert response["description"]
    for media in operation.get("requestBody", {}).get("content", {}):
        assert re.fullmatch(r"[\w*]+/[\w*.+-]+", media)


def test_names_of_operations_are_used_once() -> None:
    found = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"\w+", name) for name in found)


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    for schema in [*schemas(DOCUMENT["paths"]), *DOCUMENT["components"]["schemas"].values()]:
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in references(DOCUMENT):
        target: Any = DOCUMENT
        assert reference.startswith("#/components/schemas/"), reference
        for part in reference[2:].split("/"):
            target = target[part]


def test_rules_are_those_of_scenario_files() -> None:
    """Every shipped scenario is valid by what the description says a scenario is."""
    there = {"$ref": "#/components/schemas/Scenario", "components": DOCUMENT["components"]}
    validator = jsonschema.Draft202012Validator(there)
    for path in shipped().values():
        validator.validate(yaml.load(path.read_text(encoding="utf-8"), EditorsLoader))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"mockpacs": 1, "rules": [{"whem": {}}]})
    assert {"Rule", "Scenario", "When", "Step"} <= set(scenario_schemas())


def test_an_error_is_as_the_description_says() -> None:
    there = {"$ref": "#/components/schemas/Error", "components": DOCUMENT["components"]}
    with Opened() as opened:
        told = json.loads(opened.ask("GET /api/v1/nothing")[2])
    jsonschema.Draft202012Validator(there).validate(told)


def test_words_are_found_before_parameters() -> None:
    paths = ["/a/{b:path}", "/a/{b}", "/a/c", "/{a}", "/a/{b}/d", "/a"]
    routes = [Route("GET", path, echo, "x") for path in paths]
    assert list(by_path(routes)) == ["/a", "/a/c", "/a/{b}", "/a/{b}/d", "/a/{b:path}", "/{a}"]
    with pytest.raises(ValueError, match="two endpoints for GET /a"):
        by_path([*routes, Route("GET", "/a", echo, "x")])


def test_a_route_becomes_an_operation() -> None:
    route = Route(
        "PUT",
        "/rules/{name:path}",
        echo,
        "Replaces a rule.\nThe others stay.",
        parameters=(Parameter("name", "Its name."), Parameter("seconds", "So long.", {"type": "number"})),
        body=Body("A rule.", ("application/json", "application/yaml"), {"$ref": "#/components/schemas/Rule"}),
    )
    operation = document([route], {})["paths"]["/api/v1/rules/{name}"]["put"]
    assert operation["operationId"] == "put_rules_name"
    assert (operation["summary"], operation["description"]) == ("Replaces a rule.", "The others stay.")
    assert [(one["name"], one["in"], one["required"]) for one in operation["parameters"]] == [
        ("name", "path", True),
        ("seconds", "query", False),
    ]
    assert operation["requestBody"]["description"] == "A rule. At most 1048576 bytes."
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Rule"}
    assert operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].endswith("/Error")
