"""Generated, seeded CT instances, the same bytes on every machine; kept in bench/data/ between runs."""

import hashlib
import random
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.encoding import CT_IMAGE_STORAGE, EXPLICIT_LITTLE, IMPLEMENTATION_CLASS, element, uid

DATA = Path(__file__).parent / "data"
UID_ROOT = "2.25.20240607"
SEED = 20240607


@dataclass(frozen=True, slots=True)
class Series:
    """How many instances of what size, spread over how many studies (one series each)."""

    name: str
    instances: int
    studies: int
    rows: int
    columns: int


SMALL = Series("small", instances=1000, studies=10, rows=64, columns=80)  # 12 kB, 2 of them header
LARGE = Series("large", instances=400, studies=1, rows=512, columns=512)
STUDIES = Series("studies", instances=2000, studies=2000, rows=8, columns=8)

FAMILY_NAMES = ("MUELLER", "SCHMIDT", "ROSSI", "SMITH", "TANAKA", "NOVAK", "SILVA", "JANSEN", "KOWALSKI", "ANDERSSON")
GIVEN_NAMES = ("ANNA", "BEN", "CLARA", "DAVID", "EVA", "FELIX", "GRETA", "HUGO", "IDA", "JAN")
DESCRIPTIONS = ("CT THORAX", "CT ABDOMEN", "CT HEAD", "CT ANGIO", "CT SPINE", "CT PELVIS")

# What a scanner writes besides the identifying attributes, after pydicom's CT_small.dcm.
EQUIPMENT = (
    (0x00080005, "CS", "ISO_IR 100"),
    (0x00080008, "CS", "ORIGINAL\\PRIMARY\\AXIAL"),
    (0x00080014, "UI", "1.3.6.1.4.1.5962.3"),
    (0x00080060, "CS", "CT"),
    (0x00080070, "LO", "BENCH MEDICAL SYSTEMS"),
    (0x00080080, "LO", "LOOPBACK IMAGING CENTER"),
    (0x00080081, "ST", "1 Localhost Road, 12700 Loopback"),
    (0x00080201, "SH", "+0000"),
    (0x00081010, "SH", "CT01_OC0"),
    (0x00081040, "LO", "RADIOLOGY"),
    (0x00081050, "PN", "PERFORMER^PAT"),
    (0x00081070, "PN", "OPERATOR^OLE"),
    (0x00081090, "LO", "RHAPSODE"),
    (0x00090010, "LO", "GEMS_IDEN_01"),
    (0x00091001, "LO", "GE_GENESIS_FF"),
    (0x00091002, "SH", "CT01"),
    (0x00091004, "SH", "HiSpeed CT/i"),
    (0x00091030, "SH", ""),
    (0x000910E6, "SH", "05"),
    (0x00180010, "LO", "ISOVUE300/100"),
    (0x00180015, "CS", "CHEST"),
    (0x00180022, "CS", "HELICAL MODE"),
    (0x00180050, "DS", "5.000000"),
    (0x00180060, "DS", "120"),
    (0x00180088, "DS", "5.000000"),
    (0x00180090, "DS", "480.000000"),
    (0x00181000, "LO", "SN-4711"),
    (0x00181020, "LO", "05"),
    (0x00181030, "LO", "5.1 ROUTINE CHEST"),
    (0x00181040, "LO", "IV"),
    (0x00181100, "DS", "338.671600"),
    (0x00181110, "DS", "1099.3100585938"),
    (0x00181111, "DS", "630.000000"),
    (0x00181120, "DS", "0.000000"),
    (0x00181130, "DS", "133.699997"),
    (0x00181140, "CS", "CW"),
    (0x00181150, "IS", "1601"),
    (0x00181151, "IS", "170"),
    (0x00181152, "IS", "170"),
    (0x00181160, "SH", "LARGE BOWTIE FIL"),
    (0x00181170, "IS", "20"),
    (0x00181190, "DS", "0.700000"),
    (0x00181210, "SH", "STANDARD"),
    (0x00185100, "CS", "FFS"),
    (0x00190010, "LO", "GEMS_ACQU_01"),
    (0x00191002, "SL", b"\x90\x03\0\0"),
    (0x00191003, "DS", "373.750000"),
    (0x00191004, "DS", "1.016600"),
    (0x0019100F, "DS", "955.799988"),
    (0x00191011, "SS", b"\x02\0"),
    (0x00191018, "LO", "S"),
    (0x00191019, "DS", "7.791870"),
    (0x00191023, "DS", "5.000000"),
    (0x00191027, "DS", "1.000000"),
    (0x0019102C, "SL", b"\xbf\x28\0\0"),
    (0x0019102F, "DS", "984.000000"),
    (0x00191039, "SS", b"\x10\0"),
    (0x00200032, "DS", "-158.135803\\-179.035797\\-75.699997"),
    (0x00200037, "DS", "1.000000\\0.000000\\0.000000\\0.000000\\1.000000\\0.000000"),
    (0x00200060, "CS", ""),
    (0x00201040, "LO", "SN"),
    (0x00204000, "LT", "Uncompressed"),
    (0x00280002, "US", b"\x01\0"),
    (0x00280004, "CS", "MONOCHROME2"),
    (0x00280030, "DS", "0.661468\\0.661468"),
    (0x00280100, "US", b"\x10\0"),
    (0x00280101, "US", b"\x10\0"),
    (0x00280102, "US", b"\x0f\0"),
    (0x00280103, "US", b"\x01\0"),
    (0x00280120, "SS", b"\x30\xf8"),
    (0x00281050, "DS", "40"),
    (0x00281051, "DS", "400"),
    (0x00281052, "DS", "-1024"),
    (0x00281053, "DS", "1"),
)


@dataclass(frozen=True, slots=True)
class Instance:
    """One data set, and the names a command set needs."""

    sop_instance: str
    data_set: bytes

    def file(self) -> bytes:
        """The instance as a Part 10 file (PS3.10 7.1)."""
        meta = b"".join(
            (
                element(0x00020001, "OB", b"\0\1"),
                element(0x00020002, "UI", uid(CT_IMAGE_STORAGE)),
                element(0x00020003, "UI", uid(self.sop_instance)),
                element(0x00020010, "UI", uid(EXPLICIT_LITTLE)),
                element(0x00020012, "UI", uid(IMPLEMENTATION_CLASS)),
            )
        )
        group_length = element(0x00020000, "UL", len(meta).to_bytes(4, "little"))
        return bytes(128) + b"DICM" + group_length + meta + self.data_set


def instance(series: Series, number: int) -> Instance:
    """Instance `number` of `series`; the same bytes each time it is asked for."""
    chance = random.Random(f"{SEED} {series.name} {number}")
    study = number * series.studies // series.instances
    sop_instance = f"{UID_ROOT}.{_branch(series)}.{study + 1}.1.{number + 1}"
    values = dict(_identity(series, study))
    values |= {
        0x00080016: ("UI", uid(CT_IMAGE_STORAGE)),
        0x00080018: ("UI", uid(sop_instance)),
        0x00200012: ("IS", "1"),
        0x00200013: ("IS", str(number + 1)),
        0x00201041: ("DS", f"{-5 * number:.4f}"),
        0x00280010: ("US", series.rows.to_bytes(2, "little")),
        0x00280011: ("US", series.columns.to_bytes(2, "little")),
        0x7FE00010: ("OW", chance.randbytes(series.rows * series.columns * 2)),
    }
    values |= {tag: (vr, value) for tag, vr, value in EQUIPMENT}
    return Instance(sop_instance, b"".join(element(tag, *values[tag]) for tag in sorted(values)))


@cache
def _identity(series: Series, study: int) -> tuple[tuple[int, tuple[str, bytes | str]], ...]:
    """The attributes of patient, study and series: three studies to a patient."""
    patient = study // 3
    chance = random.Random(f"{SEED} {series.name} study {study}")
    day = f"20{chance.randrange(10, 24)}{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}"
    time = f"{chance.randrange(24):02}{chance.randrange(60):02}{chance.randrange(60):02}"
    root = f"{UID_ROOT}.{_branch(series)}.{study + 1}"
    family, given = FAMILY_NAMES[patient % 10], GIVEN_NAMES[patient // 10 % 10]
    texts = {
        0x00080012: ("DA", day),
        0x00080013: ("TM", time),
        0x00080020: ("DA", day),
        0x00080021: ("DA", day),
        0x00080022: ("DA", day),
        0x00080023: ("DA", day),
        0x00080030: ("TM", time),
        0x00080031: ("TM", time),
        0x00080032: ("TM", time),
        0x00080033: ("TM", time),
        0x00080050: ("SH", f"A{_branch(series)}{study:07}"),
        0x00080090: ("PN", f"REFERRER^{GIVEN_NAMES[study % 10]}"),
        0x00081030: ("LO", DESCRIPTIONS[study % len(DESCRIPTIONS)]),
        0x0008103E: ("LO", "AXIAL 5.0"),
        0x00100010: ("PN", f"{family}^{given}^{patient}"),
        0x00100020: ("LO", f"P{_branch(series)}{patient:07}"),
        0x00100030: ("DA", f"19{30 + patient % 70}0{1 + patient % 9}1{patient % 10}"),
        0x00100040: ("CS", "FM"[patient % 2]),
        0x00101010: ("AS", f"{20 + patient % 70:03}Y"),
        0x00101030: ("DS", f"{50 + patient % 50}"),
        0x001021B0: ("LT", ""),
        0x0020000D: ("UI", root),
        0x0020000E: ("UI", f"{root}.1"),
        0x00200010: ("SH", f"S{study}"),
        0x00200011: ("IS", "1"),
        0x00200052: ("UI", f"{root}.9"),
    }
    return tuple(texts.items())


def _branch(series: Series) -> int:
    return {"small": 1, "large": 2, "studies": 3}.get(series.name, 9)


def files(series: Series, limit: int | None = None) -> Path:
    """A directory with the first `limit` instances of `series` as files, written if they are not there yet."""
    count = min(limit or series.instances, series.instances)
    directory = DATA / f"{_stem(series)}-{count}"
    _write(series, directory, range(count))
    return directory


def shares(series: Series, parts: int, limit: int | None = None) -> list[Path]:
    """The same, dealt into `parts` directories: one for each client that sends in parallel."""
    count = min(limit or series.instances, series.instances)
    directories = [DATA / f"{_stem(series)}-{count}-share-{part + 1}-of-{parts}" for part in range(parts)]
    for part, directory in enumerate(directories):
        _write(series, directory, range(part, count, parts))
    return directories


@cache
def _stem(series: Series) -> str:
    """A name that changes with the bytes: files that an older version wrote are not taken for these."""
    return f"{series.name}-{hashlib.sha256(instance(series, 0).data_set).hexdigest()[:8]}"


def _write(series: Series, directory: Path, numbers: range) -> None:
    if directory.is_dir():
        return
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for number in numbers:
        (unfinished / f"{number:05}.dcm").write_bytes(instance(series, number).file())
    unfinished.rename(directory)
