"""The head of a DICOM file."""

from __future__ import annotations

import pytest

from mockpacs.wire.part10 import FileMeta, decode_head, encode_head, guess_transfer_syntax


@pytest.mark.parametrize("title", ["", "CT1", "A" * 20])
def test_a_head_says_what_it_was_given(title: str) -> None:
    raw = encode_head(FileMeta("1.2", "1.2.3", "1.2.840.10008.1.2.1", title))
    head = decode_head(raw + b"data")
    assert head is not None
    assert head.data_offset == len(raw)
    assert tuple(head.meta) == ("1.2", "1.2.3", "1.2.840.10008.1.2.1", title[:16])


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\x08\0\x05\0CS\x0a\0", "1.2.840.10008.1.2.1"),
        (b"\0\x08\0\x05CS\0\x0a", "1.2.840.10008.1.2.2"),
        (b"\x08\0\x05\0\x0a\0\0\0", "1.2.840.10008.1.2"),
        (b"GET / HT", ""),
        (b"\x08\0", ""),
    ],
)
def test_the_transfer_syntax_is_guessed_from_the_first_element(start: bytes, expected: str) -> None:
    assert guess_transfer_syntax(start) == expected
