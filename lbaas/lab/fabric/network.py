"""Builds the topology with netlink, and disturbs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import IPRoute, NetlinkError

from lbaas.dataplane.namespaces import Namespace
from lbaas.errors import LabError
from lbaas.lab.topology import FABRIC, MANAGEMENT, ROUTER, SEGMENTS, Cable, Topology

# Addresses work the moment they are set: duplicate address detection would hold IPv6 back for a
# second. To be set before there are interfaces, which copy it.
EVERYWHERE = {"net/ipv6/conf/all/accept_dad": "0", "net/ipv6/conf/default/accept_dad": "0"}

# What makes a Linux host a router that keeps a 5-tuple on one next hop. Policy 1 moves one: 3 with
# addresses, protocol and ports (0x37) does not.
ROUTING = {
    "net/ipv4/ip_forward": "1",
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv4/fib_multipath_hash_policy": "3",
    "net/ipv4/fib_multipath_hash_fields": "55",
    "net/ipv6/fib_multipath_hash_policy": "3",
    "net/ipv6/fib_multipath_hash_fields": "55",
}


class Network:
    """Every namespace of the lab by name, with its cables. *home* is the fabric's own namespace."""

    def __init__(self, home: Namespace) -> None:
        self._namespaces = {FABRIC: home}
        self._topology: Topology | None = None

    def __getitem__(self, name: str) -> Namespace:
        try:
            return self._namespaces[name]
        except KeyError:
            known = ", ".join(sorted(self._namespaces))
            raise LabError(f"the lab has no machine {name!r}; it has {known}") from None

    def uplink(self, interface: str, address: str | None) -> None:
        """Join *interface*, which leads to the host, and later all management cables in one bridge."""
        with self._netlink(FABRIC) as ip:
            _sysctl({"net/ipv6/conf/default/disable_ipv6": "1"})
            _set(ip, "lo", state="up")
            bridge = _bridge(ip, MANAGEMENT)
            if address:
                ip.addr("add", index=bridge, address=address.split("/")[0], mask=_length(address))
            _set(ip, interface, state="up", master=bridge)

    def build(self, topology: Topology) -> None:
        """Every namespace, bridge, cable, address and default route of *topology* stands."""
        if self._topology:
            raise LabError("the lab is built already")
        self._topology = topology
        for name in (ROUTER, *(machine.name for machine in topology.machines)):
            self._namespaces[name] = _namespace()
        self._build_router()
        for cable in topology.cables:
            self._lay(cable)
        for machine in topology.machines:
            with self._netlink(machine.name) as ip:
                self._connect(ip, [c for c in topology.cables if c.machine == machine.name])

    def set_plugged(self, machine: str, interface: str, *, plugged: bool) -> None:
        """Plug in or pull a cable at its far end: the machine keeps its addresses, as real ones do."""
        cable = self._cable(machine, interface)
        with self._netlink(cable.bridge_in) as ip:
            _set(ip, cable.port, state="up" if plugged else "down")

    def set_loss(self, machine: str, interface: str, percent: float) -> None:
        """Both ends of the cable drop *percent* of what they send."""
        cable = self._cable(machine, interface)
        for namespace, end in ((machine, interface), (cable.bridge_in, cable.port)):
            with self._netlink(namespace) as ip:
                _lose(ip, end, percent)

    def pull_all(self, machine: str) -> None:
        """The machine has no carrier on any interface."""
        for cable in self._built().cables:
            if cable.machine == machine:
                self.set_plugged(machine, cable.interface, plugged=False)

    def _built(self) -> Topology:
        if self._topology is None:
            raise LabError("the lab is not built yet")
        return self._topology

    def _cable(self, machine: str, interface: str) -> Cable:
        try:
            return self._built().cable(machine, interface)
        except KeyError as error:
            raise LabError(error.args[0]) from None

    def _build_router(self) -> None:
        with self._netlink(ROUTER) as ip:
            _sysctl(ROUTING)
            _set(ip, "lo", state="up")
            for segment in SEGMENTS.values():
                bridge = _bridge(ip, segment.name)
                for prefix, gateway in (
                    (segment.prefix4, segment.gateway4),
                    (segment.prefix6, segment.gateway6),
                ):
                    ip.addr("add", index=bridge, address=str(gateway), mask=prefix.prefixlen)

    def _lay(self, cable: Cable) -> None:
        with self._netlink(cable.bridge_in) as ip:
            far_end = {"ifname": cable.interface, "net_ns_fd": self[cable.machine].fd}
            ip.link("add", ifname=cable.port, kind="veth", peer=far_end)
            _set(ip, cable.port, state="up", master=_index(ip, cable.bridge))

    def _connect(self, ip: IPRoute, cables: list[Cable]) -> None:
        _set(ip, "lo", state="up")
        for cable in cables:
            index = _index(ip, cable.interface)
            ip.link("set", index=index, state="up")
            for address in cable.addresses:
                ip.addr("add", index=index, address=str(address.ip), mask=address.network.prefixlen)
            for gateway in cable.gateways:
                everything = "::/0" if gateway.version == 6 else "0.0.0.0/0"
                ip.route("add", dst=everything, gateway=str(gateway))

    @contextmanager
    def _netlink(self, namespace: str) -> Iterator[IPRoute]:
        with self[namespace].inside(), IPRoute() as ip:
            yield ip


def _namespace() -> Namespace:
    namespace = Namespace.new()
    with namespace.inside():
        _sysctl(EVERYWHERE)
    return namespace


def _bridge(ip: IPRoute, name: str) -> int:
    ip.link("add", ifname=name, kind="bridge")
    _set(ip, name, state="up")
    return _index(ip, name)


def _set(ip: IPRoute, name: str, **attributes: object) -> None:
    ip.link("set", index=_index(ip, name), **attributes)


def _index(ip: IPRoute, name: str) -> int:
    found: list[int] = ip.link_lookup(ifname=name)
    if not found:
        raise LabError(f"no interface {name} there")
    return found[0]


def _lose(ip: IPRoute, interface: str, percent: float) -> None:
    index = _index(ip, interface)
    if percent:
        ip.tc("replace", "netem", index, "1:", loss=percent)
        return
    try:
        ip.tc("del", "netem", index, "1:")
    except NetlinkError:
        return  # nothing was lost before


def _sysctl(values: dict[str, str]) -> None:
    for key, value in values.items():
        Path("/proc/sys", key).write_text(value)


def _length(address: str) -> int:
    return int(address.split("/")[1])
