"""A VIP whose members are checked, with servers that can be killed."""

import re
import sys
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from lbaas.client.api import Json
from lbaas.lab.handles import Process
from lbaas.lab.messages import Fetched
from lbaas.lab.site import Site
from lbaas.lab.topology import Machine, Role
from tests.e2e.balanced import CLIENT, eventually, wait_programmed

PORT = 8000
NODES = ("lb1", "lb2")
INTERVAL_S, TIMEOUT_S, FALL = 0.5, 0.4, 3

_numbers = count(1)
_WEB = Path(__file__).with_name("web_process.py")


@dataclass
class Servers:
    """A web server on each backend."""

    site: Site
    _running: dict[str, Process] = field(default_factory=dict)

    def start(self, *backends: str) -> None:
        """Each of them serves PORT, or soon will."""
        for name in backends:
            argv = [sys.executable, str(_WEB), name, str(PORT)]
            self._running[name] = self.site.lab.spawn(name, argv, name="web")

    def kill(self, *backends: str) -> None:
        """None of them serves any more."""
        for name in backends:
            self._running[name].kill()
        for name in backends:
            self._running.pop(name).wait()


@dataclass(frozen=True)
class Checked:
    """A VIP with one tcp listener on PORT, and its pool of all backends."""

    site: Site
    family: int
    vip: Json
    pool: str
    mark: int

    @classmethod
    def create(cls, site: Site, family: int, **monitor: object) -> "Checked":
        """It is programmed; its members may be still to pass their first check."""
        members = [{"address": _address(each, family)} for each in _backends(site)]
        timing = {"interval_s": INTERVAL_S, "timeout_s": TIMEOUT_S, "rise": 2, "fall": FALL}
        monitor = {"kind": "http", **timing, **monitor}
        pool = {"members": members, "monitor": monitor, "drain_deadline_s": 3}
        body = {
            "name": f"checked-{next(_numbers)}",
            "address_pool_id": str(site.inventory.pools[family]),
            "listeners": [
                {"name": "web", "protocol": "tcp", "ports": [{"first": PORT}], "pool": pool}
            ],
        }
        vip = site.tenant.post("/v1/vips", body)
        wait_programmed(site, vip)
        mark = _mark(site, str(vip["address"]))
        return cls(site, family, vip, vip["listeners"][0]["pool_id"], mark)

    @property
    def address(self) -> str:
        return str(self.vip["address"])

    def fetch(self) -> Fetched:
        """One request from the client."""
        return self.site.lab.fetch(CLIENT, self.address, PORT, timeout_s=3)

    def weights(self, node: str) -> dict[str, int]:
        """The weight of each backend in the node's kernel, by the backend's name."""
        names = {_address(each, self.family): each.name for each in _backends(self.site)}
        listed = self.site.lab.run(node, ["ipvsadm", "-Sn"]).stdout
        found = re.findall(
            rf"^-a -f {self.mark} .*-r \[?([^\]]+?)\]?:0 .*-w (\d+)", listed, re.MULTILINE
        )
        return {names[address]: int(weight) for address, weight in found}

    def with_traffic(self) -> list[frozenset[str]]:
        """The backends that each node sends new connections to."""
        return [
            frozenset(name for name, weight in self.weights(node).items() if weight)
            for node in NODES
        ]

    def await_traffic(self, *backends: str, timeout_s: float = 60) -> None:
        """Every node sends new connections to *backends* and to no others."""
        wanted = frozenset(backends)
        eventually(lambda: self.with_traffic() == [wanted] * len(NODES), timeout_s)

    def next_hops(self) -> int:
        """How many nodes the router sends the VIP's packets to."""
        asked = ["ip", f"-{self.family}", "route", "show", self.address]
        return self.site.lab.run("router", asked).stdout.count(" via ")

    def patch(self, **changes: object) -> None:
        """The VIP is changed."""
        self.site.tenant.patch(f"/v1/vips/{self.vip['id']}", changes)

    def await_announced(self, nodes: int) -> None:
        """So many nodes announce it, as the router hears."""
        eventually(lambda: self.next_hops() == nodes)

    def await_refused(self) -> None:
        """A client is refused at once."""
        eventually(lambda: self.fetch().error == "ECONNREFUSED")

    def delete(self) -> None:
        """VIP, listener and pool are gone from the API."""
        self.site.tenant.delete(f"/v1/vips/{self.vip['id']}", cascade="true")
        self.site.tenant.delete(f"/v1/pools/{self.pool}")


def _backends(site: Site) -> tuple[Machine, ...]:
    return site.lab.topology.of(Role.BACKEND)


def _mark(site: Site, vip: str) -> int:
    table = site.lab.run("lb1", ["nft", "list", "table", "inet", "lbaas"]).stdout
    (found,) = set(re.findall(rf"{vip} \. tcp \. {PORT} : (0x[0-9a-f]+)", table))
    return int(found, 16)


def _address(machine: Machine, family: int) -> str:
    return str(machine.address4 if family == 4 else machine.address6)
