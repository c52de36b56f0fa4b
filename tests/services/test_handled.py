"""What a handler may give back, and what is answered then; plain calls, no thread."""

from __future__ import annotations

import gc
import weakref
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from mockpacs.archive import Archive, QueryOptions, Spool
from mockpacs.control.handler import HandlerFailure, Handlers
from mockpacs.errors import ConfigurationError
from mockpacs.services.handled import outcomes
from mockpacs.services.handler_request import HandlerRequest
from mockpacs.services.registry import Registry
from mockpacs.services.request import Outcome, Request, SubOperations
from mockpacs.traffic.exchange import Association
from mockpacs.wire import AcceptedContext, CommandField, Tag, request
from tests.services.samples import CT, EXPLICIT, STUDY_ROOT, ct, encoded, find_request, identifier, store_request

DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
IMPLICIT = "1.2.840.10008.1.2"
RETRIEVE = "1.2.840.10008.5.1.4.1.2.2.2"
FULL = Outcome(0xA700, comment="full")
WHO = Association(3, "127.0.0.1:40000", "CT1", "MOCKPACS")

Function = Callable[[HandlerRequest], object]


class Called:
    """A handler that was called, and what became of it."""

    def __init__(
        self, function: Function, asked: Request, served: Callable[[], Iterable[Outcome]] | None = None
    ) -> None:
        self.handlers = Handlers()
        handler = self.handlers[self.handlers.add(function)]
        self.told: list[str] = []
        self.times_served = 0
        self._served = served
        self.request = HandlerRequest(asked, WHO, 1, self._serve if served else None)
        self.outcomes = list(outcomes(handler, self.request, self.told.append))

    @property
    def failure(self) -> HandlerFailure:
        """The one that there is."""
        (failure,) = self.handlers.failures
        return failure

    @property
    def said(self) -> list[str | int]:
        """Matches by their Patient ID, all else by its status; nothing went wrong."""
        assert not self.handlers.failures
        return said(self.outcomes)

    def _serve(self) -> Iterator[Outcome]:
        self.times_served += 1
        assert self._served is not None
        yield from self._served()


def said(outcomes: Iterable[Outcome]) -> list[str | int]:
    return [read(one.data).PatientID if one.data is not None else one.status for one in outcomes]


def read(data: bytes | None, *, implicit: bool = False, little: bool = True) -> Dataset:
    assert data is not None
    return read_dataset(BytesIO(data), implicit, little)


def match(patient: str) -> Outcome:
    return Outcome(0xFF00, encoded(patient_of(patient)))


def patient_of(patient: str) -> Dataset:
    dataset = Dataset()
    dataset.PatientID = patient
    return dataset


def plain(field: CommandField, context: str = "1.2.840.10008.1.1") -> Request:
    command = request(field, 1, elements={Tag.AFFECTED_SOP_CLASS: context})
    return Request(command, AcceptedContext(1, context, EXPLICIT))


ECHO = plain(CommandField.C_ECHO_RQ)
N_GET = plain(CommandField.N_GET_RQ)
MOVE = plain(CommandField.C_MOVE_RQ, RETRIEVE)


def asked_to_find() -> Request:
    return find_request(identifier(PatientID="*"))


def two_matches() -> Iterator[Outcome]:
    yield match("A")
    yield match("B")
    yield Outcome(0)


def refused() -> Iterator[Outcome]:
    yield match("A")
    yield FULL


# what may be given back to a C-FIND


def empty(_: HandlerRequest) -> Iterator[object]:
    yield from ()


def ends_with_a_status(_: HandlerRequest) -> Iterator[object]:
    yield {"PatientID": "1"}
    yield "response-limit-reached"
    raise AssertionError("nothing comes after the final response")


def returns_a_status(_: HandlerRequest) -> Generator[object, None, object]:
    yield {"PatientID": "1"}
    return 0xA700


def returns_a_match(_: HandlerRequest) -> Generator[object, None, object]:
    yield {"PatientID": "1"}
    return {"PatientID": "2"}


def filters(request: HandlerRequest) -> Iterator[object]:
    for one in request.honest():
        if one.dataset.PatientID != "A":
            yield one


def changes(request: HandlerRequest) -> Iterator[object]:
    for one in request.honest():
        one.dataset.PatientID = f"{one.dataset.PatientID}2"
        one.status = "pending-with-warning"
        yield one


@pytest.mark.parametrize(
    ("function", "answered"),
    [
        (lambda _: None, ["A", "B", 0]),
        (lambda _: 0, [0]),
        (lambda _: 0xA700, [0xA700]),
        (lambda _: "identifier-mismatch", [0xA900]),
        (lambda _: "A701", [0xA701]),
        (lambda request: request.reply("C123"), [0xC123]),
        (lambda request: request.reply(), [0]),
        (lambda _: patient_of("1"), ["1", 0]),
        (lambda _: {"PatientID": "1"}, ["1", 0]),
        (lambda _: [], [0]),
        (lambda _: [{"PatientID": "1"}, patient_of("2")], ["1", "2", 0]),
        (lambda _: ({"PatientID": one} for one in "12"), ["1", "2", 0]),
        (lambda request: request.reply("FF01", dataset={"PatientID": "1"}), ["1", 0]),
        (lambda request: [request.reply(0xFF00, dataset=patient_of("1")), "A700"], ["1", 0xA700]),
        (lambda request: request.reply("success", dataset={"PatientID": "1"}), ["1", 0]),  # a match whatever it says
        (lambda request: request.honest(), ["A", "B", 0]),
        (lambda request: list(request.honest()), ["A", "B", 0]),
        (lambda request: request.honest().final, [0]),
        (empty, [0]),
        (ends_with_a_status, ["1", 0xB001]),
        (returns_a_status, ["1", 0xA700]),
        (returns_a_match, ["1", "2", 0]),
        (filters, ["B", 0]),
        (changes, ["A2", "B2", 0]),
    ],
)
def test_a_find_is_answered_with_what_came_back(function: Function, answered: list[object]) -> None:
    assert Called(function, asked_to_find(), two_matches).said == answered


def test_a_changed_status_goes_out() -> None:
    assert [one.status for one in Called(changes, asked_to_find(), two_matches).outcomes] == [0xFF01, 0xFF01, 0]


@pytest.mark.parametrize("function", [lambda _: None, filters, lambda request: request.honest()])
def test_an_honest_failure_is_passed_on(function: Function) -> None:
    assert Called(function, asked_to_find(), refused).outcomes[-1] == FULL


def test_a_success_after_an_honest_failure_that_was_seen_gives_way_to_it() -> None:
    def handler(request: HandlerRequest) -> object:
        return [*request.honest(), "success"]

    assert Called(handler, asked_to_find(), refused).said == ["A", 0xA700]
    assert Called(lambda _: "success", asked_to_find(), refused).said == [0], "it was not asked"


def test_an_honest_match_that_was_looked_at_leaves_byte_for_byte() -> None:
    odd = b"\x10\x00\x20\x00LO\x05\x00A    "  # an odd length that pydicom would not write

    def served() -> Iterator[Outcome]:
        yield Outcome(0xFF00, odd)
        yield Outcome(0)

    def looks(request: HandlerRequest) -> Iterator[object]:
        for one in request.honest():
            assert one.dataset.PatientID.strip() == "A"
            yield one

    assert Called(looks, asked_to_find(), served).outcomes == [Outcome(0xFF00, odd), Outcome(0)]


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_data_sets_are_written_as_the_context_wants_them(syntax: str) -> None:
    def served() -> Iterator[Outcome]:
        yield Outcome(0)

    asked = find_request(identifier(), syntax=syntax)
    asked.data = None
    called = Called(lambda _: {"PatientID": "1", "PatientName": "Müller"}, asked, served)
    data = called.outcomes[0].data
    assert data is not None
    plain = zlib.decompress(data, -zlib.MAX_WBITS) if syntax == DEFLATED else data
    dataset = read(plain, implicit=syntax == IMPLICIT, little=syntax != BIG_ENDIAN)
    assert (dataset.PatientID, dataset.PatientName) == ("1", "Müller")
    assert dataset.SpecificCharacterSet == "ISO_IR 192"


def test_what_a_test_kept_from_another_exchange_is_written_anew() -> None:
    kept: list[object] = []
    Called(lambda request: kept.extend(request.honest()), asked_to_find(), two_matches)
    called = Called(lambda _: kept, find_request(identifier(implicit=True), syntax=IMPLICIT), two_matches)
    assert read(called.outcomes[0].data, implicit=True).PatientID == "A"


# cancel


class Flag:
    is_set = False

    def __call__(self) -> bool:
        return self.is_set


def test_after_a_cancel_a_generator_is_asked_for_nothing_more_and_is_closed() -> None:
    flag, log = Flag(), list[object]()

    def handler(_: HandlerRequest) -> Iterator[object]:
        try:
            for number in range(100):
                flag.is_set = number == 2
                log.append(number)
                yield {"PatientID": str(number)}
        finally:
            log.append("closed")

    called = Called(handler, find_request(identifier(), cancelled=flag))
    assert called.said == ["0", "1", 0xFE00]
    assert log == [0, 1, 2, "closed"]


def test_a_handler_that_waits_for_the_cancel_can_say_how_it_ends() -> None:
    flag = Flag()

    def handler(request: HandlerRequest) -> Generator[object, None, object]:
        yield {"PatientID": "1"}
        flag.is_set = True
        assert request.cancelled
        return request.reply("A700", "at last")

    called = Called(handler, find_request(identifier(), cancelled=flag))
    assert called.outcomes[-1] == Outcome(0xA700, comment="at last")

    def plain(request: HandlerRequest) -> object:
        assert request.cancelled
        return "success"

    assert Called(plain, find_request(identifier(), cancelled=flag)).said == [0]


def test_a_generator_that_will_not_be_closed_is_told_and_the_cancel_answered() -> None:
    flag = Flag()

    def handler(_: HandlerRequest) -> Iterator[object]:
        try:
            yield {"PatientID": "1"}
            flag.is_set = True
            yield {"PatientID": "2"}
        finally:
            yield {"PatientID": "3"}

    called = Called(handler, find_request(identifier(), cancelled=flag))
    assert said(called.outcomes) == ["1", 0xFE00]
    assert "ignored GeneratorExit" in str(called.failure.exception)


# other services


@pytest.mark.parametrize(
    ("asked", "function", "answered"),
    [
        (ECHO, lambda _: None, [Outcome(0, comment="honest")]),
        (ECHO, lambda _: "not-authorized", [Outcome(0x0124)]),
        (ECHO, lambda request: request.honest(), [Outcome(0, comment="honest")]),
        (ECHO, lambda _: [], [Outcome(0, comment="honest")]),
        (
            ECHO,
            lambda request: request.reply(0x0110, "busy", error_id=7),
            [Outcome(0x0110, comment="busy", error_id=7)],
        ),
        (N_GET, lambda _: {"PatientID": "1"}, [Outcome(0, encoded(patient_of("1")))]),
        (N_GET, lambda _: [patient_of("1")], [Outcome(0, encoded(patient_of("1")))]),
        (N_GET, lambda _: "no-such-sop-instance", [Outcome(0x0112)]),
        (
            N_GET,
            lambda request: request.reply("0107", offending=["PatientID", 0x00100010]),
            [Outcome(0x0107, offending=(0x00100020, 0x00100010))],
        ),
        (MOVE, lambda _: ["pending", "pending"], [Outcome(0xFF00), Outcome(0xFF00), Outcome(0)]),
        (MOVE, lambda _: "move-destination-unknown", [Outcome(0xA801)]),
    ],
)
def test_other_services(asked: Request, function: Function, answered: list[Outcome]) -> None:
    assert Called(function, asked, lambda: [Outcome(0, comment="honest")]).outcomes == answered


@pytest.mark.parametrize("asked", [N_GET, MOVE])
@pytest.mark.parametrize("function", [lambda _: None, lambda request: request.honest(), lambda r: r.honest().final])
def test_where_nobody_serves_honest_is_to_say_so(asked: Request, function: Function) -> None:
    service = asked.command.service
    called = Called(function, asked)
    assert called.outcomes == [Outcome(0x0211, comment=f"{service} is not served on this presentation context")]
    assert not called.request.is_served


def test_where_nobody_serves_a_handler_can() -> None:
    assert Called(lambda _: {"PatientID": "1"}, N_GET).said == ["1"]
    assert Called(lambda _: "success", MOVE).said == [0]


def test_the_request_says_who_asks_for_what() -> None:
    seen: list[Any] = []

    def handler(request: HandlerRequest) -> None:
        seen.extend((request.service, request.calling, request.called, request.peer, request.association.number))
        seen.extend((request.id, request.sop_class, request.sop_instance, request.dataset.PatientID, request.cancelled))
        seen.append(repr(request))
        assert request.dataset is request.dataset

    Called(handler, asked_to_find(), two_matches)
    assert seen == [
        *("C-FIND", "CT1", "MOCKPACS", "127.0.0.1", 3),
        *("3.1", STUDY_ROOT, "", "*", False),
        "C-FIND 3.1 from CT1",
    ]
    Called(lambda request: seen.append(request.dataset), ECHO, lambda: [Outcome(0)])
    assert seen[-1] is None


# C-STORE, with the archive


class Storing:
    """A C-STORE under a handler, on a real archive."""

    def __init__(self, archive: Archive, function: Function, *, spilled: bool = False, **how: Any) -> None:
        asked = store_request(archive, ct("1.2.9", **how), "1.2.9")
        assert isinstance(asked.data, Spool)
        if spilled:
            asked.data.spill()
        self.spool = asked.data
        service = Registry(archive, QueryOptions()).storage
        kept: list[Outcome] = []

        def served() -> Iterator[Outcome]:
            if not kept:
                kept.extend(service.answer(asked))
            return iter(kept)

        self.called = Called(function, asked, served)
        self.outcomes = self.called.outcomes
        self.is_stored = archive.counts().instances == 1


@pytest.fixture(params=["memory", "disk"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(None if request.param == "memory" else tmp_path)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("function", "answered", "is_stored"),
    [
        (lambda _: None, Outcome(0), True),
        (lambda _: "success", Outcome(0), True),
        (lambda _: "elements-discarded", Outcome(0xB006), True),
        (lambda request: request.reply(0, "kept"), Outcome(0, comment="kept"), True),
        (lambda request: request.honest(), Outcome(0), True),
        (lambda request: [*request.honest(), "out-of-resources"][-1], Outcome(0xA700), True),  # stored, and denied
        (lambda _: "out-of-resources", Outcome(0xA700), False),
        (lambda _: 0xC000, Outcome(0xC000), False),
        (lambda _: [], Outcome(0), True),
        (lambda _: 1 / 0, Outcome(0x0110, comment="ZeroDivisionError in the handler handler"), False),
        (lambda _: 3.5, Outcome(0x0110, comment="No valid answer from the handler handler"), False),
        (lambda _: "pending", Outcome(0x0110, comment="No valid answer from the handler handler"), False),
        (lambda _: {"PatientID": "1"}, Outcome(0x0110, comment="No valid answer from the handler handler"), False),
    ],
)
def test_what_is_answered_with_success_or_a_warning_is_stored(
    archive: Archive, function: Function, answered: Outcome, is_stored: bool
) -> None:
    storing = Storing(archive, function)
    assert storing.outcomes == [answered]
    assert storing.is_stored is is_stored
    assert storing.called.times_served <= 2


@pytest.mark.parametrize("spilled", [False, True])
def test_a_data_set_that_was_read_can_still_be_stored_byte_for_byte(archive: Archive, spilled: bool) -> None:
    pixels = bytes(range(256)) * 8000
    seen: list[Any] = []

    def handler(request: HandlerRequest) -> object:
        seen.append(request.dataset)
        return "success"

    storing = Storing(archive, handler, spilled=spilled, PixelData=pixels, BitsAllocated=8, Rows=1)
    assert storing.outcomes == [Outcome(0)]
    assert storing.is_stored
    assert (seen[0].PixelData, seen[0].PatientName) == (pixels, "Doe^Jane")
    assert seen[0].file_meta.TransferSyntaxUID == EXPLICIT
    (stored,) = archive.instances()
    assert stored.dataset().PixelData == pixels


def test_a_data_set_that_the_archive_has_cannot_be_read_any_more_and_that_is_said(archive: Archive) -> None:
    def handler(request: HandlerRequest) -> object:
        response = next(request.honest())
        request.dataset  # noqa: B018
        return response

    storing = Storing(archive, handler)
    assert "read request.dataset before request.honest()" in str(storing.called.failure.exception)
    assert storing.outcomes[0].status == 0x0110


def test_what_a_test_keeps_of_a_request_keeps_what_was_read_and_says_why_it_has_no_more(archive: Archive) -> None:
    kept: list[HandlerRequest] = []
    storing = Storing(archive, lambda request: kept.append(request))
    assert storing.is_stored
    with pytest.raises(ValueError, match="the exchange is over"):
        kept[0].dataset  # noqa: B018
    with pytest.raises(ValueError, match="the exchange is over"):
        kept[0].honest()

    def reads(request: HandlerRequest) -> str:
        kept.append(request)
        assert request.dataset
        return "A700"

    Storing(archive, reads)
    assert kept[1].dataset.PatientName == "Doe^Jane"
    assert (kept[1].sop_class, kept[1].sop_instance, kept[1].cancelled) == (CT, "1.2.9", False)


@pytest.mark.parametrize("answer", ["success", "B007", None])
def test_an_honest_failure_wins(answer: object) -> None:
    asked = find_request(None)  # any request with a command will do
    asked.command = request(CommandField.C_STORE_RQ, 1, elements={Tag.AFFECTED_SOP_CLASS: CT})
    assert Called(lambda _: answer, asked, lambda: [FULL]).outcomes == [FULL]


@pytest.mark.parametrize("data", [b"\0", b"garbage that is no data set", bytes(64), b"\xff" * 40])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, DEFLATED])
@pytest.mark.filterwarnings("ignore")
def test_a_data_set_that_cannot_be_read_never_takes_more_than_the_call(data: bytes, syntax: str) -> None:
    def looks(request: HandlerRequest) -> None:
        assert request.dataset is not None

    called = Called(looks, find_request(data, syntax=syntax), two_matches)
    if called.handlers.failures:
        assert "the data set cannot be read" in str(called.failure.exception)
    else:
        assert called.said == ["A", "B", 0]


# what goes wrong


def test_what_a_handler_raises_is_answered_kept_and_told() -> None:
    def find(request: HandlerRequest) -> object:
        return request.nothing_like_that  # type: ignore[attr-defined]

    called = Called(find, asked_to_find(), two_matches)
    assert called.outcomes == [Outcome(0x0110, comment="AttributeError in the handler find")]
    failure = called.failure
    assert (failure.name, failure.request) == ("find", "C-FIND 3.1 from CT1")
    assert isinstance(failure.exception, AttributeError)
    first, second, *_ = failure.traceback.splitlines()
    assert first == "Traceback (most recent call last):"
    assert "test_handled.py" in second, "it begins with the handler, not with what called it"
    assert second.endswith("in find")
    assert str(failure).startswith("handler find, C-FIND 3.1 from CT1: AttributeError: ")
    assert called.told[0].startswith("handler find failed: AttributeError: ")


def test_what_a_generator_raises_after_matches_is_the_final_response() -> None:
    def handler(_: HandlerRequest) -> Iterator[object]:
        yield {"PatientID": "1"}
        raise KeyError("x")

    called = Called(handler, asked_to_find(), two_matches)
    assert said(called.outcomes) == ["1", 0x0110]
    assert 'raise KeyError("x")' in called.failure.traceback


@pytest.mark.parametrize("how", [SystemExit, KeyboardInterrupt, pytest.fail.Exception, StopIteration, GeneratorExit])
def test_whatever_is_raised_ends_only_the_call(how: type[BaseException]) -> None:
    def handler(_: HandlerRequest) -> object:
        raise how("enough")

    def generates(_: HandlerRequest) -> Iterator[object]:
        yield from ()
        raise how("enough")

    assert Called(handler, ECHO).outcomes[0].status == 0x0110
    assert Called(generates, ECHO).outcomes[0].status == 0x0110


async def waits(_: HandlerRequest) -> None:
    """A coroutine function, hidden in a lambda."""


async def streams(_: HandlerRequest) -> Any:
    yield {"PatientID": "1"}


@pytest.mark.parametrize(
    "returned",
    [3.5, True, b"bytes", object(), Path("x.dcm"), [None], [[{"PatientID": "1"}]], (0, patient_of("1"), 7.5)],
)
def test_nonsense_is_answered_and_told_with_what_is_possible(returned: object) -> None:
    called = Called(lambda _: returned, asked_to_find(), two_matches)
    assert called.outcomes[-1] == Outcome(0x0110, comment="No valid answer from the handler handler")
    assert "request.reply(" in str(called.failure.exception) or "give a code" in str(called.failure.exception)
    assert "test_handled.py:" in called.failure.traceback


@pytest.mark.parametrize("function", [lambda request: waits(request), lambda request: streams(request)])
def test_what_only_an_event_loop_could_run_is_nonsense(function: Function) -> None:
    called = Called(function, asked_to_find(), two_matches)
    assert "a handler gives back None (behave honestly), a status" in str(called.failure.exception)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        ("out-of-resorces", 'Did you mean "out-of-resources"?'),
        (-1, "a code is between 0x0000 and 0xFFFF"),
        (0x10000, "a code is between 0x0000 and 0xFFFF"),
        ({"PatienID": "1"}, 'Did you mean "PatientID"?'),
        ({"Rows": "many"}, '"many" is no number of VR US'),
        ([{"PatientID": "1"}, {"PatienID": "1"}], 'Did you mean "PatientID"?'),
    ],
)
def test_what_is_nearly_right_is_told_with_what_was_meant(returned: object, sentence: str) -> None:
    called = Called(lambda _: returned, asked_to_find(), two_matches)
    assert called.outcomes[-1].status == 0x0110
    assert sentence in str(called.failure.exception)


def test_a_reply_that_cannot_be_made_is_the_error_of_who_makes_it() -> None:
    for made in (
        lambda request: request.reply("no-such-status"),
        lambda request: request.reply(dataset=[patient_of("1")]),
        lambda request: request.reply(offending=["NoSuchKeyword"]),
    ):
        called = Called(made, asked_to_find(), two_matches)
        assert isinstance(called.failure.exception, ValueError | TypeError)
        assert "in <lambda>" in called.failure.traceback


def test_honest_responses_that_were_not_read_to_their_end_are_ended() -> None:
    ended: list[bool] = []

    def served() -> Iterator[Outcome]:
        try:
            yield from two_matches()
        finally:
            ended.append(True)

    def handler(request: HandlerRequest) -> object:
        return next(request.honest())

    assert Called(handler, asked_to_find(), served).said == ["A", 0]
    assert ended == [True]


# retrieves

TWO_OF_THREE = Outcome(0xB000, encoded(patient_of("failed list")), "1 of 3 failed", counts=SubOperations(2, 1, 0))


def retrieved(final: Outcome = TWO_OF_THREE) -> Callable[[], Iterator[Outcome]]:
    """A retrieve of three instances."""

    def served() -> Iterator[Outcome]:
        yield Outcome(0xFF00, counts=SubOperations(1, 0, 0, 2))
        yield Outcome(0xFF00, counts=SubOperations(2, 0, 0, 1))
        yield final

    return served


@pytest.mark.parametrize("function", [lambda _: None, lambda request: request.honest(), lambda r: r.honest().final])
def test_an_honest_retrieve_is_passed_on_with_its_counters(function: Function) -> None:
    told = Called(function, MOVE, retrieved()).outcomes

    assert told[-1] == TWO_OF_THREE
    assert [one.counts for one in told[:-1]] in ([], [(1, 0, 0, 2), (2, 0, 0, 1)])


def test_a_handler_counts_sub_operations_as_it_likes() -> None:
    def handler(request: HandlerRequest) -> Iterator[object]:
        assert request.destination == "WORKSTATION"
        yield request.reply("pending", completed=1, failed=0, warning=0, remaining=2)
        yield request.reply(0xB000, completed=2, failed=1)

    elements = {Tag.AFFECTED_SOP_CLASS: RETRIEVE, Tag.MOVE_DESTINATION: "WORKSTATION"}
    asked = Request(request(CommandField.C_MOVE_RQ, 1, elements=elements), AcceptedContext(1, RETRIEVE, EXPLICIT))
    assert Called(handler, asked, retrieved()).outcomes == [
        Outcome(0xFF00, counts=SubOperations(1, 0, 0, 2)),
        Outcome(0xB000, counts=SubOperations(2, 1, 0)),
    ]
    assert HandlerRequest(ECHO, WHO).destination == ""


def test_honest_counters_can_be_read_and_changed() -> None:
    def handler(request: HandlerRequest) -> Iterator[object]:
        honest = request.honest()
        for one in honest:
            one.remaining = 0
            yield one
        assert (honest.final.completed, honest.final.failed, honest.final.warning) == (2, 1, 0)
        assert honest.final.remaining is None
        honest.final.failed = 7
        yield honest.final

    assert [one.counts for one in Called(handler, MOVE, retrieved()).outcomes] == [
        (1, 0, 0, 0),
        (2, 0, 0, 0),
        (2, 7, 0, None),
    ]


@pytest.mark.parametrize(
    ("function", "final"),
    [
        (lambda request: [*request.honest(), "success"], TWO_OF_THREE),
        (lambda request: [next(request.honest()), "success"], TWO_OF_THREE),
        (lambda request: next(request.honest()), TWO_OF_THREE),
        (lambda request: [*request.honest(), 0xB000], Outcome(0xB000)),
        (lambda request: [next(request.honest()), 0xA702], Outcome(0xA702)),
        (lambda _: "success", Outcome(0)),
    ],
)
def test_a_success_of_a_handler_gives_way_to_failures_of_the_retrieve_that_it_began(
    function: Function, final: Outcome
) -> None:
    assert Called(function, MOVE, retrieved()).outcomes[-1] == final


@pytest.mark.parametrize(
    ("asked", "counts", "sentence"),
    [
        (asked_to_find(), {"completed": 1}, "a response of C-FIND counts no sub-operations"),
        (MOVE, {"completed": -1}, "-1 is no number of sub-operations: that is between 0 and 65535"),
        (MOVE, {"remaining": 65536}, "65536 is no number of sub-operations"),
        (MOVE, {"failed": "all"}, '"all" is no number of sub-operations'),
    ],
)
def test_counters_that_cannot_be_are_the_error_of_who_says_them(
    asked: Request, counts: dict[str, Any], sentence: str
) -> None:
    called = Called(lambda request: request.reply("pending", **counts), asked, two_matches)

    assert sentence in str(called.failure.exception)
    assert "in <lambda>" in called.failure.traceback


def test_more_sub_operations_than_a_response_can_count_are_no_error_of_the_handler() -> None:
    many = Outcome(0, counts=SubOperations(70_000, 0, 0))
    (final,) = Called(lambda request: request.honest().final, MOVE, lambda: [many]).outcomes

    assert final == Outcome(0, counts=SubOperations(65_535, 0, 0))


# registration


def test_names_are_those_of_the_functions_and_unique() -> None:
    def find(_: HandlerRequest) -> None: ...

    class Counting:
        def __call__(self, _: HandlerRequest) -> None: ...

    handlers = Handlers()
    names = [handlers.add(find), handlers.add(find), handlers.add(lambda _: None), handlers.add(Counting())]
    assert names == ["find", "find 2", "handler", "Counting"]
    assert handlers.add(find, "mine") == "mine"
    assert list(handlers) == [*names, "mine"]
    assert handlers["find"].place.startswith("test_handled.py:")
    assert handlers.remove("find")
    assert not handlers.remove("find")
    assert handlers.add(find) == "find"
    handlers.clear()
    assert not handlers
    assert handlers.get("find") is None


class Asynchronous:
    async def __call__(self, _: HandlerRequest) -> None: ...


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (waits, "waits is an async function; a handler runs in a thread of its own"),
        (streams, "streams is an async function"),
        (Asynchronous(), "Asynchronous is an async function"),
        (lambda: None, "cannot be called with one argument; a handler gets the request"),
        (lambda request, more: None, "cannot be called with one argument"),
        ("find", "'find' is no function"),
    ],
)
def test_what_cannot_be_a_handler_is_refused_with_a_sentence(function: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Handlers().add(function)
    assert sentence in str(refused.value)


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("I will not say who I am")


def test_what_cannot_even_be_shown_or_written_is_nonsense_like_all_else() -> None:
    wrong = Dataset()
    wrong.add_new(0x00280010, "US", 1)
    wrong["Rows"]._value = object()
    for returned in (Unspeakable(), [Unspeakable()], wrong):
        called = Called(lambda _, it=returned: it, asked_to_find(), two_matches)  # type: ignore[misc]
        assert called.outcomes[-1].status == 0x0110
        assert str(called.failure.exception).startswith("this ")


def test_failures_keep_no_data_sets_and_do_not_pile_up() -> None:
    class Large(bytearray):
        pass

    def handler(_: HandlerRequest) -> object:
        large = Large(10)
        alive.append(weakref.ref(large))
        raise ValueError

    alive: list[weakref.ref[Large]] = []
    called = Called(handler, asked_to_find(), two_matches)
    assert called.failure.exception.__traceback__ is not None
    gc.collect()
    assert [one() for one in alive] == [None]
    for _ in range(300):
        called.handlers[next(iter(called.handlers))].failed(called.handlers.failures[0])
    assert len(called.handlers.failures) == 100
    called.handlers.forget()
    assert called.handlers.failures == []
