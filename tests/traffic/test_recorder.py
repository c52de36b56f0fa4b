"""The file of a recording: its begin, its parts, what is deleted for it, and what happens when the disk refuses."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mockpacs.errors import RecordingError
from mockpacs.traffic.recorder import Recorder
from mockpacs.traffic.track import Track
from tests.traffic.pcapng_reader import in_file, packets, section_of, whole_blocks

PEER, OURS = ("192.0.2.1", 50_312), ("127.0.0.1", 104)


def comments_of(path: Path) -> list[str]:
    """What the section header says."""
    return [value.decode() for code, value in section_of(whole_blocks(path.read_bytes())[0]) if code == 1]


def recorded(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fill(recorder: Recorder, track: Track, size: int = 200) -> None:
    """Until the next block goes to another file."""
    begun = recorder.part
    while recorder.part is begun:
        assert track.sending(bytes(size))


# the file


def test_a_recording_is_a_whole_file_from_its_first_moment(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "recordings", "1.2.3")

    assert packets(recorder.path) == []
    assert recorder.size == recorder.path.stat().st_size
    recorder.close()


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "a" / "recordings", "0")

    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(recorder.path.parent.stat().st_mode) == 0o700
    recorder.close()


def test_the_section_warns_first_and_then_tells_the_facts(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "1.2.3", facts=["scenario storm.yaml", "seed 42", "Zürich"])

    warning, *facts = comments_of(recorder.path)
    assert "patient data" in warning
    assert facts == ["scenario storm.yaml", "seed 42", "Zürich"]
    assert (4, b"mockpacs 1.2.3") in section_of(whole_blocks(recorder.path.read_bytes())[0])
    recorder.close()


def test_the_name_is_the_time_of_the_begin(tmp_path: Path) -> None:
    before = time.time()
    recorder = Recorder(tmp_path, "0")
    recorder.close()

    begun = time.mktime(time.strptime(recorder.path.stem, "%Y%m%d-%H%M%S"))
    assert before - 1 <= begun <= time.time()


def test_two_at_once_have_two_files(tmp_path: Path) -> None:
    recorders = [Recorder(tmp_path, "0") for _ in range(3)]

    assert len({recorder.path for recorder in recorders}) == 3
    assert sorted(recorder.path for recorder in recorders) == sorted(tmp_path.iterdir())
    for recorder in recorders:
        recorder.close()


def test_without_any_connection_nothing_is_left(tmp_path: Path) -> None:
    Recorder(tmp_path, "0").close()

    assert list(tmp_path.iterdir()) == []


def test_the_time_of_a_packet_is_the_time_of_day(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0")
    before = time.time_ns()
    recorder.track(1, PEER, OURS).end()
    after = time.time_ns()
    recorder.close()

    a_second = 10**9  # the wall clock may be set meanwhile, but not by much
    assert all(before - a_second <= packet.when <= after + a_second for packet in packets(recorder.path))


def test_nothing_is_open_after_the_end(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    recorder = Recorder(tmp_path, "0", part_size=2000)
    tracks = [recorder.track(number, ("192.0.2.1", number), OURS) for number in range(5)]
    for track in tracks:
        fill(recorder, track)
    for track in tracks:
        track.end()
    recorder.close()

    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208
    assert len(recorded(tmp_path)) > 5


def test_a_connection_may_outlive_the_recorder(tmp_path: Path) -> None:
    """Whoever did not end in time is not recorded any more, and harms no file that was opened meanwhile."""
    recorder = Recorder(tmp_path / "recordings", "0", part_size=2000)
    sleeper, last = recorder.track(1, PEER, OURS), recorder.track(2, PEER, OURS)
    fill(recorder, last)
    recorder.close()
    last.end()
    whole = recorder.path.read_bytes()
    others = [os.open(tmp_path / str(number), os.O_CREAT | os.O_RDWR) for number in range(5)]
    sleeper.received(b"late")
    sleeper.sending(b"later")
    sleeper.end()

    assert [os.fstat(other).st_size for other in others] == [0] * 5
    assert recorder.path.read_bytes() == whole
    for other in others:
        os.close(other)


# parts


def test_a_part_is_followed_by_another_when_it_is_large_enough(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0", part_size=5000, facts=["seed 42"])
    first = recorder.path
    track = recorder.track(1, PEER, OURS)
    for _ in range(3):
        fill(recorder, track)
    track.end()
    recorder.close()

    names = [first.name, *(f"{first.stem}-{number}.pcapng" for number in (2, 3, 4))]
    assert set(recorded(tmp_path)) == set(names)
    sizes = [(tmp_path / name).stat().st_size for name in names[:3]]
    assert all(5000 <= size < 5300 for size in sizes), sizes
    for number, name in enumerate(names, 1):
        told = comments_of(tmp_path / name)
        assert told[1] == "seed 42"
        assert told[2:] == ([f"part {number} of the recording that begins in {first.name}"] if number > 1 else [])


def test_without_a_limit_there_is_one_part(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0")
    track = recorder.track(1, PEER, OURS)
    for _ in range(100):
        track.sending(bytes(60_000))
    track.end()
    recorder.close()

    assert recorded(tmp_path) == [recorder.path.name]


def test_a_part_begins_only_when_there_is_something_for_it(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0", part_size=1)
    assert recorded(tmp_path) == [recorder.path.name]
    recorder.close()


def test_the_oldest_go_when_all_have_too_much_but_nothing_of_others(tmp_path: Path) -> None:
    old, foreign = tmp_path / "20200101-000000.pcapng", tmp_path / "precious.pcapng"
    old.write_bytes(bytes(50_000))
    foreign.write_bytes(bytes(50_000))
    recorder = Recorder(tmp_path, "0", part_size=5000, total_size=15_000)
    assert not old.exists()
    first = recorder.path
    track = recorder.track(1, PEER, OURS)
    for _ in range(10):
        fill(recorder, track)
        ours = [path.stat().st_size for path in tmp_path.iterdir() if path != foreign]
        assert sum(ours) < 15_000 + 5300
    track.end()
    recorder.close()

    assert foreign.stat().st_size == 50_000
    assert not first.exists()
    assert set(recorded(tmp_path)) == {"precious.pcapng", *(f"{first.stem}-{number}.pcapng" for number in (9, 10, 11))}


def test_a_part_from_which_a_connection_has_to_be_repeated_is_kept(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0", part_size=5000, total_size=1)
    first = recorder.path
    sleeper, busy = recorder.track(1, PEER, OURS), recorder.track(2, ("192.0.2.2", 5), OURS)
    sleeper.received(b"\1\0\0\0\0\4head")
    sleeper.settle()
    for _ in range(4):
        fill(recorder, busy)
    assert first.exists()
    sleeper.sending(b"\2\0\0\0\0\0")
    fill(recorder, busy)

    assert not first.exists()
    assert len(recorded(tmp_path)) == 2  # the last part was still needed for those who talk
    sleeper.end()
    busy.end()
    recorder.close()


LIVE = """
import sys
from pathlib import Path
from mockpacs.traffic.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), "0")
print(recorder.path, flush=True)
sys.stdin.read()
"""


def test_what_another_process_records_is_not_deleted(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LIVE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        Recorder(tmp_path, "0", total_size=1).close()
        assert theirs.exists()
        other.communicate()
    assert other.returncode == 0
    Recorder(tmp_path, "0", total_size=1).close()

    assert not theirs.exists()


# trouble


class Disk:
    """Stands for os.writev: takes so many bytes, then nothing more."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.refused = 0
        self._write, self._writev = os.write, os.writev

    def writev(self, descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
        return self.write(descriptor, b"".join(pieces))

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if not self.room:
            self.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = self._write(descriptor, data[: self.room])
        self.room -= taken
        return taken


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Disk]:
    def put(room: int) -> Disk:
        made = Disk(room)
        monkeypatch.setattr(os, "writev", made.writev)
        monkeypatch.setattr(os, "write", made.write)
        return made

    return put


@pytest.mark.parametrize("room", [*range(0, 130, 7), 3000])
def test_on_a_full_disk_the_file_ends_with_a_whole_block_and_nothing_more_is_taken(
    tmp_path: Path, disk: Callable[[int], Disk], room: int
) -> None:
    recorder = Recorder(tmp_path, "0")
    failures: list[RecordingError] = []
    recorder.on_failure = failures.append
    track, other = recorder.track(1, PEER, OURS), recorder.track(2, ("192.0.2.2", 5), OURS)
    assert track.sending(b"before")
    whole = recorder.path.read_bytes()
    refusing = disk(room)
    sent = 0
    while track.sending(bytes(24)):
        sent += 1
    asked = refusing.refused

    assert sent == room // 108
    assert not track.received(b"more")
    assert not track.settle()
    assert not other.received(b"more")
    assert not other.sending(b"more")
    assert not recorder.track(3, PEER, OURS).sending(b"more")
    track.closed(by_us=True, reset=True)
    assert not track.end()
    assert not other.end()
    recorder.close()
    assert recorder.failure is not None
    assert failures == [recorder.failure]
    assert str(recorder.failure) == f"the recording cannot be written: No space left on device ({recorder.path})"
    assert refusing.refused == asked == 1
    assert recorder.path.read_bytes()[: len(whole)] == whole
    one, two = in_file(recorder.path)
    assert ([data for _, data in one.chunks], two.chunks) == ([b"before"] + [bytes(24)] * sent, [])


def test_a_disk_that_takes_little_at_once_gets_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:100]))
    monkeypatch.setattr(os, "writev", lambda descriptor, pieces: real(descriptor, b"".join(pieces)[:7]))
    recorder = Recorder(tmp_path, "0")
    track = recorder.track(1, PEER, OURS)
    track.received(b"question" * 1000)
    track.sending(b"answer" * 50_000)
    track.end()
    recorder.close()

    (connection,) = in_file(recorder.path)
    assert bytes(connection.requestor.data) == b"question" * 1000
    assert bytes(connection.acceptor.data) == b"answer" * 50_000


def test_without_gathering_writes_everything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no writev."""
    monkeypatch.setattr("mockpacs.traffic.recorder._CAN_GATHER", False)
    monkeypatch.delattr(os, "writev")
    recorder = Recorder(tmp_path, "0")
    track = recorder.track(1, PEER, OURS)
    track.received(b"question" * 50_000)
    track.sending(b"answer")
    track.end()
    recorder.close()

    (connection,) = in_file(recorder.path)
    assert bytes(connection.requestor.data) == b"question" * 50_000


def test_more_pieces_than_a_system_call_takes_are_written_in_order(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0")
    track = recorder.track(1, PEER, OURS)
    said = [number.to_bytes(4, "big") for number in range(2000)]
    for each in said:
        track.received(each)  # staged, not written
    track.settle()
    track.end()
    recorder.close()

    assert [data for _, data in in_file(recorder.path)[0].chunks] == said


@pytest.mark.parametrize("room", [0, 1, 100])
def test_when_there_is_no_room_for_the_next_part_the_last_one_stays_whole(
    tmp_path: Path, disk: Callable[[int], Disk], room: int
) -> None:
    recorder = Recorder(tmp_path, "0", part_size=2000)
    failures: list[RecordingError] = []
    recorder.on_failure = failures.append
    track = recorder.track(1, PEER, OURS)
    while recorder.size < 2000:
        assert track.sending(bytes(100))
    disk(room)

    assert not track.sending(b"more")
    assert not track.received(b"more")
    track.closed(by_us=True, reset=True)
    assert not track.end()
    recorder.close()
    assert failures == [recorder.failure]
    assert str(recorder.failure).startswith("the recording cannot be written: No space left on device")
    assert recorded(tmp_path) == [recorder.path.name]
    assert len(in_file(recorder.path)) == 1


def test_a_folder_without_rights_is_told_with_what_to_do(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()

    with pytest.raises(RecordingError, match=r"cannot be written: .*file.*--recordings.*--no-record"):
        Recorder(blocked / "recordings", "0")


def test_a_failed_begin_leaves_nothing(tmp_path: Path, disk: Callable[[int], Disk]) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208
    disk(20)
    with pytest.raises(RecordingError, match="No space left"):
        Recorder(tmp_path, "0")

    assert recorded(tmp_path) == []
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208


def test_a_limit_of_the_system_on_file_sizes_is_a_full_disk(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, "0")
    track = recorder.track(1, PEER, OURS)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_001, before[1]))
    try:
        while track.sending(bytes(1000)):
            pass
        track.end()
        recorder.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert "File too large" in str(recorder.failure)
    assert 48_000 < recorder.path.stat().st_size <= 50_001
    assert len(in_file(recorder.path)[0].chunks) > 40


def test_only_the_thread_that_records_is_needed(tmp_path: Path) -> None:
    before = threading.active_count()
    recorder = Recorder(tmp_path, "0")
    recorder.track(1, PEER, OURS).end()

    assert threading.active_count() == before
    recorder.close()
