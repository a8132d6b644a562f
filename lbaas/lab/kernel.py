"""The guest's kernel: Debian's stock one, with two modules rebuilt for it (see modules_build)."""

import os
from dataclasses import dataclass
from pathlib import Path

from lbaas.errors import ToolMissing

STOCK = Path("/usr/bin/linux.uml")
STOCK_MODULES = Path("/usr/lib/uml/modules")
REBUILT = ("nf_tables.ko", "nft_reject_inet.ko")


@dataclass(frozen=True)
class Kernel:
    """*modules* holds the rebuilt ones; None if all is built into *binary*."""

    binary: Path
    modules: Path | None


def cache_directory() -> Path:
    """Where this user's kernels are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lbaas" / "uml"


def stock_version() -> str:
    """The version of Debian's kernel. Raises ToolMissing if it is not installed."""
    versions = sorted(path.name for path in STOCK_MODULES.glob("*"))
    if not STOCK.exists() or not versions:
        raise ToolMissing("no User-Mode Linux kernel: apt-get install user-mode-linux")
    return versions[-1]


def cached() -> Kernel | None:
    """The kernel, if it was made ready before."""
    modules = cache_directory() / stock_version()
    if all((modules / name).exists() for name in REBUILT):
        return Kernel(STOCK, modules)
    return None
