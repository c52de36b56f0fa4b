"""kill -9 under load: what a client saw acknowledged is in the recording, of which at most the last block is cut."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from mockpacs.wire import PDataTF, decode_command, decode_pdu
from tests.interop.programs import Server, until
from tests.net.wire_client import WireClient, ct_image
from tests.traffic.pcapng_reader import INTERFACE, SECTION, Connection, connections, cut_blocks, packet_of, pdus

KILLS = 20
CLIENTS = 3


class Load:
    """A client that stores and echoes until its server is gone, and counts what was acknowledged."""

    def __init__(self, server: Server, number: int) -> None:
        self.acknowledged: list[int] = []
        self.client = WireClient(server.host, server.port)
        self.client.associate()
        self.port: int = self.client.socket.getsockname()[1]
        self._number = number
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        chance = random.Random(self._number)
        with suppress(OSError, AssertionError), self.client:
            while True:
                instance = f"1.2.{self._number}.{len(self.acknowledged)}"
                size = chance.choice([0, 100, 20_000, 200_000])
                if size:
                    self.client.send(self.client.store_request(ct_image(instance, pixels=size), instance))
                else:
                    self.client.send(self.client.echo_request())
                command, _ = self.client.response()
                assert command.status == 0
                self.acknowledged.append(command.message_id_responded_to or 0)

    def join(self) -> None:
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.mark.parametrize("kill", range(KILLS))
def test_what_was_acknowledged_is_recorded_when_the_server_is_killed(storage: Path, kill: int) -> None:
    """Half of the servers go on in new files all the time."""
    arguments = ("--recording-size", "300 KiB") if kill % 2 else ()
    with Server(storage, *arguments) as server:
        loads = [Load(server, number) for number in range(CLIENTS)]
        moment = 1 + kill * 7
        until(lambda: sum(len(load.acknowledged) for load in loads) >= moment, f"{moment} acknowledgements")
        server.kill()
        for load in loads:
            load.join()
    said, answered = everything_in(storage / "recordings")
    assert sum(len(load.acknowledged) for load in loads) >= moment
    for load in loads:
        assert set(load.acknowledged) <= said.get(load.port, set()) & answered.get(load.port, set())


def everything_in(folder: Path) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """Message IDs of the requests and of the responses in all parts, by the port of the client."""
    said: dict[int, set[int]] = {}
    answered: dict[int, set[int]] = {}
    paths = sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))
    for path in paths:
        for connection in what_is_whole(path, is_last=path == paths[-1]):
            port = connection.first.source[1]
            said.setdefault(port, set()).update(message_ids(bytes(connection.requestor.data), is_request=True))
            answered.setdefault(port, set()).update(message_ids(bytes(connection.acceptor.data), is_request=False))
    return said, answered


def what_is_whole(path: Path, *, is_last: bool) -> list[Connection]:
    """A file that was being written may end in the middle of a block, or of its first; one before it may not."""
    blocks, rest = cut_blocks(path.read_bytes())
    assert is_last or rest == b""
    assert [block.kind for block in blocks[:2]] == [SECTION, INTERFACE][: len(blocks)]
    return connections(map(packet_of, blocks[2:]))


def message_ids(stream: bytes, *, is_request: bool) -> set[int]:
    """Of the commands in what one side said."""
    found = set()
    for kind, body in pdus(stream)[0]:
        pdu = decode_pdu(kind, body)
        for pdv in pdu.pdvs if isinstance(pdu, PDataTF) else ():
            if pdv.is_command:
                command = decode_command(bytes(pdv.data))
                number = command.message_id if is_request else command.message_id_responded_to  # type: ignore[union-attr]
                found.add(number or 0)
    return found
