"""A rule that does not fire changes no byte: what crosses the wire is what crosses it without any rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs.scenario.condition import Moment
from mockpacs.scenario.values import EVENTS
from mockpacs.wire import encode_pdu
from mockpacs.wire.pdu import Abort
from tests.net.conftest import Served
from tests.net.faults.visitor import STUDIES, Visitor
from tests.net.wire_client import CT, EXPLICIT, ct_image, element
from tests.traffic.pcapng_reader import FIN, connections, packets

Happens = Callable[[Served, Visitor], None]
MATCHES = 40
"""More than fit the first batch of matches."""

EXCHANGES = [moment for moment in Moment if moment not in (Moment.RECEIVED, Moment.PDU, Moment.BETWEEN_RESPONSES)]
STRANGERS = "\n".join(
    (
        "rules:",
        *(f"  - {{ when: {{ service: any, at: {one}, calling: NOBODY }}, then: abort }}" for one in EXCHANGES),
        "  - { when: { service: C-FIND, at: between-responses, calling: NOBODY }, then: abort }",
        "  - { when: { service: C-STORE, at: { received: 1 }, calling: NOBODY }, then: abort }",
        "  - { when: { service: C-STORE, at: { pdu: 2 }, calling: NOBODY }, then: abort }",
        *(f"  - {{ when: {{ event: {one}, peer: 192.0.2.1 }}, then: {{ delay: 1s }} }}" for one in EVENTS),
    )
)
"""Rules about everything, at every moment, for somebody who never comes."""

SCARCE = {
    "conditions on the data set": """
        rules:
          - { when: { service: C-STORE, dataset: { PatientID: SOMEBODY } }, then: reset }
          - { when: { service: C-FIND, query: { PatientName: SOMEBODY } }, then: nothing }
    """,
    "an occurrence that never comes": """
        rules:
          - { when: { service: any }, nth: 10000, then: reset }
          - { when: { service: any, at: response }, nth: 10000, then: reset }
          - { when: { event: release }, nth: 10000, then: reset }
    """,
    "a chance that is none": """
        rules:
          - { when: { service: any }, chance: 0%, then: reset }
          - { when: { service: any, at: response }, chance: 0%, then: nothing }
    """,
    "a state that nobody reaches": """
        state: { archive: { start: open, per: StudyInstanceUID } }
        rules:
          - { when: { service: any, state: { archive: full } }, then: nothing }
          - { when: { service: C-FIND, at: between-responses, state: { archive: full } }, then: abort }
          - { when: { service: C-STORE, calling: NOBODY }, set: { archive: full } }
    """,
    "a status that is never answered": """
        rules:
          - { when: { service: any, at: before-response, status: A700 }, then: nothing }
          - { when: { service: any, at: response, status: A700 }, then: nothing }
          - { when: { service: any, at: after-response, status: A700 }, then: abort }
    """,
    "a limit that is not reached": """
        rules:
          - { when: { service: any }, limit: 100000/s, over: { status: A700 } }
    """,
}


def an_echo(server: Served, client: Visitor) -> None:
    assert client.echo() == 0
    client.release()


def a_store(server: Served, client: Visitor) -> None:
    assert client.store(ct_image("1.2.7", pixels=30_000), "1.2.7") == 0
    client.release()


def a_store_that_is_refused(server: Served, client: Visitor) -> None:
    assert client.store(b"", "1.2.7") != 0
    client.release()


def a_query(server: Served, client: Visitor) -> None:
    assert client.find(STUDIES)[-1] == (0, None)
    client.release()


def a_query_on_the_wrong_context(server: Served, client: Visitor) -> None:
    client.send(client.find_request(STUDIES, context_id=1))
    assert client.status() == 0x0211
    client.release()


def requests_all_at_once(server: Served, client: Visitor) -> None:
    client.send(*(client.echo_request() for _ in range(3)), client.store_request(ct_image("1.2.8"), "1.2.8"))
    assert [client.response()[0].status for _ in range(4)] == [0] * 4
    client.release()


def an_abort(server: Served, client: Visitor) -> None:
    assert client.echo() == 0
    client.send(encode_pdu(Abort(0, 0)))
    client.read_end()


def an_end_without_a_word(server: Served, client: Visitor) -> None:
    assert client.echo() == 0
    client.finish()
    client.read_end()


def a_cancel_of_nothing(server: Served, client: Visitor) -> None:
    assert client.echo() == 0
    client.send(client.cancel_request(), client.echo_request())
    assert client.status() == 0
    client.release()


CONVERSATIONS: list[Happens] = [
    an_echo,
    a_store,
    a_store_that_is_refused,
    a_query,
    a_query_on_the_wrong_context,
    requests_all_at_once,
    an_abort,
    an_end_without_a_word,
    a_cancel_of_nothing,
]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files for an archive in which a query finds much."""
    folder = tmp_path_factory.mktemp("studies")
    for number in range(MATCHES):
        meta = bytes(128) + b"DICM"
        uid = f"1.2.100.{number}"
        (folder / f"{number}.dcm").write_bytes(meta + part_10(uid) + ct_image(f"{uid}.1", study=uid))
    return folder


def part_10(instance: str) -> bytes:
    """File meta information of a CT in explicit little endian."""
    elements = b"".join(
        (
            element(0x00020002, "UI", CT.encode()),
            element(0x00020003, "UI", instance.encode()),
            element(0x00020010, "UI", EXPLICIT.encode()),
        )
    )
    return element(0x00020000, "UL", len(elements).to_bytes(4, "little")) + elements


def crossed(served: Served) -> tuple[list[tuple[object, ...]], list[str]]:
    """All packets of a recording up to the first FIN, without their times and the port that the system chose; and
    their comments.

    Whether the other FIN is seen depends on who is faster, and on which packet a comment stands on what else came in
    the same turn of the loop.
    """
    assert served.recording is not None
    (connection,) = connections(packets(served.recording))
    end = next(at for at, one in enumerate(connection.packets, 1) if one.flags & FIN)
    crossed: list[tuple[object, ...]] = [
        (one.is_inbound, one.sequence, one.acknowledged, one.flags, one.payload) for one in connection.packets[:end]
    ]
    port = f":{connection.first.source[1]}"
    return crossed, sorted(text.replace(port, ":PORT") for text in connection.comments)


@pytest.mark.parametrize("happens", CONVERSATIONS)
@pytest.mark.parametrize("rules", [STRANGERS, *SCARCE.values()], ids=["somebody who never comes", *SCARCE])
def test_a_rule_that_does_not_fire_changes_no_byte(
    serve: Callable[..., Served], studies: Path, happens: Happens, rules: str
) -> None:
    recorded = []
    for played in ("", rules):
        server = serve(played, preload=(studies,))
        with Visitor(server.host, server.port) as client:
            client.associate()
            happens(server, client)
        server.wait_until_nobody_is_connected()
        server.pacs.stop()
        assert server.notices("trouble") == []
        assert [one.rule for one in server.exchanges] == [""] * len(server.exchanges)
        recorded.append(crossed(server))

    (packets_without, comments_without), (packets_with, comments_with) = recorded
    assert len(packets_without) > 6
    assert packets_with == packets_without
    assert comments_with == comments_without
