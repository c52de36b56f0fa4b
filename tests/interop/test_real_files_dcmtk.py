"""DCMTK stores every file of the wheels.

Its clients decode a data set and encode it again, so a file does not say what they sent. DCMTK's own storescp in
bit-preserving mode does: it gets the same files, and both archives must hold the same bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from mockpacs import MockPACS
from tests.interop import judge
from tests.interop.inputs import Input, inputs, waves
from tests.interop.programs import Ran, run

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")

NOT_SENT = {
    "SC_rgb_jpeg.dcm": "implicit VR under the name of an explicit transfer syntax: DCMTK cannot read it",
    "MR_truncated.dcm": "cut: DCMTK cannot read it",
    "rtplan_truncated.dcm": "cut: DCMTK cannot read it",
    "rtdose_rle.dcm": "everything has VR UN: DCMTK finds no SOP class in it",
    "rtdose_rle_1frame.dcm": "everything has VR UN: DCMTK finds no SOP class in it",
    "UN_sequence.dcm": "no SOP Class and Instance UID in the data set",
    "no_meta_group_length.dcm": "no SOP Class and Instance UID in the data set",
    "priv_SQ.dcm": "no SOP Class and Instance UID in the data set",
    "chrSQEncoding.dcm": "no SOP Class and Instance UID in the data set",
    "chrSQEncoding1.dcm": "no SOP Class and Instance UID in the data set",
}
"""What DCMTK's clients refuse to send, and why. pynetdicom sends all of them."""

NOT_PROPOSED = {
    "liver_1frame.dcm": "a class that storescu proposes only with -R, then in one context for three syntaxes",
    "liver_expb_1frame.dcm": "as liver_1frame.dcm",
}
"""What storescu alone does not send in its own transfer syntax; dcmsend sends both."""

WITHOUT_STUDY = {
    "JPEGLSNearLossless_08.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "SC_rgb_jls_lossy_sample.dcm",
}

PROPOSALS = {
    "1.2.840.10008.1.2": ("-xi",),
    "1.2.840.10008.1.2.1": ("-xe",),
    "1.2.840.10008.1.2.2": ("-xb",),
    "1.2.840.10008.1.2.1.99": ("-R", "-xd"),
    "1.2.840.10008.1.2.4.50": ("-R", "-xy"),
    "1.2.840.10008.1.2.4.51": ("-R", "-xx"),
    "1.2.840.10008.1.2.4.70": ("-R", "-xs"),
    "1.2.840.10008.1.2.4.80": ("-R", "-xt"),
    "1.2.840.10008.1.2.4.81": ("-R", "-xu"),
    "1.2.840.10008.1.2.4.90": ("-R", "-xv"),
    "1.2.840.10008.1.2.4.91": ("-R", "-xw"),
    "1.2.840.10008.1.2.5": ("-R", "-xr"),
}
"""How storescu is told to propose a transfer syntax. -R leaves out the classes that no file has."""

WARNING = "(Warning: DataSetDoesNotMatchSOPClass)"


class Comparison:
    """Sends files to mockpacs and to the reference, and keeps what both have."""

    def __init__(self, pacs: MockPACS, reference: tuple[int, Path]) -> None:
        self.pacs = pacs
        self.port, self.folder = reference
        self.sent: set[str] = set()
        self.unlike_reference: list[str] = []
        self.unlike_syntax: list[str] = []
        self.like_file: set[str] = set()
        self.stored: Counter[judge.Content] = Counter()
        self._seen: set[Path] = set()

    def send(self, files: list[Input], *command: str) -> Ran:
        """The same command to both, and a comparison; what mockpacs' client said."""
        paths = [each.path for each in files]
        answer = run(*command, self.pacs.host, self.pacs.port, *paths)
        run(*command, "127.0.0.1", self.port, *paths, nagle=False)
        new = set(self.folder.iterdir()) - self._seen
        self._seen |= new
        self._compare(files, judge.by_instance(new))
        return answer

    def _compare(self, files: list[Input], reference: dict[str, judge.OnDisk]) -> None:
        kept = judge.stored(self.pacs.options.storage)
        for each in files:
            found = next((uid for uid in (each.instance_in_data_set, each.sop_instance) if uid in reference), None)
            if found is None:
                continue
            self.sent.add(each.name)
            theirs, ours = reference[found], kept[found]
            self.stored[ours.content] += 1
            if (theirs.sop_class, theirs.transfer_syntax, theirs.data) != (
                ours.sop_class,
                ours.transfer_syntax,
                ours.data,
            ):
                self.unlike_reference.append(each.name)
            if ours.transfer_syntax != each.transfer_syntax:
                self.unlike_syntax.append(each.name)
            if ours.data == each.data:
                self.like_file.add(each.name)


def test_dcmsend_stores_every_file(storage: Path, reference: tuple[int, Path], tmp_path: Path) -> None:
    with MockPACS(storage=storage, on_duplicate="replace") as pacs:
        recording = pacs.recording
        comparison = Comparison(pacs, reference)
        said = [comparison.send(wave, "dcmsend", "-v", "-nh", "-nuc") for wave in waves(inputs())]
    assert {each.name for each in inputs()} - comparison.sent == set(NOT_SENT)
    files = {each.name: each for each in inputs()}
    # Beside deflated dcmsend offers explicit: that is taken, the reference takes deflated.
    deflated = "1.2.840.10008.1.2.1.99"
    assert {files[name].transfer_syntax for name in comparison.unlike_reference} == {deflated}
    assert len(comparison.like_file) > 100
    # Every file in a compressed transfer syntax came in it; of the others dcmsend offers all three, explicit is taken.
    explicit = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.2", deflated}
    assert {files[name].transfer_syntax for name in comparison.unlike_syntax} == explicit
    refused = [line for ran in said for line in ran.lines("Received C-STORE Response") if "(Success)" not in line]
    # The two files with VR UN come without an Affected SOP Class UID in the command: that is refused (0122).
    expected = [WARNING] * len(WITHOUT_STUDY) + ["(Refused: SOPClassNotSupported)"] * 2
    assert sorted(refused) == sorted(f"I: Received C-STORE Response {what}" for what in expected)
    assert recording is not None
    exported = judge.exported(recording, tmp_path / "exported")
    assert comparison.stored - exported == Counter()
    assert (exported - comparison.stored).total() == 2, "what was refused was sent all the same"


def test_storescu_stores_every_file_in_its_own_transfer_syntax(
    storage: Path, reference: tuple[int, Path], tmp_path: Path
) -> None:
    said: list[str] = []
    with MockPACS(storage=storage, on_duplicate="replace") as pacs:
        recording = pacs.recording
        comparison = Comparison(pacs, reference)
        for wave in waves(inputs()):
            by_syntax = defaultdict(list)
            for each in wave:
                if each.name not in NOT_SENT and each.name not in NOT_PROPOSED:
                    by_syntax[each.transfer_syntax].append(each)
            for syntax, files in by_syntax.items():
                ran = comparison.send(files, "storescu", "-v", "-nh", *PROPOSALS[syntax])
                assert ran.status == 0, ran.text
                assert ran.status == 0, ran.text
                said += ran.lines("Received Store Response")
    assert {each.name for each in inputs()} - comparison.sent == set(NOT_SENT) | set(NOT_PROPOSED)
    assert comparison.unlike_reference == []
    assert comparison.unlike_syntax == []
    assert len(said) == len(comparison.sent)
    assert [line for line in said if "(Success)" not in line] == [f"I: Received Store Response {WARNING}"] * len(
        WITHOUT_STUDY
    )
    assert recording is not None
    assert judge.exported(recording, tmp_path / "exported") == comparison.stored
