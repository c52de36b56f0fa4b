"""kill -9 at any moment: whatever was acknowledged is there, and nothing else is left lying about."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from mockpacs.archive import Archive
from tests.archive.instances import store_one

_ROOT = Path(__file__).parents[2]

_PROGRAM = """
import sys
from pathlib import Path
from mockpacs.archive import Archive, ArchiveOptions, Durability, OnDuplicate
from tests.archive.instances import instance

directory, first, durability, batch = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
options = ArchiveOptions(durability=Durability(durability), on_duplicate=OnDuplicate.REPLACE)
archive = Archive.open(directory, options=options)
while True:
    spools = []
    for number in range(first, first + batch):
        uid = f"1.2.3.{number // 3}"  # every instance is replaced twice
        meta, data = instance(uid, b"%06d" % number * 300, SeriesInstanceUID=f"1.2.3.4.{number % 7}")
        spool = archive.spool(meta)
        spool.append(data)
        if number % 5 == 0:
            spool.spill()
        spools.append(spool)
    for number, answer in enumerate(archive.store(spools), first):
        assert answer.status == 0, answer
        print(number, flush=True)
    first += batch
"""


@pytest.mark.parametrize(("durability", "batch"), [("normal", 1), ("normal", 8), ("full", 3)])
def test_what_was_acknowledged_survives_kill_9(tmp_path, durability, batch):
    dice = random.Random(durability + str(batch))
    acknowledged: dict[str, int] = {}
    first = 0
    for _ in range(4):
        for number in acknowledgements_until_killed(tmp_path, first, durability, batch, dice.randint(1, 60)):
            acknowledged[f"1.2.3.{number // 3}"] = number
        with Archive.open(tmp_path) as archive:
            assert list(archive.verify()) == []
            assert list((tmp_path / "incoming").iterdir()) == []
            uids = [uid for (uid,) in archive.index.rows("SELECT sop_instance_uid FROM instance")]
            stored = {uid: int(archive.instance(uid).read()[-6:]) for uid in uids}
        lost = {uid: number for uid, number in acknowledged.items() if stored.get(uid, -1) < number}
        assert lost == {}
        first = max(stored.values()) + 1
    assert len(acknowledged) > 4


def acknowledgements_until_killed(storage: Path, first: int, durability: str, batch: int, enough: int) -> list[int]:
    """Run the program until it has acknowledged so many instances, kill it, and read what it said until then."""
    arguments = [sys.executable, "-c", _PROGRAM, str(storage), str(first), durability, str(batch)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(enough)]
        process.kill()
        said += process.stdout.readlines()
    return [int(line) for line in said if line.endswith("\n")]


_ONE_STEP = """
import os, sys
from pathlib import Path
from mockpacs.archive import Archive, ArchiveOptions, OnDuplicate
from mockpacs.archive.database import Index
from tests.archive.instances import store_one

directory, step, moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
archive = Archive.open(directory, options=ArchiveOptions(on_duplicate=OnDuplicate.REPLACE))


def dying(function):
    def call(*arguments, **named):
        if moment == "before":
            os._exit(9)
        function(*arguments, **named)
        os._exit(9)
    return call


class Connection:
    def __init__(self, connection):
        self.connection = connection
    def __getattr__(self, name):
        return getattr(self.connection, name)
    def execute(self, statement, *parameters):
        execute = self.connection.execute
        return (dying(execute) if statement.startswith(step) else execute)(statement, *parameters)


real = archive.index.connection
Index.connection = property(lambda self: Connection(real))
if hasattr(os, step):
    setattr(os, step, dying(getattr(os, step)))
if step == "remove":
    archive.files.remove = dying(archive.files.remove)
store_one(archive, "1.1", b"second")
"""


@pytest.mark.parametrize("replacing", [True, False])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["writev", "replace", "INSERT INTO instance", "COMMIT", "remove"])
def test_killed_at_each_step_of_storing_the_archive_is_as_before_or_as_after_it(tmp_path, step, moment, replacing):
    if step == "remove" and not replacing:
        return
    with Archive.open(tmp_path) as archive:
        store_one(archive, "1.0", b"other!")
        if replacing:
            store_one(archive, "1.1", b"first!")
    arguments = [sys.executable, "-c", _ONE_STEP, str(tmp_path), step, moment]
    assert subprocess.run(arguments, cwd=_ROOT, check=False).returncode == 9
    with Archive.open(tmp_path) as archive:
        assert list(archive.verify()) == []
        assert list((tmp_path / "incoming").iterdir()) == []
        assert archive.instance("1.0").read().endswith(b"other!")
        found = archive.instance("1.1")
        committed = (step, moment) == ("COMMIT", "after") or step == "remove"
        if committed:
            assert found.read().endswith(b"second")
        elif replacing:
            assert found.read().endswith(b"first!")
        else:
            assert found is None or found.read().endswith(b"second")
