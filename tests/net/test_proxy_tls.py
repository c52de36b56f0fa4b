"""TLS ends at a proxy, and begins anew: on either side, on both, or on none."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.errors import ConfigurationError, StartError
from mockpacs.proxying import Proxying, ProxyOptions
from mockpacs.traffic.exchange import Exchange
from mockpacs.wire import AssociateRJ
from mockpacs.written.address import Address
from tests.net.certificates import Authority
from tests.net.proxied import PATIENCE_SECONDS, Between, Host, between, read_all
from tests.net.wire_client import WireClient


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> tuple[Path, Path]:
    return authority.sign("server")


class TlsClient(WireClient):
    def __init__(self, proxy: Between, context: ssl.SSLContext) -> None:
        super().__init__(proxy.host, proxy.port, timeout=PATIENCE_SECONDS)
        self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")


@pytest.mark.parametrize("with_rule", [False, True])
@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_tls_is_spoken_where_it_is_asked_for(
    authority: Authority, own: tuple[Path, Path], tmp_path: Path, outside: bool, inside: bool, with_rule: bool
) -> None:
    certificate, key = own
    options = {"tls_cert": certificate, "tls_key": key} if outside else {}
    options |= {"to_tls": True, "to_tls_ca": authority.path} if inside else {}
    if with_rule:
        file = tmp_path / "faults.yaml"
        file.write_text("mockpacs: 1\nrules:\n- {when: {service: C-ECHO, calling: NOBODY}, then: reset}\n")
        options["scenario"] = (file,)
    served = {"tls_cert": certificate, "tls_key": key} if inside else {}
    with (
        MockPACS(**served) as pacs,
        between((pacs.host, pacs.port), tmp_path / "recordings", **options) as proxy,
        TlsClient(proxy, authority.client()) if outside else WireClient(proxy.host, proxy.port) as client,
    ):
        client.associate()
        assert client.store() == 0
        client.release()
        client.socket.close()
        proxy.wait_for(lambda: "released" in proxy.notices)
    assert proxy.exchanges[0].association.secure is outside
    read = sorted((one for one in proxy.recorded() if isinstance(one, Exchange)), key=lambda one: one.id)
    assert [one.association.secure for one in read] == [outside, inside]
    assert read[0].size == read[1].size > 0


def test_a_server_that_is_not_trusted_is_none(own: tuple[Path, Path], tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    with (
        MockPACS(tls_cert=own[0], tls_key=own[1]) as pacs,
        between((pacs.host, pacs.port), to_tls=True, to_tls_ca=stranger.path) as proxy,
    ):
        assert proxy.connect().associate() == AssociateRJ(2, 3, 1)
        assert "cannot be reached: TLS failed: " in proxy.notices[0]


def test_a_server_that_speaks_no_tls_is_none(authority: Authority) -> None:
    with MockPACS() as pacs, between((pacs.host, pacs.port), to_tls=True, to_tls_ca=authority.path) as proxy:
        client = proxy.connect()
        assert client.associate() == AssociateRJ(2, 3, 1)


def test_who_speaks_no_tls_to_a_proxy_that_does_is_let_go(own: tuple[Path, Path]) -> None:
    host = Host()
    with between(host.address, tls_cert=own[0], tls_key=own[1]) as proxy:
        client, server = proxy.connect(), host.accept()
        client.send(b"\x01\x00\x00\x00\x00\x44 this is no hello")
        assert read_all(server) == b""
        proxy.wait_for(lambda: any("TLS with the requestor failed" in text for text in proxy.notices))
    host.close()


def test_a_goodbye_in_tls_is_passed_on(authority: Authority, own: tuple[Path, Path]) -> None:
    host = Host()
    with between(host.address, tls_cert=own[0], tls_key=own[1]) as proxy:
        client, server = TlsClient(proxy, authority.client()), host.accept()
        client.send(b"bye")
        plain = client.socket
        server_heard = server.recv(3)
        plain.shutdown(socket.SHUT_WR)
        assert server_heard + read_all(server) == b"bye"
        client.socket.close()
    host.close()


def test_files_that_are_no_certificates_are_told(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    options = ProxyOptions(
        to=Address("127.0.0.1", 1), listen=Address("127.0.0.1", 0), record=False, tls_cert=nothing, tls_key=nothing
    )
    with pytest.raises(StartError, match=r"cannot use the TLS certificate .*nothing\.pem"):
        Proxying(options).start()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tls_cert": "c.pem"}, "--tls-cert and --tls-key belong together"),
        ({"tls_client_ca": "c.pem"}, "--tls-client-ca: client certificates are only asked for with TLS"),
        ({"to_tls_ca": "c.pem"}, "give --to-tls too"),
        ({"to_tls_verify": "chain"}, "give --to-tls too"),
        ({"to_tls_verify": "maybe", "to_tls": True}, "one of name, chain, none"),
    ],
)
def test_options_that_contradict_each_other_are_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        ProxyOptions.of({"to": "h:1", **given})
