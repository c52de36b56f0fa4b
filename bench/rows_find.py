"""C-FIND: all studies of an archive filled over the network, single studies in an index of a million instances."""

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.clients import Association, BenchError, findscu, run_tool, storescu
from bench.data import DATA, STUDIES, files
from bench.encoding import STUDY_ROOT_FIND, element
from bench.measure import Metric, Row, Sample, Scale, at_most, of_time
from bench.peers import DCMQRSCP, MOCKPACS, ORTHANC, QRSCP
from bench.servers import ROOT, Peer, running
from bench.synthetic import STUDIES_PER_PATIENT, Study, study

MANY = 100_000
QUERIES = 50
FEW = 400  # dcmqrscp's index ends at 500 studies (DB_UpperMaxStudies): its process dies on the next one

# Attributes of patient and study that Orthanc keeps in its index too: no peer must open a file to answer.
RETURN_KEYS = (
    (0x00080020, "DA", "StudyDate"),
    (0x00080030, "TM", "StudyTime"),
    (0x00080050, "SH", "AccessionNumber"),
    (0x00080090, "PN", "ReferringPhysicianName"),
    (0x00081030, "LO", "StudyDescription"),
    (0x00100010, "PN", "PatientName"),
    (0x00100020, "LO", "PatientID"),
    (0x00100030, "DA", "PatientBirthDate"),
    (0x00100040, "CS", "PatientSex"),
    (0x0020000D, "UI", "StudyInstanceUID"),
    (0x00200010, "SH", "StudyID"),
)


def identifier(keys: dict[str, str]) -> bytes:
    """A study level identifier that returns all of RETURN_KEYS and matches `keys`."""
    level = element(0x00080052, "CS", "STUDY")
    values = {tag: element(tag, vr, keys.get(name, "")) for tag, vr, name in RETURN_KEYS}
    return b"".join(encoded for _, encoded in sorted([(0x00080052, level), *values.items()]))


@contextmanager
def _filled(peer: Peer, count: int) -> Iterator[Sample]:
    everything = identifier({})
    keys = ["QueryRetrieveLevel=STUDY", *(name for _, _, name in RETURN_KEYS)]
    with running(peer) as server:
        run_tool(storescu(server.port, files(STUDIES, count)))

        def sample() -> dict[str, float]:
            with Association(server.port, STUDY_ROOT_FIND) as association:
                began = time.perf_counter()
                matches = association.find(everything)
                server_seconds = time.perf_counter() - began
            if matches != count:
                raise BenchError(f"{count} studies were stored, C-FIND answered with {matches}")
            began = time.perf_counter()
            run_tool(findscu(server.port, keys))
            return {"findscu": time.perf_counter() - began, "server": 1000 * server_seconds}

        yield sample


@contextmanager
def _all_studies(peer: Peer, scale: Scale) -> Iterator[Sample]:
    with _filled(peer, scale.of(STUDIES.instances)) as sample:
        yield sample


@contextmanager
def _few_studies(peer: Peer, scale: Scale) -> Iterator[Sample]:
    with _filled(peer, scale.of(FEW)) as sample:
        yield sample


@contextmanager
def _by_key(peer: Peer, scale: Scale) -> Iterator[Sample]:
    studies = scale.of(MANY)
    storage = _indexed_storage(studies)
    with running(peer, directory=storage) as server:

        def sample() -> dict[str, float]:
            with Association(server.port, STUDY_ROOT_FIND) as association:
                return {name: _median_milliseconds(association, name, studies) for name in KEYS}

        yield sample


KEYS: dict[str, Callable[[Study], str]] = {
    "PatientID": lambda wanted: wanted.patient_id,
    "StudyInstanceUID": lambda wanted: wanted.uid,
    "AccessionNumber": lambda wanted: wanted.accession_number,
    "PatientName": lambda wanted: f"{wanted.patient_name[:3]}*",
}


def _median_milliseconds(association: Association, name: str, studies: int) -> float:
    milliseconds = []
    for number in range(0, studies, studies // QUERIES):
        asked = identifier({name: KEYS[name](study(number))})
        began = time.perf_counter()
        matches = association.find(asked)
        milliseconds.append(1000 * (time.perf_counter() - began))
        _check_matches(name, matches, study(number), studies)
    return statistics.median(milliseconds)


def _check_matches(name: str, matches: int, wanted: Study, studies: int) -> None:
    if name == "PatientID":
        first = int(wanted.patient_id[1:]) * STUDIES_PER_PATIENT
        expected = range(min(STUDIES_PER_PATIENT, studies - first), STUDIES_PER_PATIENT + 1)
    elif name == "PatientName":
        expected = range(1, 100)
    else:
        expected = range(1, 2)
    if matches not in expected:
        raise BenchError(f"C-FIND by {name} for study {wanted.uid}: {matches} matches")


def _indexed_storage(studies: int) -> Path:
    """A storage directory with that index; kept until the archive's code changes, as filling takes half a minute."""
    code = hashlib.sha256()
    for path in [*sorted((ROOT / "mockpacs" / "archive").glob("*.py")), Path(__file__).with_name("synthetic.py")]:
        code.update(path.read_bytes())
    directory = DATA / f"index-{studies}-{code.hexdigest()[:12]}"
    if not directory.is_dir():
        for old in DATA.glob(f"index-{studies}-*"):
            shutil.rmtree(old)
        unfinished = directory.with_name(f"{directory.name}.unfinished")
        command = [sys.executable, "-m", "bench.big_index", str(unfinished / "storage"), str(studies)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        unfinished.mkdir(parents=True)
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode:
            raise BenchError(f"bench.big_index: {done.stderr.strip()[-300:]}")
        unfinished.rename(directory)
    return directory


ROWS = (
    Row(
        "find-all",
        [
            Metric(
                "findscu",
                "C-FIND, all of 2000 studies, 11 keys, findscu",
                "s",
                reach=[of_time(2 / 3, ORTHANC, "two thirds of Orthanc's time")],
                aim=[of_time(1 / 3, ORTHANC, "a third of Orthanc's time")],
            ),
            Metric("server", "- the same, raw client: the server's time alone", "ms"),
        ],
        [MOCKPACS, ORTHANC, QRSCP],
        _all_studies,
        expected_seconds=45,
        needs=["storescu", "findscu"],
    ),
    Row(
        "find-400",
        [
            Metric("findscu", "C-FIND, all of 400 studies, 11 keys, findscu", "s"),
            Metric("server", "- the same, raw client: the server's time alone", "ms"),
        ],
        [MOCKPACS, ORTHANC, DCMQRSCP],
        _few_studies,
        expected_seconds=10,
        needs=["storescu", "findscu"],
        note="As many studies as dcmqrscp can hold, whose index ends at 500.",
    ),
    Row(
        "find-by-key",
        [
            Metric(
                name,
                f"{'C-FIND in 100 000 studies, 1 000 000 instances, by' if name == 'PatientID' else '- by'} {label}",
                "ms",
                reach=[at_most(10, "ms")],
                aim=[at_most(2, "ms")],
            )
            for name, label in zip(
                KEYS, ("PatientID", "StudyInstanceUID", "AccessionNumber", "PatientName=XYZ*"), strict=True
            )
        ],
        [MOCKPACS],
        _by_key,
        expected_seconds=60,
        note="mockpacs alone; the index is written by the archive's own code. A run is the median of 50 queries.",
    ),
)
