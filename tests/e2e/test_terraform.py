"""The page's installation and the example, word for word, and packets through what they made."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lbaas.lab.site import Site
from tests.e2e.balanced import CLIENT, PORT, eventually

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs/terraform.md").read_text()
BLOCK = r"^```sh {}\n(.*?)^```\n"


def lines(kind: str) -> list[str]:
    (block,) = re.findall(BLOCK.format(kind), PAGE, re.MULTILINE | re.DOTALL)
    return str(block).splitlines()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home as the page's installation leaves it, with the tests' own virtual environment: that needs no network."""
    if shutil.which("terraform") is None:  # Debian has no package of it
        pytest.skip("no terraform here: put Terraform 1.5 or newer on the PATH")
    environment, *launcher = lines("install")
    made, installed = environment.split(" && ")
    assert made == "python3 -m venv ~/.lbaas-terraform"
    assert installed == "~/.lbaas-terraform/bin/pip install '.[terraform]'"
    programs = tmp_path / ".lbaas-terraform/bin"
    programs.mkdir(parents=True)
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    script = "\n".join(launcher)
    subprocess.run(["bash", "-euc", script], env={**os.environ, "HOME": str(tmp_path)}, check=True)
    return tmp_path


@pytest.fixture
def terraform(site: Site, home: Path) -> Iterator[list[str]]:
    """The page's commands in a copy of the example; what was made is gone afterwards."""
    work = home / "example"
    shutil.copytree(TOP / "examples/terraform", work)
    environment = {
        **os.environ,
        "HOME": str(home),
        "CHECKPOINT_DISABLE": "1",
        "LBAAS_SERVER_URL": site.server.url,
        "LBAAS_TOKEN": site.inventory.tenant_token,
        "PYTHONPATH": str(TOP),
        "TF_IN_AUTOMATION": "1",
    }
    environment.pop("TF_CLI_CONFIG_FILE", None)

    def run(command: Sequence[str]) -> str:
        done = subprocess.run(
            command,
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    init, apply = (shlex.split(line) for line in lines("example"))
    try:
        yield [
            run(init),
            run([*apply, "-auto-approve"]),
            run(["terraform", "output", "-raw", "address"]),
        ]
    finally:
        run(["terraform", "destroy", "-auto-approve", *apply[2:]])


def test_the_example_carries_packets_after_the_pages_commands(
    site: Site, terraform: list[str]
) -> None:
    _, applied, address = terraform
    assert "3 added" in applied
    assert "Not programmed yet" not in applied
    answers = []

    def answered() -> bool:
        answers.append(site.lab.fetch(CLIENT, address, PORT))
        return answers[-1].ok

    eventually(answered)
    assert answers[-1].backend in ("backend1", "backend2")
    assert answers[-1].client == "10.0.1.11"
