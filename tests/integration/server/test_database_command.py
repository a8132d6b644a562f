"""``lbaas db``: the schema as a step of its own, for who lets servers not bring it."""

import os
import subprocess
import sys

import pytest

from lbaas.persistence.database import Database

pytestmark = pytest.mark.anyio


def lbaas(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lbaas", *words],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def test_an_empty_database_is_refused_until_it_was_upgraded(empty_database: Database) -> None:
    database = {"LBAAS_DATABASE_URL": empty_database.dsn}

    for refused in (
        lbaas("db", "check", **database),
        lbaas("server", LBAAS_MIGRATE="false", LBAAS_PORT="0", **database),
    ):
        assert refused.returncode == 1, refused.stdout
        [line] = refused.stderr.splitlines()
        assert "the schema is at nothing" in line
        assert line.endswith("run lbaas db upgrade")

    upgraded = lbaas("db", "upgrade", **database)
    assert upgraded.returncode == 0, upgraded.stderr
    assert upgraded.stdout.startswith("nothing -> 0")
    assert lbaas("db", "check", "--database-url", empty_database.dsn).returncode == 0


def test_without_a_database_it_says_what_to_name() -> None:
    refused = lbaas("db", "upgrade")

    assert refused.returncode == 1
    assert "--database-url, or LBAAS_DATABASE_URL" in refused.stderr
