"""The settings as the kernel has them, in the agent's network namespace."""

from collections.abc import Iterable
from pathlib import Path

from lbaas.dataplane.sysctl.files import PROC_SYS, path_of


def observe(names: Iterable[str], root: Path = PROC_SYS) -> dict[str, str | None]:
    """Each setting's value, None where the kernel has no such setting (yet)."""
    return {name: _read(path_of(name, root)) for name in names}


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
