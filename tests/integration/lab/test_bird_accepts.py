"""What we render is what BIRD itself accepts."""

import subprocess
from pathlib import Path

from lbaas.lab.bird_config import node_config, router_config
from lbaas.lab.machine import find_program
from lbaas.lab.topology import Role, Topology


def verdict(config: str, directory: Path) -> tuple[int, str]:
    """BIRD's exit status for *config*, and what it had to say."""
    bird = find_program("bird")
    assert bird is not None, "scripts/setup installs bird2"
    file = directory / "bird.conf"
    file.write_text(config)
    parsed = subprocess.run([bird, "-p", "-c", file], capture_output=True, text=True, check=False)
    return parsed.returncode, parsed.stderr


def test_bird_accepts_the_routers_configuration(tmp_path: Path) -> None:
    assert verdict(router_config(Topology(nodes=3), "/dev/stderr"), tmp_path) == (0, "")


def test_bird_accepts_a_nodes_configuration_before_its_agent_wrote_anything(tmp_path: Path) -> None:
    node = Topology().of(Role.NODE)[0]

    config = node_config(node, "/dev/stderr", f"{tmp_path}/lbaas*.conf")

    assert verdict(config, tmp_path) == (0, "")


def test_bird_reads_what_the_agent_wrote(tmp_path: Path) -> None:
    (tmp_path / "lbaas.conf").write_text("nonsense;\n")
    node = Topology().of(Role.NODE)[0]

    status, complaint = verdict(
        node_config(node, "/dev/stderr", f"{tmp_path}/lbaas*.conf"), tmp_path
    )

    assert status == 1
    assert "lbaas.conf:1" in complaint
