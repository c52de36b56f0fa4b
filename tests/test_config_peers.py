"""Peers as they are configured: a word, a mapping, a list of them; and what is said of one that cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mockpacs.config import Options, Peer, load
from mockpacs.errors import ConfigurationError
from mockpacs.written.peer import PeerKind, Peers

IMPLICIT, EXPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"

WORDS: list[tuple[str, Peer]] = [
    ("WORKSTATION=127.0.0.1:11113", Peer("WORKSTATION", "127.0.0.1", 11113)),
    (" A = pacs.test:104 ", Peer("A", "pacs.test", 104)),
    ("A B=h:1", Peer("A B", "h", 1)),
    ("A=B=h:1", Peer("A=B", "h", 1)),
    ("A:B=h:1", Peer("A:B", "h", 1)),
    ("A=büro.test:104", Peer("A", "büro.test", 104)),
    ("A=[::1]:104", Peer("A", "::1", 104)),
    ("A=tls://h:2762", Peer("A", "h", 2762, tls=True)),
    ("A=TLS://[fe80::1%eth0]:2762", Peer("A", "fe80::1%eth0", 2762, tls=True)),
]

NO_WORDS: list[tuple[str, str]] = [
    ("", '"" is not a peer: write AET=HOST:PORT or AET=tls://HOST:PORT'),
    ("h:104", '"h:104" is not a peer: write'),
    ("A=h", '"A=h" is not a peer: write'),
    ("A=h:", 'port: "" is not a whole number from 1 to 65535'),
    ("A=h:0", 'port: "0" is not a whole number from 1 to 65535'),
    ("A=h:65536", "port: "),
    ("A=:104", 'host: "" is not an address'),
    ("A=a..b:104", 'host: "a..b" is not an address or host name'),
    (f"A={'a' * 64}:104", "is not an address or host name"),
    ("=h:104", 'aet: "" is not an AE title'),
    ("SEVENTEENLETTERS!=h:1", "aet: "),
    ("A\\B=h:1", "no backslash"),
    ("A=::1:104", '"::1:104": an IPv6 address stands between brackets'),
    ("A=[::1:104", "stands between brackets"),
    ("A=tls:h:104", '"tls:h:104": TLS is written tls://h:104'),
    ("A=TLS:/[::1]:104", '"TLS:/[::1]:104": TLS is written tls://[::1]:104'),
    ("{aet: A=B, host: h, port: 1}", "is a mapping, which stands in the file of --config: here write AET=HOST:PORT"),
    ("A=ssl://h:104", '"ssl" is not a way to a peer'),
    ("A=://h:104", '"" is not a way to a peer'),
]


@pytest.mark.parametrize(("word", "peer"), WORDS)
def test_a_peer_in_a_word(word: str, peer: Peer) -> None:
    assert PeerKind().read(word) == peer
    assert PeerKind().read(PeerKind().write(peer)) == peer


@pytest.mark.parametrize(("word", "sentence"), NO_WORDS)
def test_a_word_that_is_no_peer_is_told_what_to_write(word: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Options(peer=[word])  # type: ignore[arg-type]
    assert str(caught.value).startswith("peer: ")
    assert sentence in str(caught.value)


def test_a_file_has_them_as_mappings_or_words(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "c.yaml"
    file.parent.mkdir()
    file.write_text(
        "peer:\n"
        "  - aet: WORKSTATION\n"
        "    host: ::1\n"
        "    port: 11113\n"
        "    transfer_syntaxes: [implicit, JPEG Baseline (Process 1), 1.2.3, explicit, implicit]\n"
        "    tls: yes\n"
        "    tls_ca: ca.pem\n"
        "    tls_verify: chain\n"
        "  - { aet: B, host: h, port: 1, tls: on, tls_ca: /ca.pem, tls_verify: }\n"
        "  - C=h:2\n"
    )
    assert load(file).peer == (
        Peer("WORKSTATION", "::1", 11113, (IMPLICIT, JPEG, "1.2.3", EXPLICIT), True, file.parent / "ca.pem", "chain"),
        Peer("B", "h", 1, tls=True, tls_ca=Path("/ca.pem")),
        Peer("C", "h", 2),
    )
    file.write_text("peer: { aet: B, host: h, port: 1, transfer_syntaxes: JPEG 2000* }")
    (peer,) = load(file).peer
    assert peer.transfer_syntaxes[:2] == ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")


def test_the_environment_separates_them_by_commas_and_may_use_yaml() -> None:
    assert load(None, {"MOCKPACS_PEER": "A=h:1,B=[::1]:2"}).peer == (Peer("A", "h", 1), Peer("B", "::1", 2))
    assert load(None, {"MOCKPACS_PEER": "[{aet: 'A,B', host: h, port: 1}]"}).peer == (Peer("A,B", "h", 1),)
    assert load(None, {"MOCKPACS_PEER": "A=h:1"}, {"peer": ["B=h:2"]}).peer == (Peer("B", "h", 2),)


def test_everything_wrong_is_told_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        "peer:\n"
        "  - {aet: A, host: h, prt: 1}\n"
        "  - {aet: B, port: many, host: no host}\n"
        "  - {aet: C, host: h}\n"
        "  - {aet: D, host: h, port: 1, transfer_syntaxes: [implcit, 1.2.840.*, 1..2]}\n"
        "  - {aet: E, host: h, port: 1, tls_ca: ca.pem, tls_verify: none}\n"
        "  - {aet: F, host: h, port: 1, tls: true, tls_verify: nam}\n"
        "  - {aet: G, host: h, port: 1, xyzzy: 1}\n"
        "  - H=h\n"
        "  - [A=h:1]\n"
        "  - {aet: I, host: no host, xyzzy: 1, prt: 1, tls_verify: none}\n"
        "  - {aet: J, host: h, port: 1, tls: perhaps, tls_ca: ca.pem}\n"
        "  - {aet: K, host: h, port: 1, tls: true, tls_ca: ca.pem, tls_verify: none}\n"
        "  - B=h:x\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert str(caught.value).replace(str(file), "c.yaml").splitlines() == [
        'c.yaml:2:23: unknown key "prt" of a peer; did you mean "port"?',
        'c.yaml:3:20: port: "many" is not a whole number from 1 to 65535',
        'c.yaml:3:32: host: "no host" is not an address or host name, such as 127.0.0.1, ::1 or pacs.example.org',
        "c.yaml:4:5: a peer has aet, host and port: port missing",
        'c.yaml:5:52: transfer_syntaxes: "implcit" is no UID, nor the name or keyword of a Transfer Syntax;'
        ' did you mean "implicit"?',
        'c.yaml:5:61: transfer_syntaxes: "1.2.840.*" fits UIDs without end: write them one by one',
        'c.yaml:5:72: transfer_syntaxes: "1..2" is not a UID',
        "c.yaml:6:40: tls_ca is for peers that speak TLS: say tls: true too",
        "c.yaml:6:60: tls_verify is for peers that speak TLS: say tls: true too",
        'c.yaml:7:55: tls_verify: "nam" is not one of name, chain, none; did you mean "name"?',
        'c.yaml:8:32: unknown key "xyzzy" of a peer; the keys are aet, host, port, transfer_syntaxes, tls, tls_ca,'
        " tls_verify",
        'c.yaml:9:5: "H=h" is not a peer: write AET=HOST:PORT or AET=tls://HOST:PORT',
        "c.yaml:10:5: ['A=h:1'] is not a peer: AET=HOST:PORT or AET=tls://HOST:PORT; or {aet: AET, host: HOST,"
        " port: PORT}, where wanted with transfer_syntaxes: [...], tls: true, tls_ca: PATH, tls_verify: name, chain"
        " or none",
        'c.yaml:11:29: unknown key "xyzzy" of a peer; the keys are aet, host, port, transfer_syntaxes, tls, tls_ca,'
        " tls_verify",
        'c.yaml:11:39: unknown key "prt" of a peer; did you mean "port"?',
        'c.yaml:11:20: host: "no host" is not an address or host name, such as 127.0.0.1, ::1 or pacs.example.org',
        "c.yaml:11:59: tls_verify is for peers that speak TLS: say tls: true too",
        'c.yaml:12:37: tls: "perhaps" is not true or false',
        "c.yaml:13:51: tls_ca is not looked at with tls_verify: none: leave out one of them",
        'c.yaml:14:5: port: "x" is not a whole number from 1 to 65535',
        'c.yaml:14:5: there are two peers with the AE title "B"',
    ]


def test_two_peers_with_one_title_are_refused_where_the_second_stands(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("peer:\n  - {aet: A, host: h, port: 1}\n  - a=h:1\n  - {aet: ' A ', host: h, port: 2}\n")
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert str(caught.value) == f'{file}:4:5: there are two peers with the AE title "A"'


def test_peers_made_in_python_are_read_as_strictly() -> None:
    whole = Peer("A", "h", 1, (JPEG,), tls=True, tls_ca=Path("ca.pem"), tls_verify="chain")
    assert Options(peer=(whole,)).peer == (whole,)
    assert Options(peer=(Peer(" A ", "[::1]", 1, ("implicit",)),)).peer == (Peer("A", "::1", 1, (IMPLICIT,)),)
    wrong: list[Any] = [Peer("A", "h", 0), Peer("A", "h", 1, tls_verify="none"), {"aet": "A"}, None, 5, {"a": {}}]
    for one in wrong:
        with pytest.raises(ConfigurationError, match=r"^peer: "):
            Options(peer=(one,))
    assert Peers().write((whole, Peer("B", "::1", 2))) == "[A=tls://h:1, B=[::1]:2]"


def test_a_scenario_does_not_say_who_gets_what_is_stored(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text("mockpacs: 1\nserver:\n  peer: A=h:1\n")
    with pytest.raises(ConfigurationError, match=r"s\.yaml:3:3: peer is not for a scenario to say"):
        load(None, {}, {"scenario": str(scenario)})


def test_a_peer_in_a_word_loads_neither_pydicom_nor_the_scenario_language() -> None:
    code = (
        "import sys; from mockpacs.config import load\n"
        "load(None, {}, {'peer': ['A=h:1']}), load(None, {'MOCKPACS_PEER': '[{aet: A, host: h, port: 1,"
        " transfer_syntaxes: [implicit]}]'})\n"
        "assert not [name for name in sys.modules if name.startswith(('pydicom', 'mockpacs.scenario'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
