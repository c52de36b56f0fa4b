"""Faults as DCMTK's clients meet them: at every moment of their work, in parallel, beside others that are served."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from mockpacs import MockPACS
from mockpacs.traffic.exchange import Exchange
from tests.interop import phantom
from tests.interop.programs import run, running, until
from tests.traffic.pcapng_reader import in_file

ABORTED = "Peer aborted Association (or never connected)"
STATUS = re.compile(r"Received Store Response \((.*)\)")


@pytest.fixture(scope="module")
def instances(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Twelve instances of four studies."""
    folder = tmp_path_factory.mktemp("instances")
    made = [phantom.instance(study, number=number) for study in range(1, 5) for number in range(1, 4)]
    return phantom.write(folder, made)


class Played(NamedTuple):
    """A server that plays rules, and what it reported."""

    pacs: MockPACS
    exchanges: list[Exchange]


def played(folder: Path, rules: str) -> Played:
    """To be started in a with block of its ``pacs``."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(f"mockpacs: 1\n{rules}", encoding="utf-8")
    told: list[Exchange] = []
    pacs = MockPACS(
        scenario=(scenario,),
        recordings=folder / "recordings",
        observe=lambda one: told.append(one) if isinstance(one, Exchange) else None,
    )
    return Played(pacs, told)


class Moment(NamedTuple):
    """A fault in the middle of a batch of three instances, and what storescu says."""

    rule: str
    answers: list[str]
    words: str
    kept: int


MOMENTS = {
    "a failure for one": Moment(
        "when: { service: C-STORE }, nth: 2, then: { status: A700, comment: Full }",
        ["Success", "Refused: OutOfResources"],  # the first failure ends a batch
        "Releasing Association",
        1,
    ),
    "a warning for one": Moment(
        "when: { service: C-STORE }, nth: 2, then: { status: B006 }",
        ["Success", "Warning: ElementsDiscarded", "Success"],
        "Received Store Response",
        3,
    ),
    "an abort before the second is stored": Moment(
        "when: { service: C-STORE }, nth: 2, then: abort", ["Success"], ABORTED, 1
    ),
    "an abort after the second is stored": Moment(
        "when: { service: C-STORE, at: before-response }, nth: 2, then: abort", ["Success"], ABORTED, 2
    ),
    "an end instead of the second response": Moment(
        "when: { service: C-STORE, at: response }, nth: 2, then: close", ["Success"], ABORTED, 2
    ),
    "an end after the second response": Moment(
        "when: { service: C-STORE, at: after-response }, nth: 2, then: close", ["Success", "Success"], "Store Failed", 2
    ),
    "a response to somebody else": Moment(
        "when: { service: C-STORE, at: response }, nth: 2, then: { lie: { message_id: 4242 } }",
        ["Success"],
        "Unexpected Response MsgId: 4242",
        2,
    ),
    "half a response": Moment(
        "when: { service: C-STORE, at: response }, nth: 2, then: { truncate: { after: 30 }, close: true }",
        ["Success"],
        "DUL network closed",
        2,
    ),
    "bytes that are no PDU before the second response": Moment(
        'when: { service: C-STORE, at: before-response }, nth: 2, then: { send: !bytes "99 00 00 00 00 00" }',
        ["Success"],
        "Unrecognized PDU type: 99",
        2,
    ),
    "a slow line": Moment(
        "when: { service: C-STORE }, then: { drip: { bytes: 20, every: 1ms } }",
        ["Success"] * 3,
        "Received Store Response",
        3,
    ),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_storescu_meets_a_fault_in_the_middle_of_a_batch(
    tmp_path: Path, instances: Sequence[Path], moment: Moment
) -> None:
    server = played(tmp_path, f"rules: [{{ name: the fault, {moment.rule} }}]")
    with server.pacs as pacs:
        ran = run("storescu", "-v", pacs.host, pacs.port, *instances[:3], nagle=False)

        assert STATUS.findall(ran.text) == moment.answers, ran.text
        assert moment.words in ran.text
        until(lambda: any(one.rule == "the fault" for one in server.exchanges), "the rule is told with an exchange")
        uids = [f"{phantom.ROOT}.1.1.{number}" for number in (1, 2, 3)]
        assert sum(pacs.archive.instance(uid) is not None for uid in uids) == moment.kept
        assert run("echoscu", "-v", pacs.host, pacs.port).status == 0


def test_findscu_meets_the_end_between_two_matches(tmp_path: Path, instances: Sequence[Path]) -> None:
    server = played(
        tmp_path, "rules: [{ when: { service: C-FIND, at: between-responses }, nth: 2, then: { abort: provider } }]"
    )
    with server.pacs as pacs:
        run("storescu", pacs.host, pacs.port, *instances, nagle=False)
        keys = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")

        ran = run("findscu", "-v", *keys, pacs.host, pacs.port)

        assert ran.text.count("(Pending)") == 2, ran.text
        assert ABORTED in ran.text


def test_four_storescu_in_parallel_meet_the_same_fate_twice(tmp_path: Path, instances: Sequence[Path]) -> None:
    rules = """
seed: 11
rules:
  - { when: { service: C-STORE }, then: { delay: { between: [1ms, 9ms] } }, continue: true }
  - { when: { service: C-STORE }, chance: 30%, then: { status: [out-of-resources, cannot-understand] } }
"""

    def fates(folder: Path) -> dict[str, tuple[str, int | None]]:
        folder.mkdir()
        server = played(folder, rules)
        with server.pacs as pacs, ThreadPoolExecutor(4) as threads:
            batches = [instances[at : at + 3] for at in range(0, 12, 3)]
            jobs = [threads.submit(run, "storescu", "-v", "-nh", pacs.host, pacs.port, *batch) for batch in batches]
            said = sorted(status for job in jobs for status in STATUS.findall(job.result().text))
        assert len(said) == 12
        return {one.sop_instance: (one.fault, one.status) for one in server.exchanges}

    first, second = fates(tmp_path / "first"), fates(tmp_path / "second")

    assert second == first
    assert {status for _, status in first.values()} == {0, 0xA700, 0xC000}


def test_a_delay_of_thirty_seconds_holds_up_no_other_client_and_a_stop_ends_it(
    tmp_path: Path, instances: Sequence[Path]
) -> None:
    server = played(tmp_path, "rules: [{ when: { service: C-STORE, calling: SLOW }, then: { delay: 30s } }]")
    pacs = server.pacs.start()
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with running("storescu", "-v", "-aet", "SLOW", pacs.host, pacs.port, instances[0], **pipe) as slow:
        until(lambda: pacs.summary.associations == 1, "the slow one is associated")
        others = run("storescu", "-v", "-aet", "FAST", pacs.host, pacs.port, *instances[1:3], nagle=False)
        assert STATUS.findall(others.text) == ["Success"] * 2

        pacs.stop()

        said, _ = slow.communicate(timeout=20)
        assert ABORTED in said.decode()
    assert [one.association.calling for one in server.exchanges] == ["FAST", "FAST", "SLOW"]
    assert server.exchanges[-1].seconds < 30


def test_a_rule_that_does_not_fire_changes_no_byte_for_dcmtk(tmp_path: Path, instances: Sequence[Path]) -> None:
    """Both sides of every association, as the recordings have them: but for the command lines nothing is different."""
    rules = """
rules:
  - { when: { service: any, calling: NOBODY }, then: abort }
  - { when: { service: any, calling: NOBODY, at: response }, then: reset }
  - { when: { event: [associate, release, abort], calling: NOBODY }, then: { delay: 1s } }
"""
    unrelated = "rules: [{ when: { service: N-GET }, then: reset }]"

    def crossed(folder: Path, rules: str) -> list[tuple[bytes, bytes, list[int]]]:
        folder.mkdir()
        server = played(folder, rules)
        with server.pacs as pacs:
            recording = pacs.recording
            keys = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
            for ran in (
                run("storescu", "-v", pacs.host, pacs.port, *instances, nagle=False),
                run("findscu", "-v", *keys, pacs.host, pacs.port),
                run("echoscu", "-v", pacs.host, pacs.port),
                run("echoscu", "-v", "--abort", pacs.host, pacs.port),
            ):
                assert ran.status == 0, ran.text
        assert recording is not None
        return [
            (
                bytes(one.requestor.data),
                bytes(one.acceptor.data),
                [len(data) for is_inbound, data in one.chunks if not is_inbound],
            )
            for one in in_file(recording)
        ]

    without = crossed(tmp_path / "without", unrelated)

    assert len(without) == 4
    assert crossed(tmp_path / "with", rules) == without
