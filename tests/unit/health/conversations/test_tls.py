"""TLS, spoken with a server that is made of memory."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lbaas.health.conversations.conversation import Reply
from lbaas.health.conversations.http import Http
from lbaas.health.conversations.tls import Tls
from lbaas.health.verdicts import Result
from lbaas.wire.state import HttpProbe


class Server:
    """Answers the first thing that it is asked; remembers which name it was asked for."""

    def __init__(self, certificate: Path, answer: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _, name, __: self.names.append(name)
        self.names: list[str | None] = []
        self.asked = b""
        self._answer = answer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def hear(self, said: bytes) -> bytes:
        self._incoming.write(said)
        try:
            self._tls.do_handshake()
            self.asked = self._tls.read(4096)
            self._tls.write(self._answer)
        except ssl.SSLWantReadError:
            pass
        return self._outgoing.read()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Self-signed and long expired: nobody could verify it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    expired = datetime.now(UTC) - timedelta(days=30)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(expired - timedelta(days=1))
        .not_valid_after(expired)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


def talk(server: Server, host: str | None = None) -> Result | None:
    tls = Tls(Http(HttpProbe(body_contains="well"), IPv4Address("198.51.100.1"), 443), host)
    said, reply = tls.open(), Reply()
    for _ in range(10):
        reply = tls.hear(server.hear(said))
        if reply.result is not None:
            break
        said = reply.send
    return reply.result


def test_the_request_is_made_within_and_the_certificate_is_not_judged(certificate: Path) -> None:
    server = Server(certificate, b"HTTP/1.1 200 OK\r\n\r\nall is well")
    assert talk(server, "shop.example") == Result(passed=True)
    assert server.asked.startswith(b"GET / HTTP/1.1\r\n")
    assert server.names == ["shop.example"]


def test_without_a_host_no_name_is_asked_for(certificate: Path) -> None:
    server = Server(certificate, b"HTTP/1.1 200 OK\r\n\r\nall is well")
    assert talk(server) == Result(passed=True)
    assert server.names == [None]


def test_the_answer_within_decides(certificate: Path) -> None:
    failed = talk(Server(certificate, b"HTTP/1.1 500 Oops\r\n\r\n"))
    assert failed == Result(passed=False, cause="status 500")


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\0\2\2\x28"]
)
def test_what_is_no_tls_fails(said: bytes) -> None:
    tls = Tls(Http(HttpProbe(), IPv4Address("198.51.100.1"), 443), None)
    tls.open()
    result = tls.hear(said).result
    assert result is not None
    assert result.cause.startswith("TLS: ")
