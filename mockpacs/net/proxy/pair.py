"""Two connections that a proxy joins: what comes on the one leaves on the other, byte by byte, and so do their ends."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Sequence
from errno import ECONNRESET
from typing import TYPE_CHECKING

from mockpacs.net.dialer import socket_of, why_not
from mockpacs.net.link import Link
from mockpacs.net.peer import host_and_port
from mockpacs.net.proxy.around import Hall, Route, Surroundings
from mockpacs.net.proxy.leg import Leg
from mockpacs.net.proxy.notes import Notes
from mockpacs.net.proxy.refusal import LOCAL_LIMIT_EXCEEDED, TEMPORARY_CONGESTION, Refusal
from mockpacs.net.proxy.watch import Watch
from mockpacs.net.tls import reason
from mockpacs.traffic.capture.event import Flow
from mockpacs.wire import Abort, AssociateRJ, Role, encode_pdu

if TYPE_CHECKING:  # only a proxy with a scenario loads these
    from mockpacs.net.proxy.stage import Stage

_ENDINGS = ("released", "rejected", "aborted", "closed")


class Pair:
    """The client's connection, and the one to the server that is opened for it."""

    def __init__(
        self,
        number: int,
        address: tuple[str, int],
        sock: socket.socket,
        route: Route,
        around: Surroundings,
        hall: Hall,
    ) -> None:
        """``sock`` came from ``address`` and does not block. Nothing is read of it before `begin`."""
        self._around = around
        self._route = route
        self._hall = hall
        self._flow = Flow(number, host_and_port(address), route.peer.address)
        self._is_ending = False
        self._refusal: Refusal | None = None
        self._joining: asyncio.Task[None] | None = None
        self._joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.client = Leg(self, Role.REQUESTOR, number)
        self.server: Leg | None = None
        self.notes = Notes(self._flow, self.client, around.ear, around.observe, is_secure=route.tls is not None)
        self._stage: Stage | None = None
        tls = route.tls
        if around.theatre is not None:
            from mockpacs.net.proxy.stage import Stage

            self._stage = Stage(around.theatre, self)
            tls, _ = self._stage.greet(tls)
        security = "TLS" if tls else ""
        track = None
        if around.recorder is not None:
            track = around.recorder.track(number, address, sock.getsockname()[:2], security=security)
        self.client.attach(Link(sock, self.client, around.buffers[0], tls, track))
        if self._stage is not None:
            self._stage.attach(self.client)
        around.ear.opened(self._flow, security=security)
        self._watch = Watch(around.limits.network_seconds, self._links, self._time_out)

    # beginning

    def begin(self) -> None:
        """Call the server; the client is heard when it has answered."""
        self._joining = asyncio.get_running_loop().create_task(self._join())

    def turn_away(self, answer: AssociateRJ, why: str) -> None:
        """Reject the association that the client will ask for."""
        seconds = self._around.limits.artim_seconds
        self._refusal = Refusal(self.client, answer, why, self._around.ear, self._flow, seconds)
        if not self.client.is_open:
            self.client.link.open()

    def too_many(self) -> None:
        """As many associations are open as may be."""
        limit = self._around.limits.max_associations
        self.turn_away(LOCAL_LIMIT_EXCEEDED, f"{limit} associations are open, more are not allowed (max_associations)")

    async def _join(self) -> None:
        seconds = self._around.limits.artim_seconds
        if self._stage is not None and not await self._stage.welcome():
            return
        try:
            async with asyncio.timeout(seconds):
                self._attach(await socket_of(self._route.peer))
                await self._joined
            return
        except TimeoutError:
            why = f"no connection within {seconds:g} s (artim_timeout)"
        except ssl.SSLError as error:
            why = f"TLS failed: {reason(error)}"
        except OSError as error:
            why = why_not(error)
        except UnicodeError:
            why = "that is no name of a host"
        if self.server is not None and not self.server.is_gone:
            self.server.link.reset()
        if not self._is_ending:
            self.notes.tell("trouble", f"{self._route.peer.address} cannot be reached: {why}")
            self.turn_away(TEMPORARY_CONGESTION, "the server cannot be reached")

    def _attach(self, sock: socket.socket) -> None:
        """The connection to the server stands, without its TLS."""
        number = self._around.next_number()
        self.server = self.notes.server = server = Leg(self, Role.ACCEPTOR, number)
        peer, track = self._route.peer, None
        if self._around.recorder is not None:
            remote, own = sock.getpeername()[:2], sock.getsockname()[:2]
            security = "TLS" if peer.tls else ""
            track = self._around.recorder.track(number, remote, own, security=security, by_us=True, cause=self._cause())
        if self.client.link.track is not None:
            self.client.link.track.about_sending(
                f"{self.client.number} goes on to {peer.address} as connection {number}"
            )
        server.attach(Link(sock, server, self._around.buffers[1], peer.tls, track, server=peer.host))
        if self._stage is not None:
            self._stage.attach(server)
        server.link.open()

    def _cause(self) -> str:
        """The exchange for which we call: that of the C-MOVE, else none of the client's connection in particular."""
        if self._route.offered:
            moves = self._around.ear.moves_to(self._route.offered)
            if len(moves) == 1:
                return moves[0]
        return f"{self.client.number}.0"

    # what the legs report

    def opened(self, leg: Leg) -> None:
        """A connection stands; that of the client is opened when that of the server is."""
        if leg is self.server:
            if not self._joined.done():
                self._joined.set_result(None)
            if not self._is_ending:
                if self._stage is not None:
                    self._stage.joined()
                if not self.client.is_open:
                    self.client.link.open()
        else:
            self._watch.start()

    def received(self, leg: Leg, data: memoryview | bytes) -> None:
        """Bytes came: they leave on the other leg."""
        self._watch.see_activity()
        other = self._other(leg)
        if self._refusal is not None:
            self._refusal.received(data)
            return
        if self._stage is not None:
            self._meet(self._stage, leg, data)
            return
        if other is None or self._is_ending:
            return
        self.notes.note(self.notes.hear(leg.sender, data), leg.sender, leg, other)
        if leg.settle():
            other.write(bytes(data))
            if other.link.stalled_since is not None:
                _make_wait(leg.link, other.link)

    def _meet(self, stage: Stage, leg: Leg, data: memoryview | bytes) -> None:
        """Under a scenario it is passed on when its turn comes, and perhaps as something else."""
        if leg is self.client:
            self.notes.note(self.notes.hear(leg.sender, data), leg.sender, leg)
        if leg.settle() and not self._is_ending:
            stage.received(leg, data)

    def said_end(self, leg: Leg) -> bool:
        """The peer's FIN: the other one gets it as well, and may go on speaking."""
        other = self._other(leg)
        if other is None or self._refusal is not None or self._is_ending:
            return False
        self.notes.ended(leg.sender, "fin")
        if self._stage is not None:
            self._stage.said_end(leg)
        else:
            other.link.half_close()
        return True

    def closed(self, leg: Leg, error: Exception | None) -> None:
        """A connection is gone, and with it the other."""
        is_broken = error is not None and not isinstance(error, ssl.SSLError)
        if self._stage is not None:
            self._stage.note_open()
        if leg is self.server and not self._joined.done() and not self._is_ending:
            self._joined.set_exception(error or ConnectionResetError(ECONNRESET, os.strerror(ECONNRESET)))
            return
        if isinstance(error, ssl.SSLError) and not self._is_ending:
            self.notes.tell("closed", f"TLS with the {leg.sender.value} failed: {reason(error)}")
        if self._refusal is None or leg is self.client:
            self.notes.ended(leg.sender, "reset" if is_broken else "fin")
        other = self._other(leg)
        if other is not None and not other.is_gone and self._refusal is None:
            if is_broken:
                other.link.reset()
            elif self._stage is not None and not self._is_ending:
                self._stage.closed(leg, other)
            else:
                other.link.close()
        self._see_end()

    # what a scenario does

    def reject(self, answer: AssociateRJ, why: str) -> None:
        """Reject the association that the client has asked for; the server is let go."""
        self.turn_away(answer, why)
        if self._refusal is not None:
            self._refusal.answer()
        if self.server is not None:
            self.server.link.close()

    def leaving(self, data: bytes, comments: Sequence[str]) -> None:
        """Bytes leave to the client, with these comments."""
        heard = self.notes.hear(Role.ACCEPTOR, data, comments)
        if (track := self.client.link.track) is not None:
            for text in comments:
                track.about_sending(text)
        self.notes.note(heard, Role.ACCEPTOR, self.client)

    def passing(self, number: int, name: str) -> None:
        """A message leaves to the server: a comment in its recording."""
        if self.server is not None:
            self.notes.say(self.server, number, name)

    def let_be(self) -> None:
        """Silence does not end it any more."""
        self._watch.stop()

    # ending

    def stop(self, why: str = "the proxy stops") -> None:
        """End both connections: A-ABORT to both sides of an association, where it can be said."""
        self._end("aborted", f"aborted by us: {why}" if self.notes.is_associated else "")

    def drop(self, why: str) -> None:
        """End both connections without a word."""
        self._end("closed", why, is_silent=True)

    def _end(self, kind: str, text: str, *, is_silent: bool = False) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        if self._joining is not None:
            self._joining.cancel()
        if self._stage is not None:
            self._stage.end()
        if text:
            self.notes.tell_end(kind, text)
        for leg in (self.client, self.server):
            if leg is None or leg.is_gone:
                continue
            if not leg.is_open or is_silent or leg.link.stalled_since is not None or not leg.is_between_pdus:
                leg.link.reset()
                continue
            if self.notes.is_associated:
                leg.write(encode_pdu(Abort(0, 0)))
            leg.link.close()

    def _time_out(self, why: str) -> None:
        kind = "aborted" if self.notes.is_associated else "closed"
        self._end(kind, f"{kind} by us: {why}")

    def reset(self) -> None:
        """Both connections end at once."""
        self._is_ending = True
        if self._joining is not None:
            self._joining.cancel()
        if self._stage is not None:
            self._stage.end()
        for link in self._links():
            link.reset()

    def _see_end(self) -> None:
        if self.client.is_gone and (self.server is None or self.server.is_gone):
            for sender in Role:
                self.notes.ended(sender, "fin")
            self._watch.stop()
            if self._stage is not None:
                self._stage.end()
            if self._refusal is not None:
                self._refusal.end()
            self._hall.left(self)

    def _links(self) -> list[Link]:
        return [leg.link for leg in (self.client, self.server) if leg is not None and not leg.is_gone]

    def _other(self, leg: Leg) -> Leg | None:
        return self.server if leg is self.client else self.client


def _make_wait(source: Link, sink: Link) -> None:
    """Read no more of the one until the other has taken enough."""
    has_taken = False

    def resume() -> None:
        nonlocal has_taken
        has_taken = True
        source.resume()

    sink.when_drained(resume)
    if not has_taken:
        source.pause()
