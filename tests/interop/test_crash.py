"""kill -9 while storescu stores: what it saw acknowledged is there after the next start, byte by byte."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from tests.interop import judge, phantom
from tests.interop.programs import Server, mockpacs, run, running, until
from tests.interop.scu import PATIENT_ROOT, ask, keys

RELATIONAL = b"\1"
FILES = 400
SENDING, ACKNOWLEDGED = "Sending file: ", "Received Store Response (Success)"


@pytest.fixture(scope="module")
def sent() -> dict[str, bytes]:
    """The data sets that `paths` have, by SOP Instance UID."""
    return {each.SOPInstanceUID: phantom.encoded(each) for each in _instances()}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return phantom.write(tmp_path_factory.mktemp("files"), _instances())


def _instances() -> list[phantom.Dataset]:
    return [phantom.instance(1 + n % 3, 1 + n % 5, n, ImageComments="x" * 9_998) for n in range(1, FILES + 1)]


@contextmanager
def storing(server: Server, paths: Sequence[Path], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """storescu at work, its messages in a file."""
    with (
        log.open("wb") as output,
        running("storescu", "-v", server.host, server.port, *paths, stdout=output, stderr=output) as client,
    ):
        yield client


def acknowledged(log: Path) -> list[str]:
    """The instances whose Success storescu reported."""
    lines = [line for line in log.read_text().splitlines() if SENDING in line or ACKNOWLEDGED in line]
    return [Path(before.partition(SENDING)[2]).stem for before, line in pairwise(lines) if ACKNOWLEDGED in line]


@pytest.mark.parametrize(("durability", "moments"), [("normal", (1, 20, 75, 180, 300)), ("full", (5, 50, 150))])
def test_what_was_acknowledged_survives_kill_9_at_any_moment(
    storage: Path,
    tmp_path: Path,
    paths: list[Path],
    sent: dict[str, bytes],
    durability: str,
    moments: tuple[int, ...],
) -> None:
    """Each round begins with what the last one left, and is killed after more acknowledgements."""
    arguments = ("--durability", durability, "--on-duplicate", "refuse")
    promised: set[str] = set()
    log = tmp_path / "storescu.log"
    for moment in moments:
        with Server(storage, *arguments) as server, storing(server, paths, log) as client:
            until(lambda at=moment: log.read_bytes().count(ACKNOWLEDGED.encode()) >= at, f"{moment} acknowledgements")
            server.kill()
            assert client.wait(30) != 0, "storescu was done before the server was killed"
        promised |= set(acknowledged(log))
        assert len(promised) >= moment
        assert_found_as_sent(storage, promised, sent)
    assert len(promised) < FILES
    with Server(storage, *arguments) as server:
        ran = run("storescu", "-v", server.host, server.port, *paths)
        assert len(ran.lines(ACKNOWLEDGED)) == FILES
        assert server.stop() == 0
    with Server(storage) as server:
        assert server.banner["repaired"] == ""
        assert server.banner["instances"] == FILES
    assert {uid: file.data for uid, file in judge.stored(storage).items()} == sent


def assert_found_as_sent(storage: Path, promised: set[str], sent: dict[str, bytes]) -> None:
    """Start again on what was left: all of it is on disk, in the index, and nothing half is anywhere."""
    with Server(storage) as server:
        kept = judge.stored(storage)
        assert promised <= kept.keys()
        assert {uid: file.data for uid, file in kept.items()} == {uid: sent[uid] for uid in kept}
        assert list((storage / "incoming").iterdir()) == []
        answer = ask(server, keys("IMAGE", SOPInstanceUID=""), model=PATIENT_ROOT, extended=RELATIONAL)
        assert {match.SOPInstanceUID for match in answer.identifiers} == kept.keys()
        assert len(answer.matches) == len(kept) == server.banner["instances"]
        checked = mockpacs("archive", "verify", "--storage", storage)
        assert checked.status == 0, checked.text
        assert server.stop() == 0


def test_a_start_says_what_it_repaired(storage: Path, tmp_path: Path) -> None:
    """Killed in the middle of one instance: the piece of a file is removed, and that is said."""
    big = phantom.instance(1, 1, 1)
    big.add_new("EncapsulatedDocument", "OB", bytes(96_000_000))
    paths = phantom.write(tmp_path / "files", [phantom.instance(1, 1, 2), big])
    incoming = storage / "incoming"
    with Server(storage) as server, storing(server, paths, tmp_path / "log") as client:
        until(lambda: any(path.stat().st_size > 1_000_000 for path in incoming.iterdir()), "a piece of a file")
        server.kill()
        assert client.wait(30) != 0
    assert len(list(incoming.iterdir())) == 1
    with Server(storage) as server:
        assert server.banner["repaired"] == "Repaired at start: 1 unfinished file removed."
        assert server.banner["instances"] == 1
        assert list(incoming.iterdir()) == []
        assert server.stop() == 0
    with Server(storage) as server:
        assert server.banner["repaired"] == ""


def test_a_lost_index_is_built_again_from_the_files(storage: Path, tmp_path: Path) -> None:
    paths = phantom.write(tmp_path / "files", (phantom.instance(number=number) for number in range(1, 11)))
    with Server(storage) as server:
        assert run("storescu", server.host, server.port, *paths).status == 0
        server.kill()
    for path in storage.glob("index.sqlite*"):
        path.unlink()
    assert repaired(storage) == "Repaired at start: the index was rebuilt from 10 files."
    assert repaired(storage) == ""


def test_files_and_index_that_disagree_after_a_crash_are_set_right(storage: Path, tmp_path: Path) -> None:
    """As when a machine loses power between writing a file and its row, or the other way round."""
    paths = phantom.write(tmp_path / "files", (phantom.instance(number=number) for number in range(1, 4)))
    with Server(storage) as server:
        assert run("storescu", server.host, server.port, *paths[:2]).status == 0
        server.kill()
    ours = judge.stored(storage)[paths[0].stem].path
    ours.rename(ours.with_name(paths[2].name))
    paths[2].replace(ours.with_name(paths[2].name))
    assert repaired(storage) == "Repaired at start: 1 file indexed; 1 row without a file dropped."
    assert judge.stored(storage).keys() == {paths[1].stem, paths[2].stem}
    assert repaired(storage) == ""


def repaired(storage: Path) -> str:
    """What a start says it did; findscu then finds what is on disk, and verify has nothing to say."""
    with Server(storage) as server:
        level = ("-k", "QueryRetrieveLevel=STUDY", "-k", "NumberOfStudyRelatedInstances")
        found = run("findscu", "-v", "-S", *level, server.host, server.port).text
        assert f"[{len(judge.stored(storage))} ]" in found or f"[{len(judge.stored(storage))}]" in found, found
        checked = mockpacs("archive", "verify", "--storage", storage)
        assert checked.status == 0, checked.text
        assert server.stop() == 0
        return str(server.banner["repaired"])
