"""The table and the settings of a machine whose pods answer as VIPs.

A reply passes the machine without the request that it answers: that one came inside a tunnel. So connection tracking
finds it invalid, and what drops invalid packets, as kube-proxy does, would drop every reply. And its source is an
address that is nowhere near the pod's device, which rp_filter there may not let in. Where the machine is a node as
well, the source is even an address of the machine's own, and such packets are martians unless accept_local is set.
Source: tcp_new in net/netfilter/nf_conntrack_proto_tcp.c; the chain KUBE-FORWARD; ip-sysctl.rst.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lbaas.domain.addresses import Address, address_key

FAMILY, TABLE = "inet", "lbaas_pods"

_TYPES = {4: "ipv4_addr", 6: "ipv6_addr"}
_OFF, _STRICT, _LOOSE = "0", "1", "2"
ALL = "net.ipv4.conf.all.rp_filter"
_ACCEPTED = "1"

_CHAIN = """\
chain untracked {
    type filter hook prerouting priority -300; policy accept;
    ip saddr @vips4 notrack
    ip6 saddr @vips6 notrack
}
"""


def declaration(vips: Iterable[Address]) -> str:
    """What comes from *vips* is not tracked."""
    ordered = sorted(vips, key=address_key)
    return "".join(_set(family, ordered) for family in _TYPES) + _CHAIN


@dataclass(frozen=True)
class Way:
    """A device by which pods are reached. *addressed*: it has an IPv4 address itself, as a bridge does.

    *of_node*: the machine takes in packets to VIPs itself, as a node does.
    """

    device: str
    addressed: bool
    of_node: bool = False

    @property
    def open(self) -> str:
        """The largest rp_filter that lets replies in: a loose one drops what comes in on a device that has no
        IPv4 address (net/ipv4/fib_frontend.c, __fib_validate_source)."""
        return _LOOSE if self.addressed else _OFF


def settings_of(ways: Iterable[Way]) -> list[str]:
    """What must be known to say which of *ways* are shut."""
    return [ALL, *(name for way in ways for name in (_setting(way.device), _local(way.device)))]


def opened(ways: Iterable[Way], observed: Mapping[str, str | None]) -> dict[str, str]:
    """The settings that let replies in on all *ways*; those that do already are left out.

    The kernel takes the larger of ``all`` and the device's own: strict is 1, loose is 2.
    """
    ways = tuple(ways)
    accepting = {_local(way.device): _ACCEPTED for way in ways if way.of_node}
    return accepting | {_setting(way.device): way.open for way in ways if _shut(way, observed)}


def shut_by_all(ways: Iterable[Way], observed: Mapping[str, str | None]) -> list[str]:
    """The devices that no setting of their own can open: ``all`` is not ours to change."""
    everywhere = observed.get(ALL) or _OFF
    return [way.device for way in ways if not way.addressed and everywhere != _OFF]


def _shut(way: Way, observed: Mapping[str, str | None]) -> bool:
    effective = max(observed.get(ALL) or _OFF, observed.get(_setting(way.device)) or _OFF)
    return effective == _STRICT or (effective == _LOOSE and not way.addressed)


def _setting(device: str) -> str:
    return f"net.ipv4.conf.{device.replace('.', '/')}.rp_filter"


def _local(device: str) -> str:
    return f"net.ipv4.conf.{device.replace('.', '/')}.accept_local"


def _set(family: int, vips: Iterable[Address]) -> str:
    own = ", ".join(str(vip) for vip in vips if vip.version == family)
    elements = f"elements = {{ {own} }}\n" if own else ""
    return f"set vips{family} {{ type {_TYPES[family]}\n{elements}}}\n"
