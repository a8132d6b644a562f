"""What an agent does about its certificate, and when."""

from pathlib import Path

import pytest
import structlog

from lbaas.agent.identity import Held, Stage, held
from lbaas.agent.renewal import LOOK_EVERY_S, Renewal
from lbaas.agent.renewing import certificate_ends_s
from lbaas.agent.settings import AgentSettings
from lbaas.client.agent import AgentClient
from lbaas.client.credentials import Files
from tests.unit.authorities import DAY, START, Server, certify, made_authority


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(made_authority(tmp_path))


@pytest.fixture
def renewal(files: Files, server: Server) -> Renewal:
    certify(files, server.authority, START)
    return Renewal(files, AgentClient("http://server", "t", server.transport))


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        (0, Stage.FRESH),
        (19.9, Stage.FRESH),
        (20, Stage.DUE),
        (26.9, Stage.DUE),
        (27, Stage.URGENT),
        (29.9, Stage.URGENT),
        (30, Stage.EXPIRED),
        (300, Stage.EXPIRED),
    ],
)
def test_a_certificate_is_due_in_its_last_third_and_urgent_in_its_last_tenth(
    days: float, stage: Stage
) -> None:
    assert Held((), START, START + 30 * DAY).stage(START + days * DAY) is stage


def test_a_fresh_one_is_left_alone_until_it_is_due(renewal: Renewal, server: Server) -> None:
    assert renewal.turn(START + DAY) == LOOK_EVERY_S
    assert server.asked == []


def test_one_that_is_due_is_replaced_and_asks_for_the_same_name(
    renewal: Renewal, server: Server, files: Files
) -> None:
    server.now = START + 21 * DAY
    before = files.identity.read_text()

    assert renewal.turn(server.now) == 0

    after = held(files)
    assert after is not None
    assert after.ends == server.now + 30 * DAY
    assert after.names == ("spiffe://lbaas/node/00000000-0000-0000-0000-000000000007",)
    assert files.identity.read_text() != before
    assert files.identity.stat().st_mode & 0o777 == 0o600


def test_while_the_server_is_away_it_is_kept_and_asked_for_again(
    renewal: Renewal, server: Server, files: Files
) -> None:
    before, server.away = files.identity.read_bytes(), True

    pauses = [renewal.turn(START + 21 * DAY) for _ in range(20)]

    assert files.identity.read_bytes() == before
    assert all(0 < pause <= 90 for pause in pauses)
    assert pauses[-1] > pauses[0]
    server.away, server.now = False, START + 22 * DAY
    assert renewal.turn(server.now) == 0


@pytest.mark.parametrize(("days", "level"), [(21, "warning"), (28, "error"), (31, "error")])
def test_the_nearer_the_end_the_louder(
    renewal: Renewal, server: Server, days: int, level: str
) -> None:
    server.away = True

    with structlog.testing.capture_logs() as logs:
        renewal.turn(START + days * DAY)

    assert [each["log_level"] for each in logs] == [level]


def test_an_expired_one_asks_nothing_and_says_what_to_do(renewal: Renewal, server: Server) -> None:
    with structlog.testing.capture_logs() as logs:
        assert renewal.turn(START + 31 * DAY) == 60

    assert server.asked == []
    assert "node enrol" in logs[0]["remedy"]


def test_a_clock_that_is_late_by_half_an_hour_finds_a_new_certificate_good(
    files: Files, server: Server
) -> None:
    certify(files, server.authority, START)

    found = held(files)

    assert found is not None
    assert found.begins <= START - DAY / 48


def test_an_authority_that_the_server_has_begun_to_trust_is_trusted(
    renewal: Renewal, server: Server, files: Files
) -> None:
    files.authorities.write_text("the one before")

    renewal.turn(START + DAY)

    assert files.authorities.read_text() == "".join(server.authority.bundle)


def test_where_the_system_says_whom_to_trust_the_server_does_not(
    renewal: Renewal, server: Server, files: Files
) -> None:
    server.now = START + 21 * DAY
    renewal.turn(server.now)

    assert not files.authorities.exists()


def test_without_a_certificate_there_is_nothing_to_do(files: Files, server: Server) -> None:
    client = AgentClient("http://server", "t", server.transport)

    assert Renewal(files, client).turn(START) == LOOK_EVERY_S
    assert server.asked == []


def test_a_file_that_is_no_certificate_is_told_and_looked_at_again(
    renewal: Renewal, files: Files
) -> None:
    files.identity.write_text("garbage")

    with structlog.testing.capture_logs() as logs:
        assert renewal.turn(START) > 0

    assert logs[0]["log_level"] == "warning"


def test_when_it_ends_is_told(renewal: Renewal, files: Files, tmp_path: Path) -> None:
    settings = AgentSettings("http://server", None, tmp_path, 1)

    assert certificate_ends_s(settings) == (START + 30 * DAY).timestamp()
    files.identity.unlink()
    assert certificate_ends_s(settings) is None
