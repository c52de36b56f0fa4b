"""Scripts as recordings on disk, written by the recorder itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mockpacs.traffic.capture.event import Chunk, Closed, Opened
from mockpacs.traffic.comment import outgoing_of
from mockpacs.traffic.recorder import Recorder
from mockpacs.traffic.recording.recording import Recording
from mockpacs.traffic.track import Track
from mockpacs.wire import Role
from tests.traffic.recording.script import SCP, SCU, Script


def end_point(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def write(folder: Path, script: Script, *, part_size: int = 0, facts: tuple[str, ...] = ()) -> Recording:
    """Record what a script says, as the server would have."""
    steps = writing(folder, script, part_size=part_size, facts=facts)
    path = next(steps)
    for _ in steps:
        pass
    return Recording.open(path)


def writing(folder: Path, script: Script, *, part_size: int = 0, facts: tuple[str, ...] = ()) -> Iterator[Path]:
    """The same step by step: the first file, again after every event."""
    recorder = Recorder(folder, "1.2.3", facts=facts, part_size=part_size)
    path = recorder.path
    yield path
    tracks: dict[int, Track] = {}
    peers: dict[int, Role] = {}
    for event in script.events:
        number = event.flow.number
        match event:
            case Opened():
                requestor, acceptor = end_point(event.flow.requestor), end_point(event.flow.acceptor)
                cause = outgoing_of(event.comments)
                if cause is None:
                    tracks[number] = recorder.track(number, requestor, acceptor)
                else:
                    tracks[number] = recorder.track(number, acceptor, requestor, by_us=True, cause=cause)
                peers[number] = SCU if cause is None else SCP
            case Chunk(sender=sender) if sender is peers[number]:
                tracks[number].received(event.data)
                for comment in event.comments:
                    tracks[number].about_received(comment)
                tracks[number].settle()
            case Chunk():
                for comment in event.comments:
                    tracks[number].about_sending(comment)
                tracks[number].sending(event.data)
            case Closed(how="cut"):
                pass
            case Closed() if number in tracks:
                for comment in event.comments:
                    tracks[number].about_sending(comment)
                track = tracks.pop(number)
                track.closed(by_us=event.sender is not peers[number], reset=event.how == "reset")
                track.end()
        recorder.flush()
        yield path
    for track in tracks.values():
        track.end()
    recorder.close()
