"""What tests of C-GET and C-MOVE share: an archive with something in it, identifiers, and what responses count."""

from __future__ import annotations

from typing import Any, NamedTuple

from mockpacs.traffic.exchange import Exchange
from mockpacs.wire import Command, CommandField, ProposedContext, RoleSelection, response_to
from tests.net.conftest import Served
from tests.net.destination import Destination, read_message
from tests.net.wire_client import CT, RETRIEVE_CONTEXTS, WireClient, ct_image, element

AS_SCP = (RoleSelection(CT, scu=True, scp=True),)


def study(uid: str = "1.2.3") -> bytes:
    """The identifier that retrieves a study."""
    return element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", uid.encode())


def uid_of(number: int) -> str:
    """The SOP Instance UID of the instances that `stored` stores."""
    return f"1.2.3.4.{number}"


def fill(server: Served, count: int, *, pixels: int = 64) -> list[bytes]:
    """So many CT images of one study; their data sets."""
    images = [ct_image(uid_of(n), pixels=pixels) for n in range(1, count + 1)]
    client = server.associate(calling="FILLER")
    for n, image in enumerate(images, 1):
        assert client.store(image, uid_of(n)) == 0
    client.release()
    client.socket.close()
    return images


def retriever(server: Served, *contexts: ProposedContext, **how: Any) -> WireClient:
    """Somebody who may ask for a C-MOVE, and for a C-GET of CT images."""
    return server.associate(*(contexts or RETRIEVE_CONTEXTS), **{"roles": AS_SCP, **how})


def moving(server: Served, destination: Destination, *contexts: ProposedContext, **how: Any) -> WireClient:
    """Somebody who has asked for the study to be moved."""
    client = retriever(server, *contexts, **how)
    client.send(client.move_request(study(), destination.aet))
    return client


def getting(server: Served, **how: Any) -> WireClient:
    """Somebody who has asked for the study."""
    client = retriever(server, **how)
    client.send(client.get_request(study()))
    return client


class Counted(NamedTuple):
    """Status and counters of a response."""

    status: int | None
    completed: int | None
    failed: int | None
    warning: int | None
    remaining: int | None = None


def counted(response: Command) -> Counted:
    """What a response to a retrieve says."""
    return Counted(
        response.status,
        response.completed_sub_operations,
        response.failed_sub_operations,
        response.warning_sub_operations,
        response.remaining_sub_operations,
    )


def final(client: WireClient) -> tuple[Counted, Command, bytes | None]:
    """The final response of a retrieve, after whatever pending ones."""
    *_, (response, data) = client.responses()
    return counted(response), response, data


def next_sub_operation(client: WireClient) -> tuple[int, Command, bytes | None]:
    """The next C-STORE request that comes back on the association; what else comes before it is passed over."""
    while True:
        context_id, command, data = read_message(client)
        if command.field is CommandField.C_STORE_RQ:
            return context_id, command, data


def answer(client: WireClient, context_id: int, command: Command, status: int = 0, **how: Any) -> None:
    """Answer a sub-operation of a C-GET."""
    client.send(client.message(context_id, response_to(command, status, **how)))


def take(client: WireClient, *statuses: int) -> list[bytes | None]:
    """So many sub-operations of a C-GET, each answered with its status; their data sets."""
    taken = []
    for status in statuses:
        context_id, command, data = next_sub_operation(client)
        answer(client, context_id, command, status)
        taken.append(data)
    return taken


def failed_list(data: bytes | None) -> list[str]:
    """The Failed SOP Instance UID List, the only element of an identifier in explicit VR little endian."""
    assert data is not None
    assert data[:6] == bytes.fromhex("08005800") + b"UI"
    assert len(data) == 8 + int.from_bytes(data[6:8], "little")
    return data[8:].rstrip(b"\0").decode().split("\\")


def legs(server: Served) -> list[Exchange]:
    """What was asked by the server."""
    return [one for one in server.exchanges if one.asked_by_us]
