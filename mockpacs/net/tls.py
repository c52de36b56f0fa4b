"""The TLS context of a server (PS3.15 B: the secure transport connection profiles ask for TLS 1.2 or newer)."""

from __future__ import annotations

import ssl
from pathlib import Path

from mockpacs.errors import StartError


def server_context(certificate: Path, key: Path | None, client_ca: Path | None) -> ssl.SSLContext:
    """A context with our certificate; with ``client_ca`` every client must show one that it signed.

    Raises StartError naming the file that cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        used = f"{certificate} with key {key}" if key else f"{certificate}"
        raise StartError(f"cannot use the TLS certificate {used}: {_reason(error)}") from error
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise StartError(f"cannot use the client certificates of {client_ca}: {_reason(error)}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return error.strerror or str(error)
