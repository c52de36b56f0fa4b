"""Blocks as we write them, judged by the strict reader of these tests and by dpkt."""

from __future__ import annotations

import io
import struct
from typing import Any

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.traffic import pcapng
from mockpacs.traffic.pcapng import ACK, FIN, INBOUND, LONGEST_PAYLOAD, OUTBOUND, PSH, RST, SYN, Endpoints
from tests.traffic.pcapng_reader import Packet, cut_blocks, options, packet_of, section_of, whole_blocks

SECTION = pcapng.section("mockpacs 1.2.3", "posix", ["NOT FOR CLINICAL USE", "scenario ü"])
PLAIN = Endpoints.between(("192.0.2.1", 50_312), ("10.1.2.3", 104), INBOUND)


def written(pieces: list[bytes | memoryview]) -> bytes:
    return b"".join(pieces)


def read(block: bytes) -> Packet:
    blocks, rest = cut_blocks(block)
    assert rest == b""
    (only,) = blocks
    return packet_of(only)


def test_the_section_says_who_wrote_it_and_what_it_may_contain() -> None:
    section, _ = whole_blocks(SECTION)

    assert section_of(section) == [
        (1, b"NOT FOR CLINICAL USE"),
        (1, "scenario ü".encode()),
        (3, b"posix"),
        (4, b"mockpacs 1.2.3"),
    ]


def test_the_interface_is_raw_ip_in_nanoseconds_without_a_limit() -> None:
    _, interface = whole_blocks(SECTION)

    assert struct.unpack_from(">HHI", interface.body) == (101, 0, 0)
    said = dict(options(interface.body[8:]))
    assert said[9] == b"\x09"
    assert said[2] == b"mockpacs"


@pytest.mark.parametrize("fact", ["x" * 100_000, "\udcff", "ü" * 60_000, "a\0b", ""])
def test_no_fact_about_a_recording_spoils_its_begin(fact: str) -> None:
    section, _ = whole_blocks(pcapng.section("mockpacs 1", "posix", [fact, "after it"]))

    assert [value.decode() for code, value in section_of(section) if code == 1][1] == "after it"


ENDS = [
    (("192.0.2.1", 50312), ("10.1.2.3", 104), ("192.0.2.1", 50312), ("10.1.2.3", 104)),
    (("::1", 1), ("2001:db8::2", 65535), ("::1", 1), ("2001:db8::2", 65535)),
    (("fe80::1%eth0", 5000), ("fe80::2%2", 104), ("fe80::1", 5000), ("fe80::2", 104)),
    (("::ffff:192.0.2.1", 5), ("::ffff:10.0.0.1", 6), ("::ffff:192.0.2.1", 5), ("::ffff:10.0.0.1", 6)),
    (("192.0.2.1", 5), ("::1", 6), ("::ffff:192.0.2.1", 5), ("::1", 6)),
    (("", 0), ("no address", 6), ("0.0.0.0", 0), ("0.0.0.0", 6)),
]


@pytest.mark.parametrize("flag", [INBOUND, OUTBOUND])
@pytest.mark.parametrize(("source", "target", "read_source", "read_target"), ENDS)
def test_a_packet_goes_from_where_to_where_it_went(
    source: tuple[str, int], target: tuple[str, int], read_source: Any, read_target: Any, flag: int
) -> None:
    ends = Endpoints.between(source, target, flag)
    for block in (written(pcapng.packet(ends, 1, 2, 3, PSH | ACK, b"data")), pcapng.syn(ends, 1, 2, 3, SYN, [])):
        packet = read(block)

        assert str(packet.source[0]) == _same(read_source[0])
        assert packet.source[1] == read_source[1]
        assert (str(packet.target[0]), packet.target[1]) == (_same(read_target[0]), read_target[1])
        assert packet.is_inbound == (flag == INBOUND)


def _same(address: str) -> str:
    import ipaddress

    return str(ipaddress.ip_address(address))


@given(
    six=st.booleans(),
    when=st.integers(0, 2**64 - 1),
    sequence=st.integers(0, 2**40),
    acknowledged=st.integers(0, 2**40),
    flags=st.sampled_from([ACK, PSH | ACK, FIN | ACK, RST | ACK]),
    payload=st.binary(max_size=9),
    comments=st.lists(st.text(max_size=9), max_size=4),
)
def test_everything_about_a_packet_is_read_as_it_was_written(
    *, six: bool, when: int, sequence: int, acknowledged: int, flags: int, payload: bytes, comments: list[str]
) -> None:
    host = "2001:db8::1" if six else "192.0.2.1"
    ends = Endpoints.between((host, 1024), (host, 104), OUTBOUND)
    notes = [pcapng.comment_bytes(text) for text in comments]
    packet = read(written(pcapng.packet(ends, when, sequence, acknowledged, flags, payload, notes)))

    assert (packet.when, packet.flags, packet.payload) == (when, flags, payload)
    assert (packet.sequence, packet.acknowledged) == (sequence % 2**32, acknowledged % 2**32)
    assert packet.comments == tuple(note.decode() for note in notes)
    assert packet.tcp_options == b""


@pytest.mark.parametrize("size", [*range(9), LONGEST_PAYLOAD - 1, LONGEST_PAYLOAD])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("comments", [[], [b"one"], [b"12345", "zwölf".encode()]])
def test_every_length_is_right_for_every_payload(size: int, address: str, comments: list[bytes]) -> None:
    ends = Endpoints.between((address, 1), (address, 2), INBOUND)
    payload = bytes(range(256)) * (size // 256 + 1)
    packet = read(written(pcapng.packet(ends, 1, 2, 3, ACK, payload[:size], comments)))

    assert packet.payload == payload[:size]
    assert [text.encode() for text in packet.comments] == comments


def test_the_payload_is_not_copied() -> None:
    payload = memoryview(bytearray(b"data"))

    assert any(piece is payload for piece in pcapng.packet(PLAIN, 1, 2, 3, ACK, payload))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("comments", [[], [b"connection 1 from 127.0.0.1:5"], [b"a", b"b"]])
def test_the_first_packet_explains_segments_and_window(address: str, comments: list[bytes]) -> None:
    ends = Endpoints.between((address, 1), (address, 2), INBOUND)
    packet = read(pcapng.syn(ends, 7, 2**32 + 5, 0, SYN, comments))

    assert (packet.sequence, packet.flags, packet.payload) == (5, SYN, b"")
    assert [text.encode() for text in packet.comments] == comments
    parsed = dict(dpkt.tcp.parse_opts(packet.tcp_options))
    assert parsed[dpkt.tcp.TCP_OPT_MSS] == struct.pack(">H", LONGEST_PAYLOAD)
    assert parsed[dpkt.tcp.TCP_OPT_WSCALE] == bytes([14])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", b""),
        ("plain", b"plain"),
        ("zwölf €", "zwölf €".encode()),
        ("a\udcffb", b"a\\udcffb"),
        ("x" * 60_001, b"x" * 60_000),
        ("x" + "ü" * 30_000, b"x" + "ü".encode() * 29_999),
        ("xx" + "😀" * 15_000, b"xx" + "😀".encode() * 14_999),
    ],
)
def test_a_comment_is_utf_8_and_ends_with_a_whole_character(text: str, expected: bytes) -> None:
    assert pcapng.comment_bytes(text) == expected
    assert read(written(pcapng.packet(PLAIN, 1, 2, 3, ACK, b"abc", [expected, expected]))).payload == b"abc"


def test_dpkt_reads_what_we_write() -> None:
    when = 1_768_212_345_123_456_789
    six = Endpoints.between(("::1", 5), ("::2", 104), OUTBOUND)
    data = b"".join(
        (
            SECTION,
            pcapng.syn(PLAIN, when, 0, 0, SYN, [b"connection 1 from here"]),
            *pcapng.packet(PLAIN, when + 1_000, 1, 1, PSH | ACK, b"hello", [b"one", b"two"]),
            *pcapng.packet(six, when + 2_000, 1, 6, RST | ACK),
        )
    )
    reader = dpkt.pcapng.Reader(io.BytesIO(data))
    assert reader.datalink() == 101
    (first, syn), (second, hello), (third, reset) = list(reader)

    assert (second - first, third - second) == (pytest.approx(1e-6, abs=5e-7), pytest.approx(1e-6, abs=5e-7))
    begin = dpkt.ip.IP(syn)
    assert (begin.data.sport, begin.data.dport, begin.data.flags) == (50_312, 104, SYN)
    assert dpkt.ip.IP(hello).data.data == b"hello"
    last = dpkt.ip6.IP6(reset)
    assert (last.nxt, last.data.flags, last.data.ack) == (6, RST | ACK, 6)
