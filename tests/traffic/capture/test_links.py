"""Packets to segments: link layers, IP in its variants, what the capture cut, and what is not TCP."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.traffic.capture.builder import (
    ACK,
    CLIENT,
    CLIENT_6,
    PSH,
    REQUESTOR,
    SERVER,
    SERVER_6,
    Frame,
    Talk,
    cooked,
    cooked_2,
    dialogue,
    ethernet,
    interface,
    ip_4,
    ip_6,
    loopback,
    pcap,
    pcapng,
    read_bytes,
    read_frames,
    section,
    stacked_vlan,
    tcp,
    vlan,
)
from tests.traffic.capture.builder import enhanced as packet_block

WHOLE = ["open 1", "> question", "< answer", "> thanks", "fin >", "fin <"]


def raw(ip: bytes) -> bytes:
    return ip


LINKS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "raw": (101, raw),
    "raw of BSD": (12, raw),
    "IPv4": (228, raw),
    "IPv6": (229, raw),
    "Ethernet": (1, ethernet),
    "VLAN": (1, vlan),
    "VLAN in VLAN": (1, stacked_vlan),
    "Linux cooked": (113, cooked),
    "Linux cooked 2": (276, cooked_2),
    "null little endian": (0, loopback("<")),
    "null big endian": (0, loopback(">")),
    "loop": (108, loopback(">")),
}


@pytest.mark.parametrize(("link", "wrap"), LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("is_6", [False, True], ids=["IPv4", "IPv6"])
def test_every_link_layer_is_taken_off(tmp_path: Path, link: int, wrap: Callable[[bytes], bytes], is_6: bool) -> None:
    talk = dialogue(client=CLIENT_6, server=SERVER_6) if is_6 else dialogue()
    frames = [Frame(wrap(frame.data)) for frame in talk.frames]
    for data in (pcap(frames, link=link), pcapng(frames, link=link)):
        seen = read_bytes(tmp_path, data)
        assert (seen.story, seen.problems) == (WHOLE, [])


def test_a_frame_check_sequence_in_the_link_type_of_pcap_is_no_other_link(tmp_path: Path) -> None:
    data = bytearray(pcap([Frame(ethernet(frame.data)) for frame in dialogue().frames], link=1))
    data[20:24] = struct.pack("<I", 0x24000001)
    assert read_bytes(tmp_path, bytes(data)).story == WHOLE


def hop_by_hop(next_header: int) -> bytes:
    return bytes([next_header, 0, 1, 4, 0, 0, 0, 0])


def six(payload: bytes, extensions: bytes, protocol: int) -> bytes:
    return ip_6(CLIENT_6[0], SERVER_6[0], payload, extensions=extensions, protocol=protocol)


PAYLOAD = tcp(CLIENT, SERVER, 1001, 5001, PSH | ACK, b"payload", options=bytes(12))
PAYLOAD_6 = tcp(CLIENT_6, SERVER_6, 1001, 5001, PSH | ACK, b"payload", options=bytes(12))
VARIANTS = {
    "TCP options": ip_4(CLIENT[0], SERVER[0], PAYLOAD),
    "IP options": ip_4(CLIENT[0], SERVER[0], PAYLOAD, options=bytes(8)),
    "hop by hop": six(PAYLOAD_6, hop_by_hop(6), 0),
    "two extension headers": six(PAYLOAD_6, hop_by_hop(60) + hop_by_hop(6), 0),
    "IPv6 in IPv4": ip_4("192.0.2.1", "192.0.2.2", six(PAYLOAD_6, b"", 6), protocol=41),
    "a whole packet in a fragment header": six(PAYLOAD_6, bytes([6, 0, 0, 0, 0, 0, 0, 1]), 44),
}


@pytest.mark.parametrize("ip", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize(("link", "wrap"), [LINKS["raw"], LINKS["Ethernet"]], ids=["raw", "Ethernet"])
def test_headers_of_any_length_are_no_payload(
    tmp_path: Path, ip: bytes, link: int, wrap: Callable[[bytes], bytes]
) -> None:
    seen = read_bytes(tmp_path, pcap([Frame(wrap(ip))], link=link))
    assert (seen.story, seen.problems) == (["open 1 late", "> payload", "cut"], [])
    assert seen.events[0].flow[1:] in (
        ("10.0.0.1:50000", "10.0.0.2:11112"),
        ("[2001:db8::1]:50000", "[2001:db8::2]:11112"),
    )


@pytest.mark.parametrize("is_6", [False, True], ids=["IPv4", "IPv6"])
def test_a_packet_without_a_length_ends_with_its_frame(tmp_path: Path, is_6: bool) -> None:
    """What a network card with segmentation offload is given to cut."""
    talk = Talk(*((CLIENT_6, SERVER_6) if is_6 else (CLIENT, SERVER))).open().say(REQUESTOR, b"p" * 60_000)
    data = bytearray(talk.frames[-1].data)
    at = 4 if is_6 else 2
    data[at : at + 2] = b"\0\0"
    frames = [*(Frame(vlan(frame.data)) for frame in talk.frames[:-1]), Frame(vlan(bytes(data)))]
    seen = read_bytes(tmp_path, pcap(frames, link=1))
    assert seen.bytes_of(REQUESTOR) == b"p" * 60_000
    seen = read_bytes(tmp_path, pcap([*frames[:-1], frames[-1]._replace(cut=1000)], link=1))
    assert seen.story[-2] == f"> -{60_000 - len(seen.bytes_of(REQUESTOR))}"


@pytest.mark.parametrize(("link", "wrap"), LINKS.values(), ids=LINKS)
def test_bytes_cut_by_the_capture_are_missing(tmp_path: Path, link: int, wrap: Callable[[bytes], bytes]) -> None:
    talk = Talk().open().say(REQUESTOR, b"x" * 1000, "remark").say(REQUESTOR, b"y" * 1000).say(REQUESTOR, b"z")
    frames = [Frame(wrap(frame.data), frame.comments, 96) for frame in talk.frames]
    seen = read_bytes(tmp_path, pcapng(frames, link=link))
    taken = 96 - len(wrap(talk.frames[3].data).partition(b"x")[0])
    assert seen.story == [
        *("open 1", f"> {'x' * taken} #remark", f"> -{1000 - taken}"),
        *(f"> {'y' * taken}", f"> -{1000 - taken}", "> z", "cut"),
    ]
    assert seen.problems == []


def test_a_trailer_that_was_cut_off_is_not_missing(tmp_path: Path) -> None:
    talk = Talk().open().say(REQUESTOR, b"abcdef")
    frames = [Frame(vlan(frame.data) + bytes(20)) for frame in talk.frames]
    frames[-1] = frames[-1]._replace(cut=len(frames[-1].data) - 22)
    assert read_bytes(tmp_path, pcap(frames, link=1)).story == ["open 1", "> abcd", "> -2", "cut"]


def test_a_packet_cut_in_its_headers_is_counted(tmp_path: Path) -> None:
    frames = [frame._replace(cut=30) for frame in Talk().open().say(REQUESTOR, b"x" * 100).frames]
    seen = read_frames(tmp_path, frames)
    assert seen.story == []
    assert seen.problems == [
        f"4 packets skipped: cut before the end of its TCP header (byte {len(section('>') + interface('>'))} and later)"
    ]
    frames = [Frame(vlan(frame.data), cut=40) for frame in Talk().open().frames]
    assert "cut before the end" in read_bytes(tmp_path, pcap(frames, link=1)).problems[0]


def test_what_is_not_tcp_is_counted_and_skipped(tmp_path: Path) -> None:
    talk = dialogue()
    datagram = ip_4(CLIENT[0], SERVER[0], struct.pack(">HHHH", 53, 53, 12, 0) + b"abcd", protocol=17)
    arp = b"\xff" * 6 + bytes(6) + b"\x08\x06" + bytes(28)
    noise = [Frame(ethernet(datagram)), Frame(arp), Frame(bytes(12) + b"\x88\xcc" + bytes(40)), Frame(bytes(60))]
    frames = [*noise, *(Frame(ethernet(frame.data)) for frame in talk.frames)]
    seen = read_bytes(tmp_path, pcap(frames, link=1))
    assert (seen.story, seen.problems) == (WHOLE, ["4 packets skipped: no TCP (byte 24 and later)"])


def test_an_unknown_link_type_is_named(tmp_path: Path) -> None:
    frames = dialogue().frames
    data = section("<") + interface("<", 127) + interface("<", 101)
    data += b"".join(packet_block(frame, 0, "<", 0) + packet_block(frame, 0, "<", 1) for frame in frames)
    seen = read_bytes(tmp_path, data)
    at = len(section("<") + interface("<", 127) + interface("<", 101))
    count = len(frames)
    assert seen.story == WHOLE
    assert seen.problems == [f"{count} packets skipped: link type 127 is not known (byte {at} and later)"]


@pytest.mark.parametrize("is_6", [False, True], ids=["IPv4", "IPv6"])
def test_the_first_fragment_is_used_and_the_others_are_missing(tmp_path: Path, is_6: bool) -> None:
    source, target = (CLIENT_6, SERVER_6) if is_6 else (CLIENT, SERVER)
    whole = tcp(source, target, 1001, 5001, ACK, b"f" * 80)

    def fragment(start: int, data: bytes, *, more: bool) -> Frame:
        if is_6:
            head = struct.pack(">BBHI", 6, 0, start | more, 9)
            return Frame(ip_6(source[0], target[0], data, extensions=head, protocol=44))
        return Frame(ip_4(source[0], target[0], data, fragment=start // 8 | more << 13))

    talk = Talk(source, target).open()
    pieces = [fragment(0, whole[:40], more=True), fragment(40, whole[40:], more=False)]
    talk.client_next += 80
    frames = [*talk.frames, *pieces]
    talk.say(REQUESTOR, b"next")
    seen = read_frames(tmp_path, [*frames, talk.frames[-1]])
    assert seen.story == ["open 1", f"> {'f' * 20}", "> -60", "> next", "cut"]
    assert [problem for problem in seen.problems if "an IP fragment" in problem]


@pytest.mark.parametrize(("link", "wrap"), LINKS.values(), ids=LINKS)
def test_no_garbled_packet_raises(tmp_path: Path, link: int, wrap: Callable[[bytes], bytes]) -> None:
    chance = random.Random(link)
    good = [wrap(frame.data) for frame in [*dialogue().frames, *dialogue(client=CLIENT_6, server=SERVER_6).frames]]
    good += [wrap(ip) for ip in VARIANTS.values()]
    frames = []
    for _ in range(1500):
        data = bytearray(chance.choice(good))
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(min(len(data), 60))] = chance.choice((0, 1, 6, 44, 255, chance.randrange(256)))
        frames.append(Frame(bytes(data[: chance.randrange(len(data) + 1)])))
    seen = read_bytes(tmp_path, pcap(frames, link=link))
    assert len(seen.problems) < 10


def test_ip_in_ip_without_end_is_skipped(tmp_path: Path) -> None:
    data = b""
    for _ in range(2500):
        data = ip_4("192.0.2.1", "192.0.2.2", data, protocol=4)
    seen = read_frames(tmp_path, [Frame(data), *dialogue().frames])
    assert seen.story == WHOLE
    assert len(seen.problems) == 1
