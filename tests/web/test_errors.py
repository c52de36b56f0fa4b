"""Errors as answers: each kind of error has its status and code, its sentence, and what programs need."""

from __future__ import annotations

import json
from typing import Any

import pytest

import mockpacs.errors
from mockpacs.errors import (
    ArchiveBusyError,
    ArchiveError,
    ConfigurationError,
    FilterError,
    IdentifierError,
    LocalProtocolError,
    MockpacsError,
    RecordingError,
    ScenarioError,
    StartError,
    StorageError,
    VerificationError,
    WaitError,
)
from mockpacs.web.errors import ApiError, answer_of, problems
from tests.web.opened import Opened, error_of

KINDS: list[tuple[Exception, int, str, dict[str, Any]]] = [
    (
        ScenarioError("a.yaml:3:5: unknown key.\nb.yaml:1:2: a status."),
        422,
        "bad-rule",
        {
            "problems": [
                {"place": "a.yaml:3:5", "message": "unknown key."},
                {"place": "b.yaml:1:2", "message": "a status."},
            ]
        },
    ),
    (ConfigurationError("no such thing"), 400, "bad-request", {}),
    (FilterError("status=\n       ^", column=8), 400, "bad-filter", {"column": 8}),
    (IdentifierError("no level", status=0xA900), 400, "bad-query", {"dimse_status": "A900"}),
    (WaitError("waited"), 409, "not-in-time", {}),
    (VerificationError("0 came"), 409, "not-verified", {}),
    (ArchiveBusyError("busy"), 503, "archive-busy", {}),
    (StorageError("full"), 507, "storage", {}),
    (ArchiveError("no"), 409, "archive", {}),
    (RecordingError("gone"), 410, "not-readable", {}),
    (StartError("over"), 503, "stopping", {}),
    (ApiError(418, "teapot", "I am.", more="tea"), 418, "teapot", {"more": "tea"}),
]


@pytest.mark.parametrize(("error", "status", "code", "more"), KINDS, ids=[type(row[0]).__name__ for row in KINDS])
def test_each_kind_has_its_answer(error: Exception, status: int, code: str, more: dict[str, Any]) -> None:
    answer = answer_of(error)
    assert (answer.status, answer.code) == (status, code)
    assert json.loads(answer.body) == {"error": {"code": code, "message": str(error), **more}}


def test_no_kind_of_error_is_forgotten() -> None:
    """A new kind either has an answer, or is what only a defect of ours raises."""
    ours = {
        kind for kind in vars(mockpacs.errors).values() if isinstance(kind, type) and issubclass(kind, MockpacsError)
    }
    internal = {kind.__name__ for kind in ours if answer_of(kind("text")).code == "internal"}
    assert internal <= {"MockpacsError", "LocalProtocolError", "StopError"}


def test_a_defect_is_told_to_both_sides_with_its_place(door: Opened) -> None:
    for error in (RuntimeError("<b>oh</b>"), LocalProtocolError("oh"), KeyError("x"), AssertionError()):
        door.desk.error = error
        door.desk.told.clear()
        answer = door.ask("GET /api/v1/fail")
        assert error_of(answer) == (500, "internal")
        assert f"{type(error).__name__}" in json.loads(answer[2])["error"]["message"]
        [(kind, text)] = door.desk.told
        assert kind == "trouble"
        assert text.startswith(f'control API: GET "/api/v1/fail" failed: {type(error).__name__}')
    assert door.ask("GET /api/v1/health")[0] == 200


def test_what_is_wrong_with_a_request_is_not_told_as_trouble(door: Opened) -> None:
    door.desk.error = FilterError("A value is missing after status=.", column=7)
    assert error_of(door.ask("GET /api/v1/fail")) == (400, "bad-filter")
    assert door.desk.told == []


def test_a_readiness_that_is_not_there_says_why(door: Opened) -> None:
    status, _, body = door.ask("GET /api/v1/ready")
    assert (status, json.loads(body)) == (200, {"status": "ready", "dicom": [{"host": "127.0.0.1", "port": 11112}]})
    door.desk.failure = RecordingError("the disk is full")
    status, _, body = door.ask("GET /api/v1/ready")
    assert status == 503
    assert json.loads(body)["error"]["message"] == "Traffic is stopped: the disk is full"
    assert door.ask("GET /api/v1/health")[0] == 200


def test_a_body_of_an_error_is_ascii_and_no_html() -> None:
    body = ApiError(400, "x", '<script>&\ud800 é "').body
    assert body.isascii()
    assert not set(body) & set(b"<>&")
    assert json.loads(body)["error"]["message"] == '<script>&\ud800 é "'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.yaml:3:5: x: y.", [("a.yaml:3:5", "x: y.")]),
        ("C:\\a b.yaml:3:5: x.", [("C:\\a b.yaml:3:5", "x.")]),
        ("test_a.py:12: x.", [("test_a.py:12", "x.")]),
        ("there is none", [("", "there is none")]),
        ("a:1:1: x\n  more\nand more problems", [("a:1:1", "x\n  more"), ("", "and more problems")]),
        ("", []),
    ],
)
def test_problems_are_taken_apart(text: str, found: list[tuple[str, str]]) -> None:
    assert [(one["place"], one["message"]) for one in problems(text)] == found
