from pathlib import Path

import pytest

from lbaas.errors import ToolMissing
from lbaas.persistence import postgres_programs
from lbaas.persistence.postgres_programs import find_programs


def install(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        program = directory / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return directory


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(postgres_programs, "DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", lambda _: None)
    return tmp_path


def test_the_newest_installation_is_chosen(debian: Path) -> None:
    install(debian / "15" / "bin", "15.7 (Debian 15.7-0)")
    newest = install(debian / "17" / "bin", "17.1")

    assert find_programs().directory == newest


def test_data_is_opened_by_the_version_that_made_it(debian: Path) -> None:
    old = install(debian / "15" / "bin", "15.7")
    install(debian / "17" / "bin", "17.1")

    assert find_programs(15).directory == old


def test_a_missing_postgres_is_told_with_the_way_to_get_it(debian: Path) -> None:
    install(debian / "13" / "bin", "13.2")

    with pytest.raises(ToolMissing, match="apt-get install postgresql,"):
        find_programs()


def test_a_missing_version_is_told_by_its_package(debian: Path) -> None:
    with pytest.raises(ToolMissing, match="apt-get install postgresql-16,"):
        find_programs(16)
