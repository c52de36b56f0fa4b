"""The peers a running server may call: destinations of C-MOVE, and whom a test connects to. Nobody else is dialled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mockpacs.errors import ConfigurationError
from mockpacs.net.peer import Peer as Called
from mockpacs.written.kinds import Refused, nearest, quoted
from mockpacs.written.peer import Peer, PeerKind

if TYPE_CHECKING:
    from mockpacs.net.dialer import Dialer


class Peers:
    """By AE title; they can be changed while the server runs, from any thread. What is on its way goes on."""

    def __init__(
        self, dialer: Dialer, peers: Iterable[Peer] = (), certificate: Path | None = None, key: Path | None = None
    ) -> None:
        """``certificate``, ``key``: our own, shown to peers that ask for one. Raises as `add` does."""
        self.dialer = dialer
        """Who calls them."""
        self._certificate = certificate
        self._key = key
        self._written: dict[str, Peer] = {}
        self._first = {peer.aet: self.add(peer) for peer in peers}

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._written.values()))

    def __len__(self) -> int:
        return len(self._written)

    def __contains__(self, aet: object) -> bool:
        return aet in self._written

    def __getitem__(self, aet: str) -> Peer:
        """Raises `ConfigurationError` when there is none of that title."""
        self.called(aet)
        return self._written[aet]

    def add(self, peer: str | Peer, host: str | None = None, port: int | None = None, **more: Any) -> Peer:
        """A peer, in the place of one of the same title.

        As options have it: ``"WORKSTATION=127.0.0.1:11113"``, or title, host and port; further
        ``transfer_syntaxes``, ``tls``, ``tls_ca``, ``tls_verify``. Raises `ConfigurationError` for what is no peer,
        `StartError` for a certificate that cannot be used.
        """
        written = peer if host is None else {"aet": peer, "host": host, "port": port, **more}
        read = self._read(written)
        self.dialer.peers[read.aet] = self._net(read)
        self._written[read.aet] = read
        return read

    def remove(self, aet: str) -> None:
        """Raises `ConfigurationError` when there is none of that title."""
        self.called(aet)
        del self.dialer.peers[aet], self._written[aet]

    def called(self, aet: str) -> Called:
        """A peer as the network has it. Raises `ConfigurationError` when there is none of that title."""
        found = self.dialer.peers.get(aet)
        if found is None:
            hint = nearest(aet, self._written) or (
                f"; there are {', '.join(self._written)}" if self._written else "; there is none, add one first"
            )
            raise ConfigurationError(f"there is no peer {quoted(aet)}{hint}")
        return found

    def reset(self) -> None:
        """Those of the start, and no others."""
        for aet in list(self._written):
            if aet not in self._first:
                self.remove(aet)
        for peer in self._first.values():
            self.add(peer)

    def _read(self, written: object) -> Peer:
        try:
            return PeerKind().read(written)
        except Refused as no:
            raise ConfigurationError("\n".join(text for _, text in no.problems)) from no

    def _net(self, peer: Peer) -> Called:
        context = None
        if peer.tls:
            from mockpacs.net.tls import client_context

            context = client_context(peer.tls_ca, peer.tls_verify, self._certificate, self._key)
        return Called(peer.aet, peer.host, peer.port, peer.transfer_syntaxes, context)
