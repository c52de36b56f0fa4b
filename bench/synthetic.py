"""Studies that exist in an index only: their attributes, computed from their number; three to a patient."""

from dataclasses import dataclass

from bench.encoding import CT_IMAGE_STORAGE

INSTANCES_PER_STUDY = 10
STUDIES_PER_PATIENT = 3
LETTERS = 26


@dataclass(frozen=True, slots=True)
class Study:
    """What can be asked for, and all attributes as tag -> (VR, text)."""

    uid: str
    patient_id: str
    patient_name: str
    accession_number: str
    attributes: dict[int, tuple[str, str]]


def study(number: int) -> Study:
    patient = number // STUDIES_PER_PATIENT
    uid = f"2.25.20240607.6.{number + 1}"
    name = f"{family_name(patient)}^PAT^{patient}"
    day, time = f"20{10 + number % 14}{1 + number % 12:02}{1 + number % 28:02}", f"{number % 24:02}{number % 60:02}00"
    attributes = {
        0x00080008: ("CS", "ORIGINAL\\PRIMARY\\AXIAL"),
        0x00080016: ("UI", CT_IMAGE_STORAGE),
        0x00080020: ("DA", day),
        0x00080021: ("DA", day),
        0x00080022: ("DA", day),
        0x00080023: ("DA", day),
        0x00080030: ("TM", time),
        0x00080031: ("TM", time),
        0x00080032: ("TM", time),
        0x00080033: ("TM", time),
        0x00080050: ("SH", f"A{number:09}"),
        0x00080060: ("CS", ("CT", "MR", "US", "CR")[number % 4]),
        0x00080070: ("LO", "BENCH MEDICAL SYSTEMS"),
        0x00080080: ("LO", "LOOPBACK IMAGING CENTER"),
        0x00080090: ("PN", f"REFERRER^R{number % 500}"),
        0x00081010: ("SH", "CT01_OC0"),
        0x00081030: ("LO", "CT THORAX"),
        0x0008103E: ("LO", "AXIAL 5.0"),
        0x00081090: ("LO", "RHAPSODE"),
        0x00100010: ("PN", name),
        0x00100020: ("LO", f"P{patient:08}"),
        0x00100030: ("DA", f"19{30 + patient % 70}0{1 + patient % 9}1{patient % 10}"),
        0x00100040: ("CS", "FM"[patient % 2]),
        0x00101010: ("AS", f"{20 + patient % 70:03}Y"),
        0x00180015: ("CS", "CHEST"),
        0x00181030: ("LO", "5.1 ROUTINE CHEST"),
        0x00185100: ("CS", "FFS"),
        0x0020000D: ("UI", uid),
        0x0020000E: ("UI", f"{uid}.1"),
        0x00200010: ("SH", f"S{number}"),
        0x00200011: ("IS", "1"),
        0x00200012: ("IS", "1"),
        0x00280004: ("CS", "MONOCHROME2"),
        0x00280010: ("US", "\x00\x02"),
        0x00280011: ("US", "\x00\x02"),
        0x00280100: ("US", "\x10\x00"),
    }
    return Study(uid, f"P{patient:08}", name, f"A{number:09}", attributes)


def family_name(patient: int) -> str:
    """Six letters. The first three are spread evenly: one of 17 576 for each patient, then again."""
    spread = patient * 7919 % LETTERS**3
    first = "".join(chr(ord("A") + spread // LETTERS**place % LETTERS) for place in (2, 1, 0))
    return first + ("SON", "LEY", "MAN", "TON")[patient % 4]
