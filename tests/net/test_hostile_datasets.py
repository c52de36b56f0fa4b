"""Data sets no parser likes: kept byte for byte, read as far as they can be, and told in the answer; never a crash."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs.wire import ProposedContext
from tests.net.conftest import Served, stored
from tests.net.wire_client import CT, EXPLICIT, IMPLICIT, ct_image, element

BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
JPEG = "1.2.840.10008.1.2.4.50"
PRIVATE = "1.3.6.1.4.1.99999.7"

UID = "1.2.3.4.5"
UNDEFINED = b"\xff\xff\xff\xff"
ITEM, ITEM_END, SEQUENCE_END = (struct.pack("<HH", 0xFFFE, n) for n in (0xE000, 0xE00D, 0xE0DD))
NESTED_SQ = struct.pack("<HH", 0x0040, 0xA730) + b"SQ\0\0" + UNDEFINED + ITEM + UNDEFINED
NESTED_END = ITEM_END + bytes(4) + SEQUENCE_END + bytes(4)

HEAD = b"".join(
    (
        element(0x00080016, "UI", CT.encode()),
        element(0x00080018, "UI", UID.encode()),
        element(0x00080060, "CS", b"CT"),
        element(0x00100020, "LO", b"P1"),
        element(0x0020000D, "UI", b"1.2.3"),
        element(0x0020000E, "UI", b"1.2.3.1"),
    )
)
TAIL = element(0x7FE00010, "OW", bytes(64))


def nested(depth: int, *, closed: bool = True) -> bytes:
    return NESTED_SQ * depth + (NESTED_END * depth if closed else b"")


def defined(depth: int) -> bytes:
    """Nested sequences with defined lengths."""
    content = b""
    for _ in range(depth):
        content = (
            struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, len(content) + 8)
            + ITEM
            + struct.pack("<L", len(content))
            + content
        )
    return content


READABLE: dict[str, bytes] = {
    **{f"{depth} nested sequences": HEAD + nested(depth) + TAIL for depth in (64, 300, 3000, 10_000)},
    **{f"{depth} nested sequences of defined length": HEAD + defined(depth) + TAIL for depth in (64, 300, 3000)},
    "odd lengths": HEAD + struct.pack("<HH2sH", 0x0010, 0x1030, b"DS", 3) + b"1.5" + TAIL,
    "an unknown VR": HEAD + struct.pack("<HH2sHL", 0x0021, 0x1001, b"ZZ", 0, 4) + b"abcd" + TAIL,
    "elements in disorder": TAIL[:0] + HEAD[::1] + element(0x00080005, "CS", b"ISO_IR 100") + TAIL,
    "an element twice": HEAD + element(0x0020000E, "UI", b"1.2.3.1") * 2 + TAIL,
    "group lengths that lie": struct.pack("<HH2sHL", 8, 0, b"UL", 4, 0xFFFFFFFF) + HEAD + TAIL,
    "an empty item": HEAD + struct.pack("<HH2sHL", 0x0040, 0xA730, b"SQ", 0, 8) + ITEM + bytes(4) + TAIL,
    "a character set nobody knows": element(0x00080005, "CS", b"ISO_IR 9999\\XYZZY") + HEAD + TAIL,
    "64 kB of name": HEAD[:-1][:0] + HEAD + struct.pack("<HH2sH", 0x0040, 0x0275, b"PN", 65_534) + b"^" * 65_534 + TAIL,
    "pixel data of no length": HEAD + element(0x7FE00010, "OW", b""),
    "100 000 tiny elements": HEAD
    + b"".join(struct.pack("<HH2sH", 0x0021, 0x1000 + n, b"LO", 0) for n in range(0xE000))
    + TAIL,
}

UNREADABLE: dict[str, bytes] = {
    "cut in the pixels": (HEAD + TAIL)[:-10],
    "cut in a tag": HEAD + b"\x28\x00\x10",
    "cut in a length": HEAD + b"\x28\x00\x10\x00OW\0\0\4",
    "a length beyond the end": HEAD + struct.pack("<HH2sHL", 0x0009, 0x1001, b"OB", 0, 0x7FFFFFFF),
    "a sequence of undefined length without end": HEAD + nested(1, closed=False),
    "10 000 sequences without end": HEAD + nested(10_000, closed=False),
    "pixel data of undefined length without end": HEAD + b"\xe0\x7f\x10\x00OB\0\0" + UNDEFINED + ITEM + bytes(4),
    "an item where an element belongs": HEAD + ITEM + bytes(4),
    "a delimiter of nothing": HEAD + SEQUENCE_END + bytes(4),
    "no VR": HEAD + struct.pack("<HHL", 0x0028, 0x0010, 2) + b"\x00\x02",
    "zeros": HEAD + bytes(1001),
    "a text": HEAD + b"Sehr geehrte Damen und Herren",
}

NOTHING_TO_FIND: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"x",
    "zeros": bytes(100_000),
    "HTML": b"<html>" * 1000,
    "noise": random.Random(7).randbytes(300_000),
    "the pixels of something": TAIL,
    "10 000 sequences without end": nested(10_000, closed=False),
    "implicit VR under explicit": struct.pack("<HHL", 8, 0x18, 10) + b"1.2.3.4.5\0",
}


def store(server: Served, data: bytes, syntax: str = EXPLICIT) -> tuple[int, bytes]:
    """The answer to a store, and what is on disk afterwards behind the head of the file."""
    client = server.associate(ProposedContext(3, CT, (syntax,)))
    status = client.store(data, UID)
    client.release()
    files = stored(server.storage)
    kept = next((file for path, file in files.items() if path.endswith(f"/{UID}.dcm")), b"")
    return status, kept


@pytest.mark.parametrize("data", READABLE.values(), ids=READABLE)
def test_what_is_odd_but_whole_is_stored_with_success(archive: Served, data: bytes) -> None:
    status, file = store(archive, data)
    assert file.endswith(data)
    assert status == 0, archive.lines


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_what_ends_unreadable_is_stored_found_and_warned_of(archive: Served, data: bytes) -> None:
    status, file = store(archive, data)
    assert status == 0xB007, archive.lines
    assert file.endswith(data)
    client = archive.associate()
    level = element(0x00080052, "CS", b"STUDY") + element(0x00100020, "LO", b"P1") + element(0x0020000D, "UI", b"")
    (_, found), (final, _) = client.find(level)
    assert found is not None
    assert b"1.2.3\0" in found
    assert final == 0


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG, PRIVATE])
def test_what_is_no_data_set_at_all_is_kept_and_warned_of_in_every_transfer_syntax(
    archive: Served, syntax: str
) -> None:
    client = archive.associate(ProposedContext(3, CT, (syntax,)))
    for n, (kind, data) in enumerate(NOTHING_TO_FIND.items()):
        assert client.store(data, f"1.2.{n}") == 0xB007, kind
        (file,) = [file for path, file in stored(archive.storage).items() if path.endswith(f"/1.2.{n}.dcm")]
        assert file.endswith(data)


@pytest.mark.parametrize(("unreadable", "expected"), [("accept", 0x0000), ("refuse", 0xC000)])
def test_the_answer_to_an_unreadable_data_set_is_a_matter_of_configuration(
    serve: Callable[..., Served], tmp_path: Path, unreadable: str, expected: int
) -> None:
    server = serve(storage=tmp_path / "storage", unreadable=unreadable)
    for data in UNREADABLE.values():
        status, file = store(server, data)
        assert status in (expected, 0xB000 if expected == 0 else expected)
        assert bool(file) == (expected == 0)
    server.still_serves()
    server.wait_until_nothing_is_incoming()


@pytest.mark.parametrize(("mismatch", "expected"), [("warn", 0xB007), ("accept", 0x0000), ("refuse", 0xA900)])
def test_the_answer_to_a_data_set_of_another_instance_is_a_matter_of_configuration(
    serve: Callable[..., Served], tmp_path: Path, mismatch: str, expected: int
) -> None:
    server = serve(storage=tmp_path / "storage", mismatch=mismatch)
    status, file = store(server, ct_image("1.2.3.99"))
    assert status == expected
    assert bool(file) == (mismatch != "refuse")
    server.still_serves()


def deflate(data: bytes) -> bytes:
    engine = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return engine.compress(data) + engine.flush()


def test_a_deflated_bomb_is_kept_as_it_is_and_never_unpacked_as_a_whole(archive: Served) -> None:
    bomb = deflate(HEAD + element(0x7FE00010, "OW", b"")[:-4] + struct.pack("<L", 100_000_000) + bytes(100_000_000))
    assert len(bomb) < 500_000
    tracemalloc.start()
    try:
        status, file = store(archive, bomb, DEFLATED)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()
    assert status in (0x0000, 0xB007)
    assert file.endswith(bomb)


def test_a_deflated_bomb_of_a_header_is_kept_and_warned_of(archive: Served) -> None:
    bomb = deflate(nested(900_000, closed=False))
    status, file = store(archive, bomb, DEFLATED)
    assert status == 0xB007
    assert file.endswith(bomb)


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_to_a_data_set_never_costs_more_than_a_warning(archive: Served, seed: int) -> None:
    noise = random.Random(seed)
    client = archive.associate()
    for n in range(25):
        name = f"1.2.{seed}.{n}"
        data = bytearray(HEAD + nested(3) + ct_image(name))
        for _ in range(noise.randrange(1, 12)):
            data[noise.randrange(len(data))] = noise.choice((0, 1, 0x7F, 0xFE, 0xFF, noise.randrange(256)))
        del data[noise.randrange(len(data) // 2, len(data)) :]
        assert client.store(bytes(data), name) in (0x0000, 0xB007)
        (file,) = [file for path, file in stored(archive.storage).items() if path.endswith(f"/{name}.dcm")]
        assert file.endswith(data)
    assert archive.notices("trouble") == []
