"""The recording that is written: synthetic TCP as the recorder makes it, at times that are given."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from mockpacs.errors import RecordingError
from mockpacs.traffic import pcapng
from mockpacs.traffic.pcapng import ACK, FIN, INBOUND, LONGEST_PAYLOAD, OUTBOUND, PSH, RST, SYN, Endpoints
from mockpacs.wire import Role

_BUFFER: Final = 1 << 20
_NANOSECONDS: Final = 1_000_000_000
_LATEST: Final = (1 << 64) - 1


class Copy:
    """A file that comes into being at its end: until then it has another name. Never over one that is there."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError when there is such a file, or none can be made."""
        if path.exists() or path.is_symlink():
            raise RecordingError(f"{path} exists; name a file that does not, nothing is overwritten")
        self._path = path
        self._unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.fdopen(os.open(self._unfinished, flags, 0o600), "wb", buffering=_BUFFER)
        except OSError as error:
            raise RecordingError(f"{path} cannot be written: {error.strerror}; name another file with -o") from error
        self.size = 0

    def begin(self, application: str, comments: Sequence[str]) -> None:
        """The head of the file."""
        self.write([pcapng.section(application, os.name, comments)])

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """A block. Raises RecordingError when the disk refuses."""
        try:
            for piece in pieces:
                self._file.write(piece)
                self.size += len(piece)
        except OSError as error:
            raise self._refused(error) from error

    def finish(self) -> None:
        """The file is whole: it gets its name. Raises RecordingError when the disk refuses."""
        try:
            self._file.close()
            self._unfinished.rename(self._path)
        except OSError as error:
            raise self._refused(error) from error

    def __enter__(self) -> Copy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def _refused(self, error: OSError) -> RecordingError:
        return RecordingError(f"{self._path} cannot be written: {error.strerror}")


class Leg:
    """A connection in it. Times are seconds since 1970."""

    def __init__(self, copy: Copy, requestor: tuple[str, int], acceptor: tuple[str, int], *, by_us: bool) -> None:
        """``by_us``: the requestor is who recorded."""
        here, there = (OUTBOUND, INBOUND) if by_us else (INBOUND, OUTBOUND)
        self._copy = copy
        self._ends = {
            Role.REQUESTOR: Endpoints.between(requestor, acceptor, here),
            Role.ACCEPTOR: Endpoints.between(acceptor, requestor, there),
        }
        self._next = dict.fromkeys(Role, 1)
        """Sequence numbers: SYN took 0."""

    def opened(self, when: float, comments: Sequence[str]) -> None:
        """SYN and what follows it."""
        asks, answers, at = self._ends[Role.REQUESTOR], self._ends[Role.ACCEPTOR], _nanoseconds(when)
        self._copy.write([pcapng.syn(asks, at, 0, 0, SYN, _encoded(comments))])
        self._copy.write([pcapng.syn(answers, at, 0, 1, SYN | ACK, [])])
        self._copy.write(pcapng.packet(asks, at, 1, 1, ACK))

    def sent(self, sender: Role, when: float, data: bytes, comments: Sequence[str]) -> None:
        """Bytes, none when there is only something to say; the comments are on the last packet."""
        notes = _encoded(comments)
        starts = range(0, len(data), LONGEST_PAYLOAD) or range(1)
        view = memoryview(data)
        for start in starts:
            piece = view[start : start + LONGEST_PAYLOAD]
            is_last = start == starts[-1]
            flags = PSH | ACK if is_last and data else ACK
            self._packet(sender, when, flags, piece, notes if is_last else [])
            self._next[sender] += len(piece)

    def missed(self, sender: Role, size: int) -> None:
        """Bytes that are not there."""
        self._next[sender] += size

    def closed(self, sender: Role, when: float, comments: Sequence[str], *, is_reset: bool) -> None:
        """FIN with its answer, or RST."""
        self._packet(sender, when, (RST if is_reset else FIN) | ACK, b"", _encoded(comments))
        if not is_reset:
            self._next[sender] += 1
            self._packet(_other(sender), when, ACK, b"", [])

    def _packet(self, sender: Role, when: float, flags: int, data: bytes | memoryview, notes: list[bytes]) -> None:
        at, sequence, acknowledged = _nanoseconds(when), self._next[sender], self._next[_other(sender)]
        self._copy.write(pcapng.packet(self._ends[sender], at, sequence, acknowledged, flags, data, notes))


def _other(role: Role) -> Role:
    return Role.ACCEPTOR if role is Role.REQUESTOR else Role.REQUESTOR


def _nanoseconds(when: float) -> int:
    """As the file holds them; a capture may claim any time."""
    return min(max(round(when * _NANOSECONDS), 0), _LATEST)


def _encoded(comments: Sequence[str]) -> list[bytes]:
    return [pcapng.comment_bytes(comment) for comment in comments]
