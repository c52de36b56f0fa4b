"""A recorded server and what plays it again, in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mockpacs import MockPACS
from mockpacs.replay.server import Choices, Compiled, Ledger, compiled
from mockpacs.replay.tape import Tape
from mockpacs.serving import Play
from mockpacs.wire import AssociateAC, ProposedContext, RoleSelection
from tests.net.wire_client import CT, WireClient, element

PATIENCE_SECONDS = 20.0
AS_SCP = (RoleSelection(CT, scu=True, scp=True),)
Talk = Callable[[MockPACS], object]


@contextmanager
def asking(pacs: MockPACS, *contexts: ProposedContext, calling: str = "RAW", **how: Any) -> Iterator[WireClient]:
    """A client that was accepted, and releases when all is said."""
    with WireClient(pacs.host, pacs.port, timeout=PATIENCE_SECONDS) as client:
        assert isinstance(client.associate(*contexts, calling=calling, **how), AssociateAC)
        yield client
        client.release()


def record(
    folder: Path,
    talk: Talk,
    *,
    scenario: str = "",
    images: Sequence[bytes] = (),
    before: Talk | None = None,
    **how: Any,
) -> Path:
    """The recording of a server, which plays a scenario, and of who talks with it."""
    if scenario:
        path = folder / "recorded.yaml"
        path.write_text(f"mockpacs: 1\n{scenario}", encoding="utf-8")
        how["scenario"] = (path,)
    with MockPACS(recordings=folder / "recordings", memory=True, **how) as pacs:
        for number, image in enumerate(images, 1):
            (folder / "images").mkdir(exist_ok=True)
            file = folder / "images" / f"{number}.dcm"
            file.write_bytes(image)
            pacs.archive.add(file)
        if before is not None:
            before(pacs)
        talk(pacs)
        assert pacs.recording is not None
        return pacs.recording


@dataclass(slots=True)
class Replayed:
    """A server that plays a recording."""

    pacs: MockPACS
    compiled: Compiled
    ledger: Ledger

    @property
    def differences(self) -> list[str]:
        """After the stop: what was asked otherwise, in a line each."""
        return [f"{one.kind}: {one.text}" for one in self.ledger.differences]


@contextmanager
def replayed(path: Path, choices: Choices | None = None, **how: Any) -> Iterator[Replayed]:
    with Tape.open(path) as tape:
        made = compiled(tape, choices or Choices())
        ledger = Ledger(made)
        script = replace(made.script, expect=())  # as the command does it
        pacs = MockPACS(play=Play(script, made.fill), observe=ledger.observe, memory=True, **how)
        with pacs:
            yield Replayed(pacs, made, ledger)


def studies(patient: str = "", *others: bytes) -> bytes:
    """A query for studies."""
    keys = element(0x00080052, "CS", b"STUDY") + element(0x00100020, "LO", patient.encode())
    return keys + b"".join(others) + element(0x0020000D, "UI", b"")


def study(uid: str = "1.2.3") -> bytes:
    """What retrieves a study."""
    return element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", uid.encode())
