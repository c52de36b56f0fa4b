"""The data sets of exchanges as test authors see them: what was sent, in every transfer syntax and character set."""

from __future__ import annotations

import io
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless

from mockpacs import MockPACS
from mockpacs.errors import RecordingError
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording import dataset as module
from mockpacs.wire import AssociateAC, ProposedContext
from mockpacs.wire.part10 import decode_head
from tests.conftest import wheel_files
from tests.net.wire_client import CT, STUDY_ROOT_FIND, WireClient, ct_image, element

DEFLATED = str(DeflatedExplicitVRLittleEndian)


@pytest.fixture(scope="module")
def pacs() -> Iterator[MockPACS]:
    with MockPACS() as serving:
        yield serving


def stored(
    pacs: MockPACS, data: bytes, syntax: str = str(ExplicitVRLittleEndian), instance: str = "1.2.3.4"
) -> Exchange:
    """The exchange of a C-STORE with these bytes as its data set."""
    mark = pacs.journal.mark
    with WireClient(pacs.host, pacs.port) as client:
        answer = client.associate(ProposedContext(3, CT, (syntax,)))
        assert isinstance(answer, AssociateAC)
        assert answer.contexts[0].result == 0, syntax
        client.send(client.store_request(data, instance))
        client.response()
        client.release()
    pacs.desk.settle()
    (found,) = [record for record in pacs.journal.since(mark) if isinstance(record, Exchange)]
    return found


def deflated(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def read(exchange: Exchange) -> Dataset:
    found = exchange.dataset
    assert found is not None
    return found


@pytest.mark.filterwarnings("ignore")  # of pydicom, about oddities in the files
def test_what_was_sent_is_what_pydicom_reads_from_the_file(pacs: MockPACS) -> None:
    seen: set[str] = set()
    for path in wheel_files("*"):
        content = path.read_bytes()
        try:
            expected = dcmread(io.BytesIO(content))
        except Exception:
            continue  # what pydicom cannot read is the matter of another test
        head = decode_head(content)
        if head is None or not head.meta.transfer_syntax or not content[head.data_offset :]:
            continue
        found = read(stored(pacs, content[head.data_offset :], head.meta.transfer_syntax))
        assert found == expected, path.name
        assert found.file_meta.TransferSyntaxUID == head.meta.transfer_syntax
        seen.add(head.meta.transfer_syntax)

    assert {"1.2.840.10008.1.2", "1.2.840.10008.1.2.2", DEFLATED, str(RLELossless)} < seen
    assert len(seen) > 10


@pytest.mark.parametrize("path", wheel_files("chr*.dcm"), ids=lambda path: path.name)
def test_text_is_read_in_its_character_set(pacs: MockPACS, path: Path) -> None:
    expected, content = dcmread(path), path.read_bytes()
    head = decode_head(content)
    assert head is not None
    found = read(stored(pacs, content[head.data_offset :], head.meta.transfer_syntax))

    names = [str(element.value) for element in expected.iterall() if element.VR == "PN"]
    assert [str(element.value) for element in found.iterall() if element.VR == "PN"] == names != []


def test_compressed_pixel_data_is_as_pydicom_has_it(pacs: MockPACS) -> None:
    (path,) = wheel_files("**/MR_small_RLE.dcm")
    expected, content = dcmread(path), path.read_bytes()
    head = decode_head(content)
    assert head is not None
    found = read(stored(pacs, content[head.data_offset :], head.meta.transfer_syntax))

    assert found.file_meta.TransferSyntaxUID.is_encapsulated
    assert found.PixelData == expected.PixelData
    assert found["PixelData"].is_undefined_length


def test_it_can_be_saved_and_read_again(pacs: MockPACS, tmp_path: Path) -> None:
    for syntax, data in ((str(ExplicitVRLittleEndian), ct_image()), (DEFLATED, deflated(ct_image()))):
        found = read(stored(pacs, data, syntax))
        found.save_as(tmp_path / "saved.dcm", enforce_file_format=True)
        again = dcmread(tmp_path / "saved.dcm")

        assert again.file_meta.TransferSyntaxUID == syntax
        assert again == found


def test_it_is_read_anew_every_time(pacs: MockPACS) -> None:
    exchange = stored(pacs, ct_image(patient="P7"))
    read(exchange).PatientID = "changed"

    assert read(exchange).PatientID == "P7"
    assert exchange.matches == []
    assert exchange.duration == exchange.seconds > 0


def test_a_query_has_its_identifier_and_its_matches(pacs: MockPACS) -> None:
    pacs.when("C-FIND").answer([{"PatientName": "DOE^JANE"}, {"PatientName": "DOE^JOHN"}])
    with WireClient(pacs.host, pacs.port) as client:
        client.associate()
        client.find(element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"DOE*"))
        client.echo()
        client.release()
    query = pacs.wait_for("C-FIND")
    echo = pacs.wait_for("C-ECHO")

    assert read(query).PatientName == "DOE*"
    assert [str(match.PatientName) for match in query.matches] == ["DOE^JANE", "DOE^JOHN"]
    assert query.sop_class == STUDY_ROOT_FIND
    assert (echo.dataset, echo.matches) == (None, [])


def test_explicit_that_is_implicit_is_seen_through(pacs: MockPACS) -> None:
    data = b"\x10\0\x20\0" + (2).to_bytes(4, "little") + b"P1"

    assert read(stored(pacs, data)).PatientID == "P1"


def test_a_value_that_was_cut_is_what_there_is_of_it(pacs: MockPACS) -> None:
    found = read(stored(pacs, ct_image()[:-10]))

    assert (found.PatientID, len(found.PixelData)) == ("P1", 54)


# large and hostile


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WHOLE_AT_MOST", 20_000)
    monkeypatch.setattr(module, "HEAD_AT_MOST", 2_000)


@pytest.mark.usefixtures("small_limits")
def test_a_large_one_comes_without_its_pixel_data(pacs: MockPACS) -> None:
    whole, large = stored(pacs, ct_image(pixels=19_000)), stored(pacs, ct_image(pixels=300_000))

    assert len(read(whole).PixelData) == 19_000
    assert read(large).InstanceNumber == 1
    assert "PixelData" not in read(large)


@pytest.mark.usefixtures("small_limits")
def test_so_does_one_that_inflates_to_much(pacs: MockPACS) -> None:
    bomb = deflated(ct_image(pixels=8_000_000))
    assert len(bomb) < 20_000

    found = read(stored(pacs, bomb, DEFLATED))
    assert found.PatientID == "P1"
    assert "PixelData" not in found


@pytest.mark.usefixtures("small_limits")
def test_one_whose_header_is_too_long_is_read_as_far_as_is_looked(pacs: MockPACS) -> None:
    data = (
        element(0x00080060, "CS", b"CT") + element(0x00104000, "UN", bytes(50_000)) + element(0x0020000D, "UI", b"1.2")
    )

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read(stored(pacs, data))
    assert [element.keyword for element in found] == ["Modality"]


@pytest.mark.parametrize(
    ("data", "syntax"),
    [
        (b"\x08\0\x40\x11OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\4\0\0\0PQ", ""),
        (deflated(ct_image())[:50], DEFLATED),
        (b"\xff" * 100, DEFLATED),
        ((b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff") * 3000, ""),
    ],
    ids=["cut", "deflated, cut", "not deflated", "deep"],
)
def test_what_pydicom_cannot_read_is_told_in_a_sentence(pacs: MockPACS, data: bytes, syntax: str) -> None:
    exchange = stored(pacs, data, syntax or str(ExplicitVRLittleEndian))

    with pytest.raises(RecordingError, match=rf"pydicom cannot read a data set of exchange {exchange.id}: .*--dataset"):
        str(exchange.dataset)


# where there is nothing to read


def test_without_a_recording_the_remedy_is_told() -> None:
    with MockPACS(record=False) as pacs:
        exchange = stored(pacs, ct_image())
        with pytest.raises(RecordingError, match=r"Exchange 1.1 was not recorded.*record=False"):
            _ = exchange.dataset
        with WireClient(pacs.host, pacs.port) as client:
            client.associate()
            client.find(element(0x00080052, "CS", b"STUDY"))
        with pytest.raises(RecordingError, match="its matches are not known"):
            _ = pacs.wait_for("C-FIND").matches


def test_after_the_stop_the_remedy_is_told() -> None:
    with MockPACS() as pacs:
        exchange = stored(pacs, ct_image())
    with pytest.raises(RecordingError, match="recordings=FOLDER"):
        _ = exchange.dataset


def test_a_recording_that_was_kept_is_read_after_the_stop(tmp_path: Path) -> None:
    with MockPACS(recordings=tmp_path) as pacs:
        exchange = stored(pacs, ct_image(patient="P9"))
    assert read(exchange).PatientID == "P9"

    (path,) = tmp_path.glob("*.pcapng")
    assert exchange.place is not None
    path.write_bytes(path.read_bytes()[: exchange.place.end - 500])
    with pytest.raises(RecordingError, match=r"The recording has \d+ of the 220 bytes"):
        _ = exchange.dataset


def test_an_exchange_of_a_recording_is_read_as_well(tmp_path: Path) -> None:
    from mockpacs.traffic.recording.recording import Recording

    with MockPACS(recordings=tmp_path) as pacs:
        stored(pacs, ct_image(patient="P9"))
    (exchange,) = [
        one for one in Recording.open(next(tmp_path.glob("*.pcapng"))).records() if isinstance(one, Exchange)
    ]

    assert read(exchange).PatientID == "P9"
    assert read(replace(exchange, context=None)).PatientID == "P9"
