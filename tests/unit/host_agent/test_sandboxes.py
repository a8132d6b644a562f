"""Where a container runtime says that a sandbox has its network."""

from pathlib import Path
from typing import Any

import pytest

from lbaas.host_agent.sandboxes import network_namespace

NETWORK = {"type": "network", "path": "/var/run/netns/cni-1"}


def spec(*namespaces: dict[str, str]) -> dict[str, Any]:
    return {"runtimeSpec": {"linux": {"namespaces": list(namespaces)}}, "pid": 7}


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (spec({"type": "pid"}, NETWORK), "/var/run/netns/cni-1"),
        (spec({"type": "network"}), "/proc/7/ns/net"),
        ({"pid": 7, "runtimeSpec": None}, "/proc/7/ns/net"),
        ({"pid": 0}, None),
        ({}, None),
    ],
)
def test_the_runtimes_own_file_is_taken_before_that_of_the_process(
    info: dict[str, Any], expected: str | None
) -> None:
    assert network_namespace(info) == (expected and Path(expected))
