"""Doors of the control API for the tests of this folder, opened and closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.opened import Opened, use_routes


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """A door with the routes of `tests.web.opened`; it must leave nothing behind."""
    use_routes(monkeypatch)
    with Opened() as there:
        yield there
