"""Whom we call: an application entity with a title and an address. Nobody else is ever dialled."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer by its AE title."""

    aet: str
    host: str
    port: int
    transfer_syntaxes: tuple[str, ...] = ()
    """UIDs: those that are proposed to it; none means all that are needed."""
    tls: ssl.SSLContext | None = None
    """What TLS is spoken with, None for none."""

    @property
    def address(self) -> str:
        """``127.0.0.1:11113``"""
        return host_and_port((self.host, self.port))


def host_and_port(address: tuple[str, int]) -> str:
    """An address of the socket module as people write it: ``127.0.0.1:104``, ``[::1]:104``."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
