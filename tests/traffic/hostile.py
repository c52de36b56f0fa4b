"""Recordings and captures that somebody made to do harm, as the bytes of files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mockpacs.traffic import comment
from mockpacs.wire import CommandField, encode_pdu
from tests.net.wire_client import ct_image, element
from tests.traffic.capture import builder
from tests.traffic.recording.script import (
    ANSWER,
    FIND,
    REQUEST,
    SCP,
    SCU,
    Line,
    Script,
    answer,
    ask,
    echo,
    echoed,
    store,
    stored,
)
from tests.traffic.recording.written import write

ESCAPES = "\x1b]0;pwned\x07\x1b[31m<b>\u202e\r\n"
DEFLATED = "1.2.840.10008.1.2.1.99"
_OURS = comment.connection(1, "10.0.0.1:50001")
_DEEP = struct.pack("<HH", 8, 0x1140) + b"SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
_ENDS = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
_EMPTY = struct.pack("<HH", 8, 8) + b"CS\0\0"


def of_script(folder: Path, script: Script) -> bytes:
    """The bytes of the recording of a script."""
    return write(folder, script).parts[0].read_bytes()


def of_talk(talk: builder.Talk, ticks: Iterable[int] = (), **interface: int) -> bytes:
    """The packets of a connection as a recording of ours; ``ticks``: their times, the last for all that follow."""
    head = builder.section(">", "mockpacs 1.2.3") + builder.interface(">", **interface)
    times = list(ticks) or [int(builder.STARTED) * 10**9]
    frames = [
        builder.enhanced(frame, times[min(number, len(times) - 1)], ">") for number, frame in enumerate(talk.frames)
    ]
    return head + b"".join(frames)


def _said(**contexts: str) -> tuple[Script, Line]:
    script = Script()
    line = script.open(_OURS)
    if syntax := contexts.get("syntax"):
        rq = replace(REQUEST, contexts=tuple(replace(one, transfer_syntaxes=(syntax,)) for one in REQUEST.contexts))
        ac = replace(ANSWER, contexts=tuple(replace(one, transfer_syntax=syntax) for one in ANSWER.contexts))
        return script, line.associate(rq, ac)
    return script, line.associate()


def with_data(data: bytes, instance: str = "1.2.3", syntax: str = "") -> Script:
    """A store of these bytes and a query with them."""
    script, line = _said(syntax=syntax)
    line.say(SCU, store(1, data, instance)).say(SCP, stored(1, 0xA700, ESCAPES.replace("\u202e", "")[:60]))
    line.say(SCU, ask(CommandField.C_FIND_RQ, 2, FIND, data)).say(SCP, answer(CommandField.C_FIND_RQ, 2, FIND, 0, data))
    line.release()
    return script


def escapes() -> Script:
    """Terminal escapes wherever a peer writes text, and names that lead out of a folder."""
    script = Script()
    request = bytearray(encode_pdu(REQUEST))
    request[10:26] = b"\x1b[31mX<b>\r\n\x07\x9b1m "
    request[26:42] = b'\0\xff\xfe"rule "x" \x1b[2'
    line = script.open(_OURS).say(SCU, bytes(request)).say(SCP, ANSWER)
    data = element(0x00080005, "CS", b"\x1b[2J\\ISO 2022 IR 87") + element(0x00080060, "CS", b"\x1b[31mCT")
    data += element(0x00091010, "LO", b"\x1b[1m") + element(0x00100010, "PN", ESCAPES.encode())
    data += element(0x00200013, "IS", b"9" * 5000) + element(0x00200032, "DS", b"nan\\inf\\1e999\\1_0")
    names = ("../../../tmp/x\x1b[31m", "", "." * 80, "/etc/passwd\0", "a/../../b", "..\\..\\c", "CON")
    for number, name in enumerate(names, 1):
        line.say(SCU, store(number, data, name)).say(SCP, stored(number, 0xA700, ESCAPES[:20]))
    line.release()
    return script


def talk(*comments: str) -> builder.Talk:
    """An echo and a store of ours, each with comments."""
    made = builder.Talk().open(_OURS)
    made.say(SCU, encode_pdu(REQUEST)).say(SCP, encode_pdu(ANSWER))
    made.say(SCU, echo(1), *comments).say(SCP, echoed(1), *comments)
    made.say(SCU, store(2, ct_image()), *comments).say(SCP, stored(2), *comments)
    return made.close()


def claims() -> Script:
    """Lengths of 4 GiB, none, and some that contradict one another."""
    script = Script()
    heads = [b"\4\0\xff\xff\xff\xff", b"\1\0\xff\xff\xff\xff", b"\4\0\0\0\0\0", b"\4\0\0\0\0\6\xff\xff\xff\xff\1\3"]
    for number, head in enumerate(heads, 1):
        line = script.open(comment.connection(number, f"10.0.0.1:{number}")).associate()
        line.say(SCU, echo()).say(SCP, echoed())
        line.say(SCU, head + bytes(50)).say(SCP, head).release()
    return script


def inflating(piece: bytes, times: int, head: bytes = b"") -> bytes:
    """A deflated data set of a head and so many thousand pieces."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(head) + b"".join(engine.compress(piece * 1000) for _ in range(times)) + engine.flush()


def bomb(mebibytes: int) -> bytes:
    """One long text, deflated a thousand times."""
    return inflating(b" " * 1024, mebibytes, struct.pack("<HH2s2xL", 8, 8, b"UT", mebibytes << 20))


DATA = {
    "sequences that do not end": _DEEP * 10_000,
    "sequences that end": _DEEP * 10_000 + _ENDS * 10_000,
    "a length of 4 GiB": struct.pack("<HH", 8, 0x60) + b"UN\0\0\xfe\xff\xff\xff" + b"abcd",
    "very many elements": _EMPTY * 8_000,
    "very many values": element(0x00100020, "LO", b"\\" * 60_000) + element(0x00100010, "PN", b"\x1b$B" * 20_000),
    "escapes in a character set": element(0x00080005, "CS", ESCAPES.encode() * 9) + element(0x00100010, "PN", b"\xff"),
}


def files(folder: Path) -> dict[str, bytes]:
    """All of them by what is nasty about them."""
    scripts = {name: with_data(data) for name, data in DATA.items()}
    scripts["escapes and paths"] = escapes()
    scripts["lengths that lie"] = claims()
    scripts["a deflated text"] = with_data(bomb(8), syntax=DEFLATED)
    scripts["deflated elements"] = with_data(inflating(_EMPTY, 10), syntax=DEFLATED)
    made = {name: of_script(folder / str(number), script) for number, (name, script) in enumerate(scripts.items())}
    remarks = [
        '1.1 C-ECHO-RQ x rule "' + '\x1b\\"' * 15_000 + '"',
        "1 aborted: " + "\x1b[2J" * 15_000,
        "1.1 C-ECHO-RQ" + ' rule "' * 9_000,
        "connection " + "9" * 5000 + " from x",
        "unsent " + "9" * 18,
    ]
    made["endless comments"] = of_talk(talk(*remarks))
    made["seconds that no calendar has"] = of_talk(talk(), (1 << 63, 0, (1 << 64) - 1), resolution=0, shift=1 << 39)
    made["seconds before all calendars"] = of_talk(talk(), (0,), resolution=0x80, shift=-(1 << 39))
    made["connections of nothing"] = builder.pcapng(
        [
            builder.Frame(builder.packet(("10.0.0.1", port), ("10.0.0.2", 104), 1, 0, builder.SYN))
            for port in range(1, 3000)
        ]
    )
    made["one byte in each packet"] = of_talk(_bytewise())
    made["a block of 4 GiB"] = builder.section(">", "mockpacs 1") + struct.pack(">IIIII", 6, 0xFFFFFFF0, 0, 0, 0) * 3
    made["an option longer than its block"] = builder.block(
        0x0A0D0D0A, struct.pack(">IHHqHH", 0x1A2B3C4D, 1, 0, -1, 1, 0xFFFF), ">"
    )
    return made


def _bytewise() -> builder.Talk:
    made = builder.Talk().open(_OURS).say(SCU, encode_pdu(REQUEST)).say(SCP, encode_pdu(ANSWER))
    data = store(1, ct_image())
    for at in range(len(data)):
        made.say(SCU, data[at : at + 1])
    return made
