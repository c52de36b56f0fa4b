"""TLS as DCMTK's clients and pynetdicom speak it, with certificates made for the test."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mockpacs import MockPACS
from tests.interop import phantom, scu
from tests.interop.programs import run

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, as files and as objects."""

    certificate: Path
    key: Path
    issued: x509.Certificate
    private: ec.EllipticCurvePrivateKey


def make(folder: Path, name: str, issuer: Identity | None = None, *, expired: bool = False) -> Identity:
    """A certificate signed by another, or by itself: then it may sign others."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.issued.subject if issuer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 10 * DAY)
        .not_valid_after(NOW - DAY if expired else NOW + DAY)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
    )
    issued = builder.sign(issuer.private if issuer else private, hashes.SHA256())
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(issued.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return Identity(certificate, key, issued, private)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Who is who: the client is signed by the authority, the stranger by nobody we know."""

    authority: Identity
    server: Identity
    client: Identity
    expired: Identity
    stranger: Identity


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    folder = tmp_path_factory.mktemp("certificates")
    authority = make(folder, "authority")
    return Keyring(
        authority=authority,
        server=make(folder, "server", authority),
        client=make(folder, "client", authority),
        expired=make(folder, "expired", authority, expired=True),
        stranger=make(folder, "stranger"),
    )


@pytest.fixture
def closed(keyring: Keyring) -> MockPACS:
    """Not started: a server that wants to see a client's certificate."""
    return MockPACS(
        tls_cert=keyring.server.certificate,
        tls_key=keyring.server.key,
        tls_client_ca=keyring.authority.certificate,
        artim_timeout=5,
    )


def shown(who: Identity, keyring: Keyring) -> list[object]:
    """The options of a DCMTK client that shows a certificate and checks ours."""
    return ["+tls", who.key, who.certificate, "+cf", keyring.authority.certificate]


def test_dcmtk_verifies_our_certificate_and_needs_none_itself(keyring: Keyring) -> None:
    with MockPACS(tls_cert=keyring.server.certificate, tls_key=keyring.server.key) as pacs:
        ran = run("echoscu", "-v", "+tla", "+cf", keyring.authority.certificate, pacs.host, pacs.port)
        assert ran.status == 0, ran.text
        assert run("echoscu", "+tla", "+cf", keyring.stranger.certificate, pacs.host, pacs.port).status != 0
        assert run("echoscu", "+tla", "-ic", pacs.host, pacs.port).status == 0


def test_storescu_and_findscu_work_over_tls_with_a_client_certificate(
    closed: MockPACS, keyring: Keyring, tmp_path: Path
) -> None:
    paths = phantom.write(tmp_path, (phantom.instance(number=n, ImageComments="x" * 9_000) for n in range(1, 41)))
    with closed as pacs:
        ran = run("storescu", "-v", *shown(keyring.client, keyring), pacs.host, pacs.port, *paths)
        assert ran.status == 0, ran.text
        assert len(ran.lines("Received Store Response (Success)")) == 40
        level = ("-k", "QueryRetrieveLevel=STUDY", "-k", "NumberOfStudyRelatedInstances")
        found = run("findscu", "-v", "-S", *shown(keyring.client, keyring), *level, pacs.host, pacs.port)
        assert "[40" in found.text, found.text


@pytest.mark.parametrize("who", ["none", "stranger", "expired", "plain"])
def test_without_a_good_client_certificate_there_is_no_association(
    closed: MockPACS, keyring: Keyring, who: str
) -> None:
    how = {
        "none": ["+tla", "-ic"],
        "stranger": shown(keyring.stranger, keyring),
        "expired": shown(keyring.expired, keyring),
        "plain": [],
    }[who]
    with closed as pacs:
        ran = run("echoscu", "-v", "-ta", 20, *how, pacs.host, pacs.port)
        assert ran.status != 0
        assert "Association Accepted" not in ran.text
        assert run("echoscu", *shown(keyring.client, keyring), pacs.host, pacs.port).status == 0
        assert not pacs.summary.exchanges["C-STORE", "success"]


def test_a_tls_client_gets_nothing_from_a_plain_port(keyring: Keyring) -> None:
    with MockPACS() as pacs:
        assert run("echoscu", *shown(keyring.client, keyring), pacs.host, pacs.port).status != 0
        assert run("echoscu", pacs.host, pacs.port).status == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_pynetdicom_associates_over_tls(closed: MockPACS, keyring: Keyring, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context(cafile=str(keyring.authority.certificate))
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(keyring.client.certificate, keyring.client.key)
    with closed as pacs:
        association = scu.associate(pacs, ("1.2.840.10008.1.1", ["1.2.840.10008.1.2"]), tls_args=(context, "127.0.0.1"))
        assert association.is_established
        assert association.send_c_echo().Status == 0x0000
        association.release()
