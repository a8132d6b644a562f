"""Who signs agents' certificates, and what they are good for."""

import ssl
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509 import verification

from lbaas.agent.identity import new_key, signing_request
from lbaas.errors import LbaasError
from lbaas.services.authority import Authority, parse_request
from lbaas.services.new_authority import new_authority, server_certificate
from tests.unit.authorities import DAY, IDENTITY, START, made_authority


def issue(authority: Authority) -> x509.Certificate:
    request = parse_request(signing_request(new_key()), IDENTITY)
    return x509.load_pem_x509_certificate(authority.issue(request, IDENTITY, START).pem.encode())


def verifier(authority: Authority) -> verification.PolicyBuilder:
    store = verification.Store(list(authority.certificates))
    return verification.PolicyBuilder().store(store).time(START + DAY)


def test_a_strict_verifier_takes_an_agents_certificate_for_a_clients(tmp_path: Path) -> None:
    authority = made_authority(tmp_path)

    found = verifier(authority).build_client_verifier().verify(issue(authority), [])

    assert found.subjects == [x509.UniformResourceIdentifier(IDENTITY.uri)]


def test_and_for_no_servers(tmp_path: Path) -> None:
    authority = made_authority(tmp_path)
    name = x509.DNSName("server")

    with pytest.raises(verification.VerificationError):
        verifier(authority).build_server_verifier(name).verify(issue(authority), [])


@pytest.mark.parametrize("name", ["lbaas.example", "192.0.2.1", "2001:db8::1"])
def test_a_servers_certificate_is_good_for_each_of_its_names(tmp_path: Path, name: str) -> None:
    authority = made_authority(tmp_path)
    names = ["lbaas.example", "192.0.2.1", "2001:db8::1"]
    text, _ = server_certificate(authority, names, 90 * DAY, START)
    made = x509.load_pem_x509_certificate(text.encode())
    asked: x509.DNSName | x509.IPAddress = x509.DNSName(name)
    if ":" in name or name[0].isdigit():
        asked = x509.IPAddress(ip_address(name))

    assert verifier(authority).build_server_verifier(asked).verify(made, [])


def test_nothing_outlives_the_authority(tmp_path: Path) -> None:
    authority = made_authority(tmp_path, lifetime=9 * 365 * DAY, years=1)
    text, _ = server_certificate(authority, ["x"], 9 * 365 * DAY, START)

    assert issue(authority).not_valid_after_utc == authority.expires_at
    server = x509.load_pem_x509_certificate(text.encode())
    assert server.not_valid_after_utc == authority.expires_at


def test_a_short_life_begins_a_little_earlier_only(tmp_path: Path) -> None:
    made = issue(made_authority(tmp_path, lifetime=timedelta(minutes=10)))

    assert made.not_valid_before_utc == START - timedelta(minutes=1)


def test_all_in_the_file_are_trusted_and_the_first_signs(tmp_path: Path) -> None:
    other, _ = new_authority("other", DAY, START)
    authority = made_authority(tmp_path, others=[other])

    assert authority.bundle[1] == other
    assert len(authority.pins) == 2
    assert issue(authority).issuer == authority.certificates[0].subject


def write(directory: Path, certificate: str, key: str) -> tuple[Path, Path]:
    (directory / "c").write_text(certificate)
    (directory / "k").write_text(key)
    return directory / "c", directory / "k"


def test_a_key_of_another_authority_is_refused(tmp_path: Path) -> None:
    (certificate, _), (_, key) = (new_authority(name, DAY, START) for name in "ab")

    with pytest.raises(LbaasError, match="is not the key of the first"):
        Authority.load(*write(tmp_path, certificate, key), DAY)


def test_files_that_are_missing_or_garbled_are_named(tmp_path: Path) -> None:
    with pytest.raises(LbaasError, match="nowhere"):
        Authority.load(tmp_path / "nowhere", tmp_path / "k", DAY)
    with pytest.raises(LbaasError, match="the authority in"):
        Authority.load(*write(tmp_path, "garbage", "garbage"), DAY)


def test_a_key_that_signs_otherwise_is_refused(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, START, START + DAY)
    certificate = made.sign(key, None).public_bytes(serialization.Encoding.PEM).decode()
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()

    with pytest.raises(LbaasError, match="elliptic curves or RSA"):
        Authority.load(*write(tmp_path, certificate, text), DAY)


def test_openssl_takes_the_authority_for_one(tmp_path: Path) -> None:
    made_authority(tmp_path)

    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")

    assert len(context.get_ca_certs()) == 1
