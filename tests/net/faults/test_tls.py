"""Faults of TLS: handshakes that stall, certificates that a client must refuse, TLS that is not spoken."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.net.certificates import Authority
from tests.net.conftest import Served
from tests.net.faults.conftest import Play, Visit, ended, told_everywhere
from tests.net.faults.test_pdu import ANSWER
from tests.net.faults.test_tcp import recorded
from tests.net.faults.visitor import Visitor
from tests.net.wire_client import associate_request, ct_image

SHIPPED = Path(__file__).parents[3] / "scenarios" / "certificates"


def first(tls: str) -> str:
    """Whoever comes first meets it."""
    return f"rules: [{{ name: door, when: {{ event: connect }}, nth: 1, then: {{ tls: {tls} }} }}]"


def shown(name: str) -> str:
    return f"{{ certificate: {SHIPPED / f'{name}.pem'}, key: {SHIPPED / f'{name}.key'} }}"


@pytest.fixture(scope="module")
def trusting() -> ssl.SSLContext:
    """A client that trusts the authority of the shipped certificates."""
    return ssl.create_default_context(cafile=str(SHIPPED / "ca.pem"))


def client_hello(context: ssl.SSLContext) -> bytes:
    """What a client says first."""
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


def secure(client: Visitor, context: ssl.SSLContext) -> Visitor:
    client.socket = context.wrap_socket(client.socket, server_hostname="127.0.0.1")
    return client


def test_a_good_certificate_of_a_rule_on_a_plain_port(play: Play, visit: Visit, trusting: ssl.SSLContext) -> None:
    server = play(first(shown("valid")))
    client = secure(visit(server, associated=False), trusting)

    client.associate()
    assert client.echo() == 0
    assert client.store(ct_image(pixels=100_000)) == 0
    client.release()

    assert server.exchanges[0].association.secure
    assert server.notices("scenario")[0].text == 'rule "door" at connect: tls'


@pytest.mark.parametrize(
    ("name", "reason"), [("expired", "certificate has expired"), ("wrong-name", "IP address mismatch")]
)
def test_a_certificate_that_a_client_refuses(
    play: Play, visit: Visit, trusting: ssl.SSLContext, name: str, reason: str
) -> None:
    server = play(first(shown(name)))
    client = visit(server, associated=False)

    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        secure(client, trusting)

    server.wait_for(lambda: server.notices("closed"))
    assert "TLS failed" in server.lines


@pytest.mark.parametrize("name", ["expired", "wrong-name"])
def test_whoever_does_not_look_is_served_all_the_same(play: Play, visit: Visit, name: str) -> None:
    """The fault is the certificate, and nothing else."""
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    client = secure(visit(play(first(shown(name))), associated=False), careless)

    client.associate()
    client.send(client.echo_request())

    assert client.exactly(len(ANSWER)) == ANSWER
    client.release()


def test_paths_of_certificates_are_relative_to_the_scenario(
    serve: Callable[..., Served], tmp_path: Path, trusting: ssl.SSLContext
) -> None:
    for file in ("valid.pem", "valid.key"):
        (tmp_path / file).write_bytes((SHIPPED / file).read_bytes())
    scenario = tmp_path / "here.yaml"
    scenario.write_text(f"mockpacs: 1\n{first('{ certificate: valid.pem, key: valid.key }')}")
    server = serve(scenario=(scenario,))

    with secure(Visitor(server.host, server.port), trusting) as client:
        client.associate()
        client.release()

    server.still_serves()


def test_a_handshake_that_stalls(play: Play, visit: Visit, trusting: ssl.SSLContext) -> None:
    """Not for a while only: for as long as the client has patience."""
    server = play(first("{ handshake: stall }"), artim_timeout=0.05)
    stalled, patient = visit(server, associated=False), visit(server, associated=False)
    hello = client_hello(trusting)
    stalled.send(hello)
    assert patient.rest() == (b"", "FIN")  # ARTIM ran out

    stalled.nothing_came()
    stalled.finish()
    assert stalled.rest() == (b"", "FIN")

    connection = recorded(server)
    assert bytes(connection.requestor.data) == hello
    assert bytes(connection.acceptor.data) == b""


def test_plain_instead_of_tls(serve: Callable[..., Served], tmp_path: Path) -> None:
    """On a port that speaks TLS, one connection does not."""
    authority = Authority(tmp_path)
    certificate, key = authority.sign("server")
    server = serve(
        "rules: [{ name: every other, when: { event: connect }, nth: every 2, then: { tls: { handshake: plain } } }]",
        tls_cert=certificate,
        tls_key=key,
    )

    with secure(Visitor(server.host, server.port), authority.client()) as first_one:
        first_one.associate()
        assert first_one.echo() == 0
    with Visitor(server.host, server.port) as second, pytest.raises((ssl.SSLError, ConnectionError)):
        secure(second, authority.client())
    with secure(Visitor(server.host, server.port), authority.client()) as third:
        third.associate()
        assert third.echo() == 0
    server.still_serves()  # the fourth, and it speaks DICOM in clear

    server.pacs.stop()
    told_everywhere(server)


def test_a_plain_connection_to_a_tls_port_is_answered_in_clear(serve: Callable[..., Served], tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).sign("server")
    server = serve(
        "rules: [{ when: { event: connect }, then: { tls: { handshake: plain } } }]", tls_cert=certificate, tls_key=key
    )
    with Visitor(server.host, server.port) as hello:
        hello.send(bytes.fromhex("16030100050100000000"))
        assert hello.pdu().kind == 7
    server.still_serves()


def test_another_certificate_than_the_one_of_the_server(
    serve: Callable[..., Served], tmp_path: Path, trusting: ssl.SSLContext
) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("server")
    server = serve(first(shown("valid")), tls_cert=certificate, tls_key=key)

    for context in (trusting, authority.client()):
        with secure(Visitor(server.host, server.port), context) as client:
            client.associate()
            assert client.echo() == 0
            client.release()


def test_other_faults_go_through_tls_as_well(play: Play, visit: Visit, trusting: ssl.SSLContext) -> None:
    server = play(
        f"""
        rules:
          - {{ when: {{ event: connect }}, nth: 1, then: {{ tls: {shown("valid")} }} }}
          - {{ when: {{ service: C-ECHO, calling: RAW }}, nth: 1, then: {{ lie: {{ pdu_type: 42 }} }} }}
          - {{ when: {{ service: C-ECHO, calling: RAW }}, nth: 2, then: {{ drip: {{ bytes: 5, every: 1ms }} }} }}
          - {{ when: {{ service: C-ECHO, calling: RAW }}, nth: 3, then: {{ truncate: {{ after: 9 }}, close: true }} }}
        """
    )
    client = secure(visit(server, associated=False), trusting)
    client.associate()

    client.send(client.echo_request())
    assert client.exactly(len(ANSWER)) == b"\x2a" + ANSWER[1:]
    client.send(client.echo_request())
    assert len(client.exactly(len(ANSWER))) == len(ANSWER)
    client.send(client.echo_request())
    assert client.rest() == (ANSWER[:9], "FIN")
    assert len(ended(server, 3)) == 3


def test_the_end_of_a_connection_before_its_handshake(play: Play, visit: Visit, trusting: ssl.SSLContext) -> None:
    server = play(f"rules: [{{ when: {{ event: connect }}, nth: 1, then: {{ tls: {shown('valid')}, close: true }} }}]")
    client = visit(server, associated=False)

    assert client.rest() == (b"", "FIN")


def test_a_slow_connect_with_tls(play: Play, visit: Visit, trusting: ssl.SSLContext) -> None:
    server = play(f"rules: [{{ when: {{ event: connect }}, nth: 1, then: {{ delay: 20ms, tls: {shown('valid')} }} }}]")
    client = secure(visit(server, associated=False), trusting)
    client.send(associate_request())

    assert client.pdu().kind == 2
    client.send(client.echo_request())
    assert client.exactly(len(ANSWER)) == ANSWER
