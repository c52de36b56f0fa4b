"""Rewriting data sets as they stream: heads and lengths change, values do not; bytes of peers raise nothing strange."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest

from mockpacs.services.byte_source import ByteSource, UnreadableError, gathered, swapped
from mockpacs.services.recoding import Edits, rewritten
from mockpacs.wire.dataset import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, UNDEFINED, Encoding

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")


def element(tag: int, vr: str, value: bytes, encoding: Encoding = EXPLICIT_LITTLE, length: int | None = None) -> bytes:
    """One element, written without the code under test."""
    order = "<" if encoding.little_endian else ">"
    size = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if encoding.implicit or tag >> 16 == 0xFFFE:
        return head + struct.pack(order + "L", size) + value
    if vr in LONG:
        return head + vr.encode() + struct.pack(order + "HL", 0, size) + value
    return head + vr.encode() + struct.pack(order + "H", size) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return element(tag, "", value, IMPLICIT_LITTLE, length)


def big(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    return element(tag, vr, value, EXPLICIT_BIG, length)


def items(*contents: bytes) -> bytes:
    """Items and the end of their sequence, all lengths undefined: what rewriting makes of any sequence."""
    parts = (implicit(ITEM, content, UNDEFINED) + implicit(ITEM_END, b"") for content in contents)
    return b"".join(parts) + implicit(SEQUENCE_END, b"")


def rewrite(data: bytes, source: Encoding, *, implicit: bool, edits: Edits = Edits(), step: int = 0) -> bytes:  # noqa: B008
    blocks = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    return b"".join(rewritten(blocks, source, implicit=implicit, edits=edits))


def to_explicit(data: bytes, source: Encoding = IMPLICIT_LITTLE) -> bytes:
    return rewrite(data, source, implicit=False)


def to_implicit(data: bytes, source: Encoding = EXPLICIT_LITTLE) -> bytes:
    return rewrite(data, source, implicit=True)


# heads of elements


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00080018, "UI", b"1.2.3\0"),
        (0x00080060, "CS", b"CT"),
        (0x00080060, "CS", b""),
        (0x00100010, "PN", b"Doe^Jane   "),  # odd, and padded twice: not ours to mend
        (0x00100010, "PN", b"\xff\xfe^\x1b$B"),
        (0x00180050, "DS", b"1.0 "),
        (0x00081030, "LO", b"a description "),
        (0x00280010, "US", b"\0\2"),
        (0x00289001, "UL", b"\1\2\3\4"),
        (0x0040A160, "UT", b"long "),
        (0x00080006, "SQ", b""),
        (0x00091001, "UN", b"private "),
        (0x00090010, "LO", b"ACME"),
        (0x00083333, "UN", b"not in any dictionary "),
        (0x60003000, "OW", b"\1\2\3\4"),
        (0x600E3000, "OW", b"\1\2\3\4"),
        (0x7FE00008, "OF", b"\1\2\3\4"),
        (0x7FE00010, "OW", b"\1\2\3\4"),
    ],
)
def test_a_head_is_translated_both_ways_and_the_value_stays(tag: int, vr: str, value: bytes) -> None:
    explicit = element(tag, vr, value)

    assert to_explicit(implicit(tag, value)) == explicit
    assert to_implicit(explicit) == implicit(tag, value)


@pytest.mark.parametrize("vr", ["OB", "OW", "UN", "LO", "ST", "XX", "ZZ"])
def test_whatever_vr_was_written_an_implicit_data_set_does_not_have_it(vr: str) -> None:
    assert to_implicit(element(0x00091001, vr, b"12")) == implicit(0x00091001, b"12")


def test_an_unknown_vr_in_long_form_is_read_as_the_standard_promises() -> None:
    data = struct.pack("<HH2sHL", 9, 0x1001, b"ZZ", 0, 2) + b"12"

    assert to_implicit(data) == implicit(0x00091001, b"12")


@pytest.mark.parametrize(("size", "vr"), [(65534, "LO"), (65536, "UN")])
def test_a_value_too_long_for_16_bits_becomes_un(size: int, vr: str) -> None:
    assert to_explicit(implicit(0x00081030, b"x" * size)) == element(0x00081030, vr, b"x" * size)


@pytest.mark.parametrize(("representation", "vr"), [(b"\0\0", "US"), (b"\1\0", "SS")])
def test_the_pixel_representation_decides_where_the_dictionary_has_a_choice(representation: bytes, vr: str) -> None:
    before, after = (0x00280103, representation), (0x00280106, b"\xff\xff")

    explicit = to_explicit(implicit(*before) + implicit(*after))

    assert explicit == element(before[0], "US", before[1]) + element(after[0], vr, after[1])


def test_the_items_of_a_sequence_have_the_pixel_representation_of_what_they_are_in() -> None:
    inner = implicit(0x00283002, b"\1\2" * 3)
    data = implicit(0x00280103, b"\1\0") + implicit(0x00283000, implicit(ITEM, inner))

    assert element(0x00283002, "SS", b"\1\2" * 3) in to_explicit(data)


def test_group_lengths_would_be_wrong_and_are_left_out() -> None:
    inner = implicit(0x00080000, b"\4\0\0\0") + implicit(0x00080060, b"CT")
    data = implicit(0x00080000, b"\4\0\0\0") + implicit(0x00081115, implicit(ITEM, inner))

    assert to_explicit(data) == element(0x00081115, "SQ", items(element(0x00080060, "CS", b"CT")), length=UNDEFINED)


def test_a_data_set_that_says_explicit_and_means_implicit_is_read() -> None:
    data = implicit(0x00080060, b"CT") + implicit(0x00100020, b"P1")

    assert to_implicit(data, EXPLICIT_LITTLE) == data
    assert to_explicit(data, EXPLICIT_LITTLE) == element(0x00080060, "CS", b"CT") + element(0x00100020, "LO", b"P1")


@pytest.mark.parametrize("to", [True, False])
def test_nothing_is_rewritten_to_nothing(to: bool) -> None:
    assert rewrite(b"", EXPLICIT_LITTLE, implicit=to) == b""


# sequences


def nested(encoding: Encoding, *, defined: bool) -> bytes:
    """An element, a sequence of two items (one with a sequence of an empty item), an element."""

    def sequence(tag: int, *contents: bytes) -> bytes:
        if defined:
            return element(tag, "SQ", b"".join(element(ITEM, "", content, encoding) for content in contents), encoding)
        parts = (
            element(ITEM, "", content, encoding, UNDEFINED) + element(ITEM_END, "", b"", encoding)
            for content in contents
        )
        return element(tag, "SQ", b"".join(parts) + element(SEQUENCE_END, "", b"", encoding), encoding, UNDEFINED)

    modality = element(0x00080060, "CS", b"CT", encoding)
    inner = sequence(0x00081140, b"") + element(0x0020000E, "UI", b"1.2\0", encoding)
    return modality + sequence(0x00081115, inner, modality) + element(0x00100020, "LO", b"P1", encoding)


ALL = [EXPLICIT_LITTLE, IMPLICIT_LITTLE, EXPLICIT_BIG]


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("source", ALL)
@pytest.mark.parametrize("target", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
def test_sequences_are_rewritten_with_undefined_lengths(source: Encoding, target: Encoding, defined: bool) -> None:
    data = nested(source, defined=defined)

    new = rewrite(data, source, implicit=target.implicit)

    assert new == (data if source == target else nested(target, defined=False))


@pytest.mark.parametrize("step", [1, 2, 3, 7, 11])
@pytest.mark.parametrize("defined", [True, False])
def test_it_makes_no_difference_in_which_blocks_the_bytes_come(step: int, defined: bool) -> None:
    data = nested(IMPLICIT_LITTLE, defined=defined)

    assert rewrite(data, IMPLICIT_LITTLE, implicit=False, step=step) == to_explicit(data)


def test_what_nobody_knows_to_be_a_sequence_stays_implicit_inside() -> None:
    content = items(implicit(0x00091002, b"ab") + implicit(0x00081115, items(b""), UNDEFINED))
    unknown = implicit(0x00091001, content, UNDEFINED)

    assert to_explicit(unknown) == element(0x00091001, "UN", content, length=UNDEFINED)
    assert to_implicit(element(0x00091001, "UN", content, length=UNDEFINED)) == unknown


def test_a_private_sequence_that_says_so_is_rewritten() -> None:
    explicit = element(0x00091001, "SQ", items(element(0x00080060, "CS", b"CT")), length=UNDEFINED)

    assert to_implicit(explicit) == implicit(0x00091001, items(implicit(0x00080060, b"CT")), UNDEFINED)


@pytest.mark.parametrize("depth", [64, 3000])
def test_depth_is_nothing_to_be_afraid_of(depth: int) -> None:
    data = expected = b""
    for _ in range(depth):
        data = implicit(0x00081115, implicit(ITEM, data, UNDEFINED) + implicit(ITEM_END, b"") + items()[-8:], UNDEFINED)
        expected = element(0x00081115, "SQ", items(expected), length=UNDEFINED)

    assert to_explicit(data) == expected


# byte order


@pytest.mark.parametrize(
    ("vr", "value", "swapped_value"),
    [
        ("US", b"\1\2", b"\2\1"),
        ("SS", b"\1\2\3\4", b"\2\1\4\3"),
        ("AT", b"\0\x08\0\x18", b"\x08\0\x18\0"),
        ("UL", b"\1\2\3\4", b"\4\3\2\1"),
        ("FL", b"\1\2\3\4", b"\4\3\2\1"),
        ("FD", b"\1\2\3\4\5\6\7\x08", b"\x08\7\6\5\4\3\2\1"),
        ("OW", b"\1\2\3\4", b"\2\1\4\3"),
        ("OF", b"\1\2\3\4", b"\4\3\2\1"),
        ("OD", b"\1\2\3\4\5\6\7\x08", b"\x08\7\6\5\4\3\2\1"),
        ("OB", b"\1\2", b"\1\2"),
        ("UN", b"\1\2", b"\1\2"),
        ("LO", b"ab", b"ab"),
        ("US", b"\1\2\3", b"\2\1\3"),
    ],
)
def test_numbers_change_their_byte_order_and_nothing_else_does(vr: str, value: bytes, swapped_value: bytes) -> None:
    assert to_explicit(big(0x00091001, vr, value), EXPLICIT_BIG) == element(0x00091001, vr, swapped_value)


def test_byte_order_survives_blocks_that_cut_numbers() -> None:
    data = big(0x7FE00010, "OW", bytes(range(200)))

    whole = rewrite(data, EXPLICIT_BIG, implicit=False)

    assert rewrite(data, EXPLICIT_BIG, implicit=False, step=3) == whole
    assert whole[12:16] == b"\1\0\3\2"


@pytest.mark.parametrize(
    ("bits", "vr", "fits"), [(8, "OW", True), (16, "OW", True), (32, "OB", True), (32, "OW", False)]
)
def test_big_endian_pixels_of_more_than_a_word_can_be_read_in_two_ways_and_are_refused(
    bits: int, vr: str, fits: bool
) -> None:
    data = big(0x00280100, "US", bits.to_bytes(2, "big")) + big(0x7FE00010, vr, b"\1\2\3\4")

    if fits:
        assert to_explicit(data, EXPLICIT_BIG).startswith(element(0x00280100, "US", bits.to_bytes(2, "little")))
    else:
        with pytest.raises(UnreadableError, match="32 bits in big endian"):
            to_explicit(data, EXPLICIT_BIG)


# edits


def without(*tags: int) -> Edits:
    return Edits(drop=tags.__contains__)


@pytest.mark.parametrize("encoding", [EXPLICIT_LITTLE, IMPLICIT_LITTLE])
@pytest.mark.parametrize("defined", [True, False])
def test_an_element_can_be_cut_out_byte_exactly(encoding: Encoding, defined: bool) -> None:
    data = nested(encoding, defined=defined)
    pixels = element(0x7FE00010, "OW", b"\1\2", encoding)

    assert rewrite(data + pixels, encoding, implicit=encoding.implicit, edits=without(0x7FE00010)) == data


def test_a_whole_sequence_can_be_cut_out() -> None:
    for defined in (True, False):
        data = nested(EXPLICIT_LITTLE, defined=defined)
        cut = rewrite(data, EXPLICIT_LITTLE, implicit=False, edits=without(0x00081115))
        assert cut == element(0x00080060, "CS", b"CT") + element(0x00100020, "LO", b"P1")


def test_only_the_top_level_is_cut() -> None:
    icon = element(0x00880200, "SQ", element(ITEM, "", element(0x7FE00010, "OW", b"\1\2")))

    assert rewrite(icon, EXPLICIT_LITTLE, implicit=False, edits=without(0x7FE00010)) == icon


def test_encapsulated_pixel_data_can_be_cut_out_or_replaced() -> None:
    fragments = implicit(ITEM, b"") + implicit(ITEM, b"\xfe\xff\x0d\xe0\0\0\0\0") + implicit(SEQUENCE_END, b"")
    modality = element(0x00080060, "CS", b"CT")
    data = modality + element(0x7FE00010, "OB", fragments, length=UNDEFINED) + element(0xFFFCFFFC, "OB", b"")
    put = Edits(put={0x7FE00010: (b"new ", b"pixels")})

    assert rewrite(data, EXPLICIT_LITTLE, implicit=False) == data
    cut = rewrite(data, EXPLICIT_LITTLE, implicit=False, edits=without(0x7FE00010))
    assert cut == modality + element(0xFFFCFFFC, "OB", b"")
    assert rewrite(data, EXPLICIT_LITTLE, implicit=False, edits=put) == modality + b"new pixels" + element(
        0xFFFCFFFC, "OB", b""
    )
    assert rewrite(data, EXPLICIT_LITTLE, implicit=True, edits=put).startswith(
        implicit(0x00080060, b"CT") + b"new pixels"
    )


def test_encapsulated_pixel_data_has_no_place_in_what_is_not_compressed() -> None:
    data = element(0x7FE00010, "OB", items(), length=UNDEFINED)

    with pytest.raises(UnreadableError, match="has VR OB and no length"):
        to_implicit(data)


def test_what_is_put_comes_in_its_order_also_when_nothing_was_there() -> None:
    data = element(0x00280002, "US", b"\3\0") + element(0x00280010, "US", b"\1\0")
    puts = {tag: (element(tag, "US", b"\7\0"),) for tag in (0x7FE00010, 0x00280002, 0x00080000, 0x00280006)}

    new = rewrite(data, EXPLICIT_LITTLE, implicit=False, edits=Edits(put=puts))

    tags = [0x00080000, 0x00280002, 0x00280006, 0x00280010, 0x7FE00010]
    assert new == b"".join(element(tag, "US", b"\1\0" if tag == 0x00280010 else b"\7\0") for tag in tags)


@pytest.mark.parametrize("defined", [True, False])
def test_items_of_a_sequence_can_lose_an_element(defined: bool) -> None:
    data = nested(EXPLICIT_LITTLE, defined=defined)

    new = rewrite(data, EXPLICIT_LITTLE, implicit=False, edits=Edits(drop_within={0x00081115: 0x00080060}))

    inner = data[data.index(element(0x0020000E, "UI", b"1.2\0")) :][:12]
    kept = new[new.index(b"SQ") :]
    assert inner in kept
    assert new.count(element(0x00080060, "CS", b"CT")) == data.count(element(0x00080060, "CS", b"CT")) - 1
    assert new.endswith(items(b"") + element(0x00100020, "LO", b"P1"))


# hostile bytes


@pytest.mark.parametrize("source", ALL)
def test_a_data_set_cut_anywhere_is_unreadable_or_ends_between_two_elements(source: Encoding) -> None:
    data = nested(source, defined=True)
    whole = 0
    for end in range(1, len(data)):
        with suppress(UnreadableError):
            rewrite(data[:end], source, implicit=not source.implicit)
            whole += 1
    assert whole == 2, "after the first element, and before the last"


@pytest.mark.parametrize(
    "data",
    [
        b"garbage that is no data set",
        b"\x08\0\x60\0C",
        element(0x00081115, "SQ", b"\1\2\3\4\5\6\7\x08"),
        element(0x00081115, "SQ", element(ITEM, "", element(0x00080060, "CS", b"CT"), length=4)),
        element(0x00081115, "SQ", element(ITEM, "", b"", length=400)),
        element(0x00081115, "SQ", b"", length=UNDEFINED),
        element(0x00080060, "CS", b"CT", length=500),
        element(0x00080060, "CS", b"CT") + b"\x08\0\x70\0??\2\0ab",
        element(0x7FE00010, "OW", b"", length=0xFFFFFFFE),
    ],
)
def test_nonsense_is_told_with_a_sentence(data: bytes) -> None:
    with pytest.raises(UnreadableError) as told:
        to_implicit(data)
    assert str(told.value)


# blocks


def test_a_source_gives_what_was_asked_for_however_it_came() -> None:
    source = ByteSource([b"", b"ab", b"", b"cde", b"f"])

    assert source.peek(4) == b"abcd"
    assert (source.take(1), source.take(4), source.position) == (b"a", b"bcde", 5)
    assert not source.is_at_end()
    assert b"".join(source.pieces(1)) == b"f"
    assert source.is_at_end()
    with pytest.raises(UnreadableError, match="it ends at byte 6"):
        source.take(1)


def test_small_pieces_are_joined_and_large_ones_cut() -> None:
    pieces = [b"x" for _ in range(1000)] + [b"y" * (1 << 18), b"", b"z", b"z", b"y" * (1 << 20), b"z"]

    blocks = list(gathered(pieces))

    assert b"".join(blocks) == b"".join(pieces)
    assert [len(block) for block in blocks] == [1000, 1 << 18, 2, *[1 << 18] * 4, 1]
    assert blocks[1] is pieces[1000], "what has a good size is not copied"


def test_many_small_pieces_become_blocks() -> None:
    blocks = list(gathered(b"12345678" for _ in range(100_000)))

    assert sum(map(len, blocks)) == 800_000
    assert max(map(len, blocks)) <= 1 << 18
    assert len(blocks) < 10


def test_swapping_keeps_an_odd_rest() -> None:
    assert b"".join(swapped([b"\1", b"\2\3", b"\4\5"], 2)) == b"\2\1\4\3\5"
