"""Peers over HTTP: listed, added, replaced, taken away; a C-MOVE finds those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from mockpacs import MockPACS
from tests.web.endpoints.asking import client_of, code

PLAIN = {"transfer_syntaxes": [], "tls": False, "tls_ca": None, "tls_verify": "name"}
FIRST = {"aet": "FIRST", "host": "127.0.0.1", "port": 11113, **PLAIN}


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS(http=0, peer="FIRST=127.0.0.1:11113") as running:
        yield running


def test_configured_peers_are_listed(api: httpx.Client) -> None:
    assert api.get("peers").json() == {"peers": [FIRST]}
    assert api.get("peers/FIRST").json() == FIRST


def test_a_peer_is_added_replaced_and_taken_away(api: httpx.Client, pacs: MockPACS) -> None:
    added = api.put("peers/WORKSTATION", json={"host": "::1", "port": 104, "transfer_syntaxes": ["implicit"]})
    wanted = {**PLAIN, "aet": "WORKSTATION", "host": "::1", "port": 104, "transfer_syntaxes": ["1.2.840.10008.1.2"]}
    assert (added.status_code, added.json()) == (201, wanted)
    assert [peer.aet for peer in pacs.desk.peers] == ["FIRST", "WORKSTATION"]

    replaced = api.put("peers/WORKSTATION", json={**wanted, "port": 105, "tls": True, "tls_verify": "none"})
    wanted |= {"port": 105, "tls": True, "tls_verify": "none"}
    assert (replaced.status_code, replaced.json()) == (200, wanted)
    assert api.get("peers").json() == {"peers": [FIRST, wanted]}

    assert api.delete("peers/WORKSTATION").json() == {"removed": 1}
    assert api.delete("peers/FIRST").json() == {"removed": 1}
    assert api.get("peers").json() == {"peers": []}


@pytest.mark.parametrize("aet", ["A B", "A/B", "A=B,C", "peers"])
def test_a_title_may_have_any_character_a_title_has(aet: str, api: httpx.Client) -> None:
    path = f"peers/{quote(aet, safe='')}"
    assert api.put(path, json={"host": "h", "port": 1}).status_code == 201
    assert api.get(path).json()["aet"] == aet
    assert api.delete(path).json() == {"removed": 1}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"host": "h"}, "a peer has aet, host and port: port missing"),
        ({"host": "h", "port": 0}, "port: 0 is not a whole number from 1 to 65535"),
        ({"host": "h", "port": True}, "port: True is not"),
        ({"host": "no host", "port": "x"}, 'host: "no host" is not an address'),
        ({"host": "h", "prt": 1}, 'unknown key "prt" of a peer; did you mean "port"?'),
        ({"host": "h", "port": 1, "aet": "OTHER"}, 'aet: "OTHER" is not the title in the path, "NEW"'),
        ({"host": "h", "port": 1, "transfer_syntaxes": ["implcit"]}, 'did you mean "implicit"?'),
        ({"host": "h", "port": 1, "tls_verify": "none"}, "say tls: true too"),
        ({"host": "h", "port": 1, "tls": True, "tls_ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem: No such file"),
    ],
)
def test_what_is_no_peer_is_refused_and_changes_nothing(
    body: dict[str, object], sentence: str, api: httpx.Client
) -> None:
    response = api.put("peers/NEW", json=body)
    assert code(response) == (422, "bad-peer")
    assert sentence in response.json()["error"]["message"]
    assert api.get("peers").json() == {"peers": [FIRST]}


def test_all_that_is_wrong_with_a_peer_is_told(api: httpx.Client) -> None:
    wrong = {"aet": "OLD", "host": "no host", "port": 0, "tsl": True, "tls_verify": "none"}
    response = api.put("peers/NEW", json=wrong)
    assert code(response) == (422, "bad-peer")
    assert response.json()["error"]["message"].splitlines() == [
        'aet: "OLD" is not the title in the path, "NEW"',
        'unknown key "tsl" of a peer; did you mean "tls"?',
        'host: "no host" is not an address or host name, such as 127.0.0.1, ::1 or pacs.example.org',
        "port: 0 is not a whole number from 1 to 65535",
        "tls_verify is for peers that speak TLS: say tls: true too",
    ]


def test_what_is_put_back_is_named_where_the_api_describes_itself(api: httpx.Client) -> None:
    about = [one["about"] for one in api.get("").json()["endpoints"] if one["path"].endswith("/reset")]
    assert about == ["Puts back how it was at the start: rules, state, journal, archive, peers."]
    (described,) = (one for path, one in api.get("openapi.json").json()["paths"].items() if path.endswith("/reset"))
    assert "journal, archive, peers" in str(described["post"]["parameters"])


def test_a_title_that_cannot_be_one_is_refused(api: httpx.Client) -> None:
    assert code(api.put("peers/SEVENTEENLETTERS!", json={"host": "h", "port": 1})) == (422, "bad-peer")


@pytest.mark.parametrize(("body", "wrong"), [("[]", "bad-body"), ("{", "bad-json"), ("[" * 100_000, "bad-json")])
def test_a_body_that_is_no_object(body: str, wrong: str, api: httpx.Client) -> None:
    response = api.put("peers/NEW", content=body, headers={"Content-Type": "application/json"})
    assert code(response) == (400, wrong)


def test_a_peer_that_is_not_there(api: httpx.Client) -> None:
    for response in (api.get("peers/FRIST"), api.delete("peers/FRIST")):
        assert code(response) == (404, "no-such-peer")
        assert response.json()["error"]["message"] == 'There is no peer "FRIST"; did you mean "FIRST"?'
    api.delete("peers/FIRST").raise_for_status()
    assert code(api.get("peers/FIRST")) == (404, "no-such-peer")


def test_a_certificate_is_read_when_the_peer_is_added(api: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    response = api.put("peers/NEW", json={"host": "h", "port": 1, "tls": True, "tls_ca": str(tmp_path / "ca.pem")})
    assert code(response) == (422, "bad-peer")
    assert str(tmp_path / "ca.pem") in response.json()["error"]["message"]


def test_a_move_finds_a_peer_that_was_added_and_not_one_that_was_removed() -> None:
    pytest.importorskip("pynetdicom")
    from pydicom import Dataset
    from pydicom.uid import CTImageStorage
    from pynetdicom import AE

    study_root_move = "1.2.840.10008.5.1.4.1.2.2.2"
    ct, wanted = Dataset(), Dataset()
    ct.SOPClassUID, ct.SOPInstanceUID, ct.PatientID = CTImageStorage, "1.2.3.4.5", "P1"
    ct.StudyInstanceUID, ct.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", "1.2.3"

    with MockPACS(aet="NEW") as receiver, MockPACS(http=0) as pacs, client_of(pacs) as api:
        pacs.archive.add(ct)
        ae = AE()
        ae.add_requested_context(study_root_move)
        association = ae.associate(pacs.host, pacs.port)

        def moved() -> int:
            *_, (final, _) = association.send_c_move(wanted, "NEW", study_root_move)
            return int(final.Status)

        assert moved() == 0xA801
        api.put("peers/NEW", json={"host": receiver.host, "port": receiver.port}).raise_for_status()
        assert moved() == 0x0000
        receiver.verify("C-STORE", status="success", count=1)
        api.delete("peers/NEW").raise_for_status()
        assert moved() == 0xA801
        association.release()
