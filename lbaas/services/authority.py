"""The authority that signs agents' certificates, with a key that all replicas of the server share.

Its file holds one certificate or several: the key is the first one's, and the others are trusted as well, so that one
authority can take over from another while certificates of both are in use.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lbaas.domain.identities import Identity
from lbaas.errors import FieldProblem, Invalid, LbaasError

# How far back a certificate holds: clocks differ, and an agent uses it at once. A tenth of a lifetime that is short.
CLOCK_SKEW = timedelta(hours=1)
CURVES = (ec.SECP256R1, ec.SECP384R1)  # what every TLS library speaks

DIGEST = hashes.SHA256()
NO_USAGE = dict.fromkeys(
    (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
        *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    ),
    False,
)


@dataclass(frozen=True)
class SigningRequest:
    """What an agent proves with it: that it has the private half of *key*."""

    key: ec.EllipticCurvePublicKey

    @property
    def key_sha256(self) -> bytes:
        return sha256_of_key(self.key)


@dataclass(frozen=True)
class Issued:
    """A certificate as PEM, and as it stands on record."""

    pem: str
    sha256: bytes
    expires_at: datetime


@dataclass(frozen=True)
class Authority:
    """Signs with *key*, which is the first of *certificates*'; what it signs holds for *lifetime*."""

    certificates: tuple[x509.Certificate, ...]
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    lifetime: timedelta

    @classmethod
    def load(cls, certificates: Path, key: Path, lifetime: timedelta) -> Self:
        """From two files in PEM. Raises LbaasError where they are missing, garbled, or not of one another."""
        try:
            bundle = x509.load_pem_x509_certificates(certificates.read_bytes())
            private = serialization.load_pem_private_key(key.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise LbaasError(f"the authority in {certificates} and {key}: {error}") from error
        if private.public_key() != bundle[0].public_key():
            raise LbaasError(f"{key} is not the key of the first certificate in {certificates}")
        if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise LbaasError(f"{key} is of a kind that signs otherwise: use elliptic curves or RSA")
        return cls(tuple(bundle), private, lifetime)

    @property
    def bundle(self) -> tuple[str, ...]:
        """All that are trusted, as PEM, the one that signs first."""
        return tuple(pem(each) for each in self.certificates)

    @property
    def pins(self) -> tuple[str, ...]:
        """The SHA-256 of each public key, in hexadecimal: what a person carries to a machine that trusts nobody yet."""
        return tuple(pin(each) for each in self.certificates)

    @property
    def expires_at(self) -> datetime:
        """When the one that signs does."""
        return self.certificates[0].not_valid_after_utc

    def issue(self, request: SigningRequest, identity: Identity, now: datetime) -> Issued:
        """A certificate for *identity*, good for nothing but to be a TLS client; it ends with the authority at last."""
        name = x509.UniformResourceIdentifier(identity.uri)
        builder = (
            leaf(named(str(identity.id)), request.key)
            .not_valid_before(now - min(CLOCK_SKEW, self.lifetime / 10))
            .not_valid_after(min(now + self.lifetime, self.expires_at))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        )
        made = self.sign(builder)
        return Issued(pem(made), made.fingerprint(DIGEST), made.not_valid_after_utc)

    def sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """What *builder* makes, as this authority's."""
        signer = self.certificates[0].public_key()
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer)  # type: ignore[arg-type]  # it signs: see load()
        named_signer = builder.issuer_name(self.certificates[0].subject)
        return named_signer.add_extension(identifier, critical=False).sign(self.key, DIGEST)


def leaf(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    """The beginning of a certificate that signs no other."""
    usage = x509.KeyUsage(**(NO_USAGE | {"digital_signature": True}))
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )


def parse_request(text: str, identity: Identity) -> SigningRequest:
    """What *text*, PKCS #10 in PEM, asks to be signed for *identity*. Raises Invalid.

    Its subject says nothing to us. A name that it asks for must be the agent's own: who asks for another's is mistaken
    about who he is.
    """
    try:
        request = x509.load_pem_x509_csr(text.encode())
        names = _names(request)
        holds = request.is_signature_valid
    except (ValueError, InvalidSignature) as error:
        raise _no(f"this is no signing request: {error}") from error
    key = request.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVES):
        raise _no("the key must be of elliptic curve P-256 or P-384")
    if not holds:
        raise _no("its signature is not by the key that it brings")
    if any(name != identity.uri for name in names):
        raise _no(f"it asks for {', '.join(names)}, and you are {identity.uri}")
    return SigningRequest(key)


def _names(request: x509.CertificateSigningRequest) -> list[str]:
    try:
        asked = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in asked.value]


def _no(detail: str) -> Invalid:
    return Invalid(detail, problems=[FieldProblem(pointer="/csr", detail=detail)])


def named(common_name: str) -> x509.Name:
    """A subject with this name, which is for people."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def pem(certificate: x509.Certificate) -> str:
    """*certificate* as text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def pin(certificate: x509.Certificate) -> str:
    """The SHA-256 of the certificate's public key, in hexadecimal."""
    return sha256_of_key(certificate.public_key()).hex()


def sha256_of_key(key: CertificatePublicKeyTypes) -> bytes:
    """Of the key as every library writes it (SubjectPublicKeyInfo, RFC 5280), as kubeadm and HPKP pin it."""
    written = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(written).digest()
