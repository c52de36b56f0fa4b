"""`python -m bench.load PORT ASSOCIATIONS`: so many associations that store without a pause, in a process of its own.

Prints "busy" once each has had its first answer, goes on until standard input ends, then prints what it did as JSON.
"""

import asyncio
import json
import sys

from bench.clients import ASSOCIATE_AC, P_DATA_TF, status_of
from bench.data import SMALL, instance
from bench.encoding import CT_IMAGE_STORAGE, associate_rq, element, message, store_rq

START_SECONDS = 60
PLACEHOLDER = "2.25.20240607.8.100000.100000000"
ASSOCIATE = associate_rq(CT_IMAGE_STORAGE, called="BENCH")


class Storing(asyncio.Protocol):
    """One association: the next C-STORE leaves when the last is answered. Its messages differ in their instance UID."""

    def __init__(self, number: int, started: asyncio.Event) -> None:
        self.prefix = f"2.25.20240607.8.{100000 + number}."
        self.started = started
        self.stored = 0
        self.problem = ""
        self._pieces = _template(number)
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(ASSOCIATE)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 6 and not self.problem:
            end = 6 + int.from_bytes(self._received[2:6], "big")
            if len(self._received) < end:
                return
            self._pdu(self._received[0], bytes(self._received[6:end]))
            del self._received[:end]

    def _pdu(self, kind: int, body: bytes) -> None:
        if kind == P_DATA_TF:
            if status := status_of(body):
                self._fail(f"status {status:04X}")
            self.stored += 1
            self.started.set()
        elif kind != ASSOCIATE_AC:
            self._fail(f"PDU type {kind}")
        self._send_next()

    def _send_next(self) -> None:
        assert self._transport is not None
        if not self.problem:
            name = f"{self.prefix}{100000000 + self.stored}".encode()
            self._transport.write(name.join(self._pieces))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.problem:
            self._fail(f"connection lost: {error}")

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self.started.set()
        if self._transport is not None:
            self._transport.abort()


def _template(number: int) -> list[bytes]:
    """A whole C-STORE message, cut where the instance UID stands. All servers here accept PDUs of 16 kB."""
    original = instance(SMALL, 2 * number % SMALL.instances)
    named = element(0x00080018, "UI", original.sop_instance)
    data_set = original.data_set.replace(named, element(0x00080018, "UI", PLACEHOLDER))
    whole = message(store_rq(CT_IMAGE_STORAGE, PLACEHOLDER), data_set, 16382)
    pieces = whole.split(PLACEHOLDER.encode())
    assert len(pieces) == 3, "the UID stands once in the command and once in the data set"
    return pieces


async def load(port: int, associations: int) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    storing: list[Storing] = []
    for number in range(associations):
        protocol = Storing(number, asyncio.Event())
        await loop.create_connection(lambda protocol=protocol: protocol, "127.0.0.1", port)  # type: ignore[misc]
        storing.append(protocol)
    async with asyncio.timeout(START_SECONDS):
        await asyncio.gather(*(protocol.started.wait() for protocol in storing))
    before = sum(protocol.stored for protocol in storing)
    began = loop.time()
    print("busy", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    stored = sum(protocol.stored for protocol in storing) - before
    problems = [protocol.problem for protocol in storing if protocol.problem]
    return {"stored": stored, "seconds": loop.time() - began, "problems": problems}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(int(sys.argv[1]), int(sys.argv[2])))))
