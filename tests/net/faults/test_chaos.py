"""All faults at once, at random places, on many associations: the server lives, nothing is left, all of it is told."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from mockpacs.wire import encode_pdu
from mockpacs.wire.pdu import Abort, ReleaseRQ
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, tasks
from tests.net.faults.visitor import STUDIES, Visitor
from tests.net.wire_client import ct_image

CLIENTS = 6
EACH = 25
RULES = """
data:
  studies:
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.3 }
    - { QueryRetrieveLevel: STUDY, StudyInstanceUID: 1.2.4 }
rules:
"""
ENDS = ("abort", "close", "reset", "silence", "stop-reading", "half-close")
ANYWHERE = ("{ delay: { between: [0ms, 3ms] } }", '{ send: !bytes "de ad" }', *ENDS)
ANSWERS = (
    "nothing",
    "{ status: [A700, C000, B000] }",
    "{ lie: { message_id: 4242 } }",
    "{ lie: { repeat: 3 } }",
    "{ lie: { pdv_size: 3, pdvs_per_pdu: 2 } }",
    "{ truncate: { after: 20 }, close: true }",
    "{ corrupt: { bytes: 2 } }",
    "{ drip: { bytes: 9, every: 1ms } }",
    "{ bandwidth: 20kB/s }",
)
WHEN = {
    "event: associate, calling: RAW": ("{ delay: 2ms }", "{ reject: transient }", "{ accept: { max_pdu: 64 } }", *ENDS),
    "event: release, calling: RAW": ("{ delay: 2ms }", "nothing", *ENDS[:4]),
    "event: abort, calling: RAW": ("{ delay: 2ms }", "silence"),
    "event: cancel, calling: RAW": ("{ delay: 2ms }", "nothing", *ENDS),
    "service: C-STORE, calling: RAW, at: { received: 9kB }": ("{ status: A700 }", "nothing", *ANYWHERE),
    "service: C-STORE, calling: RAW, at: { pdu: 5 }": ("{ status: success }", *ANYWHERE),
    "service: any, calling: RAW": (*ANSWERS, *ANYWHERE),
    "service: any, calling: RAW, at: before-response": (*ANSWERS, *ANYWHERE),
    # a match with a status of its own is the last one for whoever reads the recording
    "service: any, calling: RAW, at: response": (*(one for one in ANSWERS if "status" not in one), *ANYWHERE),
    "service: any, calling: RAW, at: after-response": ANYWHERE,
    "service: C-FIND, calling: RAW, at: between-responses": ANYWHERE,
    "service: C-FIND, calling: RAW ": (
        "{ answer: studies }",
        "{ pending: { from: studies, forever: true, every: 1ms } }",
        "{ wait: { until: cancel, max: 5ms } }",
    ),
}


def scenario(seed: int) -> str:
    """Each fault has its chance; so that many an exchange meets several."""
    rules = [
        f"  - {{ when: {{ {when} }}, chance: 6%, then: {then}, {'later: { delay: 2ms, reset: true }, ' * (at == 1)}"
        f"continue: {'true' if then.startswith(('{ delay', '{ send')) else 'false'} }}"
        for when, steps in WHEN.items()
        for at, then in enumerate(steps)
        if not (when.startswith("event: abort") and at == 1)
    ]
    return f"seed: {seed}\n{RULES}" + "\n".join(rules)


def visits(server: Served, seed: int) -> None:
    """Somebody who comes again and again, does this and that, and has little patience."""
    draw = random.Random(seed)
    for visit in range(EACH):
        with Visitor(server.host, server.port, timeout=0.05) as client:
            try:
                client.associate()
                for step in range(draw.randint(1, 4)):
                    match draw.choice(("echo", "store", "find", "cancel", "many")):
                        case "echo":
                            client.echo()
                        case "store":
                            client.store(ct_image(f"1.2.{seed}.{visit}.{step}", pixels=draw.choice((10, 60_000))))
                        case "find":
                            client.find(STUDIES)
                        case "cancel":
                            client.send(client.find_request(STUDIES), client.cancel_request())
                            client.response()
                        case "many":
                            client.send(*(client.echo_request() for _ in range(5)))
                            client.status()
                client.send(encode_pdu(draw.choice((ReleaseRQ(), Abort(0, 0)))))
                client.read()
            except (AssertionError, OSError, ValueError):
                if draw.random() < 0.5:
                    client.reset()


@pytest.mark.parametrize("seed", range(3))
def test_all_faults_at_once(play: Play, seed: int) -> None:
    server = play(scenario(seed), max_pdu=4096)

    with ThreadPoolExecutor(CLIENTS) as threads:
        for job in [threads.submit(visits, server, seed * CLIENTS + number) for number in range(CLIENTS)]:
            job.result()

    server.wait_until(lambda: not tasks(server))
    assert server.notices("trouble") == []
    told = " ".join(one.fault for one in server.exchanges)
    words = ("nothing", "status", "lie", "truncate", "corrupt", "drip", "bandwidth", "delay", "send", *ENDS)
    assert sum(word in told for word in words) > 10
