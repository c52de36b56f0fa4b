"""Addresses as users write them: where to go, where to listen, and what stands behind a door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from mockpacs.written.kinds import Refused, quoted, refused
from mockpacs.written.numbers import Whole
from mockpacs.written.words import Host, Title

_TLS: Final = "tls"
_HOST: Final = Host()
_ANY_PORT: Final = Whole(0, 65535)
_PORT: Final = Whole(1, 65535)


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, and whether TLS is spoken there."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        """``host:port``, with brackets around IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Offer:
    """A move destination that somebody stands in for: its title, where they listen, and where it really is."""

    aet: str
    listen: int
    to: Address


def with_colons(place: str) -> str:
    """What to say of ``HOST:PORT`` whose host has colons and no brackets around it."""
    scheme, _, rest = place.strip().partition(":")
    if scheme.lower() == _TLS:
        return f"{quoted(place)}: TLS is written {_TLS}://{rest.lstrip('/')}"
    return f"{quoted(place)}: an IPv6 address stands between brackets, such as [::1]:11112"


class AddressKind:
    """``HOST:PORT`` or ``tls://HOST:PORT``."""

    allowed: ClassVar[str] = "an address: HOST:PORT or tls://HOST:PORT, such as 10.0.0.5:104 or [::1]:11112"

    def read(self, value: object) -> Address:
        """The address."""
        if isinstance(value, Address):
            return value
        if not isinstance(value, str):
            raise refused(value, self.allowed)
        scheme, has_scheme, place = value.strip().rpartition("://")
        host, has_port, port = place.rpartition(":")
        if not has_port or not host or (has_scheme and scheme.lower() != _TLS):
            raise refused(value, self.allowed)
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise Refused((value, with_colons(place)))
        return Address(_HOST.read(host), int(_PORT.read(port)), bool(has_scheme))

    def write(self, value: object) -> str:
        """The address in one word."""
        assert isinstance(value, Address)
        return f"{f'{_TLS}://' if value.tls else ''}{value}"


class ListenKind:
    """``PORT`` or ``HOST:PORT``; this machine only, unless a host is named."""

    allowed: ClassVar[str] = "a port, or HOST:PORT to listen on another address than 127.0.0.1"

    def read(self, value: object) -> Address:
        """Where to listen; port 0 is a free one."""
        if isinstance(value, Address):
            return value
        if not isinstance(value, str | int):
            raise refused(value, self.allowed)
        host, has_host, port = str(value).strip().rpartition(":")
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise Refused((value, f"{quoted(value)}: an IPv6 address stands between brackets, such as [::]:11112"))
        try:
            return Address(_HOST.read(host) if has_host else "127.0.0.1", int(_ANY_PORT.read(port)))
        except Refused as no:
            raise refused(value, self.allowed) from no

    def write(self, value: object) -> str:
        """The address in one word."""
        return str(value)


class OfferKind:
    """``AET=LISTENPORT:HOST:PORT``: who calls AET at our port is forwarded to where it really is."""

    allowed: ClassVar[str] = (
        "a move destination: AET=LISTENPORT:HOST:PORT, such as STORE=11113:10.0.0.9:104, with the port to listen on "
        "and the address where it really is"
    )

    def read(self, value: object) -> Offer:
        """The destination."""
        if isinstance(value, Offer):
            return value
        if not isinstance(value, str):
            raise refused(value, self.allowed)
        title, is_pair, rest = value.partition("=")
        listen, has_address, address = rest.partition(":")
        if not (is_pair and has_address):
            raise refused(value, self.allowed)
        try:
            to = AddressKind().read(address)
            return Offer(Title().read(title), int(_ANY_PORT.read(listen)), to)
        except Refused as no:
            raise Refused((value, f"{quoted(value)}: {no.problems[0][1]}")) from no

    def write(self, value: object) -> str:
        """The destination in one word."""
        assert isinstance(value, Offer)
        return f"{value.aet}={value.listen}:{AddressKind().write(value.to)}"
