"""Wireshark as the judge of what we opened ourselves: it sees the direction, the dialogue, and has no complaints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.test_recording_tshark import MALFORMED, assert_no_complaints, dissect, tshark
from tests.net.wire_client import ct_image
from tests.traffic.recording.script import SCP, SCU, Script, store, stored
from tests.traffic.recording.test_legs import a_get
from tests.traffic.recording.written import write

LARGE = ct_image(pixels=300_000)


def recorded(folder: Path, part_size: int = 0) -> list[Path]:
    """A C-GET, then two stores on a connection of ours."""
    script = Script()
    a_get(script)
    line = script.open("connection 4 to 10.0.0.2:11112 for 1.2", number=4).associate()
    for number in (1, 2):
        line.say(SCU, store(number, LARGE, f"4.{number}"), comment=f"4.{number} C-STORE-RQ MOCKPACS > STORE")
        line.say(SCP, stored(number))
    line.release()
    return list(write(folder, script, part_size=part_size).parts)


def test_wireshark_reads_legs_as_what_they_are(tmp_path: Path) -> None:
    (path,) = recorded(tmp_path)

    assert_no_complaints(path)
    shown = dissect(path)
    assert shown.requests == 2
    assert (shown.messages["C-STORE-RQ"], shown.messages["C-STORE-RSP"]) == (6, 6)
    syn = ("-Y", "tcp.flags.syn == 1 and tcp.flags.ack == 0", "-T", "fields")
    asked = tshark(path, *syn, "-e", "tcp.dstport", "-e", "frame.packet_flags_direction", "-e", "frame.comment")
    first, second = (line.split("\t") for line in asked.splitlines())
    assert first[0] == second[0] == "11112"
    assert first[1] != second[1], "one came in, the other went out"
    assert (first[2], second[2]) == ("connection 1 from 10.0.0.1:50001", "connection 4 to 10.0.0.2:11112 for 1.2")


@pytest.mark.parametrize("part_size", [20_000, 400_000])
def test_wireshark_reads_every_part_of_it_alone(tmp_path: Path, part_size: int) -> None:
    paths = recorded(tmp_path, part_size)

    assert len(paths) > 1
    for path in paths:  # of the rest of a message it takes the next command set for one in explicit VR
        assert_no_complaints(path, MALFORMED)
