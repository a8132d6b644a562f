"""A VIP under test, and how to wait for what the datacentre does by itself."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, pairwise

from lbaas.client.api import Json
from lbaas.lab.messages import Fetched
from lbaas.lab.site import Site
from lbaas.lab.topology import Role

PORT = 80

# How long a connection may take where none may fail: on a busy machine the guest stands still for seconds.
PATIENT_S = 20
CLIENT = "client1"
# From here on a client may choose ports: lower than those that its kernel hands out to others.
OWN_PORTS = 20000

_numbers = count(1)


def eventually(holds: Callable[[], object], timeout_s: float = 60) -> None:
    """*holds* was true at some moment within *timeout_s*; else the test fails."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {holds}"
        time.sleep(0.1)


def wait_programmed(site: Site, vip: Json) -> None:
    """Every node and host holds the VIP's newest change."""
    path = f"/v1/vips/{vip['id']}/status"
    for _ in range(4):
        status = site.tenant.get(path, wait_for="programmed", timeout_s=20)
        if status["programmed"]:
            return
    raise AssertionError(status)


def guard_removals(site: Site, percent: int) -> None:
    """Of a node's services at most *percent* go at once."""
    path = f"/v1/clusters/{site.inventory.cluster}"
    site.admin.patch(path, {"removal_guard_percent": percent})


def settle(site: Site) -> None:
    """Each node has one service for each listener and VIP: nothing that an earlier test deleted is on its way out."""

    def wanted() -> int:
        listeners = site.admin.get("/v1/listeners", limit=1000)["items"]
        return sum(2 if each["dual_vip_id"] else 1 for each in listeners)

    for node in site.lab.topology.of(Role.NODE):
        eventually(lambda node=node.name: services(site, node) == wanted())  # type: ignore[misc]  # bound now


def services(site: Site, node: str) -> int:
    """How many services the node has."""
    return site.lab.run(node, ["ipvsadm", "-Sn"]).stdout.count("-A -f")


def next_hops(site: Site, vip: str) -> frozenset[str]:
    """The addresses that the router sends packets for *vip* to."""
    asked = ["ip", "-6" if ":" in vip else "-4", "route", "show", vip]
    words = site.lab.run("router", asked).stdout.split()
    return frozenset(after for word, after in pairwise(words) if word == "via")


@dataclass(frozen=True)
class Balanced:
    """A VIP with a listener on PORT, tcp and udp, and a pool of all backends."""

    site: Site
    family: int
    vip: Json
    pool: str

    @classmethod
    def create(cls, site: Site, family: int) -> "Balanced":
        """It is programmed on every node and host."""
        self = cls.order(site, family)
        self.wait_programmed()
        return self

    @classmethod
    def order(
        cls,
        site: Site,
        family: int,
        *,
        members: int | None = None,
        pool: Json | None = None,
        vip: Json | None = None,
        listener: Json | None = None,
        protocols: tuple[str, ...] = ("tcp", "udp"),
    ) -> "Balanced":
        """The API has it; nodes and hosts will.

        *members* are of another family than the VIP, if given; *pool*, *vip* and *listener* say what is not
        as usual with them.
        """
        backends = site.lab.topology.of(Role.BACKEND)
        addresses = [
            {"address": str(each.address4 if (members or family) == 4 else each.address6)}
            for each in backends
        ]
        name = f"vip-{next(_numbers)}"
        made = site.tenant.post("/v1/pools", {"name": name, "members": addresses, **(pool or {})})
        body = {
            "name": name,
            **(vip or {}),
            "address_pool_id": str(site.inventory.pools[family]),
            "listeners": [
                {
                    "name": protocol,
                    "protocol": protocol,
                    "pool_id": made["id"],
                    **(listener or {"ports": [{"first": PORT}]}),
                }
                for protocol in protocols
            ],
        }
        return cls(site, family, site.tenant.post("/v1/vips", body), made["id"])

    @property
    def address(self) -> str:
        return str(self.vip["address"])

    @property
    def client(self) -> str:
        """The client's own address, which the backend must see."""
        (machine,) = self.site.lab.topology.of(Role.CLIENT)
        return str(machine.address4 if self.family == 4 else machine.address6)

    def wait_programmed(self) -> None:
        """Every node and host holds the VIP's newest change, and routers hear of it."""
        wait_programmed(self.site, self.vip)
        eventually(lambda: len(self.next_hops()) == self.site.lab.topology.nodes)

    def next_hops(self) -> frozenset[str]:
        """The nodes' addresses that the router sends the VIP's packets to."""
        return next_hops(self.site, self.address)

    def member_on(self, machine: str) -> Json:
        """The member that is on *machine*."""
        (backend,) = [each for each in self.site.lab.topology.machines if each.name == machine]
        addresses = {str(backend.address4), str(backend.address6)}
        members: list[Json] = self.site.tenant.get(self.members)["items"]
        (member,) = [each for each in members if each["address"] in addresses]
        return member

    @property
    def members(self) -> str:
        """The path of the pool's members."""
        return f"/v1/pools/{self.pool}/members"

    @contextmanager
    def drained(self, machine: str) -> Iterator[None]:
        """Meanwhile the member that is on *machine* gets no new flows, as every node knows."""
        path = f"{self.members}/{self.member_on(machine)['id']}"
        self.site.tenant.patch(path, {"admin_state": "drained"})
        self.wait_programmed()
        yield
        self.site.tenant.patch(path, {"admin_state": "active"})
        self.wait_programmed()

    def fetch(self, source_port: int = 0, path: str = "/", timeout_s: float = 3) -> Fetched:
        """One request from the client."""
        return self.site.lab.fetch(
            CLIENT, self.address, PORT, source_port=source_port, path=path, timeout_s=timeout_s
        )

    def delete(self) -> None:
        """VIP, listeners and pool are gone from the API."""
        self.site.tenant.delete(f"/v1/vips/{self.vip['id']}", cascade="true")
        self.site.tenant.delete(f"/v1/pools/{self.pool}")
