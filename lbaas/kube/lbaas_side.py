"""lbaas, read and changed for one Service at a time."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from lbaas.client.asynchronous import AsyncApiClient
from lbaas.client.problems import NotFound
from lbaas.domain.addresses import Address
from lbaas.domain.terms import MemberAdminState
from lbaas.kube.desired import Owner, WantedMember, of_cluster, owner_of
from lbaas.kube.held import Held, held_listeners, held_pool, held_vip
from lbaas.kube.plan import (
    CreateListener,
    CreatePool,
    CreateVip,
    Delete,
    PatchListener,
    PatchPool,
    PatchVip,
    SetMembers,
    Step,
)
from lbaas.kube.records import Key


async def observe(api: AsyncApiClient, owner: Owner) -> Held:
    """All that is labelled as *owner*'s."""
    vips = [vip async for vip in api.vips.list(labels=owner.selector)]
    pools = [pool async for pool in api.pools.list(labels=owner.selector)]
    return Held(
        tuple(held_vip(vip) for vip in vips),
        held_listeners(vips),
        tuple([held_pool(pool, *await api.members(pool).tagged()) for pool in pools]),
    )


async def owners(api: AsyncApiClient, cluster: str) -> frozenset[Key]:
    """The Services that anything in lbaas is labelled with."""
    found = [each.labels async for each in api.vips.list(labels=of_cluster(cluster), limit=1000)]
    found += [each.labels async for each in api.pools.list(labels=of_cluster(cluster), limit=1000)]
    named = (owner_of(cluster, labels) for labels in found)
    return frozenset(owner.key for owner in named if owner is not None)


class Application:
    """Carries out a plan. *vips* by family and *pool* are those that the plan goes on with or has made."""

    def __init__(
        self, api: AsyncApiClient, owner: Owner, vips: Mapping[int, UUID], pool: UUID | None
    ) -> None:
        self._api = api
        self._owner = owner
        self.vips = dict(vips)
        self._pool = pool
        self.addresses: dict[int, Address] = {}

    async def carry_out(self, steps: Sequence[Step]) -> None:
        """All is done. Raises ApiProblem or ServerUnavailable at the first step that was not."""
        for step in steps:
            await self._do(step)

    async def _do(self, step: Step) -> None:
        match step:
            case CreatePool():
                await self._create_pool(step)
            case PatchPool():
                await self._api.pools.patch(str(step.id), dict(step.changes))
            case SetMembers():
                members = self._api.members(str(step.pool))
                await members.replace(_bodies(step.members), step.tag)
            case CreateVip():
                await self._create_vip(step)
            case PatchVip():
                await self._api.vips.patch(str(step.id), dict(step.changes))
            case CreateListener():
                body = {
                    "name": str(step.protocol),
                    "protocol": step.protocol,
                    **self._listener(step),
                }
                primary = str(self.vips[step.families[0]])
                await self._api.listeners.create({"vip_id": primary, **body})
            case PatchListener():
                await self._api.listeners.patch(str(step.id), self._listener(step))
            case Delete():
                await self._delete(step)

    async def _create_pool(self, step: CreatePool) -> None:
        body = {"name": self._owner.name(), "labels": self._owner.labels, **step.settings}
        made = await self._api.pools.create({**body, "members": _bodies(step.members)})
        self._pool = made.id

    async def _create_vip(self, step: CreateVip) -> None:
        vip = step.vip
        body: dict[str, Any] = {
            "name": vip.name,
            "family": vip.family,
            "labels": self._owner.labels,
        }
        if vip.address is not None:
            body["address"] = str(vip.address)
        if vip.address_pool is not None:
            body["address_pool_id"] = vip.address_pool
        made = await self._api.vips.create({**body, **vip.settings})
        self.vips[vip.family] = made.id
        self.addresses[vip.family] = made.address

    def _listener(self, step: CreateListener | PatchListener) -> dict[str, Any]:
        dual = str(self.vips[step.families[1]]) if len(step.families) > 1 else None
        ports = [{"first": port} for port in step.ports]
        return {"ports": ports, "dual_vip_id": dual, "pool_id": str(self._pool)}

    async def _delete(self, step: Delete) -> None:
        collections = {
            "vips": self._api.vips,
            "pools": self._api.pools,
            "listeners": self._api.listeners,
        }
        try:
            await collections[step.kind].delete(str(step.id))  # type: ignore[attr-defined]  # mypy joins the three to object
        except NotFound:
            return  # another controller was first


def _bodies(members: Mapping[Address, WantedMember]) -> list[dict[str, Any]]:
    return [
        {
            "address": str(address),
            "weight": member.weight,
            "admin_state": MemberAdminState.DRAINED if member.drained else MemberAdminState.ACTIVE,
            "node": member.node,
        }
        for address, member in members.items()
    ]
