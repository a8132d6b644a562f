"""A real API server of Kubernetes, where LBAAS_KUBE_APISERVER and LBAAS_ETCD name the programs.

Nothing runs but these two: no scheduler, no controllers, no kubelet.
"""

import json
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml  # type: ignore[import-untyped]  # ships no type information
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.kube_api.kinds import KINDS, NAMESPACE
from tests.kube_api.rbac import CONTROLLER, MANIFEST
from tests.kube_api.real import AUDIT_POLICY, AuditLog, RealApi, RealStore

ADMIN = "kubectl"
_STARTS_WITHIN_S = 180


@dataclass(frozen=True)
class Programs:
    """Paths of the two."""

    apiserver: str
    etcd: str


def programs() -> Programs | None:
    """As the environment names them."""
    apiserver, etcd = (os.environ.get(f"LBAAS_{each}") for each in ("KUBE_APISERVER", "ETCD"))
    return Programs(apiserver, etcd) if apiserver and etcd else None


@contextmanager
def serving_for_real(
    chosen: Programs, directory: Path, namespace: str
) -> Iterator[tuple[RealApi, str, Path]]:
    """An API server, its URL and its certificate. In *namespace*, which exists, the shipped RBAC is in force."""
    home = directory / "control-plane"
    home.mkdir()
    port = _free_port()
    keeper, url = f"http://127.0.0.1:{_free_port()}", f"https://127.0.0.1:{port}"
    _write_files(home, namespace)
    certificate = home / "apiserver.crt"
    with (
        _running(home, [chosen.etcd, *_etcd(home, keeper)]),
        _running(home, [chosen.apiserver, *_apiserver(home, keeper, port)]) as process,
    ):
        _await_ready(process, url, certificate)
        with _admin(url, certificate) as http:
            log = AuditLog(home / "audit.log")
            api = RealApi(RealStore(http, keeper, log), log)
            api.store.create(NAMESPACE, "", {"metadata": {"name": namespace}})
            _grant(api.store, namespace)
            yield api, url, certificate


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _write_files(home: Path, namespace: str) -> None:
    account = f"system:serviceaccount:{namespace}:lbaas-kube-controller"
    (home / "tokens").write_text(f'{ADMIN},{ADMIN},1,"system:masters"\n{CONTROLLER},{account},2\n')
    (home / "audit-policy").write_text(json.dumps(AUDIT_POLICY))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (home / "accounts.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _etcd(home: Path, keeper: str) -> list[str]:
    peer = f"http://127.0.0.1:{_free_port()}"
    return [
        f"--data-dir={home / 'etcd'}",
        f"--listen-client-urls={keeper}",
        f"--advertise-client-urls={keeper}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=error",
    ]


def _apiserver(home: Path, keeper: str, port: int) -> list[str]:
    key = home / "accounts.key"
    return [
        f"--etcd-servers={keeper}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={home}",
        f"--token-auth-file={home / 'tokens'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--allow-privileged",
        # Pods have no accounts here: nobody makes them.
        "--disable-admission-plugins=ServiceAccount",
        f"--audit-policy-file={home / 'audit-policy'}",
        f"--audit-log-path={home / 'audit.log'}",
        "--audit-log-mode=blocking",
    ]


@contextmanager
def _running(home: Path, argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with (home / f"{Path(argv[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=home)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _await_ready(process: subprocess.Popen[bytes], url: str, certificate: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the API server ended: see {certificate.parent}"
        with suppress(OSError, httpx.HTTPError), _admin(url, certificate) as http:
            if http.get("/readyz").is_success:
                return
        time.sleep(0.2)
    raise AssertionError(f"the API server does not get ready: see {certificate.parent}")


def _admin(url: str, certificate: Path) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(certificate))
    bearer = {"Authorization": f"Bearer {ADMIN}"}
    return httpx.Client(base_url=url, verify=context, headers=bearer, timeout=60)


def _grant(store: RealStore, namespace: str) -> None:
    """What the manifest grants in the namespace ``lbaas`` it grants in *namespace*, by objects of other names."""
    by_name = {kind.kind: kind for kind in KINDS}
    for document in yaml.safe_load_all(MANIFEST.read_text()):
        if "subjects" in document:
            document["roleRef"]["name"] += f"-{namespace}"
            for subject in document["subjects"]:
                subject["namespace"] = namespace
        document["metadata"]["name"] += f"-{namespace}"
        store.create(by_name[document["kind"]], namespace, document)
