"""What an agent shows the server, while its files come and change."""

from pathlib import Path

import httpx
import pytest

from lbaas.client.agent import AgentClient
from lbaas.client.credentials import Credentials, Files
from lbaas.errors import LbaasError, ServerUnavailable
from tests.unit.authorities import DAY, START, certify, made_authority


@pytest.fixture
def files(tmp_path: Path) -> Files:
    certify(Files(tmp_path), made_authority(tmp_path), START)
    return Files(tmp_path)


def test_its_stamp_differs_once_a_file_comes_or_goes(files: Files) -> None:
    credentials = Credentials(None, files.identity, files.authorities)
    stamps = [credentials.stamp()]

    files.authorities.write_text("…")
    stamps.append(credentials.stamp())
    files.identity.unlink()
    stamps.append(credentials.stamp())

    assert len(set(stamps)) == 3


def test_a_key_that_is_not_the_certificates_is_refused(files: Files, tmp_path: Path) -> None:
    key, _, certificate = files.identity.read_text().partition("-----BEGIN CERTIFICATE")
    certify(files, made_authority(tmp_path), START + DAY)
    other = files.identity.read_text().partition("-----BEGIN CERTIFICATE")[0]
    assert key != other
    files.identity.write_text(f"{other}-----BEGIN CERTIFICATE{certificate}")

    with pytest.raises(LbaasError, match=r"identity\.pem"):
        Credentials(None, files.identity).context()


def test_a_client_whose_file_is_garbled_meanwhile_says_so_and_goes_on_when_it_is_mended(
    files: Files, tmp_path: Path
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(204))
    client = AgentClient("https://server", Credentials(None, files.identity), transport)
    client._send("GET", "/")
    good = files.identity.read_bytes()

    files.identity.write_text("garbage")
    with pytest.raises(ServerUnavailable, match=r"identity\.pem"):
        client._send("GET", "/")
    files.identity.write_bytes(good)

    assert client._send("GET", "/").status_code == 204
    client.close()


def test_a_certificate_alone_brings_no_token() -> None:
    assert Credentials().headers == {}
    assert Credentials("t").headers == {"Authorization": "Bearer t"}
