"""The sockets of the control API: one port on every address of a host, or a free one when that will do."""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

from mockpacs.errors import StartError

_TRIES: Final = 10
"""A free port of one address may be taken at another one."""


def bind(host: str, port: int, *, is_fixed: bool) -> tuple[list[socket.socket], bool]:
    """Bound sockets, and whether they have another port than ``port`` because that is in use.

    Raises `StartError`. A name is looked up here and now: that happens before anybody is served.
    """
    addresses = _resolved(host)
    try:
        return _bound(addresses, port), False
    except OSError as error:
        if is_fixed or error.errno != errno.EADDRINUSE or not port:
            raise StartError(_why_not(host, port, error)) from error
    try:
        return _bound(addresses, 0), True
    except OSError as error:
        raise StartError(_why_not(host, 0, error)) from error


def _bound(addresses: list[tuple[int, str]], port: int) -> list[socket.socket]:
    for attempt in range(1, _TRIES + 1):
        bound: list[socket.socket] = []
        try:
            for family, address in addresses:
                same = bound[0].getsockname()[1] if bound else port
                bound.append(_socket(family, address, same))
        except OSError as error:
            for sock in bound:
                sock.close()
            if port or error.errno != errno.EADDRINUSE or attempt == _TRIES:
                raise
        else:
            return bound
    raise AssertionError("the last attempt returns or raises")


def _socket(family: int, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _resolved(host: str) -> list[tuple[int, str]]:
    """The addresses of a host, each once."""
    try:
        found = socket.getaddrinfo(host or None, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"cannot listen on {host!r}: {error.strerror or error} (http_host)") from error
    return list(dict.fromkeys((int(family), str(address[0])) for family, _, _, _, address in found))


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use; stop what listens there, choose another with --http, "
            "or do without the control API with --no-http"
        )
    if error.errno == errno.EACCES:
        return f"no right to listen on {host}:{port}: ports below 1024 need privileges; choose another with --http"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine (http_host)"
    return f"the control API cannot listen on {host}:{port}: {error.strerror}"
