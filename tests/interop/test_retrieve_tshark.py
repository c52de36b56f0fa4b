"""Wireshark as the judge of a recorded C-MOVE and C-GET: it sees both associations, and every instance comes out."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.traffic.exchange import Exchange, Notice, Record
from tests.interop import judge, phantom, scu
from tests.interop.collection import uid
from tests.interop.phantom import CT
from tests.interop.programs import getscu, movescu, storescp
from tests.interop.retrieving import move, receiving
from tests.interop.test_recording_tshark import assert_no_complaints, assert_same_as_reported, dissect, serving, tshark
from tests.interop.test_tls import make

EXPLICIT = "1.2.840.10008.1.2.1"
LARGE = 300_000
"""Bytes. Wireshark exports only objects that come in several pieces."""
STUDY = ["QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid(1)}"]


def recording_of(pacs: MockPACS) -> Path:
    path = pacs.recording
    assert path is not None
    return path


def fill(pacs: MockPACS, count: int, size: int) -> None:
    made = (phantom.instance(number=number, EncapsulatedDocument=bytes(size)) for number in range(1, count + 1))
    assert set(scu.store(pacs, *made)) == {0}


def exported(path: Path, folder: Path) -> int:
    """How many objects Wireshark takes out of a recording; each has to be a Part 10 file."""
    folder.mkdir()
    tshark(path, "--export-objects", f"dicom,{folder}")
    assert all(each.read_bytes()[128:132] == b"DICM" for each in folder.iterdir())
    return len(list(folder.iterdir()))


def by(records: list[Record], **wanted: Any) -> list[Exchange]:
    exchanges = [record for record in records if isinstance(record, Exchange)]
    return [one for one in exchanges if all(getattr(one, name) == value for name, value in wanted.items())]


@pytest.mark.parametrize("size", [1_000, LARGE])
def test_a_move_by_dcmtk_has_two_connections_that_are_read_without_complaint(tmp_path: Path, size: int) -> None:
    records: list[Record] = []
    with serving(tmp_path, records) as pacs, storescp(tmp_path / "received") as port:
        path = recording_of(pacs)
        fill(pacs, 4, size)
        pacs.peers.add("STORESCP", "127.0.0.1", port)
        moved = movescu(pacs, "STORESCP", "-S", STUDY)
        assert (moved.status, moved.counts) == (0x0000, (4, 0, 0))
    assert_same_as_reported(path, records)
    (retrieve,) = by(records, service="C-MOVE")
    legs = by(records, cause=retrieve.id)
    assert len(legs) == 4
    number = legs[0].association.number
    (syn,) = [line for line in streams(path) if line.endswith(f"\t{port}")]
    assert syn
    comment = f"connection {number} to 127.0.0.1:{port} for {retrieve.id}"
    assert tshark(path, "-Y", f'frame.comment contains "{comment}"').count("\n") == 1
    ours = tshark(path, "-Y", f"tcp.dstport == {port}", "-O", "dicom")
    assert ours.count("PDU Type: ASSOC Request (0x01)\n") == 1
    assert ours.count("Move Originator Application Entity Title") == 4
    assert ours.count("PDU Type: RELEASE Request (0x05)\n") == 1
    if size >= LARGE:
        assert exported(path, tmp_path / "objects") == 8  # stored, and moved


def streams(path: Path) -> list[str]:
    """Who connected to whom: source and destination port of each SYN."""
    fields = ("-T", "fields", "-e", "tcp.srcport", "-e", "tcp.dstport")
    return tshark(path, "-Y", "tcp.flags.syn == 1 and tcp.flags.ack == 0", *fields).splitlines()


@pytest.mark.parametrize("size", [1_000, LARGE])
def test_a_get_by_dcmtk_has_requests_in_both_directions(tmp_path: Path, size: int) -> None:
    records: list[Record] = []
    with serving(tmp_path, records) as pacs:
        path = recording_of(pacs)
        fill(pacs, 4, size)
        got = getscu(pacs, tmp_path / "got", "-S", STUDY)
        assert (got.status, got.counts) == (0x0000, (4, 0, 0))
        port = pacs.port
    assert len(judge.by_instance((tmp_path / "got").iterdir())) == 4
    assert_same_as_reported(path, records)
    (retrieve,) = by(records, service="C-GET")
    assert len(by(records, cause=retrieve.id, asked_by_us=True)) == 4
    from_us = tshark(path, "-Y", f"tcp.srcport == {port}", "-O", "dicom")
    assert from_us.count("PDV, C-GET-RSP ID=") == 4
    assert from_us.count("C-STORE-RQ") >= 4
    if size >= LARGE:
        assert exported(path, tmp_path / "objects") == 8


def test_a_move_with_failures_over_tls_is_seen_in_clear(tmp_path: Path) -> None:
    authority = make(tmp_path, "authority")
    identity = make(tmp_path, "receiver", authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    records: list[Record] = []
    with (
        serving(tmp_path, records) as pacs,
        receiving([(CT, EXPLICIT)], lambda number, _: 0xA700 * (number % 2), ssl_context=context) as receiver,
    ):
        path = recording_of(pacs)
        fill(pacs, 5, 100_000)
        pacs.peers.add("SECURE", "127.0.0.1", receiver.port, tls=True, tls_ca=authority.certificate)
        ended = move(pacs, scu.keys("STUDY", StudyInstanceUID=uid(1)), "SECURE")
        assert (ended.status, ended.counts) == (0xB000, (2, 3, 0))
    assert_same_as_reported(path, records)


def test_a_destination_that_ends_badly_looks_like_it(tmp_path: Path) -> None:
    """Rejected, aborted, nobody there: no end of a connection of ours looks wrong."""

    def abort(_number: int, event: Any) -> int:
        event.assoc.abort()
        return 0x0000

    records: list[Record] = []
    with (
        serving(tmp_path, records) as pacs,
        receiving([(CT, EXPLICIT)], only_from="SOMEBODY") as closed,
        receiving([(CT, EXPLICIT)], abort) as mortal,
    ):
        path = recording_of(pacs)
        fill(pacs, 2, 100_000)
        pacs.peers.add("CLOSED", "127.0.0.1", closed.port)
        pacs.peers.add("MORTAL", "127.0.0.1", mortal.port)
        for name in ("CLOSED", "MORTAL"):
            assert move(pacs, scu.keys("STUDY", StudyInstanceUID=uid(1)), name).status == 0xA702
    assert_no_complaints(path)
    shown = dissect(path)
    assert shown.text.count("PDU Type: ASSOC Reject (0x03)\n") == 1
    assert shown.text.count("PDU Type: ABORT (0x07)\n") == 1
    assert {each.kind for each in records if isinstance(each, Notice)} >= {"rejected", "aborted"}
