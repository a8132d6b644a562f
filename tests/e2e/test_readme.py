"""The README's and the quickstart's commands print what they say they print, and the operators' page can be followed.

Blocks marked ``sh run`` are run one after the other in one shell, on the site of these tests; what one
prints is compared with the block marked ``json answer`` or ``text answer`` behind it, if there is one.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lbaas.lab.relay import Relay
from lbaas.lab.site import Site

TOP = Path(__file__).parents[2]
README = TOP / "README.md"
OPERATORS = TOP / "docs/operators.md"
QUICKSTART = TOP / "docs/quickstart.md"
EXAMPLE = re.compile(
    r"^```sh run\n(.*?)^```\n(?:\n```(?:json|text) answer\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)

# What is another one each time: the pattern, and what stands for it.
VARYING = (
    (r'"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"', '"ID"'),
    (r'"\d{4}-\d\d-\d\dT[0-9:.]+Z"', '"TIME"'),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
    (r"198\.51\.100\.\d+ *", "VIP "),
    (r"\([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)", "(ID)"),
    (r"NAME +ADDRESS +", "NAME ADDRESS "),
    (r"http://127[0-9.:]+", "API"),
    (r" in .*/profiles\.json", ""),
    (r"at revision \d+", "at revision N"),
    (r'"(revision|applied_revision|client_port)": \d+', r'"\1": N'),
    (r'"backend": "backend[12]"', '"backend": "ONE OF THEM"'),
)


@pytest.fixture
def environment(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """What a reader has: API, TOKEN, ADMIN, and ``lbaas`` that finds the lab."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    relay = Relay(site.lab.remote, site.describe())
    programs = Path(sys.executable).parent
    yield {
        **os.environ,
        "API": site.server.url,
        "TOKEN": site.inventory.tenant_token,
        "ADMIN": site.server.admin_token_file.read_text().strip(),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    relay.close()


def test_the_readmes_examples_print_what_it_says(
    environment: dict[str, str], tmp_path: Path
) -> None:
    examples = EXAMPLE.findall(README.read_text())
    assert len(examples) == 6
    printed = _run([commands for commands, _ in examples], environment, tmp_path)
    assert [_comparable(text) for text in printed] == [_comparable(text) for _, text in examples]


def test_the_quickstart_prints_what_it_says(environment: dict[str, str], tmp_path: Path) -> None:
    examples = EXAMPLE.findall(QUICKSTART.read_text())
    assert len(examples) == 7
    printed = _run([commands for commands, _ in examples], environment, tmp_path)
    assert [_comparable(text) for text in printed] == [_comparable(text) for _, text in examples]


def test_the_operators_page_can_be_followed(environment: dict[str, str], tmp_path: Path) -> None:
    examples = EXAMPLE.findall(OPERATORS.read_text())
    assert len(examples) == 3
    *_, last = _run([commands for commands, _ in examples], environment, tmp_path)
    assert re.search(r"^lb-1 +192\.0\.2\.11,2001:db8::11 +active", last, re.MULTILINE)
    for token in ("lb-1.token", "rack-7.token", "shop.token"):
        assert (tmp_path / token).read_text().startswith("lbaas_")


def _run(examples: list[str], environment: dict[str, str], directory: Path) -> list[str]:
    """What each printed. The test fails at the first command that does."""
    script = "".join(
        f"{{\n{commands}}} >answer.{number}\n" for number, commands in enumerate(examples)
    )
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=environment,
        cwd=directory,
        check=True,
        timeout=240,  # some twenty starts of a program, on a slow, busy machine
    )
    return [(directory / f"answer.{number}").read_text() for number in range(len(examples))]


def _comparable(text: str) -> str:
    """Text without what varies, JSON in one layout; nothing if there is none."""
    if not text:
        return ""
    if text.startswith("{"):
        text = json.dumps(json.loads(text), indent=2)
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return text.strip()
