"""Many clients at once, and one big instance."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from mockpacs import MockPACS
from tests.interop import judge, phantom
from tests.interop.programs import Server, findscu, run, running


def test_four_storescu_at_once_fill_one_study(pacs: MockPACS, tmp_path: Path) -> None:
    """Each has a series of its own and shares another with the rest; some instances are sent by all of them."""
    shared = [phantom.instance(1, 9, number) for number in range(1, 11)]
    own = [[phantom.instance(1, client, number) for number in range(1, 61)] for client in (1, 2, 3, 4)]
    logs = [tmp_path / f"{client}.log" for client in range(4)]
    with ExitStack() as stack:
        clients = []
        for log, instances in zip(logs, own, strict=True):
            paths = phantom.write(tmp_path / log.stem, [*shared, *instances])
            output = stack.enter_context(log.open("wb"))
            command = ("storescu", "-v", "--repeat", 2, pacs.host, pacs.port, *paths)
            clients.append(stack.enter_context(running(*command, stdout=output, stderr=subprocess.STDOUT)))
        assert [client.wait(60) for client in clients] == [0, 0, 0, 0]
    for log in logs:
        assert log.read_text().count("Received Store Response (Success)") == 140
    wanted = [f"NumberOfStudyRelated{what}" for what in ("Series", "Instances")]
    found = findscu(pacs, tmp_path / "found", "-S", ["QueryRetrieveLevel=STUDY", "StudyInstanceUID", *wanted])
    (study,) = found.matches
    assert [study[counter].value for counter in wanted] == [5, 250]
    sent = {each.SOPInstanceUID: phantom.encoded(each) for instances in (shared, *own) for each in instances}
    assert {uid: file.data for uid, file in judge.stored(pacs.options.storage).items()} == sent


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_big_multi_frame_instance_is_stored_in_bounded_memory(storage: Path, tmp_path: Path) -> None:
    frame = b"".join(hashlib.sha512(number.to_bytes(4)).digest() for number in range(8192))
    made = phantom.instance(SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3", NumberOfFrames=128, Rows=512, Columns=512)
    made.BitsAllocated = made.BitsStored = 16
    made.SamplesPerPixel = 1
    made.add_new("PixelData", "OW", frame * 128)
    (path,) = phantom.write(tmp_path / "sent", [made])
    with Server(storage) as server:
        status = Path(f"/proc/{server.process.pid}/status")
        assert run("storescu", server.host, server.port, *phantom.write(tmp_path, [phantom.instance(2)])).status == 0
        before = _peak(status)
        ran = run("storescu", "-v", "--max-pdu", 131072, "--max-send-pdu", 131072, server.host, server.port, path)
        assert "Received Store Response (Success)" in ran.text
        assert _peak(status) - before < 32 * 1024 * 1024
    assert judge.stored(storage)[made.SOPInstanceUID].data == phantom.encoded(made)


def _peak(status: Path) -> int:
    """The most memory a process ever had, in bytes."""
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
