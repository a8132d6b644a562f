"""A machine of the lab whose pods a container runtime makes: containerd, runc and the usual network plugins.

They are Debian's, unpacked by scripts/setup, and run in the lab's guest.
"""

import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lbaas.lab.handles import Process
from lbaas.lab.site import Site
from lbaas.lab.topology import ROUTER, SEGMENTS, Role
from tests.e2e.pods import RUN_NETNS, build_machine, issue_token, sh, start_agent

UNPACKED = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lbaas/runtime"

MACHINE, _NUMBER = "cri1", 198
# Of the backends' segment, as the pods' machines of the other tests have it, but of addresses that those do not use.
_PODS = next(
    subnet
    for subnet in SEGMENTS[Role.BACKEND].prefix4.subnets(new_prefix=28)
    if SEGMENTS[Role.BACKEND].prefix4[224] in subnet
)
_DIRECTORY = Path("/run") / MACHINE
SOCKET = _DIRECTORY / "containerd.sock"
_IMAGE = "localhost/pause:1"
_ASK = Path(__file__).with_name("cri_client.py")

_CONFIG = f"""\
version = 2
root = "{_DIRECTORY}/root"
state = "{_DIRECTORY}/state"
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{_IMAGE}"
  disable_tcp_service = true
  disable_cgroup = true
  disable_apparmor = true
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  containerd.snapshotter = "native"
  cni.bin_dir = "{UNPACKED}/usr/lib/cni"
  cni.conf_dir = "{_DIRECTORY}/cni"
"""
_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "dataDir": f"{_DIRECTORY}/addresses",
                "ranges": [[{"subnet": str(_PODS)}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
_PAUSE = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"


@dataclass(frozen=True)
class Sandbox:
    """A pod as its runtime made it; *name* is that of its file in RUN_NETNS."""

    id: str
    name: str
    address: str


@dataclass(frozen=True)
class Runtime:
    """What a kubelet asks of it."""

    site: Site

    def run(self) -> Sandbox:
        """There is one pod more."""
        found = json.loads(self._ask("run"))
        name = Path(found["namespace"]).name
        shown = self.inside(RUN_NETNS / name, "ip -j -4 address show eth0")
        return Sandbox(found["id"], name, json.loads(shown)[0]["addr_info"][0]["local"])

    def remove(self, sandbox: Sandbox) -> None:
        """The pod is gone."""
        self._ask("remove", sandbox.id)

    def inside(self, namespace: Path, command: str) -> str:
        """What *command* says in a network namespace."""
        ran = self.site.lab.run(ROUTER, ["nsenter", f"--net={namespace}", "sh", "-ec", command])
        assert ran.status == 0, ran.stderr
        return ran.stdout

    def on_machine(self, command: str) -> str:
        return self.inside(RUN_NETNS / MACHINE, command)

    def _ask(self, *arguments: str) -> str:
        argv = [sys.executable, str(_ASK), str(SOCKET), *arguments]
        ran = self.site.lab.run(ROUTER, argv, timeout_s=120)
        assert ran.status == 0, ran.stderr
        return ran.stdout


@contextmanager
def machine_with_containerd(site: Site) -> Iterator[Runtime]:
    """The machine stands, containerd runs on it, and a host agent asks that for pods."""
    with ExitStack() as undo:
        undo.callback(sh, site, ROUTER, f"ip netns delete {MACHINE}")
        build_machine(site, MACHINE, _NUMBER)
        runtime = Runtime(site)
        runtime.on_machine(
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth0.proxy_arp=1 net.ipv4.conf.all.rp_filter=0"
        )
        undo.callback(sh, site, ROUTER, "umount -l /sys/fs/cgroup")
        undo.callback(_start(site).kill)
        prefixes = [str(SEGMENTS[Role.BACKEND].prefix4)]
        body = {"name": MACHINE, "addresses": [str(SEGMENTS[Role.BACKEND].prefix4[_NUMBER])]}
        host = site.admin.post("/v1/backend-hosts", {**body, "prefixes": prefixes})
        undo.callback(site.admin.delete, f"/v1/backend-hosts/{host['id']}")
        token = issue_token(site, MACHINE, str(host["id"]))
        entered = ["nsenter", f"--net={RUN_NETNS / MACHINE}"]
        undo.callback(start_agent(site, ROUTER, token, SOCKET, entered).kill)
        yield runtime


def _start(site: Site) -> Process:
    """It runs, and has the image that a pod's first process is from."""
    made = {
        "config.toml": _CONFIG.encode(),
        "pods.conflist": json.dumps(_NETWORK).encode(),
        "pause.tar": _image(_compiled(site.lab.share)),
    }
    for name, content in made.items():
        (site.lab.share / name).write_bytes(content)
    sh(
        site,
        ROUTER,
        f"mkdir -p {_DIRECTORY}/cni && cp {site.lab.share}/pods.conflist {_DIRECTORY}/cni/\n"
        "mount -t cgroup2 none /sys/fs/cgroup",
    )
    programs = f"{UNPACKED}/usr/bin:{UNPACKED}/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    argv = [
        *("nsenter", f"--net={RUN_NETNS / MACHINE}"),
        *("containerd", "--config", str(site.lab.share / "config.toml")),
    ]
    process = site.lab.spawn(ROUTER, ["env", f"PATH={programs}", *argv], env={}, name="containerd")
    imported = [
        *(f"{UNPACKED}/usr/bin/ctr", "--address", str(SOCKET), "--namespace", "k8s.io"),
        *("images", "import", "--snapshotter", "native", str(site.lab.share / "pause.tar")),
    ]
    sh(site, ROUTER, f"until {shlex.join(imported)}; do sleep 0.2; done")
    return process


def _compiled(directory: Path) -> bytes:
    source, program = directory / "pause.c", directory / "pause"
    source.write_text(_PAUSE)
    subprocess.run(["gcc", "-static", "-O", "-o", program, source], check=True)
    return program.read_bytes()


def _image(program: bytes) -> bytes:
    """An OCI image of one file, which is its entry point."""
    layer = _tar({"pause": program})
    root = {"type": "layers", "diff_ids": [_digest(layer)]}
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": root,
    }
    blobs = [layer, json.dumps(config).encode()]
    manifest = {
        "schemaVersion": 2,
        "config": _descriptor("image.config.v1+json", blobs[1]),
        "layers": [_descriptor("image.layer.v1.tar", layer)],
    }
    blobs.append(json.dumps(manifest).encode())
    named = {"annotations": {"io.containerd.image.name": _IMAGE}}
    index = {
        "schemaVersion": 2,
        "manifests": [_descriptor("image.manifest.v1+json", blobs[2]) | named],
    }
    return _tar(
        {
            "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
            "index.json": json.dumps(index).encode(),
            **{f"blobs/{_digest(blob).replace(':', '/')}": blob for blob in blobs},
        }
    )


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    return {
        "mediaType": f"application/vnd.oci.{kind}",
        "digest": _digest(blob),
        "size": len(blob),
    }


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _tar(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
