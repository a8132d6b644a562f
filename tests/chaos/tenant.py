"""A tenant whose orders come one after the other, whatever befalls the server meanwhile."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import UUID

from lbaas.client.api import ApiClient, Json, Retries
from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.chaos.moves import Create, Delete, Order, Serve, Wish

PORT = 80
SETTLED_S = 120

# He asks again until he has an answer: the server is never away for so long.
_PATIENT = Retries(attempts=10_000, patience_s=300)


@dataclass(frozen=True)
class Holding:
    """A VIP as its owner knows it: what the API last said yes to. *weights* are by the members' addresses."""

    vip: UUID
    pool: UUID
    family: int
    address: str
    weights: dict[str, int]


class Tenant:
    """*holdings* are by slot. *meant* is every member that he ever asked for, by the VIP's address."""

    def __init__(self, site: Site) -> None:
        self.holdings: dict[int, Holding] = {}
        self.meant: dict[str, frozenset[str]] = {}
        self._api = ApiClient(site.server.url, site.inventory.tenant_token, retries=_PATIENT)
        self._pools = site.inventory.pools
        self._hosts = site.lab.topology.of(Role.BACKEND)
        self._works = ThreadPoolExecutor(max_workers=1)
        self._done: list[Future[None]] = []

    def order(self, order: Order) -> None:
        """It will be done after all that were ordered before."""
        self._done.append(self._works.submit(self._obey, order))

    def finish(self) -> None:
        """Everything that was ordered was answered. Raises what an order was refused with."""
        for order in self._done:
            order.result(SETTLED_S)

    def listed(self) -> list[Json]:
        """His VIPs, as the API has them."""
        found: list[Json] = self._api.get("/v1/vips", limit=1000)["items"]
        return found

    def await_programmed(self) -> None:
        """Every node and host holds the newest change of all that he has."""
        for holding in self.holdings.values():
            self._api.wait_until_programmed(holding.vip, SETTLED_S)

    def leave(self) -> None:
        """Nothing of his is left."""
        for slot in tuple(self.holdings):
            self._delete(Delete(slot))
        self._works.shutdown()
        self._api.close()

    def _obey(self, order: Order) -> None:
        match order:
            case Create() if order.slot not in self.holdings:
                self._create(order)
            case Serve() if order.slot in self.holdings:
                self._serve(order)
            case Delete() if order.slot in self.holdings:
                self._delete(order)

    def _create(self, order: Create) -> None:
        pool = {
            "name": f"chaos-{order.slot}",
            "members": self._members(order.members, order.family),
            "drain_deadline_s": 3600,
        }
        vip = self._api.post(
            "/v1/vips",
            {
                "name": f"chaos-{order.slot}",
                "address_pool_id": str(self._pools[order.family]),
                "listeners": [
                    {"name": "web", "protocol": "tcp", "ports": [{"first": PORT}], "pool": pool}
                ],
            },
        )
        weights = self._weights(order.members, order.family)
        self._mean(vip["address"], weights)
        self.holdings[order.slot] = Holding(
            UUID(vip["id"]),
            UUID(vip["listeners"][0]["pool_id"]),
            order.family,
            vip["address"],
            weights,
        )

    def _serve(self, order: Serve) -> None:
        holding = self.holdings[order.slot]
        weights = self._weights(order.members, holding.family)
        self._mean(holding.address, weights)
        self._api.members(holding.pool).replace(self._members(order.members, holding.family))
        self.holdings[order.slot] = replace(holding, weights=weights)

    def _delete(self, order: Delete) -> None:
        holding = self.holdings.pop(order.slot)
        self._api.delete(f"/v1/vips/{holding.vip}", cascade="true")
        if self._api.pools.named(f"chaos-{order.slot}") is not None:
            self._api.delete(f"/v1/pools/{holding.pool}")

    def _mean(self, vip: str, weights: dict[str, int]) -> None:
        self.meant[vip] = self.meant.get(vip, frozenset()) | weights.keys()

    def _address(self, backend: int, family: int) -> str:
        host = self._hosts[backend]
        return str(host.address4 if family == 4 else host.address6)

    def _members(self, wishes: tuple[Wish, ...], family: int) -> list[Json]:
        return [
            {
                "address": self._address(wish.backend, family),
                "weight": wish.weight,
                "admin_state": "drained" if wish.drained else "active",
            }
            for wish in wishes
        ]

    def _weights(self, wishes: tuple[Wish, ...], family: int) -> dict[str, int]:
        return {
            self._address(wish.backend, family): 0 if wish.drained else wish.weight
            for wish in wishes
        }
