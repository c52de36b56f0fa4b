"""TLS: the layer without a socket, the context from files, and real clients, welcome and unwelcome ones."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs.errors import StartError
from mockpacs.net.tls import TlsLayer, server_context
from tests.net.certificates import Authority
from tests.net.conftest import PATIENCE_SECONDS, Served
from tests.net.wire_client import WireClient, associate_request, ct_image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def own(authority: Authority) -> tuple[Path, Path]:
    return authority.sign("server")


# without a socket


class Client:
    """The other side of a `TlsLayer`, in memory."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.connection = context.wrap_bio(self.incoming, self.outgoing, server_hostname="127.0.0.1")

    def shake_hands(self, layer: TlsLayer) -> None:
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.connection.do_handshake()
            assert layer.receive(memoryview(self.outgoing.read())) == b""
            self.incoming.write(layer.output())


@pytest.fixture
def layer(own: tuple[Path, Path]) -> TlsLayer:
    return TlsLayer(server_context(*own, None))


@pytest.fixture
def client(authority: Authority, layer: TlsLayer) -> Client:
    made = Client(authority.client())
    made.shake_hands(layer)
    return made


def test_plain_text_goes_in_and_out(layer: TlsLayer, client: Client) -> None:
    client.connection.write(b"question")
    assert layer.receive(memoryview(client.outgoing.read())) == b"question"
    client.incoming.write(layer.wrap(b"answer"))
    assert client.connection.read() == b"answer"


def test_plain_text_comes_out_whole_however_the_cipher_text_was_cut(layer: TlsLayer, client: Client) -> None:
    data = bytes(range(256)) * 1000
    client.connection.write(data)
    cipher = client.outgoing.read()

    assert b"".join(layer.receive(memoryview(cipher[at : at + 1000])) for at in range(0, len(cipher), 1000)) == data


def test_a_single_byte_at_a_time_is_enough_for_a_handshake(authority: Authority, layer: TlsLayer) -> None:
    class Stingy(TlsLayer):
        def receive(self, data: memoryview) -> bytes:
            return b"".join(layer.receive(data[at : at + 1]) for at in range(len(data)))

    stingy = Stingy.__new__(Stingy)
    stingy.output = layer.output  # type: ignore[method-assign]
    other = Client(authority.client())
    other.shake_hands(stingy)

    assert other.connection.version() is not None


def test_many_records_at_once_come_out_as_one(layer: TlsLayer, client: Client) -> None:
    for number in range(100):
        client.connection.write(bytes([number]) * 1000)

    assert len(layer.receive(memoryview(client.outgoing.read()))) == 100_000


def test_much_plain_text_is_wrapped_whole(layer: TlsLayer, client: Client) -> None:
    data = bytes(range(256)) * 10_000
    client.incoming.write(layer.wrap(data))
    read = bytearray()
    while len(read) < len(data):
        read += client.connection.read(len(data))

    assert read == data


def test_a_farewell_is_noticed_after_what_was_said_before(layer: TlsLayer, client: Client) -> None:
    client.connection.write(b"last words")
    with pytest.raises(ssl.SSLWantReadError):
        client.connection.unwrap()
    assert not layer.is_ended

    assert layer.receive(memoryview(client.outgoing.read())) == b"last words"
    assert layer.is_ended


def test_our_farewell_is_understood(layer: TlsLayer, client: Client) -> None:
    client.incoming.write(layer.close())

    assert client.connection.read() == b""


def test_before_the_handshake_nothing_is_said_and_no_farewell_either(own: tuple[Path, Path]) -> None:
    early = TlsLayer(server_context(*own, None))

    assert early.wrap(b"A-ABORT") == b""
    assert early.close() == b""


def test_what_is_not_tls_is_an_error(own: tuple[Path, Path]) -> None:
    with pytest.raises(ssl.SSLError):
        TlsLayer(server_context(*own, None)).receive(memoryview(b"GET / HTTP/1.0\r\n\r\n"))


# the context


def test_versions_before_tls_1_2_are_not_spoken(own: tuple[Path, Path]) -> None:
    context = server_context(*own, None)

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE


def test_with_an_authority_every_client_must_show_a_certificate(own: tuple[Path, Path], authority: Authority) -> None:
    assert server_context(*own, authority.path).verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("damage", ["missing", "not a certificate", "key of another", "missing key", "bad authority"])
def test_files_that_cannot_be_used_are_named(
    damage: str, own: tuple[Path, Path], authority: Authority, folder: Path
) -> None:
    certificate, key = own
    nonsense = folder / "nonsense.pem"
    nonsense.write_text("no certificate")
    files = {
        "missing": (folder / "missing.pem", key, None),
        "not a certificate": (nonsense, key, None),
        "key of another": (certificate, authority.sign("other")[1], None),
        "missing key": (certificate, folder / "missing.key", None),
        "bad authority": (certificate, key, nonsense),
    }[damage]
    with pytest.raises(StartError) as caught:
        server_context(*files)

    text = str(caught.value)
    assert any(str(path) in text for path in files if path is not None and path != key)
    assert "[SSL" not in text
    assert "_ssl.c" not in text


# real clients


def secure(server: Served, context: ssl.SSLContext) -> WireClient:
    """A client whose connection speaks TLS; closed with the server's other clients."""
    client = server.connect()
    client.socket = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
    return client


@pytest.fixture
def server(serve: Callable[..., Served], own: tuple[Path, Path]) -> Served:
    return serve(tls_cert=own[0], tls_key=own[1])


@pytest.fixture
def strict(serve: Callable[..., Served], own: tuple[Path, Path], authority: Authority) -> Served:
    return serve(tls_cert=own[0], tls_key=own[1], tls_client_ca=authority.path)


def still_serves(server: Served, context: ssl.SSLContext) -> None:
    with secure(server, context) as client:
        client.associate()
        assert client.echo() == 0
        client.release()


def test_an_association_over_tls_stores_a_large_instance(server: Served, authority: Authority) -> None:
    client = secure(server, authority.client())
    client.associate()

    assert client.store(ct_image(pixels=3_000_000)) == 0
    assert client.echo() == 0
    client.release()
    assert server.exchanges[0].association.secure


@pytest.mark.parametrize(
    "sent",
    [associate_request(), b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05nonsense"],
    ids=["DICOM", "HTTP", "TLS"],
)
def test_what_is_not_tls_is_closed_with_a_line_and_others_are_served(
    server: Served, authority: Authority, sent: bytes
) -> None:
    plain = server.connect()
    plain.send(sent)
    server.wait_for(lambda: server.notices("closed"))

    assert "TLS failed" in server.lines
    still_serves(server, authority.client())


def test_a_handshake_that_stalls_is_closed_in_time_and_delays_nobody(
    serve: Callable[..., Served], own: tuple[Path, Path], authority: Authority
) -> None:
    server = serve(tls_cert=own[0], tls_key=own[1], artim_timeout=0.5)
    silent, half = server.connect(), server.connect()
    half.send(b"\x16\x03\x01\x02\x00\x01")
    still_serves(server, authority.client())

    assert silent.socket.recv(1) == b""
    assert half.socket.recv(1) == b""
    assert "artim_timeout" in server.lines


def test_a_stop_does_not_wait_for_handshakes(own: tuple[Path, Path], serve: Callable[..., Served]) -> None:
    patient = serve(tls_cert=own[0], tls_key=own[1], artim_timeout=60)
    silent, half = patient.connect(), patient.connect()
    half.send(b"\x16\x03\x01\x02\x00\x01")
    patient.pacs.stop()

    silent.read_end()
    half.read_end()


def test_a_client_with_a_certificate_of_the_authority_is_welcome(strict: Served, authority: Authority) -> None:
    still_serves(strict, authority.client(*authority.sign("welcome")))


@pytest.mark.parametrize("who", ["nobody", "expired", "stranger"])
def test_a_client_without_a_good_certificate_is_told_and_closed(
    strict: Served, authority: Authority, folder: Path, who: str
) -> None:
    shown = {
        "nobody": lambda: (),
        "expired": lambda: authority.sign("expired", is_expired=True),
        "stranger": lambda: Authority(folder, "elsewhere").sign("stranger"),
    }[who]()
    client = secure(strict, authority.client(*shown))  # TLS 1.3: the client learns of it when it reads
    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert client.socket.recv(1), "an end without an alert"

    strict.wait_for(lambda: strict.notices("closed"))
    assert "TLS failed: " in strict.lines
    still_serves(strict, authority.client(*authority.sign("welcome")))


def test_a_tls_client_on_a_plain_port_is_aborted(serve: Callable[..., Served], authority: Authority) -> None:
    plain = serve()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secure(plain, authority.client())

    plain.wait_for(lambda: plain.notices("aborted"))
    plain.still_serves()


def test_the_end_of_the_server_is_an_abort_and_a_farewell(server: Served, authority: Authority) -> None:
    client = secure(server, authority.client())
    client.associate()
    client.socket.settimeout(PATIENCE_SECONDS)
    server.pacs.stop()

    assert client.read_abort()[0] == 0
    client.read_end()
