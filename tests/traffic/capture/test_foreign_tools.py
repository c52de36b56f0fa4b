"""Captures that other programs wrote or converted: tcpdump, tshark, editcap, mergecap."""

from __future__ import annotations

import random
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs.traffic.capture.event import Closed, Event
from mockpacs.traffic.capture.reader import Reader
from tests.traffic.capture.builder import (
    ACCEPTOR,
    CLIENT_6,
    REQUESTOR,
    SERVER_6,
    Seen,
    dialogue,
    ethernet,
    kept,
    pcap,
    pcapng,
    read,
)

WHOLE = ["open 1", "> question", "< answer", "> thanks", "fin >", "fin <"]
Tool = Callable[[str], str]


def run(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=60)


def converse(listener: socket.socket, question: bytes, answer: bytes) -> None:
    """One connection on which both sides say much, then close."""

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            waiting = len(question)
            while waiting:
                waiting -= len(accepted.recv(1 << 20))
            accepted.sendall(answer)

    server = threading.Thread(target=serve)
    server.start()
    with socket.create_connection(listener.getsockname()[:2]) as client:
        client.sendall(question)
        while client.recv(1 << 20):
            pass
    server.join()


def until_closed(reader: Reader, deadline: float) -> list[Event]:
    """What a growing capture tells until both sides have closed."""
    found: list[Event] = []
    while sum(isinstance(event, Closed) for event in found) < 2 and time.monotonic() < deadline:
        found += [kept(event) for event in reader.more()]
    return found


@pytest.mark.parametrize("interface", ["lo", "any"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_what_tcpdump_writes_of_a_session(tmp_path: Path, tool: Tool, interface: str, host: str) -> None:
    path = tmp_path / "session.pcap"
    chance = random.Random(7)
    question, answer = chance.randbytes(800_000), chance.randbytes(300_000)
    try:
        listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        pytest.skip(f"this system does not listen on {host}: {error}")
    port = listener.getsockname()[1]
    # the buffer, in KiB, has room for about 900 packets of the length of -s: none is dropped, however late tcpdump runs
    sizes = ["-B", "65536", "-s", "70000"]
    command = [tool("tcpdump"), "-i", interface, "-U", "--immediate-mode", *sizes, "-w", str(path)]
    with listener, subprocess.Popen([*command, f"tcp port {port}"], stderr=subprocess.PIPE, text=True) as tcpdump:
        assert tcpdump.stderr
        said = next((line for line in tcpdump.stderr if "listening on" in line or "tcpdump:" not in line), "")
        if "listening on" not in said:
            tcpdump.wait()
            pytest.skip(f"tcpdump may not capture here: {said.strip()}")
        try:
            converse(listener, question, answer)
            with Reader(path) as reader:
                found = until_closed(reader, time.monotonic() + 30)
                problems = reader.problems
        finally:
            tcpdump.terminate()
            tcpdump.communicate()
    seen = Seen(found, problems)
    assert seen.problems == []
    assert seen.bytes_of(REQUESTOR) == question
    assert seen.bytes_of(ACCEPTOR) == answer
    assert seen.events[0].flow.acceptor == (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    assert [event.how for event in seen.events if isinstance(event, Closed)] == ["fin", "fin"]


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "modpcap", "pcapng"])
@pytest.mark.parametrize("is_6", [False, True])
def test_what_editcap_converts(tmp_path: Path, tool: Tool, kind: str, is_6: bool) -> None:
    source, target = tmp_path / "source.pcapng", tmp_path / "target"
    talk = dialogue(client=CLIENT_6, server=SERVER_6) if is_6 else dialogue()
    source.write_bytes(pcapng(talk.frames))
    run(tool("editcap"), "-F", kind, source, target)
    seen, original = read(target), read(source)
    assert (seen.story, seen.problems) == (WHOLE, [])
    assert [event.when for event in seen.events] == [event.when for event in original.events]


def test_what_tshark_converts(tmp_path: Path, tool: Tool) -> None:
    source, target = tmp_path / "source.pcapng", tmp_path / "target"
    source.write_bytes(pcapng(dialogue().frames, order="<"))
    run(tool("tshark"), "-r", source, "-F", "pcap", "-w", target)
    assert read(target).story == WHOLE


def test_comments_that_editcap_adds_and_what_it_cuts(tmp_path: Path, tool: Tool) -> None:
    source, target = tmp_path / "source.pcapng", tmp_path / "target"
    source.write_bytes(pcapng(dialogue().frames))
    run(tool("editcap"), "-a", "4:a remark", "-s", "43", source, target)
    assert read(target).story == [
        *("open 1", "> que #a remark", "> -5", "< ans", "< -3", "> tha", "> -3", "fin >", "fin <")
    ]


def test_what_mergecap_puts_together(tmp_path: Path, tool: Tool) -> None:
    """Two interfaces with different link types and clocks."""
    raw, ether, target = tmp_path / "raw", tmp_path / "ether", tmp_path / "target"
    raw.write_bytes(pcapng(dialogue().frames))
    frames = dialogue(client=("10.0.0.9", 4000)).frames
    ether.write_bytes(pcap([frame._replace(data=ethernet(frame.data)) for frame in frames], link=1))
    run(tool("mergecap"), "-w", target, raw, ether)
    seen = read(target)
    assert seen.problems == []
    for number in (1, 2):
        assert seen.bytes_of(REQUESTOR, number) == b"questionthanks"
        assert seen.bytes_of(ACCEPTOR, number) == b"answer"
