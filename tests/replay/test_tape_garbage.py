"""Streams with nonsense in them, made at random: no byte is lost, and no byte is an exception."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from mockpacs.replay.tape import Control, Noise, Said, Tape
from mockpacs.wire import Role, encode_pdu
from tests.net.wire_client import ct_image
from tests.traffic.recording.script import ANSWER, REQUEST, SCP, SCU, Script, echo, echoed, store, stored
from tests.traffic.recording.written import write

IMAGE = ct_image(pixels=40_000)


def spoilt(random: Random, data: bytes) -> bytes:
    """With a few bytes changed, put in, or left out."""
    spoiled = bytearray(data)
    for _ in range(random.randrange(4)):
        at = random.randrange(len(spoiled))
        match random.randrange(3):
            case 0:
                spoiled[at] = random.randrange(256)
            case 1:
                spoiled[at:at] = random.randbytes(random.randrange(1, 500))
            case _:
                del spoiled[at : at + random.randrange(1, 500)]
    return bytes(spoiled)


def talk(random: Random) -> dict[Role, bytes]:
    asked = [encode_pdu(REQUEST), echo(1), store(2, IMAGE), echo(3)]
    said = {SCU: b"".join(asked), SCP: b"".join([encode_pdu(ANSWER), echoed(1), stored(2), echoed(3)])}
    return {sender: spoilt(random, data) for sender, data in said.items()}


@pytest.mark.parametrize("seed", range(40))
def test_every_byte_is_read_back_whatever_is_in_it(tmp_path: Path, seed: int) -> None:
    random, script = Random(seed), Script()
    sent = [talk(random) for _ in range(3)]
    for said in sent:
        line, left = script.open(), dict(said)
        while any(left.values()):
            sender = random.choice([role for role in Role if left[role]])
            size = random.randrange(1, 20_000)
            line.say(sender, left[sender][:size])
            left[sender] = left[sender][size:]
        line.close(SCP)
    with Tape.open(write(tmp_path, script).parts[0]) as tape:
        assert len(tape) == len(sent)
        for taped, said in zip(tape, sent, strict=True):
            for sender in Role:
                assert b"".join(pdu.raw for pdu in taped.pdus() if pdu.seen.sender is sender) == said[sender]
            noise = [step for step in taped.steps if isinstance(step, Noise)]
            assert all(step.raw in said[step.sender] for step in noise)
            assert {step.exchange for step in taped.steps if isinstance(step, Said)} <= {0} | {
                exchange.number for exchange in taped.exchanges
            }


def test_noise_is_told_with_all_its_bytes(tmp_path: Path) -> None:
    """Garbage that comes in pieces, with PDUs before it and behind it."""
    garbage = bytes(range(8, 256)) * 100
    script = Script()
    line = script.open().associate()
    line.say(SCU, echo(1) + garbage[:5000]).say(SCP, echoed(1))
    line.say(SCU, garbage[5000:9000]).say(SCU, garbage[9000:] + echo(2) + echo(3)).close(SCP)
    with Tape.open(write(tmp_path, script).parts[0]) as tape:
        (taped,) = tape
        assert [step.raw for step in taped.steps if isinstance(step, Noise)] == [garbage]
        kinds = [type(step) for step in taped.steps[:3]]
        assert kinds == [Said, Noise, Said]
        assert not [step for step in taped.steps if isinstance(step, Control)]
