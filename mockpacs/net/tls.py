"""TLS, sans-IO: cipher text in, plain text out, and back; and the contexts it is done with, as server and as client.

PS3.15 B: the secure transport connection profiles ask for TLS 1.2 or newer.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import Final, Literal

from mockpacs.errors import StartError

_READ_AT_MOST: Final = 1 << 20


class TlsLayer:
    """One TLS connection. ``output`` must be sent after every call."""

    def __init__(self, context: ssl.SSLContext, server: str | None = None) -> None:
        """``server``: as a client, the name or address of who is called; None: we are the server."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        is_server = server is None
        self._connection = context.wrap_bio(
            self._incoming, self._outgoing, server_side=is_server, server_hostname=server
        )
        self.is_ready = False
        """Whether the handshake is done."""
        self.is_ended = False
        """Whether the peer said that nothing more will come."""

    def begin(self) -> bytes:
        """What a client says first."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._connection.do_handshake()
        return self.output()

    def receive(self, data: memoryview) -> bytes:
        """Take cipher text, return what plain text it completes. Raises ssl.SSLError on what is not TLS."""
        self._incoming.write(data)
        try:
            if not self.is_ready:
                self._connection.do_handshake()
                self.is_ready = True
            return self._plain()
        except ssl.SSLWantReadError:
            return b""

    def wrap(self, data: bytes) -> bytes:
        """Cipher text of plain text."""
        if not self.is_ready:
            return b""  # nobody is there yet who could read it
        self._connection.write(data)
        return self.output()

    def output(self) -> bytes:
        """What is to be sent: records of the handshake, an alert."""
        return self._outgoing.read()

    def close(self) -> bytes:
        """The close_notify alert."""
        try:
            if self.is_ready:
                self._connection.unwrap()
        except ssl.SSLError:  # the peer has not said goodbye yet, or never will: we do not wait for it
            pass
        return self.output()

    def _plain(self) -> bytes:
        pieces = []
        try:
            while piece := self._connection.read(_READ_AT_MOST):
                pieces.append(piece)
            self.is_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_ended = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def server_context(certificate: Path, key: Path | None, client_ca: Path | None) -> ssl.SSLContext:
    """A context with our certificate; with ``client_ca`` every client must show one that it signed.

    Raises StartError naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        used = f"{certificate} with key {key}" if key else f"{certificate}"
        raise StartError(f"cannot use the TLS certificate {used}: {reason(error)}") from error
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise StartError(f"cannot use the client certificates of {client_ca}: {reason(error)}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    ca: Path | None, verify: Literal["name", "chain", "none"], certificate: Path | None, key: Path | None
) -> ssl.SSLContext:
    """A context that calls others: who they are is checked against ``ca``, or what the system trusts.

    ``verify``: that the certificate is for the ``name`` that is called, only its ``chain``, or ``none`` of it. Our own
    certificate is shown where one is asked for. Raises StartError naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = verify == "name"
    context.verify_mode = ssl.CERT_NONE if verify == "none" else ssl.CERT_REQUIRED
    try:
        if ca is not None:
            context.load_verify_locations(ca)
        elif verify != "none":
            context.load_default_certs()
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"cannot use the certificates of {ca}: {reason(error)}") from error
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise StartError(f"cannot use the TLS certificate {certificate}: {reason(error)}") from error
    return context


def reason(error: OSError) -> str:
    """What OpenSSL or the system says, as words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return error.strerror or str(error)
