"""The commands of docs/kubernetes.md can be followed."""

import re
import subprocess
from pathlib import Path

from tests.kube_api.world import world

from .conftest import Site, unique

TOP = Path(__file__).parents[3]
SHIPPED = TOP / "deploy/kubernetes"
EXAMPLE = re.compile(r"^```sh run\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def test_the_page_on_kubernetes_can_be_followed(site: Site, tmp_path: Path) -> None:
    install, ask = EXAMPLE.findall((TOP / "docs/kubernetes.md").read_text())
    with world(tmp_path, unique("ns")) as kube:
        kube.start_controller(site.member(), site.server.url, LBAAS_ADDRESS_POOL_V4=site.v4["id"])

        def follow(commands: str, directory: Path = TOP) -> str:
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", commands],
                env=kube.environment,
                cwd=directory,
                check=True,
                capture_output=True,
                text=True,
                timeout=120,
            )
            return ran.stdout

        assert "daemonset.apps/lbaas-host-agent created" in follow(install)
        assert follow(ask).splitlines()[-1].startswith("198.51.100.")
        examples = follow("kubectl apply -f example.yaml -f example-sidecar.yaml", SHIPPED)
        assert "deployment.apps/shop created\npod/shop-10 created" in examples
        other = "daemonset.apps/lbaas-host-agent configured"
        assert other in follow("kubectl apply -k ../kubernetes-containerd", SHIPPED)
