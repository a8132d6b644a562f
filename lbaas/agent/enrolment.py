"""A machine gets its first certificate: with a one-time token, for a key that is made here and never leaves."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pydantic import ValidationError

from lbaas.agent.identity import keep, new_key, signing_request, trust
from lbaas.client.agent import AgentClient
from lbaas.client.credentials import Credentials, Files
from lbaas.dataplane.files import write_atomically
from lbaas.errors import LbaasError, ServerUnavailable
from lbaas.wire.enrolment import Authorities, IssuedCertificate

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Introduction:
    """How the server is known before it has said anything: by a *pin*, or by authorities in a file.

    With neither it is known by those that the machine trusts already: the system's, or of an enrolment before.
    """

    pin: str | None = None
    file: Path | None = None


def enrol(
    url: str,
    token: str,
    files: Files,
    introduction: Introduction,
    transport: httpx.BaseTransport | None = None,
) -> IssuedCertificate:
    """The machine has a certificate, and the agent may run. Raises LbaasError.

    If no answer came, the same command may be repeated: the key waits on disk, and the token is good for it.
    """
    files.directory.mkdir(parents=True, exist_ok=True)
    _introduce(url, files, introduction, transport)
    pending = files.directory / "enrolling.key"
    if not pending.exists():
        write_atomically(pending, new_key().encode(), mode=0o600)
    key = pending.read_text()
    # Not with the certificate that may be there: it has expired, perhaps, and the server would hang up.
    client = AgentClient(url, Credentials(token, authorities=files.authorities), transport)
    issued = client.first_certificate(signing_request(key))
    client.close()
    keep(files, key, issued)
    pending.unlink()
    return issued


def _introduce(
    url: str, files: Files, introduction: Introduction, transport: httpx.BaseTransport | None
) -> None:
    if introduction.file is not None:
        try:
            trust(files, [introduction.file.read_text()])
        except OSError as error:
            raise LbaasError(f"{introduction.file}: {error.strerror}") from error
    elif introduction.pin is not None:
        trust(files, _pinned(_authorities(url, transport), introduction.pin))


def _authorities(url: str, transport: httpx.BaseTransport | None) -> list[str]:
    """What somebody answers who may be anybody: nothing secret is sent, and only what the pin names is trusted."""
    try:
        with httpx.Client(verify=False, transport=transport, timeout=_TIMEOUT_S) as client:  # noqa: S501  # see above
            answer = client.get(f"{url}/v1/agent/authorities").raise_for_status()
        return Authorities.model_validate_json(answer.content).certificates
    except (httpx.HTTPError, ValidationError) as error:
        raise ServerUnavailable(f"{url} does not say whom to trust: {error!r}") from error


def _pinned(authorities: list[str], pin: str) -> list[str]:
    """Those of *authorities* whose public key has this SHA-256. Raises LbaasError if there is none."""
    found = [text for text in authorities if _sha256_of_key(text) == pin.lower()]
    if not found:
        raise LbaasError(
            f"the server's authorities are not {pin}: the pin is mistyped, or this is not your server"
        )
    return found


def _sha256_of_key(text: str) -> str:
    try:
        key = x509.load_pem_x509_certificate(text.encode()).public_key()
    except ValueError as error:
        raise ServerUnavailable(f"an authority of the server is no certificate: {error}") from error
    written = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(written).hexdigest()
