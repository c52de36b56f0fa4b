"""The same scenario, seed and input lead to the same decisions, however four parallel associations are interleaved."""

from __future__ import annotations

import random
import threading
from collections import ChainMap
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.net.conftest import Served
from tests.net.faults.conftest import Play
from tests.net.faults.visitor import Visitor
from tests.net.wire_client import ct_image

ASSOCIATIONS = 4
EACH = 25
RULES = """
seed: 20260112
rules:
  - name: takes its time
    when: { service: C-STORE, calling: "RAW*" }
    chance: 60%
    then: { delay: { between: [1ms, 9ms] } }
    continue: true
  - name: now and then
    when: { service: C-STORE, calling: "RAW*" }
    chance: 30%
    then: { status: [out-of-resources, cannot-understand, "0110", B000] }
  - name: noise
    when: { service: C-STORE, at: response, calling: "RAW*" }
    chance: 20%
    then: { corrupt: { bytes: 3 } }
"""
ANSWER_BYTES = 6 + 6 + 12 + 34 + 4 * 10 + 16
"""PDU, PDV, group length, SOP class, four numbers, a SOP instance of eight characters: also of an answer with noise."""


class Decided(NamedTuple):
    """What became of one instance."""

    status: int | None
    answer: bytes
    rule: str
    fault: str


class Sender(Visitor):
    """Stores instances; what it sends of each does not depend on what it sent before."""

    def store_as(self, instance: str) -> bytes:
        self._message_id = int(instance.rpartition(".")[2])
        self.send(self.store_request(ct_image(instance), instance))
        return self.exactly(ANSWER_BYTES)


def run(server: Served, orders: int) -> dict[str, Decided]:
    """Four associations at once; ``orders``: each run sends in an order of its own."""
    together = threading.Barrier(ASSOCIATIONS)

    def associate(who: int) -> dict[str, bytes]:
        instances = [f"1.2.{who}.{number}" for number in range(10, 10 + EACH)]
        random.Random(orders * ASSOCIATIONS + who).shuffle(instances)
        with Sender(server.host, server.port) as client:
            client.associate(calling=f"RAW{who % 2}")
            together.wait()
            return {instance: client.store_as(instance) for instance in instances}

    with ThreadPoolExecutor(ASSOCIATIONS) as threads:
        answers = dict(ChainMap(*threads.map(associate, range(ASSOCIATIONS))))
    server.wait_for(lambda: len(server.exchanges) == len(answers))
    return {
        one.sop_instance: Decided(one.status, answers[one.sop_instance], one.rule, one.fault)
        for one in server.exchanges
    }


def test_the_same_seed_and_input_lead_to_the_same_decisions_in_four_parallel_associations(play: Play) -> None:
    first, second = (run(play(RULES), orders) for orders in (1, 2))

    assert second == first
    assert len(first) == ASSOCIATIONS * EACH
    assert {one.status for one in first.values()} == {0, 0xA700, 0xC000, 0x0110, 0xB000}
    for rule in ("takes its time", "now and then", "noise"):
        assert 0 < sum(rule in one.rule for one in first.values()) < len(first)
    delays = {one.fault.partition(",")[0] for one in first.values() if "takes its time" in one.rule}
    assert len(delays) > 3


def test_another_seed_decides_otherwise(play: Play) -> None:
    first, second = run(play(RULES), 1), run(play(RULES.replace("20260112", "1")), 1)

    assert {name: one.rule for name, one in first.items()} != {name: one.rule for name, one in second.items()}


def test_one_rule_more_shifts_no_draw_of_the_others(play: Play) -> None:
    more = """rules:
  - name: one more
    when: { service: C-STORE, calling: "RAW*" }
    chance: 50%
    then: { delay: { between: [1ms, 2ms] } }
    continue: true
"""
    first, second = run(play(RULES), 1), run(play(RULES.replace("rules:\n", more)), 1)

    assert {name: one.answer for name, one in first.items()} == {name: one.answer for name, one in second.items()}
    assert any("one more" in one.rule for one in second.values())


def test_what_is_sent_again_draws_again_and_both_times_the_same(play: Play) -> None:
    """Equal requests are told apart by how often they came."""

    def run(server: Served) -> list[bytes]:
        with Sender(server.host, server.port) as client:
            client.associate()
            return [client.store_as("1.2.3.10") for _ in range(40)]

    first, second = (run(play(RULES)) for _ in range(2))

    assert second == first
    assert len(set(first)) > 2


def test_equal_requests_of_parallel_associations_share_the_same_fates(play: Play) -> None:
    """Who of them gets which is up to who is first; how many of each there are is not."""
    rules = """
        seed: 7
        rules:
          - { when: { service: C-ECHO, calling: RAW }, chance: 30%, then: { status: ["0122", "0110"] } }
    """

    def run(server: Served) -> list[int]:
        def echoes(_: int) -> list[int]:
            with Visitor(server.host, server.port) as client:
                client.associate()
                return [client.echo() for _ in range(EACH)]

        with ThreadPoolExecutor(ASSOCIATIONS) as threads:
            return sorted(status for statuses in threads.map(echoes, range(ASSOCIATIONS)) for status in statuses)

    first, second = (run(play(rules)) for _ in range(2))

    assert second == first
    assert set(first) == {0, 0x0110, 0x0122}
