"""Who may ask the control API: by host, by site, by token; and what every answer says to a browser."""

from __future__ import annotations

import pytest

from tests.web.opened import Opened, error_of, use_routes

OURS = [
    "127.0.0.1",
    "127.0.0.1:9",
    "localhost:9",
    "LOCALHOST",
    "localhost.",
    "[::1]",
    "[::1]:9",
    "127.3.2.1",
    "a.localhost",
]
NOT_OURS = [
    "evil.test",
    "evil.test:8112",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "10.0.0.1",
    "0.0.0.0",
    "[::2]",
    "",
    "127.0.0.1@evil.test",
    "evil.test@127.0.0.1",
    "127.0.0.1/evil.test",
    "127.0.0.1:port",
    "127.0.0.1, evil.test",
    "127.1",
    "2130706433",
    "[::1",
]


@pytest.fixture(scope="module")
def there() -> object:
    """One door for all that is asked here."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_routes(monkeypatch)
        with Opened() as opened:
            yield opened


@pytest.mark.parametrize("host", OURS)
def test_the_names_of_this_machine_are_ours(there: Opened, host: str) -> None:
    assert there.ask("GET /api/v1/health", host=host)[0] == 200


@pytest.mark.parametrize("host", NOT_OURS)
def test_other_names_are_not(there: Opened, host: str) -> None:
    assert error_of(there.ask("GET /api/v1/health", f"Host: {host}", host="")) == (421, "bad-host")


def test_a_request_has_one_host(there: Opened) -> None:
    assert error_of(there.ask("GET /api/v1/health", host="")) == (400, "bad-request")
    assert error_of(there.ask("GET /api/v1/health", "Host: localhost")) == (400, "bad-request")
    assert error_of(there.say(b"GET /api/v1/health HTTP/1.0\r\n\r\n")) == (421, "bad-host")


def test_what_we_listen_on_is_ours_too() -> None:
    with Opened(host="127.0.0.9", token="opensesame") as opened:
        answer = opened.ask("GET /api/v1/health", "Authorization: Bearer opensesame", host="127.0.0.9:1")
        assert answer[0] == 200
        assert error_of(opened.ask("GET /api/v1/health", host="evil.test")) == (421, "bad-host")


def test_who_listens_everywhere_is_called_anything_but_asks_for_the_token() -> None:
    with Opened(host="0.0.0.0", token="opensesame") as opened:
        answer = opened.ask("GET /api/v1/health", "Authorization: Bearer opensesame", host="mockpacs:8112")
        assert answer[0] == 200
        assert error_of(opened.ask("GET /api/v1/health", host="evil.test")) == (401, "unauthorized")
        evil = ("Origin: http://evil.test", "Authorization: Bearer opensesame")
        assert error_of(opened.ask("GET /api/v1/health", *evil, host="mockpacs")) == (403, "cross-origin")


def test_pages_of_other_places_are_refused(there: Opened) -> None:
    for origin in [
        "http://evil.test",
        "null",
        "http://localhost:3000",
        "https://127.0.0.1",
        "file://",
        "http://[",
        "*",
    ]:
        answer = there.ask("POST /api/v1/echo", f"Origin: {origin}", "Content-Type: application/json", body=b"{}")
        assert error_of(answer) == (403, "cross-origin"), origin
        assert "access-control-allow-origin" not in answer[1]
    answer = there.ask("GET /api/v1/health", "Sec-Fetch-Site: Cross-Site")
    assert error_of(answer) == (403, "cross-site")
    preflight = there.ask("OPTIONS /api/v1/echo", "Origin: http://evil.test", "Access-Control-Request-Method: POST")
    assert error_of(preflight) == (403, "cross-origin")


def test_pages_of_our_own_are_not(there: Opened) -> None:
    for origin in ["http://127.0.0.1", "http://localhost", "http://[::1]:80", "HTTP://LOCALHOST"]:
        assert there.ask("GET /api/v1/health", f"Origin: {origin}", "Sec-Fetch-Site: same-origin")[0] == 200, origin
    for site in ["same-origin", "none"]:
        assert there.ask("GET /api/v1/health", f"Sec-Fetch-Site: {site}")[0] == 200


def test_a_form_of_another_site_does_nothing(there: Opened) -> None:
    """What a page can send without asking first: a form of text, with its origin or, from an old browser, without."""
    form = ("Content-Type: text/plain", "Origin: http://evil.test")
    assert error_of(there.ask("POST /api/v1/echo", *form, body=b"{}")) == (403, "cross-origin")
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]:
        assert error_of(there.ask("POST /api/v1/echo", f"Content-Type: {kind}", body=b"{}")) == (415, "bad-type")
    assert error_of(there.ask("POST /api/v1/echo", body=b"{}")) == (415, "bad-type")


def test_the_token_is_asked_for_everywhere() -> None:
    with Opened(token="opensesame") as opened:
        for headers in [
            (),
            ("Authorization: Bearer",),
            ("Authorization: Bearer opensesam",),
            ("Authorization: Bearer opensesame2",),
            ("Authorization: Basic opensesame",),
            ("Authorization: opensesame",),
            ("Authorization: Bearer \xff\xfe",),
            ("Authorization: Bearer opensesame", "Authorization: Bearer opensesame"),
        ]:
            answer = opened.ask("GET /api/v1/health", *headers)
            assert error_of(answer) == (401, "unauthorized"), headers
            assert answer[1]["www-authenticate"] == 'Bearer realm="mockpacs"'
            assert b"opensesame" not in answer[2]
        assert error_of(opened.ask("GET /nowhere")) == (401, "unauthorized")
        assert opened.ask("GET /api/v1/health", "authorization: bearer opensesame")[0] == 200


PATHS = [
    ("/", 404, "not-found"),
    ("/api/v1", 404, "not-found"),
    ("/api/v1/nothing", 404, "not-found"),
    ("/api/v1/health/", 404, "not-found"),
    ("//api/v1/health", 404, "not-found"),
    ("/api/v1//health", 404, "not-found"),
    ("/API/v1/health", 404, "not-found"),
    ("/api/v1/health%2f..", 400, "bad-path"),
    ("/api/v1/../v1/health", 400, "bad-path"),
    ("/api/v1/%2e%2e/%2e%2e/etc/passwd", 400, "bad-path"),
    ("/api/v1/..%2f..%2fetc/passwd", 400, "bad-path"),
    ("/api/v1/..\\..\\etc", 400, "bad-path"),
    ("/api/v1/%2e/health", 400, "bad-path"),
    ("/api/v1/health%00", 400, "bad-path"),
    ("/api/v1/health%0a", 400, "bad-path"),
    ("/api/v1/health%1b%5b2J", 400, "bad-path"),
    ("/api/v1/%252e%252e/health", 404, "not-found"),
    ("/api/v1/%ff%fe", 404, "not-found"),
    ("/api/v1/%", 404, "not-found"),
    ("/api/v1/<script>alert(1)</script>", 404, "not-found"),
    ("/api/v1/" + "a" * 8000, 404, "not-found"),
    ("/api/v1/" + "a" * 9_000, 414, "path-too-long"),
    ("/api/v1/health?" + "a" * 9_000, 414, "path-too-long"),
    ("/" + "a" * 2_000_000, 431, "header-too-large"),
    ("http://127.0.0.1/api/v1/health", 421, "no-proxy"),
    ("http://evil.test/api/v1/health", 421, "no-proxy"),
    ("*", 421, "no-proxy"),
    ("127.0.0.1:443", 421, "no-proxy"),
    ("health", 421, "no-proxy"),
    ("\\api\\v1\\health", 421, "no-proxy"),
]


@pytest.mark.parametrize(("path", "status", "code"), PATHS, ids=[path[:40] for path, _, _ in PATHS])
def test_every_path_has_a_defined_answer(there: Opened, path: str, status: int, code: str) -> None:
    assert error_of(there.ask(f"GET {path}")) == (status, code)


def test_a_method_that_is_not_for_a_path_is_told_which_are(there: Opened) -> None:
    for method, path, allowed in [
        ("DELETE", "/api/v1/health", "GET, HEAD"),
        ("OPTIONS", "/api/v1/health", "GET, HEAD"),
        ("GET", "/api/v1/echo", "POST"),
        ("HEAD", "/api/v1/stream", "GET"),
        ("BREW", "/api/v1/stream", "GET"),
    ]:
        status, headers, body = there.ask(f"{method} {path}")
        assert (status, headers["allow"]) == (405, allowed)
        assert not body if method == "HEAD" else b"bad-method" in body
    for method in ["CONNECT", "TRACE"]:
        assert error_of(there.ask(f"{method} /api/v1/health")) == (405, "bad-method")


def test_many_headers_are_too_many(there: Opened) -> None:
    many = [f"X-{number}: {'a' * 100}" for number in range(200)]
    assert error_of(there.ask("GET /api/v1/health", *many)) == (431, "header-too-large")
    many = [f"X-{number}: {'a' * 100}" for number in range(100)]
    assert there.ask("GET /api/v1/health", *many)[0] == 200


def test_head_is_get_without_the_body(there: Opened) -> None:
    status, headers, body = there.ask("HEAD /api/v1/health")
    assert (status, headers["content-length"], body) == (200, "20", b"")


def test_every_answer_keeps_browsers_from_making_more_of_it(there: Opened) -> None:
    for line in [
        "GET /api/v1/health",
        "GET /nothing",
        "POST /api/v1/health",
        "GET /api/v1/fail",
        "GET /" + "a" * 20_000,
    ]:
        _, headers, _ = there.ask(line)
        assert headers["x-content-type-options"] == "nosniff", line
        assert headers["cache-control"] == "no-store", line
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'", line
        assert headers["cross-origin-resource-policy"] == "same-origin", line
        assert "server" not in headers
