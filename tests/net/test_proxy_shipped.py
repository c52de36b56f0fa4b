"""Every shipped scenario that a proxy can play: whatever it does to a session, the proxy goes on, nothing is left."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.errors import ScenarioError
from mockpacs.net.proxy.possible import refuse_impossible
from mockpacs.scenario.load import load
from mockpacs.scenario.shipped import shipped
from mockpacs.traffic.exchange import Exchange
from tests.net.proxied import Between, between
from tests.net.wire_client import WireClient, ct_image, element

_PATIENCE_SECONDS = 0.25
_ROUNDS = 3
STUDY = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"")


def _is_possible(path: Path) -> bool:
    try:
        refuse_impossible(load([path]))
    except ScenarioError:
        return False
    return True


POSSIBLE = [name for name, path in shipped().items() if _is_possible(path)]


def test_many_are_possible() -> None:
    assert len(POSSIBLE) > 35


def _session(proxy: Between, number: int) -> None:
    """As far as the scenario lets it: any answer, or none, or an end is right."""
    with contextlib.suppress(OSError, AssertionError), WireClient(proxy.host, proxy.port) as client:
        client.socket.settimeout(_PATIENCE_SECONDS)
        client.associate(calling=f"CT{number}")
        client.echo()
        for one in range(3):
            client.store(ct_image(f"1.2.{number}.{one}", pixels=20_000), f"1.2.{number}.{one}")
        client.find(STUDY)
        client.send(client.cancel_request())
        client.release()


@pytest.mark.parametrize("name", POSSIBLE)
def test_a_session_under_it_leaves_nothing(name: str, tmp_path: Path) -> None:
    with MockPACS() as pacs, between((pacs.host, pacs.port), tmp_path, scenario=(shipped()[name],)) as proxy:
        for number in range(_ROUNDS):
            _session(proxy, number)
    assert [text for text in proxy.notices if "a part of the proxy failed" in text] == []
    read = [one for one in proxy.recorded() if isinstance(one, Exchange) and not one.asked_by_us]
    assert _facts(read) == _facts(proxy.exchanges)


def _facts(exchanges: list[Exchange]) -> dict[str, tuple[str, int | None, str, str]]:
    """Of those that were answered."""
    return {one.id: (one.service, one.status, one.rule, one.fault) for one in exchanges if one.status is not None}
