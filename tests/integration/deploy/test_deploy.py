"""What is shipped: the compose file's schema, and each role installed from its own pins alone."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from lbaas.api.app import create_app

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
    ("role", "commands", "absent"),
    [
        ("node-agent", ["node-agent", "host-agent"], "fastapi"),
        ("server", ["server", "db"], "pyroute2"),
        ("cli", ["vip", "apply"], "fastapi"),
    ],
)
def test_a_role_is_installed_with_its_own_packages_and_without_the_others(
    wheel: Path, tmp_path: Path, role: str, commands: list[str], absent: str
) -> None:
    installed = run("env", f"LBAAS_ROOT={tmp_path}", TOP / "deploy/install", role, wheel)
    assert installed.returncode == 0, installed.stderr

    programs = tmp_path / "opt/lbaas/bin"
    for command in commands:
        shown = run(programs / "lbaas", command, "--help")
        assert shown.returncode == 0, shown.stderr
    assert run(programs / "python", "-c", f"import {absent}").returncode == 1
    if role != "cli":
        unit = (tmp_path / f"etc/systemd/system/lbaas-{role}.service").read_text()
        assert f"ExecStart=/opt/lbaas/bin/lbaas {role}\n" in unit
        assert f"EnvironmentFile=/etc/lbaas/{role}.env\n" in unit
        assert (tmp_path / f"etc/lbaas/{role}.env").stat().st_mode & 0o777 == 0o600


def test_an_unknown_role_is_refused() -> None:
    refused = run(TOP / "deploy/install", "router")

    assert refused.returncode == 2
    assert refused.stderr.startswith("usage: ")


def test_an_installed_server_brings_its_migrations(wheel: Path) -> None:
    listing = run(sys.executable, "-m", "zipfile", "-l", wheel).stdout
    assert "lbaas/migrations/env.py" in listing
    assert "lbaas/migrations/versions/0001_" in listing


@pytest.mark.parametrize("name", ["server", "node"])
def test_kubernetes_manifests_are_well_formed_and_select_what_they_make(name: str) -> None:
    objects = [
        document
        for path in sorted((TOP / f"deploy/kubernetes-{name}").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
    ]
    kinds = {document["kind"]: document for document in objects}
    listed = {path.name for path in (TOP / f"deploy/kubernetes-{name}").glob("*.yaml")}

    assert {*kinds["Kustomization"]["resources"], "kustomization.yaml"} == listed
    workload = kinds["Deployment" if name == "server" else "DaemonSet"]["spec"]
    labels = workload["template"]["metadata"]["labels"]
    assert workload["selector"]["matchLabels"] == labels
    if name == "server":
        assert kinds["Service"]["spec"]["selector"] == labels
        assert kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
        [container] = workload["template"]["spec"]["containers"]
        probed = {
            container[probe]["httpGet"]["path"]
            for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        }
        assert probed <= create_app().openapi()["paths"].keys()


@pytest.mark.parametrize(
    "directory",
    ["kubernetes", "kubernetes-containerd", "kubernetes-node", "kubernetes-server"],
)
def test_kubectl_builds_what_is_shipped_for_kubernetes(directory: str) -> None:
    built = run("kubectl", "kustomize", TOP / "deploy" / directory)
    assert built.returncode == 0, built.stderr
    objects = list(yaml.safe_load_all(built.stdout))
    assert all(each["kind"] and each["metadata"]["name"] for each in objects)
    assert {each["metadata"].get("namespace", "lbaas") for each in objects} == {"lbaas"}
