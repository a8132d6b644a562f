"""The goldens, fed to the programs that will read them: each must take them as they are."""

import subprocess
from pathlib import Path

import pytest

from tests.golden_files import DIRECTORY

# Where BIRD and nft need more than the file: what an operator's bird.conf begins with, and the table that
# the elements go into.
BIRD_HEAD = "router id 192.0.2.1;\nprotocol device {}\n"


@pytest.mark.parametrize(
    "golden", sorted(DIRECTORY.glob("bird-*.conf")), ids=lambda path: path.name
)
def test_bird_accepts_it(golden: Path, tmp_path: Path) -> None:
    main = tmp_path / "bird.conf"
    main.write_text(f'{BIRD_HEAD}include "{golden}";\n')
    checked = subprocess.run(
        ["bird", "-p", "-c", str(main)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("golden", sorted(DIRECTORY.glob("*.nft")), ids=lambda path: path.name)
def test_nft_accepts_it(golden: Path, tmp_path: Path) -> None:
    text = golden.read_text()
    if golden.name == "marks-elements.nft":
        # One file is one transaction: what it deletes must have been there before.
        text = (DIRECTORY / "marks-table.nft").read_text() + text
    file = tmp_path / "ruleset.nft"
    file.write_text(text)
    checked = subprocess.run(
        # nft asks the kernel even to check: a namespace of its own answers an ordinary user, too.
        ["unshare", "--user", "--map-root-user", "--net", "nft", "-c", "-f", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
