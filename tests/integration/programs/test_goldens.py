"""The goldens, fed to the programs that will read them: each must take them as they are."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.golden_files import DIRECTORY

# What an operator's bird.conf begins with.
BIRD_HEAD = "router id 192.0.2.1;\nprotocol device {}\n"

# Debian keeps both programs off an ordinary user's PATH.
ENVIRONMENT = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}


@pytest.mark.parametrize(
    "golden", sorted(DIRECTORY.glob("bird-*.conf")), ids=lambda path: path.name
)
def test_bird_accepts_it(golden: Path, tmp_path: Path) -> None:
    main = tmp_path / "bird.conf"
    main.write_text(f'{BIRD_HEAD}include "{golden}";\n')
    _accepted("bird", "-p", "-c", str(main))


@pytest.mark.parametrize("golden", sorted(DIRECTORY.glob("*.nft")), ids=lambda path: path.name)
def test_nft_accepts_it(golden: Path, tmp_path: Path) -> None:
    text = golden.read_text()
    if golden.name == "marks-elements.nft":
        # One file is one transaction: the table that the elements go into, and what they replace.
        text = (DIRECTORY / "marks-table.nft").read_text() + text
    file = tmp_path / "ruleset.nft"
    file.write_text(text)
    # nft asks the kernel even to check: a namespace of its own answers an ordinary user, too.
    _accepted("unshare", "--user", "--map-root-user", "--net", "nft", "-c", "-f", str(file))


def _accepted(*argv: str) -> None:
    checked = subprocess.run(argv, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert checked.returncode == 0, checked.stderr
