"""A server that can't start says why in one line, and is gone."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import LiveServer


def failed_start(**settings: str) -> str:
    """What a server with *settings* says before it ends."""
    answer = subprocess.run(
        [sys.executable, "-m", "lbaas", "server"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1, answer.stderr
    [line] = answer.stderr.splitlines()
    return line


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert f"can't listen on 127.0.0.1, port {port}" in failed_start(LBAAS_PORT=str(port))


def test_a_database_that_is_away_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]

    url = f"postgresql://u@127.0.0.1:{port}/d"
    assert "can't connect to Postgres" in failed_start(LBAAS_PORT="0", LBAAS_DATABASE_URL=url)


def test_a_second_server_on_the_same_data_is_refused(server: LiveServer) -> None:
    line = failed_start(LBAAS_PORT="0", LBAAS_DATA_DIR=str(server.data_dir))

    assert f"another lbaas server uses {server.data_dir}" in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user run Postgres")
def test_a_directory_that_postgres_cannot_enter_is_named(
    short_dir: Callable[[], Path],
) -> None:
    closed = short_dir() / "closed"
    closed.mkdir(mode=0o700)

    line = failed_start(LBAAS_PORT="0", LBAAS_DATA_DIR=str(closed / "data"))

    assert f"can't enter {closed}" in line
