"""Peers of a running server: how they are written, added, changed, and what is said of those that are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.config import Peer
from mockpacs.errors import ConfigurationError, StartError
from mockpacs.traffic.exchange import Notice, Record


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS(peer=["WORKSTATION=127.0.0.1:11113"]) as serving:
        yield serving


def test_peers_of_the_options_are_there(pacs: MockPACS) -> None:
    assert [(peer.aet, peer.address) for peer in pacs.peers] == [("WORKSTATION", "127.0.0.1:11113")]
    assert "WORKSTATION" in pacs.peers
    assert len(pacs.peers) == 1


def test_a_peer_is_added_in_words_and_in_parts(pacs: MockPACS) -> None:
    pacs.peers.add("A=[::1]:104")
    pacs.peers.add("B", "localhost", 105, transfer_syntaxes=["implicit"])
    assert pacs.peers["A"].address == "[::1]:104"
    assert pacs.peers["B"].transfer_syntaxes == ("1.2.840.10008.1.2",)


def test_a_peer_takes_the_place_of_one_of_the_same_title(pacs: MockPACS) -> None:
    pacs.peers.add("WORKSTATION", "127.0.0.1", 104)
    assert [peer.port for peer in pacs.peers] == [104]


def test_a_peer_that_was_removed_is_unknown(pacs: MockPACS) -> None:
    pacs.peers.remove("WORKSTATION")
    assert not len(pacs.peers)
    with pytest.raises(ConfigurationError, match="there is none, add one first"):
        pacs.peers["WORKSTATION"]


@pytest.mark.parametrize(
    ("title", "said"),
    [("WORKSTATIN", 'did you mean "WORKSTATION"'), ("X", "there are WORKSTATION")],
)
def test_who_names_no_peer_is_told_who_there_is(pacs: MockPACS, title: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        pacs.peers[title]
    with pytest.raises(ConfigurationError, match=said):
        pacs.peers.remove(title)
    with pytest.raises(ConfigurationError, match=said):
        pacs.connect(title)


@pytest.mark.parametrize("written", ["WORKSTATION", "=127.0.0.1:104", "A=127.0.0.1:0", "A=127.0.0.1:70000", "A=host:x"])
def test_what_is_no_peer_is_refused(pacs: MockPACS, written: str) -> None:
    with pytest.raises(ConfigurationError):
        pacs.peers.add(written)
    assert [peer.aet for peer in pacs.peers] == ["WORKSTATION"]


def test_a_certificate_that_cannot_be_used_is_told(pacs: MockPACS) -> None:
    with pytest.raises(StartError, match=r'^peer "A": cannot use the certificates of nowhere\.pem: No such file'):
        pacs.peers.add("A", "127.0.0.1", 2762, tls=True, tls_ca="nowhere.pem")
    assert "A" not in pacs.peers


def test_all_certificates_that_cannot_be_used_are_told_at_the_start() -> None:
    peers = [Peer(title, "h", 1, tls=True, tls_ca=Path(f"{title}.pem")) for title in ("A", "B")]
    with pytest.raises(StartError) as caught, MockPACS(peer=peers):
        pass
    assert str(caught.value).splitlines() == [
        'peer "A": cannot use the certificates of A.pem: No such file or directory',
        'peer "B": cannot use the certificates of B.pem: No such file or directory',
    ]


def test_peers_show_who_there_is(pacs: MockPACS) -> None:
    pacs.peers.add("B=tls://[::1]:104")
    assert repr(pacs.peers) == "<Peers WORKSTATION=127.0.0.1:11113, B=tls://[::1]:104>"
    for peer in pacs.peers:
        pacs.peers.remove(peer.aet)
    assert repr(pacs.peers) == "<Peers (none)>"


def test_every_change_is_told_once_and_a_reset_is_silent() -> None:
    seen: list[Record] = []
    with MockPACS(peer="FIRST=h:1", observe=seen.append) as pacs:
        pacs.peers.add("A=[::1]:104")
        pacs.peers.add("A=h:2")
        with pytest.raises(ConfigurationError):
            pacs.peers.add("B=h:x")
        pacs.peers.remove("A")
        pacs.peers.remove("FIRST")
        pacs.reset("peers")
    assert [(one.kind, one.text, one.detail) for one in seen if isinstance(one, Notice)] == [
        ("peers", 'peer "A" at [::1]:104 was added', True),
        ("peers", 'peer "A" at h:2 was replaced', True),
        ("peers", 'peer "A" at h:2 was taken away', True),
        ("peers", 'peer "FIRST" at h:1 was taken away', True),
    ]


def test_a_reset_brings_back_the_peers_of_the_start(pacs: MockPACS) -> None:
    pacs.peers.add("WORKSTATION", "127.0.0.1", 104)
    pacs.peers.add("B", "127.0.0.1", 105)
    pacs.reset("peers")
    assert [(peer.aet, peer.port) for peer in pacs.peers] == [("WORKSTATION", 11113)]
    pacs.peers.remove("WORKSTATION")
    pacs.reset()
    assert "WORKSTATION" in pacs.peers
