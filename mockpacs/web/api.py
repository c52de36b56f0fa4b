"""The control API as one ASGI application: the routes of all endpoint modules under one prefix, behind the guard."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.routing import Route as PathRoute
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from mockpacs.web import about, endpoints
from mockpacs.web.errors import ApiError
from mockpacs.web.guard import INTAKE, Guard
from mockpacs.web.openapi import document
from mockpacs.web.route import PREFIX, Route, Schema
from mockpacs.written.kinds import quoted

if TYPE_CHECKING:
    from mockpacs.control.desk import Desk


def application(desk: Desk, host: str, token: str = "", closing: asyncio.Event | None = None) -> ASGIApp:
    """All of it. ``host`` is what we listen on; ``closing`` is set by whoever ends the server."""
    routes, schemas = collected()
    state = {"closing": closing or asyncio.Event(), "document": cache(lambda: document(routes, schemas))}
    places = [PathRoute(PREFIX + path, _Place(desk, here, state)) for path, here in by_path(routes).items()]
    router = Router(places, redirect_slashes=False, default=_nowhere)
    return Guard(router, host=host, token=token, report=lambda text: desk.tell("trouble", text))


def collected() -> tuple[tuple[Route, ...], Mapping[str, Schema]]:
    """The routes of all endpoint modules, and the schemas they share with one another."""
    found = [
        importlib.import_module(f"{endpoints.__name__}.{one.name}") for one in pkgutil.iter_modules(endpoints.__path__)
    ]
    modules = [about, *found]
    routes = tuple(route for module in modules for route in getattr(module, "ROUTES", ()))
    schemas: dict[str, Schema] = {}
    for module in modules:
        schemas |= getattr(module, "SCHEMAS", {})
    return routes, schemas


def by_path(routes: Sequence[Route]) -> dict[str, dict[str, Route]]:
    """What there is at each path, by method. Words come before parameters, so that they are found."""
    paths: dict[str, dict[str, Route]] = {}
    for route in sorted(routes, key=lambda route: [_freedom(part) for part in route.path.split("/")]):
        methods = paths.setdefault(route.path, {})
        if route.method in methods:
            raise ValueError(f"two endpoints for {route.method} {route.path}")
        methods[route.method] = route
    return paths


def _freedom(part: str) -> int:
    return 2 if part.endswith(":path}") else int(part.startswith("{"))


class _Place:
    """All endpoints of one path, as an ASGI application."""

    def __init__(self, desk: Desk, routes: Mapping[str, Route], state: Mapping[str, Any]) -> None:
        self._desk = desk
        self._routes = dict(routes)
        self._state = state
        if "GET" in routes and not routes["GET"].streams:
            self._routes["HEAD"] = routes["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["method"])
        if route is None:
            allowed = ", ".join(sorted(self._routes))
            text = f"{quoted(scope['method'])} is not for {quoted(scope['path'])}: only {allowed}."
            raise ApiError(405, "bad-method", text, headers={"Allow": allowed})
        scope["state"] = {**scope.get("state", {}), **self._state}
        if route.body is None and scope["method"] not in ("GET", "HEAD") and scope[INTAKE].has_body:
            text = f"{route.method} {quoted(scope['path'])} takes no body: what it can be told stands behind a '?'."
            raise ApiError(400, "unwanted-body", text)
        scope[INTAKE].admit(route.body)
        response = await route.function(self._desk, Request(scope, receive, send))
        await response(scope, receive, send)


async def _nowhere(scope: Scope, _receive: Receive, _send: Send) -> None:
    raise ApiError(404, "not-found", f"There is nothing at {quoted(scope['path'])}. {PREFIX}/ lists what there is.")
