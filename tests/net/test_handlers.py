"""Python functions that answer, over real connections: whatever they do, peers are answered and others are served."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from mockpacs import MockPACS
from mockpacs.errors import ScenarioError, StopError
from mockpacs.services.handler import HandlerFailure
from mockpacs.services.handler_request import HandlerRequest
from mockpacs.wire import CommandField, ProposedContext, Tag, request
from tests.net.conftest import PATIENCE_SECONDS, Served, incoming, stored
from tests.net.faults.visitor import STUDIES, Visitor
from tests.net.wire_client import STUDY_ROOT_FIND, WireClient, ct_image, element

Function = Callable[[HandlerRequest], object]
Serve = Callable[..., Served]

PENDING = 0xFF00
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
EXPLICIT = "1.2.840.10008.1.2.1"
ACCEPT_ALL = "rules: [{ when: { event: associate }, then: { accept: { contexts: [{ result: accepted }] } } }]"


def on(served: Served, service: str, function: Function, **more: Any) -> None:
    """Have the function answer the raw client."""
    served.pacs.on(service, calling="RAW", **more)(function)


def failures(served: Served) -> list[HandlerFailure]:
    return served.pacs.desk.handlers.failures


def patients(client: WireClient) -> list[str | int]:
    """What a query was answered: matches by Patient ID, the rest by status."""
    said: list[str | int] = []
    for response, data in client.responses():
        assert response.status is not None
        at = 0 if data is None else data.index(b"\x10\0\x20\0LO") + 8
        said.append(response.status if data is None else data[at : at + data[at - 2]].decode().strip())
    return said


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a handler may wait for; it opens in the end at the latest."""
    made = threading.Event()
    yield made
    made.set()


# C-FIND


def test_matches_leave_as_soon_as_they_are_made(server: Served, gate: threading.Event) -> None:
    def find(_: HandlerRequest) -> Iterator[object]:
        yield {"PatientID": "1"}
        assert gate.wait(PATIENCE_SECONDS), "the first match was not sent while the second was made"
        yield {"PatientID": "2"}

    on(server, "C-FIND", find)
    client = server.associate()
    client.send(client.find_request(STUDIES))
    response, _ = client.response()
    assert response.status == PENDING
    gate.set()
    assert patients(client) == ["2", 0]
    assert not failures(server)


def test_honest_matches_are_filtered_and_changed(server: Served) -> None:
    client = server.associate()
    for number in range(40):
        uid = f"1.2.{number}"
        assert client.store(ct_image(f"{uid}.3", study=uid, patient=f"P{number:02}"), f"{uid}.3") == 0

    def find(request: HandlerRequest) -> Iterator[object]:
        for one in request.honest():
            if one.dataset.PatientID > "P35":
                one.dataset.PatientID += "X"
                yield one

    on(server, "C-FIND", find)
    client.send(client.find_request(STUDIES))
    assert patients(client) == ["P36X", "P37X", "P38X", "P39X", 0]


def test_many_matches_are_streamed_to_a_peer_that_reads_slowly(server: Served) -> None:
    is_all_made = threading.Event()

    def find(_: HandlerRequest) -> Iterator[object]:
        for number in range(3000):
            yield {"PatientID": str(number), "PatientComments": "x" * 4000}
        is_all_made.set()

    on(server, "C-FIND", find)
    client = server.associate()
    client.send(client.find_request(STUDIES))
    assert client.response()[0].status == PENDING
    assert not is_all_made.wait(0.5), "12 MB wait for somebody who does not read"
    assert len(list(client.responses())) == 3000
    assert is_all_made.is_set()


def test_a_cancel_ends_a_generator_and_closes_it(server: Served) -> None:
    closed = threading.Event()

    def find(request: HandlerRequest) -> Iterator[object]:
        try:
            while True:
                yield {"PatientID": "1"}
        finally:
            assert request.cancelled
            closed.set()

    on(server, "C-FIND", find)
    client = server.associate()
    client.send(client.find_request(STUDIES))
    assert client.response()[0].status == PENDING
    client.send(client.cancel_request())
    *_, (final, data) = client.responses()
    assert (final.status, data) == (0xFE00, None)
    assert closed.is_set()
    assert client.echo() == 0
    assert not failures(server)


def test_a_handler_that_waits_for_the_cancel_says_how_it_ends(server: Served) -> None:
    def find(request: HandlerRequest) -> Iterator[object]:
        yield {"PatientID": "1"}
        while not request.cancelled:
            threading.Event().wait(0.001)
        yield request.reply("A700", "as I like it")

    on(server, "C-FIND", find)
    client = server.associate()
    client.send(client.find_request(STUDIES))
    assert client.response()[0].status == PENDING
    client.send(client.cancel_request())
    final, _ = client.response()
    assert (final.status, final.error_comment) == (0xA700, "as I like it")


def test_what_is_yielded_after_a_cancel_goes_nowhere(server: Served) -> None:
    def find(request: HandlerRequest) -> Iterator[object]:
        yield {"PatientID": "1"}
        while not request.cancelled:
            threading.Event().wait(0.001)
        yield {"PatientID": "2"}
        raise AssertionError("it was asked for more")

    on(server, "C-FIND", find)
    client = server.associate()
    client.send(client.find_request(STUDIES))
    assert client.response()[0].status == PENDING
    client.send(client.cancel_request())
    assert patients(client) == [0xFE00]
    assert not failures(server)


def test_a_peer_that_leaves_ends_a_generator_and_closes_it(server: Served) -> None:
    closed = threading.Event()

    def find(_: HandlerRequest) -> Iterator[object]:
        try:
            while True:
                yield {"PatientID": "1"}
        finally:
            closed.set()

    on(server, "C-FIND", find)
    client = server.associate()
    client.send(client.find_request(STUDIES))
    assert client.response()[0].status == PENDING
    client.reset()
    assert closed.wait(PATIENCE_SECONDS)
    server.wait_for(lambda: server.exchanges)
    assert server.exchanges[0].status is None
    assert not failures(server)


def test_pynetdicom_is_answered(server: Served) -> None:
    from pynetdicom import AE

    def find(request: HandlerRequest) -> Generator[object, None, object]:
        wanted = request.dataset
        wanted.PatientName = "Yamada^Tarou=山田^太郎"
        yield wanted
        yield {"QueryRetrieveLevel": "STUDY", "PatientID": "2"}
        return request.reply("response-limit-reached", "Two are enough")

    on(server, "C-FIND", find)
    ae = AE("RAW")
    ae.add_requested_context(STUDY_ROOT_FIND)
    association = ae.associate(server.host, server.port)
    assert association.is_established
    identifier = Dataset()
    identifier.QueryRetrieveLevel, identifier.PatientID, identifier.PatientName = "STUDY", "1", None
    (_, first), (_, second), (last, nothing) = association.send_c_find(identifier, STUDY_ROOT_FIND)
    assert first is not None
    assert second is not None
    association.release()
    assert (first.PatientID, str(first.PatientName)) == ("1", "Yamada^Tarou=山田^太郎")
    assert second.PatientID == "2"
    assert (last.Status, last.ErrorComment, nothing) == (0xB001, "Two are enough", None)


# C-STORE


LARGE = 6 << 20


@pytest.mark.parametrize("status", [None, "success", "B006", 0xA700])
def test_a_large_data_set_is_read_back_and_stored_or_not(archive: Served, status: object) -> None:
    data = ct_image(pixels=LARGE)
    seen: list[Any] = []

    def store(request: HandlerRequest) -> object:
        seen.append((request.dataset.PatientID, len(request.dataset.PixelData)))
        return status

    on(archive, "C-STORE", store)
    client = archive.associate()
    code = client.store(data)
    assert seen == [("P1", LARGE)]
    assert code == {None: 0, "success": 0, "B006": 0xB006}.get(status, status)  # type: ignore[call-overload]
    files = [one for one in stored(archive.storage).values() if one.endswith(data)]
    assert len(files) == (status != 0xA700)
    archive.wait_until_nothing_is_incoming()


def test_a_data_set_that_nobody_reads_is_never_read(archive: Served) -> None:
    on(archive, "C-STORE", lambda request: request.reply(0, "kept"))
    client = archive.associate()
    client.send(client.store_request(ct_image(pixels=LARGE)))
    final, _ = client.response()
    assert (final.status, final.error_comment) == (0, "kept")
    assert len(stored(archive.storage)) == 1


def test_an_honest_failure_wins_over_a_handlers_success(server: Served) -> None:
    on(server, "C-STORE", lambda _: "success")
    client = server.associate()
    another = "1.2.840.10008.5.1.4.1.1.4"
    client.send(client.store_request(ct_image(), sop_class=another))
    assert client.status() == 0x0122
    assert client.store() == 0


def test_what_is_stored_by_the_handler_can_still_be_denied(archive: Served) -> None:
    def store(request: HandlerRequest) -> object:
        for one in request.honest():
            assert one.status == 0
            one.status, one.comment = "out-of-resources", "Stored, and denied"
            yield one

    on(archive, "C-STORE", store)
    client = archive.associate()
    client.send(client.store_request(ct_image()))
    final, _ = client.response()
    assert (final.status, final.error_comment) == (0xA700, "Stored, and denied")
    assert len(stored(archive.storage)) == 1


def test_a_data_set_that_is_too_large_is_refused_before_the_handler(serve: Serve) -> None:
    called: list[HandlerRequest] = []
    served = serve(max_instance_size=10_000)
    on(served, "C-STORE", called.append)
    client = served.associate()
    assert client.store(ct_image(pixels=20_000)) == 0xA700
    assert client.store(ct_image(pixels=20)) == 0
    assert len(called) == 1


def test_a_peer_that_leaves_takes_what_it_sent_with_it(archive: Served, gate: threading.Event) -> None:
    begun, done = threading.Event(), threading.Event()
    said: list[Any] = []

    def store(request: HandlerRequest) -> object:
        begun.set()
        assert gate.wait(PATIENCE_SECONDS)
        said.extend((request.cancelled, request.dataset.PatientID))  # still there: somebody reads it
        said.append(request.honest().final.status)
        done.set()
        return "success"

    on(archive, "C-STORE", store)
    client = archive.associate()
    client.send(client.store_request(ct_image(pixels=LARGE)))
    assert begun.wait(PATIENCE_SECONDS)
    client.reset()
    archive.wait_for(lambda: any(one.status is None for one in archive.exchanges))  # told before the handler returns
    assert len(incoming(archive.storage)) == 1
    gate.set()
    assert done.wait(PATIENCE_SECONDS)
    assert said == [True, "P1", 0x0110]
    archive.wait_until_nothing_is_incoming()
    assert stored(archive.storage) == {}


# others


def test_an_echo_is_answered_by_name(server: Served) -> None:
    on(server, "C-ECHO", lambda request: request.reply("not-authorized", "x" * 100))
    client = server.associate()
    client.send(client.echo_request())
    final, _ = client.response()
    assert (final.status, final.error_comment) == (0x0124, "x" * 64)
    assert server.associate(calling="OTHER").echo() == 0


def served_by_nobody(client: WireClient, field: CommandField, sop_class: str, data: bytes | None) -> list[Any]:
    command = request(
        field,
        7,
        has_dataset=data is not None,
        elements={
            Tag.AFFECTED_SOP_CLASS: sop_class,
            Tag.PRIORITY: 0,
            **({Tag.MOVE_DESTINATION: "DEST"} if field is CommandField.C_MOVE_RQ else {Tag.ACTION_TYPE: 1}),
        },
    )
    client.send(client.message(7, command, data))
    return [(one.status, one.error_comment) for one, _ in client.responses()]


@pytest.mark.parametrize(
    ("field", "sop_class"),
    [(CommandField.N_SET_RQ, STORAGE_COMMITMENT), (CommandField.N_ACTION_RQ, STORAGE_COMMITMENT)],
)
def test_what_nobody_serves_is_served_by_a_handler(serve: Serve, field: CommandField, sop_class: str) -> None:
    served = serve(ACCEPT_ALL)
    asked: list[Any] = []
    answers: list[object] = [None, "success", ["A700"]]

    def handler(request: HandlerRequest) -> object:
        asked.append((request.is_served, request.dataset.PatientID))
        return answers.pop(0)

    on(served, field.service, handler)
    client = served.associate(ProposedContext(7, sop_class, (EXPLICIT,)))
    data = element(0x00100020, "LO", b"P1")
    said = [served_by_nobody(client, field, sop_class, data)[0] for _ in range(3)]
    service = field.service
    assert said == [(0x0211, f"{service} is not served on this presentation context"), (0, None), (0xA700, None)]
    assert asked == [(False, "P1")] * 3


# what else the step says


def test_delay_lies_and_pace_are_those_of_the_step(serve: Serve) -> None:
    served = serve()
    changes = {"delay": "10ms", "lie": {"message_id": 4242}, "drip": {"bytes": 20, "every": "1ms"}}
    name = served.pacs.desk.handlers.add(lambda _: [{"PatientID": "1"}])
    served.pacs.rules.add({"when": {"service": "C-FIND", "calling": "RAW"}, "then": {"call": name, **changes}})
    visitor = Visitor(served.host, served.port, timeout=PATIENCE_SECONDS)
    visitor.associate()
    visitor.send(visitor.find_request(STUDIES))
    told = [one.message_id_responded_to for one, _ in visitor.responses()]
    assert told == [4242, 4242]
    served.wait_for(lambda: served.exchanges)
    (exchange,) = served.exchanges
    assert exchange.seconds >= 0.01
    assert exchange.fault == "delay 10 ms, call handler, drip 20 B every 1 ms, lie message_id 4242"
    visitor.socket.close()
    served.still_serves()


def test_gates_of_a_rule_hold_for_a_handler(server: Served) -> None:
    on(server, "C-ECHO", lambda _: "A700", times=1)
    on(server, "C-STORE", lambda _: "A700", nth="2")
    client = server.associate()
    assert [client.echo(), client.echo()] == [0xA700, 0]
    assert [client.store(), client.store()] == [0, 0xA700]


def test_a_sequence_can_call_several(server: Served) -> None:
    names = [server.pacs.desk.handlers.add(function) for function in (lambda _: 0xA700, lambda _: 0x0110)]
    steps = [{"call": name} for name in names]
    server.pacs.rules.add({"when": {"service": "C-ECHO", "calling": "RAW"}, "sequence": [*steps, "nothing"]})
    client = server.associate()
    assert [client.echo(), client.echo()] == [0xA700, 0x0110]


# what goes wrong


def test_a_handler_that_raises_is_answered_told_and_harmless(server: Served) -> None:
    def find(_: HandlerRequest) -> Iterator[object]:
        yield {"PatientID": "1"}
        raise ValueError("no\x1b[31m such luck")

    on(server, "C-FIND", find)
    client = server.associate()
    client.send(client.find_request(STUDIES))
    (first, _), (final, _) = client.responses()
    assert (first.status, final.status) == (PENDING, 0x0110)
    assert final.error_comment == "ValueError in the handler find"
    assert [str(one.exception) for one in failures(server)] == ["no\x1b[31m such luck"]
    assert failures(server)[0].request == "C-FIND 1.1 from RAW"
    (notice,) = server.notices("trouble")
    assert notice.text == "C-FIND: handler find failed: ValueError: no\x1b[31m such luck"
    assert notice.association is not None
    assert client.echo() == 0


@pytest.mark.parametrize("returned", [3.5, "no-such-status", {"NoSuchKeyword": 1}, [None], [0, {"PatientID": "1"}]])
def test_nonsense_is_answered_and_told(server: Served, returned: object) -> None:
    on(server, "C-FIND", lambda _: returned)
    client = server.associate()
    client.send(client.find_request(STUDIES))
    final, _ = client.response()
    assert (final.status, final.error_comment) == (0x0110, "No valid answer from the handler handler")
    assert len(failures(server)) == 1
    assert client.echo() == 0


def test_handlers_that_block_hold_up_nobody_else(server: Served, gate: threading.Event) -> None:
    crowd = 12
    blocked = threading.Semaphore(0)

    def find(_: HandlerRequest) -> object:
        blocked.release()
        assert gate.wait(PATIENCE_SECONDS)
        return "success"

    on(server, "C-FIND", find)
    clients = [server.associate() for _ in range(crowd)]
    for client in clients:
        client.send(client.find_request(STUDIES))
    assert all(blocked.acquire(timeout=PATIENCE_SECONDS) for _ in clients), "they do not run at the same time"
    other = server.associate(calling="OTHER")
    assert other.store() == 0
    other.send(other.find_request(STUDIES))
    assert patients(other) == ["P1", 0]
    gate.set()
    assert [patients(client) for client in clients] == [[0]] * crowd


def test_requests_of_one_association_are_handled_one_after_the_other(server: Served) -> None:
    at_work = threading.Lock()
    order: list[int] = []

    def echo(request: HandlerRequest) -> None:
        assert at_work.acquire(blocking=False), "two at once"
        order.append(request.number)
        at_work.release()

    on(server, "C-ECHO", echo)
    client = server.associate()
    client.send(*(client.echo_request() for _ in range(100)))
    assert [client.response()[0].status for _ in range(100)] == [0] * 100
    assert order == list(range(1, 101))
    assert not failures(server)


def test_a_handler_that_was_taken_away_is_missed_aloud(server: Served) -> None:
    on(server, "C-ECHO", lambda _: 0)
    server.pacs.desk.handlers.clear()
    client = server.associate()
    client.send(client.echo_request())
    final, _ = client.response()
    assert (final.status, final.error_comment) == (0x0110, "No handler is called handler")
    assert [one.text for one in server.notices("trouble")] == ["C-ECHO: no handler is called handler"]


def test_a_stop_waits_for_a_handler_that_ends(serve: Serve) -> None:
    begun = threading.Event()
    ended: list[bool] = []

    def find(request: HandlerRequest) -> None:
        begun.set()
        while not request.cancelled:
            threading.Event().wait(0.001)
        ended.append(True)

    served = serve()
    on(served, "C-FIND", find)
    client = served.associate()
    client.send(client.find_request(STUDIES))
    assert begun.wait(PATIENCE_SECONDS)
    served.pacs.stop()
    assert ended == [True]


def test_a_handler_that_never_ends_is_left_alone_by_a_stop(tmp_path: Path, gate: threading.Event) -> None:

    begun = threading.Event()

    def store(_: HandlerRequest) -> None:
        begun.set()
        assert gate.wait(PATIENCE_SECONDS)

    pacs = MockPACS(storage=tmp_path / "storage", stop_timeout=0.5).start()
    name = pacs.desk.handlers.add(store)
    pacs.rules.add({"when": {"service": "C-STORE"}, "then": {"call": name}})
    with WireClient(pacs.host, pacs.port, timeout=PATIENCE_SECONDS) as client:
        client.associate()
        client.send(client.store_request(ct_image()))
        assert begun.wait(PATIENCE_SECONDS)
        with pytest.raises(StopError):
            pacs.stop()
        left = [thread for thread in threading.enumerate() if thread.name == "mockpacs-handler store"]
        assert [thread.daemon for thread in left] == [True]
        gate.set()
        for thread in left:
            thread.join(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "rule", ["then: { call: find }", "sequence: [reset, { call: find }]", "over: { call: find }, limit: 1/s"]
)
def test_a_file_cannot_call(serve: Serve, rule: str) -> None:

    with pytest.raises(ScenarioError) as refused:
        serve(f"rules: [{{ when: {{ service: C-ECHO }}, {rule} }}]")
    assert str(refused.value).endswith("call names a Python function: MockPACS.on in a test; a file cannot have it.")
    assert len(str(refused.value).splitlines()) == 1


def test_a_crowd_that_comes_and_goes_meets_handlers_of_all_kinds(archive: Served) -> None:
    def find(request: HandlerRequest) -> Iterator[object]:
        for number, one in enumerate(request.honest()):
            if number == 5:
                raise KeyError(number)
            yield one
        while not request.cancelled:
            yield {"PatientID": "X"}

    def store(request: HandlerRequest) -> object:
        choice = sum(request.sop_instance.encode()) % 5
        if choice == 0:
            raise OSError("nothing")
        return (None, "success", "A700", request.honest())[choice - 1]

    on(archive, "C-FIND", find)
    on(archive, "C-STORE", store)
    on(archive, "C-ECHO", lambda request: request.number % 2 and "A700")
    threads = [threading.Thread(target=_come_and_go, args=(archive, number)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    archive.wait_until_nobody_is_connected()
    archive.wait_until_nothing_is_incoming()
    assert {type(one.exception) for one in failures(archive)} <= {OSError, KeyError}


def _come_and_go(served: Served, number: int) -> None:
    for visit in range(12):
        with WireClient(served.host, served.port, timeout=PATIENCE_SECONDS) as client:
            client.associate()
            uid = f"1.2.{number}.{visit}"
            client.send(client.store_request(ct_image(uid, study=uid, pixels=200_000 * (visit % 3)), uid))
            client.send(client.echo_request())
            client.send(client.find_request(STUDIES))
            if visit % 3:
                assert client.response()[0].status in (0, 0xA700, 0x0110)
                assert client.response()[0].status in (0, 0xA700)
                assert client.response()[0].status in (PENDING, 0x0110)
            if visit % 4 == 0:
                client.reset()
            elif visit % 3 == 2:
                client.send(client.cancel_request())
                *_, (final, _) = client.responses()
                assert final.status in (0xFE00, 0x0110)
