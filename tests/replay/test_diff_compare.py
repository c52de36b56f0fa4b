"""Two recordings compared: what belongs together, what is a difference, and what is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from mockpacs.errors import ConfigurationError
from mockpacs.replay.diff.compare import Comparison, compare
from mockpacs.replay.diff.ignore import DEFAULTS, WORDS, Ignored
from mockpacs.replay.diff.report import as_json, lines, summary
from mockpacs.replay.tape import Tape
from mockpacs.traffic import comment
from mockpacs.traffic.filter import Filter
from mockpacs.wire import (
    Abort,
    AssociateRJ,
    AsynchronousOperations,
    ContextAnswer,
    ExtendedNegotiation,
    RoleSelection,
    Tag,
    UserIdentity,
)
from mockpacs.wire import CommandField as F
from mockpacs.wire.dataset import deflate
from tests.net.wire_client import ct_image, element
from tests.traffic.recording.script import (
    ANSWER,
    CT,
    EXPLICIT,
    FIND,
    GET,
    MOVE,
    REQUEST,
    SCP,
    SCU,
    Line,
    Script,
    answer,
    ask,
    cancel,
    echo,
    echoed,
    store,
    stored,
)
from tests.traffic.recording.written import write

Write = Callable[[Script], None]
KEYS = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", b"DOE*")


def match(name: str, study: str = "1.2.3") -> bytes:
    return element(0x00100010, "PN", name.encode()) + element(0x0020000D, "UI", study.encode())


class Bench:
    """Writes two recordings and compares them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = count()

    def tape(self, made: Write, *, wanted: str = "") -> Tape:
        script = Script()
        made(script)
        first = write(self._folder / str(next(self._count)), script).parts[0]
        return Tape.open(first, filter=Filter.parse(wanted) if wanted else None)

    def compare(
        self,
        left: Write,
        right: Write,
        *ignored: str,
        defaults: bool = True,
        wanted: str = "",
        with_data: bool = True,
        with_times: bool = False,
    ) -> Comparison:
        with self.tape(left, wanted=wanted) as one, self.tape(right, wanted=wanted) as other:
            return compare(
                one,
                other,
                ignored=Ignored.parse(ignored, defaults=defaults),
                with_data=with_data,
                with_times=with_times,
            )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def opened(script: Script, number: int = 1) -> Line:
    return script.open(comment.connection(number, f"10.0.0.{number}:{50000 + number}"))


def one(*said: bytes | tuple[bytes, ...]) -> Write:
    """One association: requests and responses by turns, then a release."""

    def made(script: Script) -> None:
        line = opened(script).associate()
        for turn, messages in enumerate(said):
            line.say(SCP if turn % 2 else SCU, *([messages] if isinstance(messages, bytes) else messages))
        line.release()

    return made


def told(found: Comparison) -> list[tuple[str, str, str, str | None, str | None]]:
    """Every difference: the exchange of the first, where, what, and the values."""
    return [
        (pair.left.id if pair.left else "-", change.where, change.name, change.before, change.after)
        for pair in found.exchanges
        for change in pair.changes
    ]


def alone(found: Comparison) -> tuple[list[str], list[str]]:
    """The exchanges without a counterpart."""
    return (
        [pair.left.id for pair in found.exchanges if pair.left and not pair.right],
        [pair.right.id for pair in found.exchanges if pair.right and not pair.left],
    )


def of_associations(found: Comparison) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (
            change.where,
            f"{change.name} for {change.sop_class}" if change.sop_class else change.name,
            change.before,
            change.after,
        )
        for pair in found.associations
        for change in pair.changes
    ]


STORES = one(*(message for n in range(1, 4) for message in (store(n, ct_image(f"1.{n}"), f"1.{n}"), stored(n))))


def test_a_recording_is_the_same_as_itself(bench: Bench) -> None:
    found = bench.compare(STORES, STORES, defaults=False)
    assert found.is_same
    assert len(list(found.exchanges)) == 3
    assert summary(found) == "no difference in 3 exchanges"


def test_message_ids_are_no_difference_unless_asked_for(bench: Bench) -> None:
    left, right = one(echo(1), echoed(1)), one(echo(7), echoed(7))
    assert bench.compare(left, right).is_same
    found = bench.compare(left, right, defaults=False)
    assert told(found) == [
        ("1.1", "request", "MessageID", "1", "7"),
        ("1.1", "response", "MessageIDBeingRespondedTo", "1", "7"),
    ]
    assert bench.compare(left, right, "message-ids", defaults=False).is_same


def test_a_status_and_its_comment_are_told(bench: Bench) -> None:
    left = one(store(1, ct_image()), stored(1))
    right = one(store(1, ct_image()), stored(1, 0xA700, "disk full"))
    assert told(bench.compare(left, right)) == [
        (
            "1.1",
            "response",
            "Status",
            "0000 success",
            "A700 out-of-resources",
        ),
        ("1.1", "response", "ErrorComment", None, "disk full"),
    ]
    assert bench.compare(left, right, "Status", "ErrorComment").is_same


def test_an_answer_that_is_not_there_is_told(bench: Bench) -> None:
    def silent(script: Script) -> None:
        opened(script).associate().say(SCU, echo()).release()

    [change] = told(bench.compare(one(echo(), echoed()), silent))
    assert change[1:3] == ("response", "message")
    assert change[4] is None


def test_attributes_of_requests_and_matches_are_told_by_keyword(bench: Bench) -> None:
    def find(name: str) -> Write:
        return one(
            ask(F.C_FIND_RQ, 1, FIND, KEYS),
            (answer(F.C_FIND_RQ, 1, FIND, 0xFF00, match(name)), answer(F.C_FIND_RQ, 1, FIND)),
        )

    assert told(bench.compare(find("DOE^JOHN"), find("DOE^JANE"))) == [
        ("1.1", "match 1", "PatientName", "DOE^JOHN", "DOE^JANE")
    ]
    assert bench.compare(find("DOE^JOHN"), find("DOE^JANE"), with_data=False).is_same
    assert bench.compare(find("DOE^JOHN"), find("DOE^JANE"), "PatientName").is_same


def found_by(*matches: bytes) -> Write:
    answers = tuple(answer(F.C_FIND_RQ, 1, FIND, 0xFF00, one) for one in matches)
    return one(ask(F.C_FIND_RQ, 1, FIND, KEYS), (*answers, answer(F.C_FIND_RQ, 1, FIND)))


def test_a_match_that_is_missing_shifts_no_other(bench: Bench) -> None:
    names = ["DOE^A", "DOE^B", "DOE^C", "DOE^D"]
    left, right = found_by(*map(match, names)), found_by(*map(match, [names[0], *names[2:]]))
    found = told(bench.compare(left, right))
    assert [change[1:] for change in found] == [
        ("response", "matches", "4", "3"),
        ("match 2", "match", "(no level) PatientName=DOE^B StudyInstanceUID=1.2.3", None),
    ]
    found = told(bench.compare(right, left))
    assert found[1][1:3] == ("match 2", "match")


def test_matches_in_another_order_are_that_and_nothing_else(bench: Bench) -> None:
    left, right = found_by(*map(match, "ABC")), found_by(*map(match, "BCA"))
    [change] = told(bench.compare(left, right))
    assert change[2] == "order of matches"
    assert bench.compare(left, right, "order").is_same


def renaming(root: str) -> Write:
    """Two instances of a study, which a query then finds."""

    def made(script: Script) -> None:
        line = opened(script).associate()
        for number in (1, 2):
            uid = f"{root}.9.{number}"
            line.say(SCU, store(number, ct_image(uid, study=root), uid)).say(SCP, stored(number))
        line.say(SCU, ask(F.C_FIND_RQ, 3, FIND, KEYS))
        line.say(SCP, answer(F.C_FIND_RQ, 3, FIND, 0xFF00, match("A", root)), answer(F.C_FIND_RQ, 3, FIND)).release()

    return made


def test_uids_may_have_other_names_if_the_same_everywhere(bench: Bench) -> None:
    found = bench.compare(renaming("1.2.3"), renaming("9.8"))
    assert found.is_same
    assert dict(found.renamed) == {"1.2.3": "9.8", "1.2.3.1": "9.8.1", "1.2.3.9.1": "9.8.9.1", "1.2.3.9.2": "9.8.9.2"}
    assert summary(found).endswith("; 4 UIDs are renamed")
    assert not bench.compare(renaming("1.2.3"), renaming("9.8"), defaults=False).is_same


def test_a_uid_that_has_another_name_once_is_a_difference(bench: Bench) -> None:
    def stores_and_finds(study: str) -> Write:
        return one(
            (store(1, ct_image())),
            stored(1),
            ask(F.C_FIND_RQ, 2, FIND, KEYS),
            (answer(F.C_FIND_RQ, 2, FIND, 0xFF00, match("A", study)), answer(F.C_FIND_RQ, 2, FIND)),
        )

    [change] = told(bench.compare(stores_and_finds("1.2.3"), stores_and_finds("9.9")))
    assert change[1:] == ("match 1", "StudyInstanceUID", "1.2.3", "9.9")


def test_an_exchange_that_is_missing_shifts_no_other(bench: Bench) -> None:
    def stores(*numbers: int) -> Write:
        return one(*(m for n in numbers for m in (store(n, ct_image(f"1.{n}"), f"1.{n}"), stored(n))))

    assert alone(bench.compare(stores(1, 2, 3, 4), stores(1, 3, 4))) == (["1.2"], [])
    assert alone(bench.compare(stores(1, 3, 4), stores(1, 2, 3, 4))) == ([], ["1.2"])
    found = bench.compare(stores(1, 2, 3), stores(2, 3, 1))
    assert alone(found) == ([], [])
    assert [change[2:] for change in told(found)] == [("order", "number 1", "number 3")]
    assert bench.compare(stores(1, 2, 3), stores(2, 3, 1), "order").is_same


def test_exchanges_whose_uids_are_new_are_known_by_their_content(bench: Bench) -> None:
    def stores(root: str, *patients: str) -> Write:
        def made(script: Script) -> None:
            line = opened(script).associate()
            for number, patient in enumerate(patients, 1):
                uid = f"{root}.{patient}"
                line.say(SCU, store(number, ct_image(uid, patient=patient), uid)).say(SCP, stored(number))
            line.release()

        return made

    found = bench.compare(stores("1", "1", "2", "3", "4"), stores("9", "1", "3", "4"))
    assert alone(found) == (["1.2"], [])
    assert told(found) == []


def test_associations_are_known_by_who_and_what_in_any_order(bench: Bench) -> None:
    def calling(*titles: str) -> Write:
        def made(script: Script) -> None:
            for number, title in enumerate(titles, 1):
                rq = replace(REQUEST, calling=title)
                opened(script, number).associate(rq).say(SCU, echo()).say(SCP, echoed()).release()

        return made

    assert bench.compare(calling("A", "B", "C"), calling("C", "A", "B")).is_same
    found = bench.compare(calling("A", "B", "C"), calling("A", "C"))
    assert [pair.left.association.calling for pair in found.associations if pair.left and not pair.right] == ["B"]
    assert "1 association and 1 exchange only in the first" in summary(found)
    found = bench.compare(calling("A"), calling("B"))
    assert of_associations(found) == [("requestor", "calling AE title", "A", "B")]
    assert bench.compare(calling("A"), calling("B"), "titles").is_same


def negotiated(rq: object = REQUEST, ac: object = ANSWER) -> Write:
    def made(script: Script) -> None:
        opened(script).associate(rq, ac).say(SCU, echo()).say(SCP, echoed()).release()  # type: ignore[arg-type]

    return made


def user(**said: object) -> object:
    return replace(REQUEST, user=replace(REQUEST.user, **said))  # type: ignore[arg-type]


NEGOTIATIONS = {
    "max-pdu": (user(max_pdu_length=0), "maximum PDU length", "16384 bytes", "no limit"),
    "implementation": (user(implementation_version_name="X"), "implementation version", None, "X"),
    "roles": (
        user(roles=(RoleSelection(CT, False, True),)),
        "role for CT Image Storage",
        None,
        "SCP",
    ),
    "extended": (
        user(extended=(ExtendedNegotiation(CT, b"\1"),)),
        "extended negotiation for CT Image Storage",
        None,
        "01",
    ),
    "window": (
        user(asynchronous_operations=AsynchronousOperations(3, 1)),
        "asynchronous operations window",
        None,
        "3 invoked, 1 performed",
    ),
    "user": (user(user_identity=UserIdentity(1, False, b"eve")), "user identity", None, "type 1, eve"),
    "contexts": (
        replace(REQUEST, application_context="1.2"),
        "application context",
        REQUEST.application_context,
        "1.2",
    ),
}


@pytest.mark.parametrize("topic", NEGOTIATIONS)
def test_what_was_negotiated_is_compared_and_can_be_ignored(bench: Bench, topic: str) -> None:
    rq, name, before, after = NEGOTIATIONS[topic]
    found = bench.compare(negotiated(), negotiated(rq), defaults=False)
    assert of_associations(found) == [("requestor", name, before, after)]
    assert bench.compare(negotiated(), negotiated(rq), topic, defaults=False).is_same
    assert bench.compare(negotiated(), negotiated(rq)).is_same == (topic in DEFAULTS)


def test_what_the_acceptor_says_of_itself_is_compared(bench: Bench) -> None:
    other = replace(ANSWER, user=replace(ANSWER.user, max_pdu_length=32768, implementation_class_uid="1.2.5"))
    found = bench.compare(negotiated(), negotiated(ac=other))
    assert of_associations(found) == [("acceptor", "maximum PDU length", "16384 bytes", "32768 bytes")]
    found = bench.compare(negotiated(), negotiated(ac=other), defaults=False)
    assert [change[1] for change in of_associations(found)] == ["maximum PDU length", "implementation class"]


def test_contexts_are_compared_by_sop_class_and_not_by_number(bench: Bench) -> None:
    contexts = REQUEST.contexts
    ids = [one.context_id for one in contexts]
    # the echo goes on context 1, so that stays in its place
    turned = tuple(replace(one, context_id=ids[0 if not at else -at]) for at, one in enumerate(contexts))
    assert bench.compare(negotiated(), negotiated(replace(REQUEST, contexts=turned))).is_same

    refused = tuple(
        ContextAnswer(one.context_id, 3) if one.abstract_syntax == CT else ContextAnswer(one.context_id, 0, EXPLICIT)
        for one in contexts
    )
    found = bench.compare(negotiated(), negotiated(ac=replace(ANSWER, contexts=refused)))
    assert of_associations(found) == [
        (
            "acceptor",
            "answer for CT Image Storage",
            "accepted: Explicit VR Little Endian",
            "refused: abstract syntax not supported",
        )
    ]
    fewer = replace(REQUEST, contexts=tuple(one for one in contexts if one.abstract_syntax != CT))
    [change] = of_associations(bench.compare(negotiated(), negotiated(fewer)))
    assert change[1] == "context for CT Image Storage"
    assert change[3] is None


def test_a_secret_is_never_told(bench: Bench) -> None:
    left, right = (user(user_identity=UserIdentity(2, False, b"eve", word)) for word in (b"geheim", b"secret!"))
    found = bench.compare(negotiated(left), negotiated(right), defaults=False)
    assert found.is_same
    assert "geheim" not in repr(found)


def ended(how: Callable[[Line], object]) -> Write:
    def made(script: Script) -> None:
        how(opened(script).associate().say(SCU, echo()).say(SCP, echoed()))

    return made


ENDINGS = {
    "released by the requestor": lambda line: line.release(),
    "aborted by the acceptor (source 2, reason 1)": lambda line: line.say(SCP, Abort(2, 1)).close(SCP),
    "aborted by the requestor (source 0, reason 0)": lambda line: line.say(SCU, Abort()).close(SCU),
    "reset by the requestor without a release": lambda line: line.close(SCU, "reset"),
    "closed by the requestor without a release": lambda line: line.close(SCU).close(SCP),
    "open when the recording ended": lambda line: line.close(None, "cut"),
}


@pytest.mark.parametrize("text", ENDINGS)
def test_how_it_ended_is_compared(bench: Bench, text: str) -> None:
    found = bench.compare(ended(lambda line: line.say(SCP, Abort(2, 6)).close(SCP)), ended(ENDINGS[text]))
    assert of_associations(found) == [("", "ending", "aborted by the acceptor (source 2, reason 6)", text)]
    assert bench.compare(ended(ENDINGS[text]), ended(ENDINGS[text]), defaults=False).is_same


def test_a_rejection_is_compared(bench: Bench) -> None:
    def rejected(*why: int) -> Write:
        def made(script: Script) -> None:
            opened(script).say(SCU, REQUEST).say(SCP, AssociateRJ(*why)).close(SCP)

        return made

    assert bench.compare(rejected(1, 1, 7), rejected(1, 1, 7)).is_same
    [change] = of_associations(bench.compare(rejected(1, 1, 7), rejected(2, 3, 1)))
    assert change == (
        "acceptor",
        "answer",
        "rejected (result 1, source 1, reason 7)",
        "rejected (result 2, source 3, reason 1)",
    )
    found = bench.compare(rejected(1, 1, 7), negotiated())
    assert of_associations(found)[0][1] == "answer"
    assert alone(found) == ([], ["1.1"])


def test_bytes_that_are_no_message_are_compared(bench: Bench) -> None:
    def noisy(raw: bytes) -> Write:
        return ended(lambda line: line.say(SCU, raw).close(SCU, "reset"))

    assert bench.compare(noisy(b"GET / HTTP/1.1"), noisy(b"GET / HTTP/1.1")).is_same
    [change] = of_associations(bench.compare(noisy(b"GET / HTTP/1.1"), noisy(b"POST / HTTP/1.1")))
    assert change[:2] == ("requestor", "no message")
    assert bench.compare(noisy(b"GET / HTTP/1.1"), noisy(b"POST / HTTP/1.1"), "noise").is_same


def test_a_data_set_that_broke_off_is_told(bench: Bench) -> None:
    whole = store(1, ct_image(pixels=40_000))

    def broken(length: int) -> Write:
        return ended(lambda line: line.say(SCU, whole[:length]).close(SCU, "reset"))

    found = bench.compare(broken(len(whole)), broken(-2000), with_data=False, wanted="service:C-STORE")
    size = len(ct_image(pixels=40_000))
    [change] = told(found)
    assert change[1:4] == ("request", "data set", f"{size} bytes")
    assert (change[4] or "").endswith(", not whole")


def test_what_is_not_inflated_is_told_when_the_bytes_are_not_the_same(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mockpacs.traffic.dump.walk.INFLATED_AT_MOST", 5000)
    deflated = "1.2.840.10008.1.2.1.99"
    rq = replace(REQUEST, contexts=tuple(replace(one, transfer_syntaxes=(deflated,)) for one in REQUEST.contexts))
    ac = replace(ANSWER, contexts=tuple(replace(one, transfer_syntax=deflated) for one in ANSWER.contexts))

    def stores(end: bytes) -> Write:
        data = deflate(ct_image(pixels=20_000)[:-2] + end)

        def made(script: Script) -> None:
            opened(script).associate(rq, ac).say(SCU, store(1, data)).say(SCP, stored(1)).release()

        return made

    assert bench.compare(stores(b"ab"), stores(b"ab")).is_same
    [pair] = bench.compare(stores(b"ab"), stores(b"cd")).exchanges
    assert pair.changes


def test_a_cancel_is_told(bench: Bench) -> None:
    def asks(*, cancels: bool) -> Write:
        return one((ask(F.C_FIND_RQ, 1, FIND, KEYS), *([cancel(1)] if cancels else [])), answer(F.C_FIND_RQ, 1, FIND))

    assert told(bench.compare(asks(cancels=True), asks(cancels=False))) == [
        ("1.1", "request", "C-CANCEL-RQ", "1", None)
    ]


def retrieving(*remaining: int, completed: int = 2) -> Write:
    counters = {Tag.COMPLETED_SUB_OPERATIONS: completed, Tag.FAILED_SUB_OPERATIONS: 0, Tag.WARNING_SUB_OPERATIONS: 0}
    pending = tuple(
        answer(F.C_MOVE_RQ, 1, MOVE, 0xFF00, elements={Tag.REMAINING_SUB_OPERATIONS: left}) for left in remaining
    )
    final = answer(F.C_MOVE_RQ, 1, MOVE, elements=counters)  # type: ignore[arg-type]
    return one(ask(F.C_MOVE_RQ, 1, MOVE, KEYS, {Tag.MOVE_DESTINATION: "WS"}), (*pending, final))


def test_how_often_a_retrieve_tells_its_progress_can_be_ignored_and_its_counters_count(bench: Bench) -> None:
    found = bench.compare(retrieving(1), retrieving())
    assert [change[2:] for change in told(found)] == [("pending responses", "1", "0")]
    assert bench.compare(retrieving(1), retrieving(), "progress").is_same
    assert bench.compare(retrieving(1), retrieving(2), "progress").is_same
    found = bench.compare(retrieving(1), retrieving(1, completed=3))
    assert [change[2:] for change in told(found)] == [("NumberOfCompletedSuboperations", "2", "3")]


def test_sub_operations_on_the_same_association_are_exchanges_of_their_own(bench: Bench) -> None:
    def gets(*instances: str) -> Write:
        def made(script: Script) -> None:
            line = opened(script).associate().say(SCU, ask(F.C_GET_RQ, 1, GET, KEYS))
            for number, uid in enumerate(instances, 1):
                line.say(SCP, store(number, ct_image(uid), uid)).say(SCU, stored(number))
            line.say(SCP, answer(F.C_GET_RQ, 1, GET)).release()

        return made

    assert bench.compare(gets("1.1", "1.2"), gets("1.1", "1.2")).is_same
    assert alone(bench.compare(gets("1.1", "1.2"), gets("1.1"))) == (["1.3"], [])


def test_associations_with_the_same_titles_are_known_by_what_they_share(bench: Bench) -> None:
    def storing(*associations: Sequence[int]) -> Write:
        def made(script: Script) -> None:
            for number, images in enumerate(associations, 1):
                line = opened(script, number).associate()
                for at, one in enumerate(images, 1):
                    uid = f"1.{one}"
                    line.say(SCU, store(at, ct_image(uid, patient=uid), uid)).say(SCP, stored(at))
                line.release()

        return made

    found = bench.compare(storing((1, 2, 3), (4, 5)), storing((6,), (4, 5, 7), (1, 3)))
    pairs = [(one.left and one.left.number, one.right and one.right.number) for one in found.associations]
    assert pairs == [(None, 1), (1, 3), (2, 2)]
    assert alone(found) == (["1.2"], ["1.1", "2.3"])


def test_things_that_have_nothing_in_common_are_two_things(bench: Bench) -> None:
    def image(**values: str) -> Write:
        tags = {"PatientName": 0x00100010, "PatientID": 0x00100020, "StudyDate": 0x00080020, "Modality": 0x00080060}
        data = b"".join(
            element(tag, "LO", values[name].encode()) for name, tag in sorted(tags.items(), key=lambda item: item[1])
        )
        return one(store(1, data, values["PatientID"]), stored(1))

    first = {"PatientName": "A", "PatientID": "1", "StudyDate": "2001", "Modality": "CT"}
    assert alone(bench.compare(image(**first), image(**first | {"PatientID": "2"}))) == ([], [])
    other = {"PatientName": "B", "PatientID": "2", "StudyDate": "2002", "Modality": "CT"}
    assert alone(bench.compare(image(**first), image(**other))) == (["1.1"], ["1.1"])
    left, right = (found_by(match(name, study)) for name, study in (("A", "1.2.3"), ("B", "1.2.4")))
    assert [change[2] for change in told(bench.compare(left, right))] == ["match", "match"]


def test_a_filter_chooses_exchanges(bench: Bench) -> None:
    left = one(echo(1), echoed(1), store(2, ct_image()), stored(2))
    right = one(echo(1), echoed(1, 0x0110), store(2, ct_image()), stored(2))
    assert not bench.compare(left, right).is_same
    found = bench.compare(left, right, wanted="service:C-STORE")
    assert found.is_same
    assert len(list(found.exchanges)) == 1


def test_times_are_compared_when_asked_for(bench: Bench) -> None:
    def slow(seconds: float) -> Write:
        def made(script: Script) -> None:
            line = opened(script).associate().say(SCU, echo())
            script.clock += seconds
            line.say(SCP, echoed()).release()

        return made

    with bench.tape(slow(0)) as left, bench.tape(slow(0)) as right:
        [taped] = right.associations
        [exchange] = taped.exchanges
        slower = replace(taped, exchanges=(replace(exchange, seconds=exchange.seconds + 5),))
        assert compare(left, [slower]).is_same
        [pair] = compare(left, [slower], with_times=True).exchanges
        assert [change.name for change in pair.changes] == ["duration"]


def test_lines_are_grouped_and_name_the_recordings(bench: Bench) -> None:
    left = one(store(1, ct_image()), stored(1), echo(2), echoed(2))
    right = one(store(1, ct_image(patient="P2")), stored(1))
    found = bench.compare(left, right)
    shown = [line.text for line in lines(found, ("monday", "tuesday"))]
    assert shown == [
        "association 1 | 1  CT1 > MOCKPACS",
        "  1.1 | 1.1  C-STORE  CT 1.2.840.99.1.2.3....  300 B".replace("300 B", shown[1].rpartition("  ")[2]),
        "    request: PatientID  P1 -> P2",
        "  1.2 | -  C-ECHO  only in monday",
        "1 of 1 exchange differs, 1 exchange only in the first",
    ]


def test_many_differences_are_cut_unless_all_are_wanted(bench: Bench) -> None:
    def images(value: bytes) -> Write:
        return one(store(1, b"".join(element(0x00400000 + n, "LO", value) for n in range(0x1001, 0x1060))), stored(1))

    found = bench.compare(images(b"a"), images(b"b"))
    short, full = ([line.text for line in lines(found, ("a", "b"), details=all_)] for all_ in (False, True))
    assert any(line.endswith("more; -v shows all") for line in short)
    assert len(full) > len(short)


def test_json_has_an_object_for_everything_that_differs_and_a_summary(bench: Bench) -> None:
    left, right = one(echo(), echoed()), one(echo(), echoed(1, 0x0122))
    exchange, total = as_json(bench.compare(left, right))
    assert (exchange["event"], exchange["a"], exchange["b"], exchange["service"]) == (
        "exchange",
        "1.1",
        "1.1",
        "C-ECHO",
    )
    [difference] = exchange["differences"]
    assert (difference["where"], difference["name"], difference["tag"]) == ("response", "Status", "00000900")
    assert total["same"] is False
    assert total["different"] == 1


@pytest.mark.parametrize("word", ["PatientNmae", "order!", "0010", ""])
def test_what_cannot_be_ignored_is_refused_with_what_can(word: str) -> None:
    with pytest.raises(ConfigurationError, match="none of message-ids") as refused:
        Ignored.parse([word])
    assert ("PatientName" in str(refused.value)) == (word == "PatientNmae")


def test_every_word_can_be_ignored() -> None:
    assert Ignored.parse(WORDS).topics == frozenset(WORDS)


def test_what_was_not_captured_is_remarked(bench: Bench) -> None:
    def lossy() -> Iterator[str]:
        from mockpacs.replay.tape import Gap

        with bench.tape(one(echo(), echoed())) as left, bench.tape(one(echo(), echoed())) as right:
            [taped] = right.associations
            lacking = replace(taped, steps=(*taped.steps, Gap(0.0, SCU, 300)))
            yield from compare(left, [lacking]).remarks

    assert list(lossy()) == ["association 1 of the second recording lacks 300 bytes that were not captured"]
