"""TLS where none is expected, none where it is, wrong certificates: a closed door with a clear word in the log."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mockpacs.traffic.exchange import Notice
from tests.net.certificates import Authority
from tests.net.conftest import PATIENCE_SECONDS, Served
from tests.net.test_hostile_bytes import CLIENT_HELLO
from tests.net.wire_client import WireClient, associate_request, ct_image


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"))


class Secure:
    """A server that speaks TLS, and clients for it."""

    def __init__(self, served: Served, context: ssl.SSLContext) -> None:
        self.served = served
        self.context = context

    def connect(self, context: ssl.SSLContext | None = None) -> WireClient:
        client = self.served.connect()
        client.socket = (context or self.context).wrap_socket(client.socket, server_hostname=self.served.host)
        return client

    def still_serves(self) -> None:
        client = self.connect()
        client.associate(calling="AFTERWARDS")
        assert client.echo() == 0
        assert client.store(ct_image(pixels=500_000)) == 0
        client.release()
        client.socket.close()

    def closed(self, *, after: int = 0) -> Notice:
        """The notice of the connection that was closed."""
        self.served.wait_for(lambda: self.served.notices("closed")[after:])
        return self.served.notices("closed")[after]


@pytest.fixture
def secure(serve: Callable[..., Served], ours: Authority) -> Iterator[Secure]:
    """A server with TLS that must still serve when the test is over."""
    certificate, key = ours.sign("server")
    server = Secure(serve(tls_cert=certificate, tls_key=key, artim_timeout="500ms"), ours.client())
    yield server
    server.still_serves()


@pytest.fixture
def mutual(serve: Callable[..., Served], ours: Authority) -> Iterator[Secure]:
    """The same, asking for client certificates."""
    certificate, key = ours.sign("server")
    server = Secure(
        serve(tls_cert=certificate, tls_key=key, tls_client_ca=ours.path), ours.client(*ours.sign("client"))
    )
    yield server
    server.still_serves()


def test_a_tls_client_on_the_plain_port_is_aborted_and_the_log_says_why(server: Served) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(server.connect().socket)
    server.wait_for(lambda: server.notices("aborted"))
    assert "perhaps a TLS handshake" in server.notices("aborted")[0].text


PLAIN = {"an association request": associate_request(), "HTTP": b"GET / HTTP/1.1\r\n\r\n", "zeros": bytes(1000)}


@pytest.mark.parametrize("sent", PLAIN.values(), ids=PLAIN)
def test_a_plain_client_on_the_tls_port_is_closed_and_the_log_says_why(secure: Secure, sent: bytes) -> None:
    client = secure.served.connect()
    client.send(sent)
    answer = client.socket.recv(100)
    assert answer == b"" or answer[0] == 0x15  # a TLS alert is all that may be said
    assert client.socket.recv(100) == b""
    notice = secure.closed()
    assert notice.text.startswith("TLS failed: ")
    assert notice.association is not None
    assert notice.association.secure


@pytest.mark.parametrize("sent", [b"", CLIENT_HELLO[:1], CLIENT_HELLO[:40], b"\x16\x03\x01\x40\x00" + bytes(9000)])
def test_a_handshake_that_stalls_is_closed_when_its_time_is_over(secure: Secure, sent: bytes) -> None:
    client, other = secure.served.connect(), secure.connect()
    other.associate()
    client.send(sent)
    client.read_end()
    assert "artim_timeout" in secure.closed().text
    assert other.echo() == 0


def test_the_end_of_a_handshake_in_the_middle_is_nothing_special(secure: Secure) -> None:
    for n in range(12):
        client = secure.served.connect()
        client.send(CLIENT_HELLO[: n * 5])
        if n % 2:
            client.reset()
        else:
            client.socket.close()


def test_fifty_stalled_handshakes_do_not_delay_a_client(secure: Secure) -> None:
    for n in range(50):
        secure.served.connect().send(CLIENT_HELLO[:n])
    secure.still_serves()


def test_an_old_protocol_version_is_closed_and_the_log_says_why(secure: Secure) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        secure.connect(old)
    assert "TLS failed: " in secure.closed().text


def refused(mutual: Secure, context: ssl.SSLContext) -> str:
    """What the log says about a client that must not get through."""
    with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
        say_hello(mutual.connect(context))
    return mutual.closed().text


def say_hello(client: WireClient) -> None:
    """With TLS 1.3 a client hears of its certificate when it first reads."""
    client.send(associate_request())
    if not client.socket.recv(1):
        raise ConnectionResetError


def test_a_client_without_a_certificate_is_closed_and_the_log_says_why(mutual: Secure, ours: Authority) -> None:
    assert refused(mutual, ours.client()) == "TLS failed: peer did not return a certificate"


def test_an_expired_client_certificate_is_closed_and_the_log_says_why(mutual: Secure, ours: Authority) -> None:
    assert "certificate has expired" in refused(mutual, ours.client(*ours.sign("expired", is_expired=True)))


def test_a_client_certificate_of_somebody_else_is_closed_and_the_log_says_why(
    mutual: Secure, ours: Authority, tmp_path: Path
) -> None:
    theirs = Authority(tmp_path, "theirs")
    assert "unable to get local issuer certificate" in refused(mutual, ours.client(*theirs.sign("client")))


def test_a_good_client_certificate_is_let_in_while_others_stall(mutual: Secure) -> None:
    stalled = [mutual.served.connect() for _ in range(10)]
    mutual.still_serves()
    assert all(client.socket.fileno() >= 0 for client in stalled)


def test_nonsense_inside_tls_is_aborted_inside_tls(secure: Secure) -> None:
    client = secure.connect()
    client.send(b"GET / HTTP/1.1\r\n\r\n")
    assert client.read_abort() == (2, 1)


def test_garbage_after_the_handshake_closes_the_association_and_says_why(secure: Secure) -> None:
    client = secure.connect()
    client.associate()
    with socket.socket(fileno=client.socket.detach()) as raw:
        raw.settimeout(PATIENCE_SECONDS)
        raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        while raw.recv(1000):
            pass
    secure.served.wait_for(lambda: secure.served.notices("aborted"))
    assert "TLS failed: " in secure.closed().text


def test_a_client_that_leaves_without_a_word_is_told_as_an_abort(secure: Secure) -> None:
    for leave in (WireClient.reset, lambda client: client.socket.unwrap(), lambda client: client.socket.close()):
        client = secure.connect()
        client.associate()
        leave(client)
    secure.served.wait_for(lambda: len(secure.served.notices("aborted")) == 3)


def test_a_secure_peer_that_never_reads_is_closed(serve: Callable[..., Served], ours: Authority) -> None:
    certificate, key = ours.sign("server")
    served = serve(tls_cert=certificate, tls_key=key, network_timeout="500ms")
    server = Secure(served, ours.client())
    client = server.connect()
    client.associate()
    message = client.store_request(ct_image(), "1." * 5000) * 20
    ended = False
    while not ended:
        try:
            client.send(message)
        except OSError:
            ended = True
    served.wait_for(lambda: served.notices("aborted"))
    assert "the peer takes nothing of what we send" in served.notices("aborted")[0].text
    server.still_serves()


def test_a_stop_does_not_wait_for_those_who_stall(serve: Callable[..., Served], ours: Authority) -> None:
    """The fixture stops the server: in time, or `StopError` fails the test."""
    certificate, key = ours.sign("server")
    server = Secure(serve(tls_cert=certificate, tls_key=key), ours.client())
    for _ in range(20):
        server.served.connect()
    client = server.connect()
    client.associate()
    assert client.echo() == 0
    server.served.pacs.stop()
    assert client.read_abort() == (0, 0)
