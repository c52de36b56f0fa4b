"""What a peer must not send, and what it gets: an A-ABORT with the right reason, never an exception."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

import pytest

from mockpacs.wire import (
    PDV,
    Abort,
    Aborted,
    AssociateAccepted,
    AssociateRequested,
    Happening,
    PDataTF,
    ReleaseRequested,
    ReleaseRP,
    ReleaseRQ,
    Role,
    State,
    UpperLayer,
    cut,
    encode_command,
    encode_pdu,
)
from tests.wire.samples import AC, ECHO_RQ, PDUS, RQ, STORE_RQ

STORE = encode_command(STORE_RQ)


def waiting() -> UpperLayer:
    acceptor = UpperLayer(Role.ACCEPTOR, max_pdu_length=16384, max_command_length=10_000)
    acceptor.transport_opened()
    return acceptor


def associated() -> UpperLayer:
    acceptor = waiting()
    acceptor.receive(encode_pdu(RQ))
    acceptor.accept(AC)
    acceptor.data_to_send()
    return acceptor


def p_data(*pdvs: PDV) -> bytes:
    return encode_pdu(PDataTF(pdvs))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n", 1),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 1),
        (bytes(20), 1),
        (b"\1\0\xff\xff\xff\xff", 6),
        (b"\4\0\xff\xff\xff\xff", 6),
        (b"\1\0\0\0\0\0", 6),
        (encode_pdu(RQ)[:6] + bytes(len(encode_pdu(RQ)) - 6)[:-1] + b"\1", 6),
        (cut(1, STORE, b"data", 0)[0], 2),
        (encode_pdu(ReleaseRQ()), 2),
        (encode_pdu(ReleaseRP()), 2),
        (encode_pdu(AC), 2),
    ],
)
def test_before_the_association_nonsense_is_aborted_with_its_reason(data: bytes, reason: int) -> None:
    acceptor = waiting()
    (told,) = acceptor.receive(data)
    assert isinstance(told, Aborted)
    assert (told.source, told.reason, told.by_peer) == (2, reason, False)
    assert told.why
    assert acceptor.data_to_send() == [encode_pdu(Abort(2, reason))]
    assert (acceptor.state, acceptor.artim_running) == (State.STA13, True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x99", 1),
        (encode_pdu(RQ), 2),
        (encode_pdu(AC), 2),
        (encode_pdu(ReleaseRP()), 2),
        (b"\4\0\0\0\0\0", 6),
        (b"\4\0\x7f\xff\xff\xff", 6),
        (b"\5\0\0\0\0\0", 6),
        (b"\5\0\0\0\0\x05", 6),
        (b"\4\0\0\0\0\6\0\0\0\x09\1\3", 6),
        (p_data(PDV(1, False, True, b"data")), 5),
        (p_data(PDV(3, True, True, STORE)), 6),
        (p_data(PDV(2, True, True, STORE)), 6),
        (p_data(PDV(1, True, True, STORE), PDV(1, True, True, STORE)), 5),
        (p_data(PDV(1, True, True, STORE), PDV(3, False, True, b"data")), 6),
        (p_data(PDV(1, True, True, STORE.replace(b"\0\0\0\1\2\0\0\0\1\0", b"\0\0\0\1\2\0\0\0\x77\0"))), 6),
        (p_data(PDV(1, True, True, b"\xff" * 50)), 6),
        (p_data(*[PDV(1, True, False, bytes(1000))] * 11), 6),
    ],
)
def test_during_the_association_nonsense_is_aborted_with_its_reason(data: bytes, reason: int) -> None:
    acceptor = associated()
    *_, told = acceptor.receive(data)
    assert isinstance(told, Aborted)
    assert (told.source, told.reason, told.by_peer) == (2, reason, False)
    assert acceptor.data_to_send() == [encode_pdu(Abort(2, reason))]
    assert (acceptor.state, acceptor.artim_running) == (State.STA13, True)


def test_data_after_the_release_request_is_aborted() -> None:
    acceptor = associated()
    told = acceptor.receive(encode_pdu(ReleaseRQ()) + cut(1, encode_command(ECHO_RQ), None, 0)[0])
    assert told[0] == ReleaseRequested()
    assert isinstance(told[1], Aborted)
    assert told[1].reason == 2


def test_after_our_abort_everything_is_ignored_but_a_request_which_is_aborted_again() -> None:
    acceptor = associated()
    acceptor.abort()
    acceptor.data_to_send()
    assert acceptor.receive(encode_pdu(ReleaseRQ()) + cut(1, STORE, b"data", 0)[0] + b"\4\0\0\0\0\0") == []
    assert acceptor.data_to_send() == []
    assert acceptor.receive(encode_pdu(RQ)) == []
    assert acceptor.data_to_send() == [encode_pdu(Abort(2, 2))]
    assert acceptor.receive(b"\x99" * 100) == []
    assert acceptor.data_to_send() == [encode_pdu(Abort(2, 1))]
    assert acceptor.receive(b"\x99" * 100) == []
    assert acceptor.data_to_send() == []


def test_what_was_complete_before_the_nonsense_is_still_reported() -> None:
    acceptor = associated()
    told = acceptor.receive(b"".join(cut(1, STORE, b"data", 0)) + b"\x99")
    assert [type(happening).__name__ for happening in told] == ["CommandReceived", "DataReceived", "Aborted"]


def test_a_machine_without_connection_is_deaf() -> None:
    for role in Role:
        assert UpperLayer(role, max_pdu_length=0).receive(encode_pdu(RQ)) == []
    requestor = UpperLayer(Role.REQUESTOR, max_pdu_length=0)
    requestor.request(RQ)
    assert requestor.receive(encode_pdu(AC)) == []


SESSION = [
    encode_pdu(RQ),
    *cut(1, STORE, bytes(300), 128),
    *cut(1, encode_command(ECHO_RQ), None, 0),
    p_data(PDV(1, True, False, STORE[:20]), PDV(1, True, True, STORE[20:]), PDV(1, False, True, b"data")),
    encode_pdu(ReleaseRQ()),
]


def mutate(random: Random, stream: bytes) -> bytes:
    """Change a few bytes, or repeat, drop or insert a piece."""
    data = bytearray(stream)
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(5):
            case 0 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 1 if at < len(data):
                data[at] = random.choice((0, 1, 4, 0x7F, 0xFF))
            case 2:
                del data[at : at + random.randrange(1, 40)]
            case 3:
                data[at:at] = data[max(0, at - random.randrange(1, 80)) : at]
            case _:
                data[at:at] = random.randbytes(random.randrange(1, 12))
    return bytes(data)


def chunks(random: Random, stream: bytes) -> Iterator[bytes]:
    while stream:
        size = random.choice((1, 7, 100, 5000))
        yield stream[:size]
        stream = stream[size:]


def play(role: Role, received: Iterable[bytes]) -> tuple[UpperLayer, list[Happening]]:
    """Feed chunks, answering as a user would."""
    layer = UpperLayer(role, max_pdu_length=16384, max_command_length=1000)
    if role is Role.REQUESTOR:
        layer.request(RQ)
    layer.transport_opened()
    told: list[Happening] = []
    for chunk in received:
        for happening in layer.receive(memoryview(bytearray(chunk))):
            told.append(happening)
            if isinstance(happening, AssociateRequested) and layer.state is State.STA3:
                layer.accept(AC)
            elif isinstance(happening, ReleaseRequested) and layer.state is State.STA8:
                layer.answer_release()
    told += layer.transport_closed()
    return layer, told


def session_towards(role: Role) -> list[bytes]:
    return SESSION if role is Role.ACCEPTOR else [encode_pdu(AC), *SESSION[1:]]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("role", Role)
def test_no_mutation_of_a_session_makes_receive_raise(role: Role, seed: int) -> None:
    random = Random(seed)
    first, *rest = session_towards(role)
    for _ in range(25):
        pdus = rest if random.random() < 0.7 else random.sample([*rest, *map(encode_pdu, PDUS.values())], 5)
        if random.random() < 0.7:  # otherwise few sessions would come as far as an association
            received = [first, *chunks(random, mutate(random, b"".join(pdus)))]
        else:
            received = list(chunks(random, mutate(random, first + b"".join(pdus))))
        layer, told = play(role, received)
        assert layer.state is State.STA1
        assert sum(isinstance(happening, Aborted) for happening in told) <= 1


@pytest.mark.parametrize("role", Role)
def test_the_session_that_is_mutated_is_a_good_one(role: Role) -> None:
    _, told = play(role, session_towards(role))
    assert isinstance(told[0], AssociateRequested | AssociateAccepted)
    assert not any(isinstance(happening, Aborted) for happening in told)
    assert isinstance(told[-2], ReleaseRequested)
