"""Rules of legacy iptables, which nftables does not list."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from lbaas.errors import StepFailed
from lbaas.explain import iptables

_NAMES = {"ip": Path("/proc/net/ip_tables_names"), "ip6": Path("/proc/net/ip6_tables_names")}
_SAVE = {"ip": "iptables-legacy-save", "ip6": "ip6tables-legacy-save"}
_TIMEOUT_S = 10


def legacy_tables() -> Iterator[str]:
    """The tables of iptables that are not nftables', by family and name."""
    for family, file in _NAMES.items():
        yield from (f"{family} {name}" for name in _names(file))


def legacy_rules() -> Mapping[str, str]:
    """What they hold, as nftables would list it, by family and name. Raises StepFailed if it can't be had.

    Nothing is asked where there is no such table: the question would load the modules and make them.
    """
    found: dict[str, str] = {}
    for family, file in _NAMES.items():
        if _names(file):
            found |= iptables.tables(family, _saved(_SAVE[family]))
    return found


def _names(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def _saved(program: str) -> str:
    try:
        ran = subprocess.run(
            [program], capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
    except FileNotFoundError as error:
        raise StepFailed("iptables", "save", "*", f"{program} is not installed") from error
    except subprocess.SubprocessError as error:
        raise StepFailed("iptables", "save", "*", f"{program}: {error}") from error
    return ran.stdout
