"""New authorities, and certificates of servers that they sign: what ``lbaas ca`` makes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from lbaas.services.authority import CLOCK_SKEW, DIGEST, NO_USAGE, Authority, leaf, named, pem


def new_authority(name: str, lifetime: timedelta, now: datetime) -> tuple[str, str]:
    """Certificate and key, in PEM. It signs agents and servers, and no other authority."""
    key = ec.generate_private_key(ec.SECP384R1())
    usage = x509.KeyUsage(**(NO_USAGE | {"key_cert_sign": True, "crl_sign": True}))
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, DIGEST)
    )
    return pem(made), _text(key)


def server_certificate(
    authority: Authority, names: Sequence[str], lifetime: timedelta, now: datetime
) -> tuple[str, str]:
    """Certificate and key, in PEM, of a server that agents reach by *names*: DNS names and addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        leaf(named(names[0]), key.public_key())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(min(now + lifetime, authority.expires_at))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(map(_name, names))), critical=False)
    )
    return pem(authority.sign(builder)), _text(key)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
