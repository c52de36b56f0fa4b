"""Faults of associations, on bytes: rejections, terms nobody proposed, aborts, releases that are not answered."""

from __future__ import annotations

import itertools

import pytest

from mockpacs.wire import AssociateAC, ProposedContext, ReleaseRP, encode_pdu
from mockpacs.wire.pdu import Abort, ReleaseRQ
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit, ended
from tests.net.faults.visitor import ABORT, P_DATA, STUDIES, Visitor
from tests.net.wire_client import CT, EXPLICIT, IMPLICIT, STUDY_ROOT_FIND, VERIFICATION, associate_request, ct_image

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
MR = "1.2.840.10008.5.1.4.1.1.4"

RELEASE_RP = bytes.fromhex("06000000000400000000")


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


# aborts

ABORTS = {
    "abort": (0, 0),
    "{ abort: { source: user } }": (0, 0),
    "{ abort: { source: user, reason: 3 } }": (0, 3),
    **{
        f"{{ abort: {{ source: provider, reason: {name} }} }}": (2, number)
        for name, number in {
            "not-specified": 0,
            "unrecognized-pdu": 1,
            "unexpected-pdu": 2,
            "unrecognized-parameter": 4,
            "unexpected-parameter": 5,
            "invalid-parameter": 6,
        }.items()
    },
    "{ abort: { source: 1, reason: 3 } }": (1, 3),
    "{ abort: { source: 255, reason: 255 } }": (255, 255),
}


@pytest.mark.parametrize(("then", "numbers"), ABORTS.items(), ids=ABORTS)
def test_every_abort_instead_of_an_answer(play: Play, visit: Visit, then: str, numbers: tuple[int, int]) -> None:
    server = play(f"rules: [{{ name: door, when: {{ service: C-ECHO, calling: RAW }}, then: {then} }}]")
    client = visit(server)
    client.send(client.echo_request())

    assert client.pdu() == (ABORT, bytes((0, 0, *numbers)))
    client.finish()
    assert client.rest() == (b"", "FIN")

    (exchange,) = ended(server, 1)
    assert exchange.status is None
    (notice,) = server.notices("aborted")
    assert notice.text == f'aborted by us: rule "door" (source {numbers[0]}, reason {numbers[1]})'


MOMENTS = {
    "request": "",
    "before the response": "at: before-response",
    "at the response": "at: response",
}


@pytest.mark.parametrize("at", MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize(
    ("then", "heard", "ending"),
    [
        ("abort", bytes.fromhex("07000000000400000000"), "FIN"),
        ("close", b"", "FIN"),
        ("reset", b"", "RST"),
    ],
)
def test_a_store_that_ends_at_any_moment(
    play: Play, visit: Visit, at: str, then: str, heard: bytes, ending: str
) -> None:
    server = play(f"rules: [{{ when: {{ service: C-STORE, calling: RAW, {at} }}, then: {then} }}]")
    client = visit(server)
    client.send(client.store_request(ct_image()))

    assert client.exactly(len(heard)) == heard
    if heard:
        client.finish()  # whoever aborts waits for the other to close (PS3.8 9.2, AA-1)
    assert client.rest() == (b"", ending)

    ended(server, 1)
    assert (server.pacs.archive.instance("1.2.3.4.5") is not None) == bool(at)


def test_an_abort_after_the_answer(play: Play, visit: Visit) -> None:
    server = play("rules: [{ when: { service: C-ECHO, calling: RAW, at: after-response }, then: abort }]")
    client = visit(server)

    assert client.echo() == 0

    assert client.pdu() == (ABORT, bytes(4))
    (exchange,) = ended(server, 1)
    assert (exchange.status, exchange.fault) == (0, "abort user not-specified")


def test_an_abort_in_the_middle_of_the_matches(play: Play, visit: Visit) -> None:
    server = play(
        """
        data: { studies: [{ StudyInstanceUID: 1.2.3 }, { StudyInstanceUID: 1.2.4 }, { StudyInstanceUID: 1.2.5 }] }
        rules:
          - { when: { service: C-FIND, calling: RAW }, then: { answer: studies }, continue: true }
          - { when: { service: C-FIND, calling: RAW, at: between-responses }, nth: 2, then: abort }
        """
    )
    client = visit(server)
    client.send(client.find_request(STUDIES))

    pdus = [client.pdu() for _ in range(5)]

    assert [pdu.kind for pdu in pdus] == [P_DATA] * 4 + [ABORT]
    assert pdus[1].body.endswith(b"1.2.3\0")
    assert pdus[3].body.endswith(b"1.2.4\0")


# releases


def released(play: Play, visit: Visit, then: str) -> tuple[Served, Visitor]:
    """Somebody has done something and asks for the release."""
    server = play(f"rules: [{{ name: door, when: {{ event: release, calling: RAW }}, then: {then} }}]")
    client = visit(server)
    assert client.echo() == 0
    client.send(encode_pdu(ReleaseRQ()))
    return server, client


@pytest.mark.parametrize(
    ("then", "heard", "ending"),
    [
        ("abort", bytes.fromhex("07000000000400000000"), "FIN"),
        ("{ abort: { source: provider, reason: 2 } }", bytes.fromhex("07000000000400000202"), "FIN"),
        ("close", b"", "FIN"),
        ("reset", b"", "RST"),
    ],
)
def test_the_end_instead_of_a_release(play: Play, visit: Visit, then: str, heard: bytes, ending: str) -> None:
    server, client = released(play, visit, then)

    assert client.exactly(len(heard)) == heard
    if heard:
        client.finish()  # whoever aborts waits for the other to close (PS3.8 9.2, AA-1)
    assert client.rest() == (b"", ending)

    server.wait_for(lambda: server.notices("scenario"))
    assert server.notices("released") == []


@pytest.mark.parametrize("then", ["silence", "nothing"])
def test_an_ignored_release(play: Play, visit: Visit, then: str) -> None:
    server, client = released(play, visit, then)
    server.wait_for(lambda: server.notices("scenario"))

    server.still_serves()

    client.nothing_came()
    client.finish()
    assert client.rest() == (b"", "FIN")
    assert not [one for one in server.notices("released") if one.association and one.association.calling == "RAW"]


def test_a_slow_release(play: Play, visit: Visit) -> None:
    server, client = released(play, visit, "{ delay: 20ms }")

    assert isinstance(client.read(), ReleaseRP)
    assert server.notices("scenario")[0].text == 'rule "door" at release: delay 20 ms'


@pytest.mark.parametrize(
    ("then", "wanted"),
    [
        ("{ truncate: { after: 4 } }", RELEASE_RP[:4]),
        ("{ corrupt: { offset: 0, xor: 0f } }", b"\x09" + RELEASE_RP[1:]),
        ('{ send: !bytes "01 02" }', b"\x01\x02" + RELEASE_RP),
        ('{ nothing: true, send: !bytes "01 02" }', b"\x01\x02"),
        ("{ drip: { bytes: 3, every: 1ms } }", RELEASE_RP),
    ],
)
def test_the_bytes_of_a_release(play: Play, visit: Visit, then: str, wanted: bytes) -> None:
    _, client = released(play, visit, then)

    assert client.exactly(len(wanted)) == wanted
    client.finish()
    assert client.rest() == (b"", "FIN")
