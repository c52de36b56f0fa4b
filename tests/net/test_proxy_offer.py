"""A proxy that stands in for a move destination sees what a C-MOVE brings there, and says which C-MOVE that was."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.errors import ConfigurationError
from mockpacs.proxying import ProxyOptions
from mockpacs.traffic.exchange import Exchange
from mockpacs.written.address import Address, Offer
from mockpacs.written.peer import Peer
from tests.net.proxied import between, free_port
from tests.net.wire_client import RETRIEVE_CONTEXTS, WireClient, ct_image, element

STUDY = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"1.2.1")


def test_what_a_move_brings_is_seen_and_forwarded(tmp_path: Path) -> None:
    port = free_port()
    with (
        MockPACS(aet="STORE") as store,
        MockPACS(peer=(Peer("STORE", "127.0.0.1", port),)) as pacs,
        between(
            (pacs.host, pacs.port), tmp_path, offer=(Offer("STORE", port, Address(store.host, store.port)),)
        ) as proxy,
    ):
        with WireClient(proxy.host, proxy.port) as client:
            client.associate(*RETRIEVE_CONTEXTS, calling="WS")
            for number in (1, 2):
                assert client.store(ct_image(f"1.2.1.{number}", study="1.2.1"), f"1.2.1.{number}") == 0
            client.send(client.move_request(STUDY, "STORE"))
            *_, (final, _) = client.responses()
            assert (final.status, final.completed_sub_operations) == (0, 2)
            client.release()
        assert store.archive.counts().instances == 2
        proxy.wait_for(lambda: len(proxy.exchanges) == 5 and proxy.notices.count("released") == 2)
    move = next(one for one in proxy.exchanges if one.service == "C-MOVE")
    legs = [one for one in proxy.exchanges if one.association.called == "STORE"]
    assert [(one.service, one.status, one.cause) for one in legs] == [("C-STORE", 0, move.id)] * 2
    recorded = [one for one in proxy.recorded() if isinstance(one, Exchange) and one.association.called == "STORE"]
    came, left = ([one for one in recorded if one.asked_by_us is by_us] for by_us in (False, True))
    assert len(came) == len(left) == 2
    assert {one.cause for one in left} == {move.id}


def test_a_destination_that_is_not_there_is_told_to_the_server(tmp_path: Path) -> None:
    port = free_port()
    with (
        MockPACS(peer=(Peer("STORE", "127.0.0.1", port),)) as pacs,
        between((pacs.host, pacs.port), offer=(Offer("STORE", port, Address("127.0.0.1", free_port())),)) as proxy,
        WireClient(proxy.host, proxy.port) as client,
    ):
        client.associate(*RETRIEVE_CONTEXTS)
        assert client.store(ct_image("1.2.1.1", study="1.2.1"), "1.2.1.1") == 0
        client.send(client.move_request(STUDY, "STORE"))
        *_, (final, _) = client.responses()
        assert final.failed_sub_operations == 1
        client.release()
        proxy.wait_for(lambda: any("cannot be reached" in text for text in proxy.notices))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("STORE", "is not a move destination: AET=LISTENPORT:HOST:PORT"),
        ("STORE=11113", "is not a move destination"),
        ("STORE=x:10.0.0.9:104", "is not a whole number from 0 to 65535"),
        ("STORE=11113:10.0.0.9", "is not an address: HOST:PORT"),
        ("A TITLE THAT IS TOO LONG=11113:h:104", "is not an AE title"),
    ],
)
def test_an_offer_that_cannot_be_is_refused_with_a_sentence(given: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        ProxyOptions.of({"to": "h:1", "offer": [given]})


def test_a_title_is_offered_once() -> None:
    with pytest.raises(ConfigurationError, match="STORE is offered twice"):
        ProxyOptions.of({"to": "h:1", "offer": ["STORE=1:h:104", "STORE=2:h:104"]})
