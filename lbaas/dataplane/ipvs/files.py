"""IPVS's setting of what becomes of flows whose destination is removed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

EXPIRE = Path("/proc/sys/net/ipv4/vs/expire_nodest_conn")


@contextmanager
def flows_end_with_their_destination(setting: Path = EXPIRE) -> Iterator[None]:
    """The flows of destinations that are removed meanwhile end: their next packet is scheduled anew.

    Where it can't be set they hang until their time-out, and nothing else suffers.

    It is off at all other times. The kernel also takes it for leave to schedule a flow's first packet anew when that
    is repeated after the destination's weight became 0: then two backends answer one client, and reset it.
    Source: net/netfilter/ipvs/ip_vs_core.c (ip_vs_in_hook), ip_vs_ctl.c (__ip_vs_del_dest).
    """
    _write(setting, "1")
    try:
        yield
    finally:
        _write(setting, "0")


def _write(setting: Path, value: str) -> None:
    with suppress(OSError):  # the settings' own subsystem tells of what can't be set
        setting.write_text(f"{value}\n")
