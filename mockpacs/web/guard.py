"""Who may speak to the control API at all. A web page somewhere must not steer a server on the machine of its reader.

Every answer leaves through here, errors too, with the headers that keep browsers from making more of it than data.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import re
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mockpacs.web.errors import ApiError, answer_of, defect
from mockpacs.web.intake import Intake
from mockpacs.written.kinds import quoted

INTAKE: Final = "mockpacs.intake"
"""Where in the ASGI scope the `Intake` of a request is."""

MOST_PATH: Final = 8 << 10
MOST_HEADERS: Final = 16 << 10
"""Bytes. h11 has a limit as well, but only for a header that does not come at once."""
_CONTROL: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f]")
_WILDCARDS: Final = frozenset({"", "0.0.0.0", "::"})
_CLOSE: Final = (b"connection", b"close")
HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
}
_STOPPING: Final = "The server stops."


class Guard:
    """ASGI middleware around all of the control API."""

    def __init__(self, app: ASGIApp, *, host: str, token: str = "", report: Callable[[str], None]) -> None:
        """``host`` is what we were told to listen on; ``report`` is told what goes wrong on our side."""
        self._app = app
        # Who listens on every address is called by every name. Such a server has a token, which no page can guess.
        self._hosts = None if host in _WILDCARDS else {_bare(host)}
        self._token = token.encode()
        self._report = report

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        intake = Intake(scope, receive)
        scope[INTAKE] = intake
        outlet = _Outlet(send, intake)
        try:
            self._check(scope)
            await self._app(scope, intake, outlet)
        except ClientDisconnect:
            return
        except asyncio.CancelledError:  # the door closes; its task ends with this
            await outlet.fail(ApiError(503, "stopping", _STOPPING))
        except Exception as error:  # noqa: BLE001 - nobody else would answer
            answer = answer_of(error)
            if answer.code == "internal":
                self._report(f"control API: {scope['method']} {quoted(scope['path'])} failed: {defect(error)}")
            await outlet.fail(answer)

    def _check(self, scope: Scope) -> None:
        _check_path(scope)
        host = self._check_host(_values(scope, b"host"))
        self._check_site(scope, host)
        if self._token:
            self._check_token(_values(scope, b"authorization"))

    def _check_host(self, hosts: Sequence[str]) -> str:
        """The Host header against DNS rebinding: a name that somebody else made to mean this address is not ours."""
        if len(hosts) != 1:
            raise ApiError(421, "bad-host", "A request has one Host header.")
        if not self._is_ours(_host_of(hosts[0])):
            known = ", ".join(sorted({"127.0.0.1", "localhost", "[::1]", *(self._hosts or ())}))
            raise ApiError(421, "bad-host", f"This is not {quoted(hosts[0])}: ask for one of {known}.")
        return hosts[0]

    def _check_site(self, scope: Scope, host: str) -> None:
        """What browsers say about the page that asks. Other programs say nothing, and cannot be made to by a page."""
        if any(site.strip().lower() == "cross-site" for site in _values(scope, b"sec-fetch-site")):
            raise ApiError(403, "cross-site", "Pages of other sites may not use this control API.")
        for origin in _values(scope, b"origin"):
            if not self._is_own_origin(origin, host):
                raise ApiError(403, "cross-origin", f"Pages of {quoted(origin)} may not use this control API.")

    def _is_own_origin(self, origin: str, host: str) -> bool:
        """Whether a page came from the place that it now asks, under whichever of its names."""
        try:
            page, asked = urlsplit(origin), urlsplit(f"//{host}")
            same_port = (page.port or 80) == (asked.port or 80)
        except ValueError:
            return False
        if page.scheme != "http" or not same_port:
            return False
        if self._hosts is None:
            return page.netloc.lower() == host.lower()
        return self._is_ours(_host_of(page.netloc))

    def _is_ours(self, host: str) -> bool:
        return bool(host) and (self._hosts is None or host in self._hosts or _is_loopback(host))

    def _check_token(self, given: Sequence[str]) -> None:
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        is_right = hmac.compare_digest(token.strip().encode("latin-1"), self._token)  # in constant time
        if scheme.lower() != "bearer" or not is_right:
            raise ApiError(
                401,
                "unauthorized",
                "This control API wants its token: Authorization: Bearer TOKEN (see http_token).",
                headers={"WWW-Authenticate": 'Bearer realm="mockpacs"'},
            )


class _Outlet:
    """The ASGI ``send`` of one request, with the headers that all answers have."""

    def __init__(self, send: Send, intake: Intake) -> None:
        self._send = send
        self._intake = intake
        self._has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun = True
            headers = list(message.get("headers", ()))
            there = {name for name, _ in headers}
            headers += [header for header in HEADERS.items() if header[0] not in there]
            headers.append((b"date", formatdate(usegmt=True).encode()))
            if not self._intake.is_complete and _CLOSE not in headers:
                headers.append(_CLOSE)  # nobody is going to read the rest of the body
            message = {**message, "headers": headers}
        await self._send(message)

    async def fail(self, error: ApiError) -> None:
        """Answer with an error. When an answer has begun there is no way to say it: the connection is cut."""
        if self._has_begun:
            raise error
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(error.body)).encode())]
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in error.headers.items()]
        if error.code == "stopping":
            headers.append(_CLOSE)
        await self({"type": "http.response.start", "status": error.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": error.body})


def _check_path(scope: Scope) -> None:
    """No endpoint ever sees a path that means something to a file system or to a terminal, nor a very long one."""
    path = scope["path"]
    if len(scope["raw_path"]) + len(scope["query_string"]) > MOST_PATH:
        raise ApiError(414, "path-too-long", f"A path with its parameters has {MOST_PATH} bytes at most.")
    if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > MOST_HEADERS:
        raise ApiError(431, "header-too-large", f"The header of a request has {MOST_HEADERS} bytes at most.")
    if not scope["raw_path"].startswith(b"/"):
        raise ApiError(421, "no-proxy", "This is no proxy: the request line names a path, such as /api/v1/health.")
    if _CONTROL.search(path) or any(part in (".", "..") for part in path.replace("\\", "/").split("/")):
        raise ApiError(400, "bad-path", "A path has no dot segments and no control characters.")


def _values(scope: Scope, wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def _host_of(authority: str) -> str:
    """The name or address of ``name:port``; "" when it is neither."""
    try:
        split = urlsplit(f"//{authority}")
        _ = split.port
    except ValueError:
        return ""
    if split.netloc != authority or "@" in authority or set(authority) & set("/?#\\ \t"):
        return ""
    return _bare(split.hostname or "")


def _bare(host: str) -> str:
    """One spelling of a host: small letters, no brackets, no dot at the end, addresses as they are usually written."""
    bare = host.strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
