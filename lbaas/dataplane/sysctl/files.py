"""Settings are files."""

from pathlib import Path

PROC_SYS = Path("/proc/sys")


def path_of(name: str, root: Path = PROC_SYS) -> Path:
    """The file of a dotted name; a "/" in it stands for a dot in a device's name, as for sysctl(8)."""
    return root.joinpath(*(part.replace("/", ".") for part in name.split(".")))
