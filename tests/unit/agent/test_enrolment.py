"""A machine's first certificate."""

from pathlib import Path

import pytest

from lbaas.agent.enrolment import Introduction, enrol
from lbaas.agent.identity import held
from lbaas.agent.settings import AgentSettings
from lbaas.client.credentials import Files
from lbaas.errors import LbaasError, ServerUnavailable
from tests.unit.authorities import Server, made_authority


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(made_authority(tmp_path))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "deep" / "state")


def test_the_token_is_told_to_a_server_that_the_pin_names(server: Server, files: Files) -> None:
    pin = server.authority.pins[0].upper()

    enrol("http://server", "one-time", files, Introduction(pin), server.transport)

    assert server.asked == ["authorities", "enrolment"]
    assert server.credentials == [None, "Bearer one-time"]
    assert held(files) is not None
    assert files.authorities.read_text() == "".join(server.authority.bundle)
    assert {path.name for path in files.directory.iterdir()} == {
        "identity.pem",
        "authorities.pem",
    }


def test_a_server_that_the_pin_does_not_name_is_told_nothing(server: Server, files: Files) -> None:
    with pytest.raises(LbaasError, match="not your server"):
        enrol("http://server", "one-time", files, Introduction("0" * 64), server.transport)

    assert server.credentials == [None]
    assert not files.authorities.exists()


def test_authorities_may_come_in_a_file(server: Server, files: Files, tmp_path: Path) -> None:
    introduction = Introduction(file=tmp_path / "ca.pem")

    enrol("http://server", "one-time", files, introduction, server.transport)

    assert server.asked == ["enrolment"]
    assert files.authorities.exists()


def test_a_file_that_is_not_there_is_named(server: Server, files: Files, tmp_path: Path) -> None:
    introduction = Introduction(file=tmp_path / "nowhere.pem")

    with pytest.raises(LbaasError, match=r"nowhere\.pem: No such file"):
        enrol("http://server", "one-time", files, introduction, server.transport)


def test_without_an_introduction_the_systems_authorities_stay(server: Server, files: Files) -> None:
    enrol("http://server", "one-time", files, Introduction(), server.transport)

    assert not files.authorities.exists()


def test_after_a_lost_answer_the_same_key_asks_again(server: Server, files: Files) -> None:
    server.lost = True
    with pytest.raises(ServerUnavailable):
        enrol("http://server", "one-time", files, Introduction(), server.transport)
    pending = (files.directory / "enrolling.key").read_text()

    server.lost = False
    enrol("http://server", "one-time", files, Introduction(), server.transport)

    assert files.identity.read_text().startswith(pending)
    assert not (files.directory / "enrolling.key").exists()


def test_an_agent_without_token_and_certificate_is_told_to_enrol(tmp_path: Path) -> None:
    settings = AgentSettings("http://server", tmp_path / "absent", tmp_path, 1)

    with pytest.raises(LbaasError, match="lbaas node enrol"):
        settings.credentials()

    (tmp_path / "identity.pem").write_text("a certificate")
    assert settings.credentials().token is None
