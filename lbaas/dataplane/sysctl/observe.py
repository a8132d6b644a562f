"""The settings as the kernel has them, in the agent's network namespace."""

from collections.abc import Iterable
from pathlib import Path

PROC_SYS = Path("/proc/sys")


def path_of(name: str, root: Path = PROC_SYS) -> Path:
    """The file of a dotted name; a "/" in it stands for a dot in a device's name."""
    return root.joinpath(*(part.replace("/", ".") for part in name.split(".")))


def observe(names: Iterable[str], root: Path = PROC_SYS) -> dict[str, str | None]:
    """Each setting's value, None where the kernel has no such setting (yet)."""
    return {name: _read(path_of(name, root)) for name in names}


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
