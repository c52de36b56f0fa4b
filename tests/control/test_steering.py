"""Every line of what test authors are promised, as it is written."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset

from mockpacs import MockPACS, Rule
from mockpacs.errors import (
    ConfigurationError,
    FilterError,
    RecordingError,
    ScenarioError,
    StartError,
    StopError,
    VerificationError,
    WaitError,
)
from mockpacs.services.handler_request import HandlerRequest
from tests.net.wire_client import WireClient, ct_image, element

STUDIES = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"DOE*") + element(0x0020000D, "UI", b"")


@pytest.fixture
def pacs() -> Iterator[MockPACS]:
    with MockPACS() as running:
        yield running


@pytest.fixture
def client(pacs: MockPACS) -> Iterator[WireClient]:
    with WireClient(pacs.host, pacs.port) as connected:
        connected.associate(calling="CT1")
        yield connected


def test_a_scenario_by_name_with_a_seed() -> None:
    with MockPACS("third-time-lucky", seed=7) as pacs:
        assert (pacs.rules.seed, pacs.rules.names, len(pacs.rules)) == (7, ("Third time lucky",), 1)


def test_a_rule_in_a_line(pacs: MockPACS, client: WireClient) -> None:
    rule = pacs.when("C-STORE", calling="CT*").reply("out-of-resources", times=2)

    assert [client.store(), client.store(), client.store()] == [0xA700, 0xA700, 0]
    assert (rule.fired, rule.name, rule.place.partition(":")[0]) == (2, "rule 1", "test_steering.py")
    assert isinstance(rule.rule, Rule)


def test_answers_in_a_line(pacs: MockPACS, client: WireClient) -> None:
    pacs.when("C-FIND", query={"PatientName": "DOE*"}).answer([{"PatientName": "DOE^JANE"}])

    assert [status for status, _ in client.find(STUDIES)] == [0xFF00, 0]
    (match,) = pacs.wait_for("C-FIND").matches
    assert match.PatientName == "DOE^JANE"


def test_a_function_answers(pacs: MockPACS, client: WireClient) -> None:
    @pacs.on("C-FIND", calling="CT*", times=1)
    def find(request: HandlerRequest) -> list[dict[str, str]]:
        assert request.dataset is not None
        return [{"PatientName": str(request.dataset.PatientName).replace("*", "^JANE")}]

    assert [status for status, _ in client.find(STUDIES)] == [0xFF00, 0]
    assert [status for status, _ in client.find(STUDIES)] == [0]
    assert pacs.exchanges[0].rule == "find"
    pacs.check()


def test_what_came_can_be_looked_at(pacs: MockPACS, client: WireClient) -> None:
    pacs.when("C-STORE", name="busy").reply("out-of-resources", times=1)
    client.store(ct_image(patient="P7"))
    client.store(ct_image(patient="P7"))

    exchange = pacs.wait_for("C-STORE", status="success", timeout=5)

    assert exchange.dataset is not None
    assert exchange.dataset.PatientID == "P7"
    assert (exchange.association.calling, exchange.rule) == ("CT1", "")
    assert exchange.duration > 0
    assert [found.rule for found in pacs.verify("C-STORE", count=2)] == ["busy", ""]
    assert pacs.wait_for("C-STORE", dataset={"PatientID": "P7"}, rule="busy").status == 0xA700


def test_what_is_not_so_is_told_as_an_assertion(pacs: MockPACS, client: WireClient) -> None:
    client.echo()

    with pytest.raises(AssertionError, match="C-STORE") as caught:
        pacs.verify("C-STORE", count=3)
    assert isinstance(caught.value, VerificationError)
    with pytest.raises(WaitError, match=r"Waited 0\.01 s"):
        pacs.wait_for("C-STORE", timeout=0.01)
    with pytest.raises(FilterError, match="status"):
        pacs.wait_for("C-STORE", statsu="success")
    with pytest.raises(ScenarioError, match=r'test_steering\.py:\d+.*"calling"'):
        pacs.when("C-STORE", caling="CT*").abort()


def test_a_function_says_which_exchanges_are_meant(pacs: MockPACS, client: WireClient) -> None:
    client.store(ct_image(patient="P1"))
    client.store(ct_image("1.2.3.4.6", patient="P2"), "1.2.3.4.6")

    (found,) = pacs.verify("C-STORE", dataset={"PatientID": "P*"}, where=lambda one: one.number == 2, count=1)
    assert found.sop_instance == "1.2.3.4.6"


def test_the_archive_takes_what_a_test_has(pacs: MockPACS, client: WireClient, tmp_path: Path) -> None:
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.9"
    image.StudyInstanceUID, image.SeriesInstanceUID, image.PatientName = "1.2.3", "1.2.3.1", "DOE^JANE"
    (added,) = pacs.archive.add(image)

    assert added.dataset().PatientName == "DOE^JANE"
    assert len(client.find(STUDIES)) == 2
    pacs.reset("archive")
    assert len(client.find(STUDIES)) == 1


def test_the_recording_is_there_while_it_serves_and_gone_afterwards() -> None:
    with MockPACS() as pacs, WireClient(pacs.host, pacs.port) as client:
        client.associate()
        client.store()
        path = pacs.recording
        assert path is not None
        assert path.read_bytes()[:4] == b"\n\r\r\n"

    assert not path.parent.exists()
    with pytest.raises(RecordingError, match="recordings="):
        _ = pacs.exchanges[0].dataset


def test_a_recording_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    with MockPACS(recordings=tmp_path) as pacs, WireClient(pacs.host, pacs.port) as client:
        client.associate()
        client.echo()
        path = pacs.recording

    assert path is not None
    assert path.parent == tmp_path
    assert path.exists()


def test_nothing_is_recorded_when_it_is_not_wanted() -> None:
    with MockPACS(record=False) as pacs:
        assert (pacs.recording, pacs.findings) == (None, [])


def test_what_a_test_did_not_look_at_fails_a_strict_block() -> None:
    def scene() -> None:
        with MockPACS(strict=True) as pacs:
            pacs.when("C-STORE", name="never").abort()

    with pytest.raises(VerificationError, match="never"):
        scene()


def test_an_error_of_the_block_is_not_hidden_by_its_checks() -> None:
    def scene() -> None:
        with MockPACS(strict=True) as pacs:
            pacs.when("C-STORE").abort()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        scene()


def test_a_coroutine_waits_while_its_loop_goes_on() -> None:
    async def scene() -> None:
        async with MockPACS() as pacs:
            waiting = asyncio.create_task(pacs.async_wait_for("C-ECHO"))
            _, writer = await asyncio.open_connection(pacs.host, pacs.port)
            writer.close()
            with WireClient(pacs.host, pacs.port) as client:
                client.associate()
                client.echo()
            assert (await waiting).service == "C-ECHO"
            assert len(await pacs.async_verify("C-ECHO", count=1)) == 1

    asyncio.run(scene())


def test_before_the_start_and_after_the_stop_there_is_a_sentence() -> None:
    pacs = MockPACS()
    with pytest.raises(StartError, match="does not serve"):
        pacs.when("C-ECHO")
    with pacs:
        pass
    with pytest.raises(StartError, match="does not serve any more"):
        pacs.when("C-ECHO").abort()
    assert pacs.exchanges == []


def test_rules_can_be_made_by_any_thread(pacs: MockPACS, client: WireClient) -> None:
    threads = [
        threading.Thread(target=lambda: pacs.when("C-ECHO").reply("0110", chance="50%", continue_=True))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(rule.name for rule in pacs.rules) == sorted(f"rule {number}" for number in range(1, 9))
    client.echo()


@pytest.mark.parametrize("timeout", [None, "5", True, float("nan")])
def test_a_timeout_is_a_number_of_seconds(pacs: MockPACS, timeout: Any) -> None:
    for ask in (pacs.verify, pacs.wait_for):
        with pytest.raises(ConfigurationError, match=r"timeout: .* is no number of seconds"):
            ask("C-STORE", timeout=timeout)


def test_for_ever_is_a_timeout(pacs: MockPACS, client: WireClient) -> None:
    client.echo()

    assert pacs.wait_for("C-ECHO", timeout=float("inf")).status == 0


def test_a_decorator_without_brackets_is_told(pacs: MockPACS) -> None:
    with pytest.raises(ConfigurationError, match='on begins with what it is about, as "C-STORE"'):
        pacs.on(lambda request: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", [5, print])
def test_what_is_no_service_is_told(pacs: MockPACS, what: Any) -> None:
    for ask in (pacs.when, pacs.on, pacs.verify, pacs.wait_for):
        with pytest.raises(ConfigurationError, match="begins with what it is about"):
            ask(what)


def test_where_is_a_function(pacs: MockPACS) -> None:
    with pytest.raises(ConfigurationError, match="where: 5 is no function of an exchange"):
        pacs.verify("C-STORE", where=5)


def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    async def cancelled() -> MockPACS:
        pacs = MockPACS()
        entering = asyncio.create_task(pacs.__aenter__())
        await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        return pacs

    before = threading.active_count()
    pacs = asyncio.run(cancelled())
    with pytest.raises(StartError):
        _ = pacs.port
    assert threading.active_count() == before


def test_an_attribute_is_no_condition_of_its_own(pacs: MockPACS) -> None:
    with pytest.raises(ScenarioError, match="Modality is an attribute: write dataset="):
        pacs.when("C-STORE", Modality="CT")


def test_an_observer_cannot_stop_the_server_it_runs_in(client: WireClient, pacs: MockPACS) -> None:
    told: list[Exception] = []

    def stop(_record: object) -> None:
        try:
            pacs.stop()
        except StopError as error:
            told.append(error)

    pacs.journal.subscribe(stop)
    client.echo()

    pacs.verify("C-ECHO", count=1)
    assert "by an observer" in str(told[0])
