"""What this machine can do for a lab, what it lacks, and how to get it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lbaas.errors import ToolMissing
from lbaas.lab.kernel.cache import STOCK, cached

# What the data path and the lab load, wherever it runs.
DATA_PATH_MODULES = (
    *("ip_vs", "ip_vs_mh", "ip_vs_sh", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_wlc"),
    *("nf_tables", "nf_reject_ipv4", "nf_reject_ipv6", "nft_reject"),
    *("ipip", "ip6_tunnel", "fou", "fou6", "veth", "dummy", "bridge", "sch_netem"),
)

# program -> Debian package, and why
PROGRAMS = {
    "bird": ("bird2", "speaks BGP and BFD on router and nodes"),
    "nft": ("nftables", "programs the marks"),
    "ipvsadm": ("ipvsadm", "shows the kernel's virtual services"),
    "ip": ("iproute2", "shows the lab's links and routes"),
    "modprobe": ("kmod", "loads kernel modules"),
    "unshare": ("util-linux", "makes namespaces"),
}
UML_PACKAGE = ("user-mode-linux", "a kernel with IPVS as an ordinary program")

PLACE_VARIABLE = "LBAAS_LAB_PLACE"
SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"  # not on every user's PATH, but programs are there


class Place(StrEnum):
    """Where the lab's packets go."""

    HOST = "host"  # namespaces of this machine's own kernel
    GUEST = "guest"  # a User-Mode Linux guest


@dataclass(frozen=True)
class Finding:
    """One thing that a lab needs: is it here, and if not, what to do."""

    what: str
    why: str
    present: bool
    remedy: str = ""


def place() -> Place:
    """Namespaces where we are root and the kernel has the data path, else a guest.

    ``LBAAS_LAB_PLACE`` overrides the choice.
    """
    if wanted := os.environ.get(PLACE_VARIABLE):
        return Place(wanted)
    return Place.HOST if os.geteuid() == 0 and not kernel_lacks() else Place.GUEST


def kernel_lacks() -> tuple[str, ...]:
    """Modules of the data path that the running kernel neither has nor can load."""
    return tuple(module for module in DATA_PATH_MODULES if not _kernel_has(module))


def findings() -> Iterator[Finding]:
    """Everything that a lab needs here, one by one."""
    for program, (package, why) in PROGRAMS.items():
        yield Finding(program, why, find_program(program) is not None, _apt(package))
    yield Finding("network namespaces", "the lab's machines", _may_unshare(), NAMESPACES_REMEDY)
    if place() is Place.GUEST:
        package, why = UML_PACKAGE
        yield Finding("linux.uml", why, STOCK.exists(), _apt(package))
        ready = STOCK.exists() and cached() is not None
        yield Finding("the guest's kernel", "nftables with all families", ready, "lbaas lab kernel")


def demand() -> None:
    """Everything is here but, perhaps, the guest's kernel. Raises ToolMissing, saying what to do."""
    missing = [f for f in findings() if not f.present and f.remedy != "lbaas lab kernel"]
    if missing:
        lines = [f"{finding.what} ({finding.why}): {finding.remedy}" for finding in missing]
        raise ToolMissing("this machine lacks what a lab needs:\n" + "\n".join(lines))


NAMESPACES_REMEDY = (
    "as an ordinary user: sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container: run it with --privileged"
)


def find_program(name: str) -> str | None:
    """Its path, also where only root's PATH leads."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATHS}")


def _apt(package: str) -> str:
    return f"apt-get install {package}"


def _kernel_has(module: str) -> bool:
    if Path("/sys/module", module).exists():
        return True
    modprobe = find_program("modprobe")
    return modprobe is not None and _succeeds(modprobe, "--dry-run", "--quiet", module)


def _may_unshare() -> bool:
    if os.geteuid() == 0:
        return _succeeds("unshare", "--net", "true")
    return _succeeds("unshare", "--user", "--map-root-user", "--net", "true")


def _succeeds(*argv: str) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
