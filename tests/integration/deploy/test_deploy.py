"""What is shipped: the compose file's schema, and each role installed from its own pins alone."""

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, argv)], capture_output=True, text=True, check=False)


def test_the_compose_file_is_one() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    checked = run(sys.executable, "-m", "check_jsonschema", *schema, TOP / "docker-compose.yml")
    assert checked.returncode == 0, checked.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    built = run(*pip, "--wheel-dir", directory, TOP)
    assert built.returncode == 0, built.stderr
    (made,) = directory.glob("lbaas-*.whl")
    return made


@pytest.mark.parametrize(
    ("lock", "roles", "absent"),
    [
        ("requirements-node.lock", ["node-agent", "host-agent"], "fastapi"),
        ("requirements-server.lock", ["server"], "pyroute2"),
        ("requirements-cli.lock", ["vip", "apply"], "fastapi"),
    ],
)
def test_a_role_runs_with_its_own_packages_and_without_the_others(
    wheel: Path, tmp_path: Path, lock: str, roles: list[str], absent: str
) -> None:
    python = tmp_path / "bin/python"
    assert run(sys.executable, "-m", "venv", tmp_path).returncode == 0
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    pinned = ("--require-hashes", "-r", str(TOP / "deploy" / lock))
    for what in (pinned, ("--no-deps", str(wheel))):
        installed = run(*install, *what)
        assert installed.returncode == 0, installed.stderr
    for role in roles:
        shown = run(tmp_path / "bin/lbaas", role, "--help")
        assert shown.returncode == 0, shown.stderr
    assert run(python, "-c", f"import {absent}").returncode == 1


def test_an_installed_server_brings_its_migrations(wheel: Path) -> None:
    listing = run(sys.executable, "-m", "zipfile", "-l", wheel).stdout
    assert "lbaas/migrations/env.py" in listing
    assert "lbaas/migrations/versions/0001_" in listing
