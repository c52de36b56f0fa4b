"""Data sets compared: by keyword, in any encoding, nested and private; UIDs that are renamed; bytes by their hash."""

from __future__ import annotations

import errno
import os
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.errors import RecordingError
from mockpacs.replay.blob import Blob
from mockpacs.replay.diff import content
from mockpacs.replay.diff.aliases import Aliases
from mockpacs.replay.diff.change import Change, Topic
from mockpacs.replay.diff.content import first_difference, same, viewed
from mockpacs.replay.diff.dataset import Place, compare_data
from mockpacs.replay.diff.ignore import Ignored
from mockpacs.replay.diff.tree import Tree
from mockpacs.wire.dataset import EXPLICIT_BIG, IMPLICIT_LITTLE, Encoding, encode_element, encode_sequence
from tests.net.wire_client import ct_image, element

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, JPEG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.50"
UNDEFINED = b"\xff\xff\xff\xff"


def changes(
    left: bytes, right: bytes, *, syntaxes: tuple[str, str] = (EXPLICIT, EXPLICIT), ignored: Ignored | None = None
) -> list[Change]:
    ignored = ignored or Ignored()
    place = Place("request", ignored, Aliases())
    found = compare_data(Tree(left, syntaxes[0]), Tree(right, syntaxes[1]), place)
    return [change for change in found if not place.aliases.agree(change.uids) or not change.uids]


def told(found: list[Change]) -> list[tuple[str, str | None, str | None]]:
    return [(change.name, change.before, change.after) for change in found]


def sequence(tag: int, *items: bytes) -> bytes:
    return encode_sequence(tag, items, Encoding.of(EXPLICIT))


def fragments(*pieces: bytes) -> bytes:
    head = struct.pack("<HH2sH", 0x7FE0, 0x0010, b"OB", 0) + UNDEFINED
    items = b"".join(struct.pack("<HHL", 0xFFFE, 0xE000, len(piece)) + piece for piece in pieces)
    return head + items + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def test_equal_data_sets_are_equal() -> None:
    assert changes(ct_image(), ct_image()) == []


def test_a_value_that_changed_is_told_by_its_keyword() -> None:
    left, right = element(0x00100010, "PN", b"DOE^JOHN"), element(0x00100010, "PN", b"ROE^JANE")
    assert told(changes(left, right)) == [("PatientName", "DOE^JOHN", "ROE^JANE")]


def test_what_only_one_has_stands_where_it_is() -> None:
    name, sex, comments = (
        element(tag, "LO", b"x") for tag in (0x00100010, 0x00100040, 0x00104000)
    )  # fmt: skip
    assert told(changes(name + sex, sex + comments)) == [("PatientName", "x", None), ("PatientComments", None, "x")]


def test_an_empty_element_is_not_an_absent_one() -> None:
    assert told(changes(element(0x00100010, "PN", b""), b"")) == [("PatientName", "(empty)", None)]


def test_padding_is_no_difference() -> None:
    left = element(0x00100020, "LO", b"P1  ") + element(0x0020000D, "UI", b"1.2.3")
    right = element(0x00100020, "LO", b"P1") + element(0x0020000D, "UI", b"1.2.3\0\0\0")
    assert changes(left, right) == []


def test_the_same_text_in_another_character_set_is_the_same() -> None:
    latin = element(0x00080005, "CS", b"ISO_IR 100") + element(0x00100010, "PN", "MÜLLER".encode("latin-1"))
    unicode = element(0x00080005, "CS", b"ISO_IR 192") + element(0x00100010, "PN", "MÜLLER".encode())
    assert [change.name for change in changes(latin, unicode)] == ["SpecificCharacterSet"]


NUMBERS = [
    (0x00080060, "CS", (b"CT", b"CT")),
    (0x00280010, "US", (struct.pack("<H", 512), struct.pack(">H", 512))),
    (0x00189073, "FD", (struct.pack("<d", 1.5), struct.pack(">d", 1.5))),
    (0x00209165, "AT", (struct.pack("<HH", 0x10, 0x20), struct.pack(">HH", 0x10, 0x20))),
    (0x7FE00010, "OW", (b"\1\2\3\4", b"\2\1\4\3")),
]


def test_byte_order_and_written_vrs_are_no_difference() -> None:
    little = b"".join(encode_element(tag, vr, raw, Encoding.of(EXPLICIT)) for tag, vr, (raw, _) in NUMBERS)
    implicit = b"".join(encode_element(tag, vr, raw, IMPLICIT_LITTLE) for tag, vr, (raw, _) in NUMBERS)
    big = b"".join(encode_element(tag, vr, raw, EXPLICIT_BIG) for tag, vr, (_, raw) in NUMBERS)
    packed = zlib.compressobj(wbits=-15)
    deflated = packed.compress(little) + packed.flush()
    assert changes(little, implicit, syntaxes=(EXPLICIT, IMPLICIT)) == []
    assert changes(big, implicit, syntaxes=(BIG, IMPLICIT)) == []
    assert changes(little, deflated, syntaxes=(EXPLICIT, DEFLATED)) == []
    [change] = changes(big, little.replace(struct.pack("<H", 512), struct.pack("<H", 2)), syntaxes=(BIG, EXPLICIT))
    assert told([change]) == [("Rows", "512", "2")]


def test_a_vr_that_both_write_is_compared() -> None:
    [change] = changes(element(0x00280106, "US", b"\1\0"), element(0x00280106, "SS", b"\1\0"))
    assert (change.topic, change.before, change.after) == (Topic.VR, "US", "SS")


def test_an_element_of_unknown_vr_is_read_by_the_other_side() -> None:
    [change] = changes(element(0x00100020, "UN", b"P1"), element(0x00100020, "LO", b"P1"))
    assert change.topic is Topic.VR


def test_sequences_are_compared_item_by_item_and_items_that_are_equal_belong_together() -> None:
    def step(number: bytes) -> bytes:
        return element(0x00400009, "SH", number) + element(0x00321060, "LO", b"CT of " + number)

    left = sequence(0x00400275, step(b"1"), step(b"2"), step(b"3"))
    right = sequence(0x00400275, step(b"1"), step(b"3"))
    assert told(changes(left, right)) == [("RequestAttributesSequence[2]", "2 elements", None)]
    [change] = changes(sequence(0x00400275, step(b"1")), sequence(0x00400275, step(b"1").replace(b"CT", b"MR")))
    assert change.name == "RequestAttributesSequence[1].RequestedProcedureDescription"
    moved = changes(left, sequence(0x00400275, step(b"2"), step(b"3"), step(b"1")))
    assert [change.topic for change in moved] == [Topic.ORDER]


def test_private_elements_are_known_by_their_creator_wherever_its_block_is() -> None:
    def private(block: int, value: bytes) -> bytes:
        return element(0x00090000 | block, "LO", b"ACME") + element(0x00090001 | block << 8, "SH", value)

    assert changes(private(0x10, b"one"), private(0x11, b"one")) == []
    [change] = changes(private(0x10, b"one"), private(0x11, b"two"))
    assert "[ACME]" in change.name
    assert (change.before, change.after) == ("one", "two")


def test_pixel_data_is_told_by_size_and_hash_and_where_it_begins_to_differ() -> None:
    left, right = bytearray(200_000), bytearray(200_000)
    right[150_001] = 1
    [change] = changes(element(0x7FE00010, "OW", bytes(left)), element(0x7FE00010, "OW", bytes(right)))
    assert change.name == "PixelData"
    assert change.before is not None
    assert change.before.startswith("200000 bytes, sha256 ")
    assert change.before != change.after
    assert change.note == "from byte 150001 on"


def test_fragments_are_compared_as_fragments() -> None:
    left, right = fragments(b"", b"abcd", b"efgh"), fragments(b"", b"abcdefgh")
    assert changes(left, left, syntaxes=(JPEG, JPEG)) == []
    [change] = changes(left, right, syntaxes=(JPEG, JPEG))
    assert (change.before or "").startswith("2 fragments, 8 bytes")
    assert "the same bytes" in change.note
    [change] = changes(left, fragments(b"", b"abcd", b"efgX"), syntaxes=(JPEG, JPEG))
    assert change.note == ""
    [change] = changes(left, element(0x7FE00010, "OB", b"abcd"), syntaxes=(JPEG, EXPLICIT))
    assert (change.after or "").startswith("61 62 63 64")


def test_long_texts_that_look_alike_are_told_apart() -> None:
    left, right = (element(0x00104000, "LT", b"x" * 300 + end) for end in (b"a", b"b"))
    [change] = changes(left, right)
    assert change.note == "from byte 300 on"


def test_what_is_ignored_is_not_looked_at_on_any_level() -> None:
    def data(name: bytes) -> bytes:
        return element(0x00100010, "PN", name) + sequence(0x00101002, element(0x00100010, "PN", name))

    assert len(changes(data(b"A"), data(b"B"))) == 2
    assert changes(data(b"A"), data(b"B"), ignored=Ignored.parse(["PatientName"])) == []
    assert changes(data(b"A"), data(b"B"), ignored=Ignored.parse(["0010,0010"])) == []


def test_group_lengths_are_ignored_unless_asked_for() -> None:
    left, right = element(0x00080000, "UL", b"\1\0\0\0"), element(0x00080000, "UL", b"\2\0\0\0")
    assert changes(left, right) == []
    assert len(changes(left, right, ignored=Ignored.parse([], defaults=False))) == 1


def test_a_uid_may_have_another_name_if_it_is_the_same_everywhere() -> None:
    def data(*uids: str) -> bytes:
        tags = (0x0020000D, 0x0020000E, 0x00200052)
        return b"".join(element(tag, "UI", uid.encode()) for tag, uid in zip(tags, uids, strict=True))

    assert changes(data("1.1", "1.2", "1.1"), data("9.1", "9.2", "9.1")) == []
    assert told(changes(data("1.1", "1.2", "1.1"), data("9.1", "9.2", "9.3")))[0][0] == "FrameOfReferenceUID"
    assert len(changes(data("1.1", "1.2", "1.3"), data("9.1", "9.2", "9.1"))) == 1
    assert len(changes(data("1.1", "1.2", "1.1"), data("1.1", "1.2", "9.1"))) == 1
    # a registered UID is nobody's name
    assert len(changes(data("1.2.840.10008.1.1", "1", "2"), data("1.2.840.10008.1.2", "1", "2"))) == 1


@given(st.binary(max_size=400), st.binary(max_size=400), st.sampled_from([IMPLICIT, EXPLICIT, BIG, DEFLATED, JPEG]))
def test_no_bytes_can_make_it_fail(left: bytes, right: bytes, syntax: str) -> None:
    assert changes(left, left, syntaxes=(syntax, syntax)) == []
    for change in changes(left, right, syntaxes=(syntax, syntax)):
        assert (change.name + (change.before or "") + (change.after or "")).isprintable()


@given(st.binary(max_size=60))
def test_no_bytes_behind_a_data_set_can_make_it_fail(tail: bytes) -> None:
    changes(ct_image() + tail, ct_image())


def test_deep_nesting_is_compared_without_recursion() -> None:
    def deep(levels: int, core: bytes) -> bytes:
        head = struct.pack("<HH2sH", 0x0040, 0xA730, b"SQ", 0) + UNDEFINED
        item = struct.pack("<HH", 0xFFFE, 0xE000) + UNDEFINED
        ends = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
        return (head + item) * levels + core + ends * levels

    one, other = element(0x00100020, "LO", b"P1"), element(0x00100020, "LO", b"P2")
    assert changes(deep(5000, one), deep(5000, one)) == []
    assert [change.note for change in changes(deep(5000, one), deep(5000, other))] == ["not the same"]
    assert len(changes(deep(10, one), deep(10, other))) == 1


def test_large_data_sets_are_mapped_and_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "IN_MEMORY", 100)
    data = ct_image(pixels=5000)
    view = viewed(Blob(data))
    assert not isinstance(view.obj, bytes)
    assert bytes(view) == data
    assert changes(view, data) == []  # type: ignore[arg-type]


def test_no_room_for_a_large_data_set_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(content, "IN_MEMORY", 100)
    monkeypatch.setattr(content, "TemporaryFile", full)
    with pytest.raises(RecordingError, match="set TMPDIR to a folder with more room"):
        viewed(Blob(ct_image()))


class Pieces(Blob):
    """Cut where somebody likes."""

    def __init__(self, data: bytes, length: int) -> None:
        super().__init__(data)
        self._length = length

    def blocks(self):  # type: ignore[no-untyped-def]
        return (self._data[at : at + self._length] for at in range(0, self.size, self._length))


@pytest.mark.parametrize("length", [1 << 20, 300_007, 4096])
def test_data_sets_are_compared_in_pieces_of_any_size(length: int) -> None:
    data = bytes(range(256)) * 10_000
    changed = data[:2_000_000] + b"x" + data[2_000_001:]
    assert same(Pieces(data, length), Pieces(data, 262_144))
    assert not same(Pieces(data, length), Pieces(changed, 262_144))
    assert not same(Blob(data), Blob(data[:-1]))
    assert first_difference(memoryview(data), memoryview(changed)) == 2_000_000


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_the_first_difference_is_the_first(left: bytes, right: bytes) -> None:
    found = first_difference(memoryview(left), memoryview(right))
    if found is None:
        assert left == right
    else:
        assert left[:found] == right[:found]
        assert left[found : found + 1] != right[found : found + 1]
