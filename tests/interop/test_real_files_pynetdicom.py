"""pynetdicom stores every file of the wheels: what is on disk afterwards is what is in the file, byte by byte."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from pydicom import dcmread, uid
from pynetdicom import StoragePresentationContexts
from pynetdicom.association import Association

from mockpacs import MockPACS
from tests.interop import judge, phantom, scu
from tests.interop.inputs import ADOPTED, NOT_SENT, Input, adopted, all_files, inputs
from tests.interop.scu import associate

# Files whose UIDs are no UIDs; nothing else may be warned about.
pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")

NO_STUDY = "The data set has no Study Instance UID"
NO_CLASS = "The data set has no SOP Class UID"
OTHER_INSTANCE = "SOP Instance UID of data set and command differ"
WARNED = {
    "JPEGLSNearLossless_08.dcm": NO_STUDY,
    "JPEGLSNearLossless_16.dcm": NO_STUDY,
    "SC_rgb_jls_lossy_line.dcm": NO_STUDY,
    "SC_rgb_jls_lossy_sample.dcm": NO_STUDY,
    "MR_truncated.dcm": "Unreadable: (7FE0,0010) says 8192 bytes, 8130 are left",
    "rtplan_truncated.dcm": "Unreadable: (300A,00B0) says 976 bytes, 711 are left",
    "UN_sequence.dcm": NO_CLASS,
    "no_meta_group_length.dcm": NO_CLASS,
    "priv_SQ.dcm": NO_CLASS,
    "chrSQEncoding.dcm": NO_CLASS,
    "chrSQEncoding1.dcm": NO_CLASS,
    "badVR.dcm": OTHER_INSTANCE,
    "rtdose.dcm": OTHER_INSTANCE,
    "rtdose_1frame.dcm": OTHER_INSTANCE,
    "rtdose_expb.dcm": OTHER_INSTANCE,
    "rtdose_expb_1frame.dcm": OTHER_INSTANCE,
    "rtplan.dcm": OTHER_INSTANCE,
    "chrJapMulti.dcm": OTHER_INSTANCE,
    "chrJapMultiExplicitIR6.dcm": OTHER_INSTANCE,
    "RTImageStorage.dcm": OTHER_INSTANCE,
}
"""Files that are stored with a warning (B007), because they are what the comment says. All others are Success."""


def contexts(files: list[Input]) -> list[tuple[str, list[uid.UID]]]:
    """One presentation context for each pair of SOP class and transfer syntax, as they come."""
    return [(sop_class, [syntax]) for sop_class, syntax in Counter((f.sop_class, f.transfer_syntax) for f in files)]


def send(association: Association, path: Path) -> tuple[int, str]:
    answer = association.send_c_store(path)
    return answer.Status, answer.get("ErrorComment", "")


def test_every_file_of_the_wheels_is_accounted_for() -> None:
    names = [name for name, _ in all_files()]
    assert len(names) == len(set(names))
    assert set(names) == {each.name for each in inputs()} | set(NOT_SENT) | set(ADOPTED)
    assert len(inputs()) >= 174


def test_the_files_bring_every_kind_of_transfer_syntax() -> None:
    assert {each.transfer_syntax for each in inputs()} >= {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.JPEGBaseline8Bit,
        uid.JPEGExtended12Bit,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEGLSNearLossless,
        uid.JPEG2000Lossless,
        uid.JPEG2000,
        uid.RLELossless,
    }


@pytest.mark.usefixtures("bytes_as_they_are")
def test_every_file_is_stored_byte_by_byte(storage: Path, tmp_path: Path) -> None:
    files = list(inputs())
    with MockPACS(storage=storage, on_duplicate="replace") as pacs:
        recording = pacs.recording
        association = associate(pacs, *contexts(files))
        assert not association.rejected_contexts
        warned, differing = {}, []
        for each in files:
            status, comment = send(association, each.path)
            assert status == (0xB007 if each.name in WARNED else 0x0000), (each.name, comment)
            if status:
                warned[each.name] = comment
            entry = pacs.archive.instance(each.sop_instance)
            assert entry is not None
            kept = judge.read(storage / entry.path)
            said = (kept.sop_class, kept.sop_instance, kept.transfer_syntax, kept.source_aet)
            if (
                said != (each.sop_class, each.sop_instance, each.transfer_syntax, "PYNETDICOM")
                or kept.data != each.data
            ):
                differing.append(each.name)
        association.release()
    assert differing == []
    assert warned == WARNED
    assert judge.stored(storage).keys() == {each.sop_instance for each in files}
    assert recording is not None
    assert judge.exported(recording, tmp_path / "exported") == Counter(
        (each.sop_class, each.sop_instance, each.transfer_syntax, each.data) for each in files
    )


@pytest.mark.usefixtures("bytes_as_they_are")
def test_data_sets_without_usable_file_meta_information_are_stored_byte_by_byte(pacs: MockPACS, tmp_path: Path) -> None:
    files = adopted()
    association = associate(pacs, *contexts(files))
    for each in files:
        path = phantom.wrap(tmp_path / each.name, each.sop_class, each.sop_instance, each.transfer_syntax, each.data)
        status, comment = send(association, path)
        assert status == 0xB007, (each.name, comment)  # the test gave each another instance UID
    association.release()
    kept = judge.stored(pacs.options.storage)
    assert {name: file.data for name, file in kept.items()} == {str(each.sop_instance): each.data for each in files}
    assert [kept[each.sop_instance].transfer_syntax for each in files] == [each.transfer_syntax for each in files]


PRIVATE_CLASSES = (
    "1.2.826.0.1.3680043.9.7999.4.1",
    "2.25.329800735698586629295641978511506172918",
    "1.3.12.2.1107.5.9.1",
)
GE_PRIVATE = "1.2.840.113619.5.2"  # implicit little endian, pixels in big endian
PRIVATE_SYNTAXES = ("1.2.826.0.1.3680043.9.7999.5.1", GE_PRIVATE, "2.25.217359463158478235")


def test_private_sop_classes_and_transfer_syntaxes_are_stored(pacs: MockPACS) -> None:
    pairs = [(sop_class, syntax) for sop_class in (*PRIVATE_CLASSES, phantom.CT) for syntax in PRIVATE_SYNTAXES]
    association = associate(pacs, *((sop_class, [syntax]) for sop_class, syntax in pairs))
    assert [(c.abstract_syntax, *c.transfer_syntax) for c in association.accepted_contexts] == pairs
    sent = {}
    for number, context in enumerate(association.accepted_contexts, 1):
        made = phantom.instance(number=number, SOPClassUID=context.abstract_syntax)
        data = phantom.encoded(made, implicit=context.transfer_syntax[0] == GE_PRIVATE)
        assert scu.send_bytes(association, context, made.SOPInstanceUID, data).Status == 0x0000
        sent[made.SOPInstanceUID] = (context.abstract_syntax, context.transfer_syntax[0], data)
    association.release()
    kept = judge.stored(pacs.options.storage)
    assert {name: (file.sop_class, file.transfer_syntax, file.data) for name, file in kept.items()} == sent


@pytest.mark.usefixtures("bytes_as_they_are")
def test_oddities_of_an_encoding_survive(pacs: MockPACS, tmp_path: Path) -> None:
    """Group lengths, undefined lengths, strange paddings, an unknown VR, tags out of order, nothing is put right."""
    made = phantom.instance()
    odd = b"".join(
        (
            b"\x08\0\0\0UL\4\0\xff\xff\0\0",  # a group length that is wrong
            phantom.encoded(made),
            b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"  # undefined lengths, an empty item
            b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0",
            b"\x09\0\x10\0LO\x06\0ODD   \x09\0\x01\x10ZZ\4\0abcd",  # a VR that nobody knows
            b"\x08\0\x70\0LO\5\0PADS\0",  # out of order, of odd length, padded with NUL
            b"\xfc\xff\xfc\xffOB\0\0\4\0\0\0\1\2\3\4",  # data set trailing padding
        )
    )
    path = phantom.wrap(tmp_path / "odd.dcm", made.SOPClassUID, made.SOPInstanceUID, uid.ExplicitVRLittleEndian, odd)
    association = associate(pacs, (made.SOPClassUID, [uid.ExplicitVRLittleEndian]))
    status, comment = send(association, path)
    association.release()
    assert status in (0x0000, 0xB007), comment
    assert judge.stored(pacs.options.storage)[made.SOPInstanceUID].data == odd


def test_the_contexts_that_pynetdicom_proposes_by_itself_will_do(pacs: MockPACS) -> None:
    """They name four transfer syntaxes each; which of them is taken is ours to choose, what arrives is the same."""
    made = phantom.instance(ImageComments="x" * 2_000)
    proposed = [(context.abstract_syntax, context.transfer_syntax) for context in StoragePresentationContexts]
    association = associate(pacs, *proposed)
    assert len(association.accepted_contexts) == len(StoragePresentationContexts)
    assert association.send_c_store(made).Status == 0x0000
    association.release()
    stored = dcmread(judge.stored(pacs.options.storage)[made.SOPInstanceUID].path)
    assert stored.to_json_dict() == made.to_json_dict()
