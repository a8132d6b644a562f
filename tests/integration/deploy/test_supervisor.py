"""What a service manager hears from an agent."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbaas.agent.supervisor import Supervisor


@pytest.fixture(params=["path", "abstract"])
def manager(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, str]]:
    """A socket as a service manager listens at, and how it tells its name."""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(10)
        listening.bind(name if request.param == "path" else "\0" + name)
        yield listening, name if request.param == "path" else "@" + name


def test_a_manager_hears_that_the_agent_is_ready_turns_and_ends(
    manager: tuple[socket.socket, str],
) -> None:
    listening, name = manager
    supervisor = Supervisor({"NOTIFY_SOCKET": name})
    supervisor.ready()
    supervisor.alive("revision 7 holds")
    supervisor.stopping()
    heard = [listening.recv(1000).decode() for _ in range(3)]
    assert heard == ["READY=1", "WATCHDOG=1\nSTATUS=revision 7 holds", "STOPPING=1"]


def test_nobody_is_told_where_nobody_asked_and_a_deaf_manager_disturbs_nothing(
    tmp_path: Path,
) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        Supervisor(environ).alive("revision 7 holds")


@pytest.mark.parametrize(
    ("environ", "patience_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "120000000"}, 60),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 60),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
    ],
)
def test_an_agent_turns_twice_as_often_as_the_watchdog_asks(
    environ: dict[str, str], patience_s: float | None
) -> None:
    assert Supervisor(environ).patience_s == patience_s
