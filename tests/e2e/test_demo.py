"""The demo as a stranger runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
DEMO = [sys.executable, "-m", "lbaas", "demo"]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Where the demo keeps its files; another user, Postgres's, may pass through."""
    with tempfile.TemporaryDirectory(prefix="lbaas-test-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_every_claim_of_the_demo_holds_and_nothing_is_left_of_it(scratch: Path) -> None:
    done = subprocess.run(
        [*DEMO, "--json"],
        env=os.environ | {"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["holds"]
    claims = [verdict["claim"] for act in record["acts"] for verdict in act["verdicts"]]
    assert set(_claims_of_readme()) <= set(claims)
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_takes_everything_down(scratch: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        DEMO,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        assert any("telling the API" in line for line in demo.stdout)
        demo.send_signal(number)
        said = demo.stdout.read()
    assert demo.returncode == 130
    assert "everything was taken down" in said
    assert list(scratch.iterdir()) == []


def _claims_of_readme() -> list[str]:
    shown = re.search(r"^```text demo\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert shown is not None
    claims = re.findall(r"^  holds  (.*?):", shown[1], re.MULTILINE)
    assert claims
    return claims
