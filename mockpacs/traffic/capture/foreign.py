"""Packets of real networks, read with dpkt: link layers, VLAN tags, IP options, IPv6 extension headers, offloading."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from mockpacs.traffic.capture.packet import Packet, Problems
from mockpacs.traffic.capture.segment import ETHERNET, RAW_LINKS, Segment

NOT_TCP: Final = "no TCP"
CUT: Final = "cut before the end of its TCP header"
UNREADABLE: Final = "its headers contradict themselves"
FRAGMENTED: Final = "an IP fragment"

_PORTS: Final = struct.Struct(">HH")
_TCP: Final = 6
_NO_NEXT_HEADER: Final = 59
# what dpkt meets in a packet that was cut or garbled
_NONSENSE: Final = (struct.error, IndexError, ValueError, TypeError, AttributeError, KeyError, RecursionError)


def segment_of(packet: Packet, problems: Problems) -> Segment | None:
    """The segment in a packet; None, and a note in ``problems``, when there is none."""
    import dpkt

    decode = _decoder(packet.link)
    if decode is None:
        problems.skip(f"link type {packet.link} is not known", packet.offset)
        return None
    data = bytes(packet.data)
    try:
        layer = decode(data)
        ip = None
        while isinstance(layer, dpkt.Packet) and not isinstance(layer, dpkt.tcp.TCP):
            ip = layer if isinstance(layer, dpkt.ip.IP | dpkt.ip6.IP6) else ip
            layer = layer.data
        if ip is None or ip.p != _TCP:
            why = CUT if len(data) < min(packet.size, 54) else NOT_TCP
        elif _is_later_fragment(ip):
            why = FRAGMENTED
        elif not isinstance(layer, dpkt.tcp.TCP):
            why = CUT if len(data) < packet.size else UNREADABLE
        else:
            return _segment(ip, layer, packet.size - len(data))
    except (dpkt.Error, *_NONSENSE):
        why = CUT if len(data) < packet.size else UNREADABLE
    problems.skip(why, packet.offset)
    return None


@cache
def _decoder(link: int) -> Callable[[bytes], Any] | None:
    import dpkt

    def raw(data: bytes) -> Any:
        return dpkt.ip6.IP6(data) if data[0] >> 4 == 6 else dpkt.ip.IP(data)

    if link in RAW_LINKS:
        return raw
    known = {
        ETHERNET: dpkt.ethernet.Ethernet,
        0: dpkt.loopback.Loopback,
        108: dpkt.loopback.Loopback,
        113: dpkt.sll.SLL,
        276: dpkt.sll2.SLL2,
    }
    return known.get(link)


def _is_later_fragment(ip: Any) -> bool:
    """Whether it has no TCP header. The first fragment is used: it has one, and the rest shows as missing bytes."""
    if hasattr(ip, "all_extension_headers"):
        return any(getattr(header, "frag_off", 0) for header in ip.all_extension_headers)
    return bool(ip.offset)


def _segment(ip: Any, tcp: Any, cut: int) -> Segment | None:
    """``cut``: bytes at the end of the packet that were not captured."""
    header = tcp.off * 4
    if hasattr(ip, "all_extension_headers"):
        length = ip.plen - sum(extension.length for extension in ip.all_extension_headers) if ip.plen else 0
    else:
        length = ip.len - ip.hl * 4 if ip.len else 0
    # no length: the network card was to cut this packet; then it ends where the frame ends
    size = length - header if length else len(tcp.data) + cut
    key = ip.src + ip.dst + _PORTS.pack(tcp.sport, tcp.dport)
    return Segment(key, tcp.seq, tcp.ack, tcp.flags, tcp.data, max(size, len(tcp.data)))
