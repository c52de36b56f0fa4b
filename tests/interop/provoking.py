"""Playing a shipped scenario as the comment at its top says: its command lines, run against a server of its own."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.uid import ExplicitVRLittleEndian

from mockpacs import MockPACS
from tests.interop import phantom
from tests.interop.phantom import CT
from tests.interop.programs import Ran, run
from tests.interop.scu import associate

FOLDER = Path(__file__).parents[2] / "scenarios"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
_TIMES = re.compile(r" {2,}([a-z]+) times$")
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen")
_COUNTS = (*range(2, 13), 15)
_TIMEOUT = re.compile(r"(-t[asd]) 5\b")
_ANSWER = re.compile(
    r"(?:Received (?:Store|Echo|C-GET|Final Find|Final Move) Response|(?:Find|Move) Response:? \d+) \((.*)\)"
)
RETRIEVERS = ("movescu", "getscu")
STUDY = "1.2.3"
"""The study that they ask for."""


class Provocation(NamedTuple):
    """A program and its arguments, in the words of the comment."""

    program: str
    arguments: tuple[str, ...]


def provocations(name: str) -> list[Provocation]:
    """The command lines of a scenario, each as often as it says."""
    found = []
    for line in (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if not line.startswith("# Provoke:"):
            continue
        command = line.removeprefix("# Provoke:").strip()
        often = _TIMES.search(command)
        words = _TIMEOUT.sub(r"\1 1", command[: often.start()] if often else command).split()
        found += [Provocation(words[0], tuple(words[1:]))] * (_COUNTS[_WORDS.index(often[1])] if often else 1)
    return found


def samples(folder: Path) -> dict[str, Path]:
    """The instances that command lines name."""
    sizes = {"ct.dcm": 100, "large.dcm": 1 << 20, "huge.dcm": 32 << 20}
    made = [phantom.instance(number=number, TextValue="x" * size) for number, size in enumerate(sizes.values(), 1)]
    return dict(zip(sizes, phantom.write(folder, made), strict=True))


def play(name: str, **options: Any) -> MockPACS:
    """A server that plays a shipped scenario, to be used in a with block. It knows the destination of a C-MOVE."""
    peer = [f"WORKSTATION=127.0.0.1:{_free_port()}"]
    return MockPACS(scenario=(FOLDER / f"{name}.yaml",), memory=True, **{"peer": peer, **options})


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def hold(pacs: MockPACS, count: int = 3) -> None:
    """Store a study of so many instances, for those who retrieve."""
    made = [phantom.instance(number=number, StudyInstanceUID=STUDY) for number in range(1, count + 1)]
    association = associate(pacs, (CT, ExplicitVRLittleEndian))
    assert [association.send_c_store(one).Status for one in made] == [0x0000] * count
    association.release()


def provoke(pacs: MockPACS, one: Provocation, files: dict[str, Path], *, seconds: float = 20.0) -> Ran:
    """Run one of them, with timeouts of a second where it has some. An exit status of -1: it had to be killed."""
    words: dict[str, object] = {"127.0.0.1": pacs.host, "11112": pacs.port, "11113": pacs.options.peer[0].port, **files}
    words["scenarios/certificates/ca.pem"] = FOLDER / "certificates" / "ca.pem"
    arguments = [words.get(word, word) for word in one.arguments]
    try:
        return run(one.program, *arguments, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        return Ran(-1, (late.stdout or b"").decode("utf-8", "backslashreplace"))


def answers(ran: Ran) -> list[str]:
    """The responses a client of DCMTK tells of, in its words."""
    return _ANSWER.findall(ran.text)
