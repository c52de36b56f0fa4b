"""A server with a control API, somebody who associates with it, and somebody who asks it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from mockpacs import MockPACS
from tests.net.wire_client import WireClient
from tests.web.endpoints.asking import client_of


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS(http=0) as running:
        yield running


@pytest.fixture
def api(pacs: MockPACS) -> Iterator[httpx.Client]:
    with client_of(pacs) as client:
        yield client


@pytest.fixture
def scu(pacs: MockPACS) -> Iterator[WireClient]:
    with WireClient(pacs.host, pacs.port) as connected:
        connected.associate(calling="CT1")
        yield connected
