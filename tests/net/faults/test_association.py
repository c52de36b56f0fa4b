"""Faults of the beginning of an association, on bytes: rejections, terms nobody proposed, slow and broken answers."""

from __future__ import annotations

import itertools

import pytest

from mockpacs.wire import AssociateAC, ProposedContext, encode_pdu
from mockpacs.wire.pdu import Abort
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit
from tests.net.faults.visitor import STUDIES, Visitor
from tests.net.wire_client import CT, EXPLICIT, IMPLICIT, STUDY_ROOT_FIND, VERIFICATION, associate_request, ct_image

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
MR = "1.2.840.10008.5.1.4.1.1.4"


def associate_rule(then: str) -> str:
    return f"rules: [{{ name: door, when: {{ event: associate, calling: RAW }}, then: {then} }}]"


def knocked(
    play: Play, visit: Visit, then: str, *contexts: ProposedContext, **options: object
) -> tuple[Served, Visitor]:
    """Somebody has asked for an association, of a server that answers like this."""
    server = play(associate_rule(then), **options)
    client = visit(server, associated=False)
    client.send(associate_request(*contexts))
    return server, client


# rejected

RESULTS = {"permanent": 1, "transient": 2}
REASONS = {
    ("user", 1): {
        "no-reason": 1,
        "application-context-not-supported": 2,
        "calling-ae-not-recognized": 3,
        "called-ae-not-recognized": 7,
    },
    ("acse", 2): {"no-reason": 1, "protocol-version-not-supported": 2},
    ("presentation", 3): {"temporary-congestion": 1, "local-limit-exceeded": 2},
}
BY_NAME = [
    (result, source, reason, bytes((result_code, source_code, reason_code)))
    for (result, result_code), ((source, source_code), reasons) in itertools.product(RESULTS.items(), REASONS.items())
    for reason, reason_code in reasons.items()
]


@pytest.mark.parametrize(("result", "source", "reason", "numbers"), BY_NAME)
def test_every_rejection_of_the_standard(
    play: Play, visit: Visit, result: str, source: str, reason: str, numbers: bytes
) -> None:
    server, client = knocked(play, visit, f"{{ reject: {{ result: {result}, source: {source}, reason: {reason} }} }}")

    assert client.pdu() == (3, b"\0" + numbers)

    client.finish()
    assert client.rest() == (b"", "FIN")
    server.wait_for(lambda: server.notices("rejected"))
    assert 'rule "door"' in server.notices("rejected")[0].text


@pytest.mark.parametrize("numbers", [(0, 0, 0), (3, 255, 77), (255, 255, 255), (1, 1, 4), (1, 3, 7), (2, 2, 10)])
def test_numbers_that_the_standard_reserves_or_does_not_know(
    play: Play, visit: Visit, numbers: tuple[int, int, int]
) -> None:
    result, source, reason = numbers
    _, client = knocked(play, visit, f"{{ reject: {{ result: {result}, source: {source}, reason: {reason} }} }}")

    assert client.pdu() == (3, bytes((0, *numbers)))


def test_the_bytes_of_a_rejection_can_be_wrong_too(play: Play, visit: Visit) -> None:
    _, client = knocked(play, visit, "{ delay: 1ms, send: !bytes '00 01', reject: { result: transient } }")

    assert client.exactly(12) == bytes.fromhex("0001 03000000000400020101")
    client.finish()
    assert client.rest() == (b"", "FIN")


def test_somebody_is_rejected_and_the_next_is_not(play: Play, visit: Visit) -> None:
    server = play(
        "rules: [{ when: { event: associate, calling: RAW }, times: 2, then: { reject: { result: transient } } }]"
    )

    answers = [type(visit(server, associated=False).associate()).__name__ for _ in range(3)]

    assert answers == ["AssociateRJ", "AssociateRJ", "AssociateAC"]


def test_more_than_so_many_in_a_time_are_rejected(play: Play, visit: Visit) -> None:
    server = play(
        """
        rules:
          - when: { event: associate, calling: RAW }
            limit: 2/hour
            over: { reject: { result: transient, source: presentation, reason: local-limit-exceeded } }
        """
    )

    answers = [visit(server, associated=False).associate() for _ in range(4)]

    assert [isinstance(answer, AssociateAC) for answer in answers] == [True, True, False, False]


# accepted on terms

PROPOSED = (
    ProposedContext(1, VERIFICATION, (IMPLICIT,)),
    ProposedContext(3, CT, (EXPLICIT, IMPLICIT)),
    ProposedContext(5, MR, (IMPLICIT,)),
    ProposedContext(7, STUDY_ROOT_FIND, (EXPLICIT,)),
)


def accepted(client: Visitor) -> AssociateAC:
    answer = client.read()
    assert isinstance(answer, AssociateAC)
    client.max_pdu = 16384
    return answer


def contexts(client: Visitor) -> list[tuple[int, int, str]]:
    """Number, result and transfer syntax of each context that is answered."""
    answers = accepted(client).contexts
    return [(one.context_id, one.result, one.transfer_syntax if one.result == 0 else "") for one in answers]


def test_fewer_contexts_each_in_its_own_way(play: Play, visit: Visit) -> None:
    _, client = knocked(
        play,
        visit,
        """
        {
          accept: {
            contexts: [
              { sop_class: CT Image Storage, transfer_syntax: [implicit] },
              { sop_class: MR Image Storage, result: transfer-syntaxes-not-supported },
              { sop_class: Verification },
              { sop_class: "*", omit: true },
            ]
          }
        }
        """,
        *PROPOSED,
    )

    assert contexts(client) == [(1, 0, IMPLICIT), (3, 0, IMPLICIT), (5, 4, "")]
    assert client.echo() == 0
    client.send(client.find_request(STUDIES, context_id=7))
    assert client.read_abort() == (2, 6)  # it was not accepted


@pytest.mark.parametrize(
    ("result", "number"),
    [
        ("user-rejection", 1),
        ("no-reason", 2),
        ("abstract-syntax-not-supported", 3),
        ("transfer-syntaxes-not-supported", 4),
        ("5", 5),
        ("255", 255),
    ],
)
def test_every_result_of_a_context(play: Play, visit: Visit, result: str, number: int) -> None:
    _, client = knocked(play, visit, f"{{ accept: {{ contexts: [{{ result: {result} }}] }} }}", *PROPOSED)

    assert contexts(client) == [(one, number, "") for one in (1, 3, 5, 7)]


def test_no_context_at_all(play: Play, visit: Visit) -> None:
    _, client = knocked(play, visit, "{ accept: { contexts: [{ omit: true }] } }", *PROPOSED)

    assert contexts(client) == []


def test_what_fits_no_line_is_refused(play: Play, visit: Visit) -> None:
    _, client = knocked(play, visit, "{ accept: { contexts: [{ sop_class: Verification }] } }", *PROPOSED)

    assert contexts(client) == [(1, 0, IMPLICIT), (3, 3, ""), (5, 3, ""), (7, 3, "")]


def test_a_transfer_syntax_nobody_offered(play: Play, visit: Visit) -> None:
    _, client = knocked(
        play, visit, f"{{ accept: {{ contexts: [{{ transfer_syntax: {JPEG_BASELINE} }}] }} }}", *PROPOSED
    )

    assert contexts(client) == [(one, 0, JPEG_BASELINE) for one in (1, 3, 5, 7)]


def test_a_context_nobody_proposed(play: Play, visit: Visit) -> None:
    _, client = knocked(play, visit, "{ accept: { contexts: [{ id: 98 }] } }", PROPOSED[0])

    assert contexts(client) == [(98, 0, IMPLICIT)]


def test_a_class_that_nobody_serves_is_accepted(play: Play, visit: Visit) -> None:
    unknown = ProposedContext(1, "1.2.3.4.5.6", (IMPLICIT,))
    _, client = knocked(play, visit, "{ accept: { contexts: [{ result: accepted }] } }", unknown)

    assert contexts(client) == [(1, 0, IMPLICIT)]


@pytest.mark.parametrize("length", [0, 1, 6, 7, 64, 4096, 0xFFFFFFFF])
def test_a_maximum_length(play: Play, visit: Visit, length: int) -> None:
    """What is advertised; we keep to what we are: whoever sends more is heard."""
    _, client = knocked(play, visit, f"{{ accept: {{ max_pdu: {length} }} }}")

    assert accepted(client).user.max_pdu_length == length
    assert client.echo() == 0
    assert client.store(ct_image(pixels=10_000)) == 0
    client.release()


def test_other_titles_in_the_answer(play: Play, visit: Visit) -> None:
    _, client = knocked(play, visit, "{ accept: { called: SOMEBODY, calling: ELSE } }")

    answer = accepted(client)

    assert (answer.called.strip(), answer.calling.strip()) == ("SOMEBODY", "ELSE")
    assert client.echo() == 0


def test_a_slow_answer_leaves_nothing_out(play: Play, visit: Visit) -> None:
    """Also for somebody who does not wait for it."""
    server, client = knocked(play, visit, "{ delay: 20ms }")

    assert isinstance(client.read(), AssociateAC)
    assert client.echo() == 0
    assert server.notices("scenario")[0].text == 'rule "door" at associate: delay 20 ms'


def test_an_answer_that_comes_too_late_for_somebody_who_left(play: Play, visit: Visit) -> None:
    server, client = knocked(play, visit, "{ delay: 30s }")
    server.wait_for(lambda: server.notices("scenario"))

    client.send(encode_pdu(Abort(0, 0)))

    assert client.rest() == (b"", "FIN")
    assert "associated" not in server.lines


@pytest.mark.parametrize(
    ("then", "wanted"),
    [
        ("{ truncate: { after: 10 } }", lambda honest: honest[:10]),
        ("{ corrupt: { offset: 0, xor: 01 } }", lambda honest: b"\x03" + honest[1:]),
        ("{ corrupt: { offset: 7 } }", lambda honest: honest[:7] + bytes([honest[7] ^ 0xFF]) + honest[8:]),
        ('{ send: !bytes "01 02" }', lambda honest: b"\x01\x02" + honest),
        ("{ drip: { bytes: 16, every: 1ms } }", lambda honest: honest),
        ("{ bandwidth: 20kB/s }", lambda honest: honest),
    ],
)
def test_the_bytes_of_the_answer_to_an_association_request(play: Play, visit: Visit, then: str, wanted: object) -> None:
    honest = play("rules: []")
    first = visit(honest, associated=False)
    first.send(associate_request())
    kind, body = first.pdu()
    answer = bytes((kind, 0)) + len(body).to_bytes(4, "big") + body

    _, client = knocked(play, visit, then)

    assert client.exactly(len(wanted(answer))) == wanted(answer)  # type: ignore[operator]
    client.finish()
    assert client.rest() == (b"", "FIN")


@pytest.mark.parametrize(
    ("then", "heard", "ending"),
    [
        ("abort", bytes.fromhex("07000000000400000000"), "FIN"),
        ("{ abort: { source: provider, reason: 1 } }", bytes.fromhex("07000000000400000201"), "FIN"),
        ("close", b"", "FIN"),
        ("reset", b"", "RST"),
    ],
)
def test_an_association_request_that_is_met_with_the_end(
    play: Play, visit: Visit, then: str, heard: bytes, ending: str
) -> None:
    _, client = knocked(play, visit, then)

    assert client.exactly(len(heard)) == heard
    if heard:
        client.finish()  # whoever aborts waits for the other to close (PS3.8 9.2, AA-1)
    assert client.rest() == (b"", ending)
