"""docs/api.md's commands print what it says they print."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from .conftest import LiveServer, start_server

TOUR = Path(__file__).parents[3] / "docs" / "api.md"
EXAMPLE = re.compile(
    r"^```sh run\n(.*?)^```\n(?:\n```json answer\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)
# What is another one each time: the pattern, and what stands for it.
VARYING = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
    (r"203\.0\.113\.\d+", "VIP"),
    (r'"revision": \d+', '"revision": N'),
)


def run(server: LiveServer, directory: Path) -> list[tuple[str, str]]:
    """What each example printed, and what the page says that it prints."""
    examples = EXAMPLE.findall(TOUR.read_text())
    script = "".join(
        f"{{\n{commands}}} >answer.{number}\n" for number, (commands, _) in enumerate(examples)
    )
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, "API": server.url, "ADMIN": server.admin_token},
        cwd=directory,
        check=True,
        timeout=60,
    )
    return [
        ((directory / f"answer.{number}").read_text(), said)
        for number, (_, said) in enumerate(examples)
    ]


def test_the_tours_examples_print_what_it_says(
    short_dir: Callable[[], Path], tmp_path: Path
) -> None:
    empty = start_server(short_dir())
    examples = run(empty, tmp_path)

    assert empty.stop() == 0
    assert len(examples) == 14
    assert [comparable(printed) for printed, _ in examples] == [
        comparable(said) for _, said in examples
    ]


def comparable(text: str) -> str:
    """JSON in one layout, without what varies; nothing if there is none."""
    if not text:
        return ""
    text = json.dumps(json.loads(text), indent=2)
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return text
