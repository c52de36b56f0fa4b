"""A capture that tcpdump made of a session shows the same dialogue as our recording of it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.traffic.exchange import Exchange, Notice
from mockpacs.traffic.recording.detail import read_exchange
from mockpacs.traffic.recording.recording import Recording
from tests.conftest import find_tool
from tests.interop.inputs import inputs
from tests.interop.programs import run, until


@contextmanager
def capturing(port: int, file: Path) -> Iterator[None]:
    """tcpdump listens on the loopback interface inside the block; all that was said in it is in the file after it."""
    command = [find_tool("tcpdump"), "-i", "lo", "-U", "-B", "65536", "-s", "0", "-w", str(file), f"tcp port {port}"]
    said = file.with_suffix(".log")
    with said.open("wb") as log, subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log) as process:
        try:
            until(lambda: b"listening on" in said.read_bytes() or process.poll() is not None, "tcpdump listens")
            if process.poll() is not None and os.environ.get("MOCKPACS_REQUIRE_TOOLS") != "1":
                pytest.skip(f"tcpdump may not capture here: {said.read_text().strip()}")
            yield
            heard = file.stat().st_size
            with socket.create_connection(("127.0.0.1", port)):  # a last word, to know that all before it was written
                pass
            until(lambda: file.stat().st_size > heard, "tcpdump wrote the last connection")
        finally:
            process.terminate()
            process.wait(20)


def dialogue(path: Path) -> list[tuple[object, ...]]:
    """All exchanges without times and places, in the order of associations."""
    found = [record for record in Recording.open(path).records() if isinstance(record, Exchange)]
    return [
        (
            (one.association.number, one.number, one.association.address),
            (one.association.calling, one.association.called, one.service, one.status),
            tuple((answer.status, answer.times) for answer in one.answers),
            (one.size, one.subject, one.comment, one.command, one.context),
            [(message.sender, message.command, message.data) for message in read_exchange(one).messages],
        )
        for one in sorted(found, key=lambda one: (one.association.number, one.number))
    ]


def ends(path: Path) -> list[tuple[int, str]]:
    """How each association ended; what never became one is told in other words where nobody is us."""
    kinds = ("released", "rejected", "aborted")
    records = Recording.open(path).records()
    return sorted(
        (one.association.number, one.kind)
        for one in records
        if isinstance(one, Notice) and one.association and one.association.calling and one.kind in kinds
    )


def test_tcpdump_saw_the_same(storage: Path, tmp_path: Path) -> None:
    capture = tmp_path / "capture.pcap"
    files = sorted(inputs(), key=lambda each: len(each.data))
    with MockPACS(storage=storage) as pacs:
        target = (pacs.host, pacs.port)
        recording = pacs.recording
        with capturing(pacs.port, capture):
            assert run("echoscu", *target).status == 0
            run("dcmsend", "-nh", "-nuc", *target, *(each.path for each in [*files[:20], files[-1]]), nagle=False)
            run("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName", *target)
            with socket.create_connection(target) as garbage:
                garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert garbage.recv(1024)[0] == 7  # A-ABORT
            assert run("echoscu", "--abort", *target).status == 0
    assert recording is not None
    ours = dialogue(recording)
    assert len(ours) > 15
    assert dialogue(capture) == ours
    assert ends(capture) == ends(recording)
