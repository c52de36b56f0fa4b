"""A wait of a scenario holds up one association and nobody else; it ends at once with the association or the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from mockpacs.wire import encode_pdu
from mockpacs.wire.pdu import Abort, ReleaseRQ
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit, fired, tasks, told_everywhere
from tests.net.faults.visitor import ABORT, STUDIES, Visitor
from tests.net.wire_client import associate_request, ct_image

LONG_SECONDS = 30
"""A wait that no test lasts."""
ANSWERS = """
data:
  studies:
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.3 }
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.4 }
"""


class Waiting(NamedTuple):
    """How somebody comes to wait."""

    rules: str
    provoke: Callable[[Visitor], None]
    associated: bool = True
    data: str = ""

    @property
    def scenario(self) -> str:
        return f"{self.data}\nrules: [{self.rules}]"


def asks_to_associate(client: Visitor) -> None:
    client.send(associate_request())


def echoes(client: Visitor) -> None:
    client.send(client.echo_request())


def stores(client: Visitor) -> None:
    client.send(client.store_request(ct_image()))


def stores_much(client: Visitor) -> None:
    """More than fits the buffers of two kernels: the rest waits for somebody to read."""
    request = client.store_request(ct_image(pixels=16_000_000))
    assert client.send_what_is_taken(request) < len(request)


def queries(client: Visitor) -> None:
    client.send(client.find_request(STUDIES))


def releases(client: Visitor) -> None:
    client.send(encode_pdu(ReleaseRQ()))


def hears_an_echo(client: Visitor) -> None:
    assert client.echo() == 0


def hears_a_match(client: Visitor) -> None:
    queries(client)
    assert client.response()[0].status == 0xFF00


def hears_a_byte(client: Visitor) -> None:
    echoes(client)
    assert client.exactly(1) == b"\x04"


def cancels(client: Visitor) -> None:
    hears_a_match(client)
    client.send(client.cancel_request())


def aborts(client: Visitor) -> None:
    client.send(encode_pdu(Abort(0, 0)))


ECHO = "service: C-ECHO, calling: RAW"
STORE = "service: C-STORE, calling: RAW"
FIND = "service: C-FIND, calling: RAW"
ENDLESS = f"{{ when: {{ {FIND} }}, then: {{ pending: {{ from: studies, every: 30s }} }} }}"

WAITS = {
    "connect": Waiting("{ when: { event: connect }, nth: 1, then: { delay: 30s } }", asks_to_associate, False),
    "associate": Waiting(
        "{ when: { event: associate, calling: RAW }, then: { delay: 30s } }", asks_to_associate, False
    ),
    "an echo": Waiting(f"{{ when: {{ {ECHO} }}, then: {{ delay: 30s }} }}", echoes),
    "a store": Waiting(f"{{ when: {{ {STORE} }}, then: {{ delay: 30s }} }}", stores),
    "a query": Waiting(f"{{ when: {{ {FIND} }}, then: {{ delay: 30s }} }}", queries),
    "a scripted query": Waiting(
        f"{{ when: {{ {FIND} }}, then: {{ delay: 30s, answer: studies }} }}", queries, data=ANSWERS
    ),
    "after some bytes": Waiting(
        f"{{ when: {{ {STORE}, at: {{ received: 10kB }} }}, then: {{ delay: 30s }} }}", stores_much
    ),
    "after some PDUs": Waiting(f"{{ when: {{ {STORE}, at: {{ pdu: 2 }} }}, then: {{ delay: 30s }} }}", stores_much),
    "before the response": Waiting(f"{{ when: {{ {ECHO}, at: before-response }}, then: {{ delay: 30s }} }}", echoes),
    "at the response": Waiting(f"{{ when: {{ {STORE}, at: response }}, then: {{ delay: 30s }} }}", stores),
    "between responses": Waiting(
        f"{{ when: {{ {FIND} }}, then: {{ answer: studies }} }}, "
        f"{{ when: {{ {FIND}, at: between-responses }}, then: {{ delay: 30s }} }}",
        hears_a_match,
        data=ANSWERS,
    ),
    "after the response": Waiting(
        f"{{ when: {{ {ECHO}, at: after-response }}, then: {{ delay: 30s }} }}", hears_an_echo
    ),
    "from match to match": Waiting(ENDLESS, hears_a_match, data=ANSWERS),
    "for a cancel": Waiting(f"{{ when: {{ {FIND} }}, then: {{ wait: cancel }} }}", queries),
    "for the end": Waiting(f"{{ when: {{ {ECHO} }}, then: {{ wait: end }} }}", echoes),
    "at a cancel": Waiting(
        f"{ENDLESS}, {{ when: {{ event: cancel, calling: RAW }}, then: {{ delay: 30s }} }}", cancels, data=ANSWERS
    ),
    "at a release": Waiting("{ when: { event: release, calling: RAW }, then: { delay: 30s } }", releases),
    "from byte to byte": Waiting(f"{{ when: {{ {ECHO} }}, then: {{ drip: {{ every: 30s }} }} }}", hears_a_byte),
    "for bandwidth": Waiting(f"{{ when: {{ {ECHO} }}, then: {{ bandwidth: 1B/s }} }}", hears_a_byte),
    "later": Waiting(
        f"{{ when: {{ {ECHO} }}, then: {{ status: success }}, later: {{ delay: 30s, abort: true }} }}", hears_an_echo
    ),
}
LISTENING = {name: waiting for name, waiting in WAITS.items() if waiting.provoke is not stores_much}
"""Who reads nothing while it waits does not see the peer go."""
WAITERS = pytest.mark.parametrize("waiting", WAITS.values(), ids=WAITS)


def begin(play: Play, visit: Visit, waiting: Waiting) -> tuple[Served, Visitor]:
    """A server and somebody who waits: that it has come to that is told, or seen by somebody who came later."""
    server = play(waiting.scenario)
    client = visit(server, associated=waiting.associated)
    waiting.provoke(client)
    return server, client


@WAITERS
def test_a_wait_of_thirty_seconds_holds_up_nobody_else(play: Play, visit: Visit, waiting: Waiting) -> None:
    began = time.monotonic()
    server, client = begin(play, visit, waiting)

    server.still_serves()

    others = [one for one in server.exchanges if one.association.calling == "AFTERWARDS"]
    assert [one.service for one in others] == ["C-ECHO", "C-STORE"]
    client.nothing_came()
    assert time.monotonic() - began < LONG_SECONDS


@WAITERS
def test_a_stop_interrupts_a_wait(serve: Callable[..., Served], waiting: Waiting) -> None:
    began = time.monotonic()
    server = serve(waiting.scenario)
    with Visitor(server.host, server.port) as client:
        if waiting.associated:
            client.associate()
        waiting.provoke(client)
        server.still_serves()  # so what was provoked is on its way

        server.pacs.stop()

        assert time.monotonic() - began < LONG_SECONDS
        heard, ending = client.rest()
        if waiting.associated and "drip" not in waiting.rules and "bandwidth" not in waiting.rules:
            assert (heard[0], ending) == (ABORT, "FIN")
    assert fired(server) or server.notices("scenario")
    told_everywhere(server)


@pytest.mark.parametrize("waiting", LISTENING.values(), ids=LISTENING)
def test_a_wait_ends_with_the_connection(play: Play, visit: Visit, waiting: Waiting) -> None:
    began = time.monotonic()
    server, client = begin(play, visit, waiting)
    server.still_serves()

    client.reset()

    server.wait_until_nobody_is_connected()
    server.wait_until(lambda: not tasks(server))
    assert fired(server) or server.notices("scenario")
    assert time.monotonic() - began < LONG_SECONDS
