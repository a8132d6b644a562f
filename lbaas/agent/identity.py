"""An agent's certificate on its disk, and the key that never leaves it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lbaas.client.credentials import Files
from lbaas.dataplane.files import write_atomically
from lbaas.errors import LbaasError
from lbaas.wire.enrolment import IssuedCertificate


class Stage(Enum):
    """How far a certificate's life has come."""

    FRESH = "fresh"
    DUE = "due"  # the last third: to be renewed
    URGENT = "urgent"  # the last tenth: renewing has failed for long
    EXPIRED = "expired"


@dataclass(frozen=True)
class Held:
    """The certificate that an agent has: its names, and when it holds."""

    names: tuple[str, ...]
    begins: datetime
    ends: datetime

    @property
    def lifetime(self) -> timedelta:
        return self.ends - self.begins

    @property
    def due(self) -> datetime:
        """From when on it is to be renewed."""
        return self.ends - self.lifetime / 3

    def stage(self, now: datetime) -> Stage:
        """How far its life has come at *now*."""
        if now >= self.ends:
            return Stage.EXPIRED
        if now >= self.ends - self.lifetime / 10:
            return Stage.URGENT
        return Stage.DUE if now >= self.due else Stage.FRESH


def held(files: Files) -> Held | None:
    """The certificate on disk; None if there is none. Raises LbaasError if what is there is none."""
    try:
        certificate = x509.load_pem_x509_certificate(files.identity.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LbaasError(f"{files.identity}: {error}") from error
    return Held(
        _names(certificate), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    )


def new_key() -> str:
    """One that nobody has, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def signing_request(key: str, names: tuple[str, ...] = ()) -> str:
    """Proves that we have *key*, and asks for a certificate with *names*, or with those that the server gives."""
    private = serialization.load_pem_private_key(key.encode(), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise LbaasError("the key is not of an elliptic curve")
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if names:
        asked = x509.SubjectAlternativeName(list(map(x509.UniformResourceIdentifier, names)))
        builder = builder.add_extension(asked, critical=False)
    made = builder.sign(private, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def keep(files: Files, key: str, issued: IssuedCertificate) -> None:
    """*issued* is the agent's certificate from now on, and *key* its key. Raises OSError; then it is as before.

    Whom the server says to trust is trusted, if it was its authorities who were trusted before, not the system's.
    """
    if files.authorities.exists():
        trust(files, issued.authorities)
    write_atomically(files.identity, (key + issued.certificate).encode(), mode=0o600)


def trust(files: Files, authorities: list[str]) -> None:
    """The server's certificate must be by one of *authorities* from now on."""
    text = "".join(authorities).encode()
    if not files.authorities.exists() or files.authorities.read_bytes() != text:
        write_atomically(files.authorities, text, mode=0o644)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.value.get_values_for_type(x509.UniformResourceIdentifier))
