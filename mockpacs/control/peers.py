"""The peers a running server may call: destinations of C-MOVE, and whom a test connects to. Nobody else is dialled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mockpacs.errors import ConfigurationError, StartError
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
        """``certificate``, ``key``: our own, shown to peers that ask for one.

        Raises `StartError` with a line for each peer whose certificates cannot be used.
        """
        self.dialer = dialer
        """Who calls them."""
        self.tell: Callable[[str], object] = lambda _: None
        """Is told of every change."""
        self._certificate = certificate
        self._key = key
        self._written: dict[str, Peer] = {}
        problems: list[str] = []
        for peer in peers:
            try:
                self._set(peer)
            except StartError as error:
                problems.append(str(error))
        if problems:
            raise StartError("\n".join(problems))
        self._first = dict(self._written)

    def __iter__(self) -> Iterator[Peer]:
        return iter(list(self._written.values()))

    def __len__(self) -> int:
        return len(self._written)

    def __contains__(self, aet: object) -> bool:
        return aet in self._written

    def __repr__(self) -> str:
        """``<Peers WORKSTATION=127.0.0.1:11113>``"""
        return f"<Peers {', '.join(map(PeerKind().write, self)) or '(none)'}>"

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
        is_new = read.aet not in self
        self._set(read)
        self.tell(f"peer {quoted(read.aet)} at {read.address} was {'added' if is_new else 'replaced'}")
        return read

    def remove(self, aet: str) -> None:
        """Raises `ConfigurationError` when there is none of that title."""
        address = self.called(aet).address
        self._drop(aet)
        self.tell(f"peer {quoted(aet)} at {address} was taken away")

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
                self._drop(aet)
        for peer in self._first.values():
            self._set(peer)

    def _set(self, peer: Peer) -> None:
        self.dialer.peers[peer.aet] = self._net(peer)
        self._written[peer.aet] = peer

    def _drop(self, aet: str) -> None:
        del self.dialer.peers[aet], self._written[aet]

    def _read(self, written: object) -> Peer:
        try:
            return PeerKind().read(written)
        except Refused as no:
            raise ConfigurationError("\n".join(text for _, text in no.problems)) from no

    def _net(self, peer: Peer) -> Called:
        context = None
        if peer.tls:
            from mockpacs.net.tls import client_context

            try:
                context = client_context(peer.tls_ca, peer.tls_verify, self._certificate, self._key)
            except StartError as error:
                raise StartError(f"peer {quoted(peer.aet)}: {error}") from error
        return Called(peer.aet, peer.host, peer.port, peer.transfer_syntaxes, context)
