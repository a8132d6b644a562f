"""Which kernel there is, and making one ready."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lbaas.errors import ToolMissing

Progress = Callable[[str], None]

STOCK = Path("/usr/bin/linux.uml")
STOCK_MODULES = Path("/usr/lib/uml/modules")
REBUILT = ("nf_tables.ko", "nft_reject_inet.ko")
WHOLE = "linux"


def silent(_: str) -> None:
    """The progress that nobody watches."""


@dataclass(frozen=True)
class Kernel:
    """*modules* holds the rebuilt ones; None if all that is needed is built into *binary*."""

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
        raise ToolMissing("no User-Mode Linux kernel here: apt-get install user-mode-linux")
    return versions[-1]


def cached() -> Kernel | None:
    """The kernel, if one was made ready before."""
    place = cache_directory() / stock_version()
    if all((place / name).exists() for name in REBUILT):
        return Kernel(STOCK, place)
    if (place / WHOLE).exists():
        return Kernel(place / WHOLE, None)
    return None


@contextmanager
def building() -> Iterator[Path]:
    """The cache's directory, with nobody else building into it meanwhile."""
    place = cache_directory()
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place
