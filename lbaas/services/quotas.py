"""How much a tenant may own, and whether it may write at all.

Looked at when everything is written and nothing is committed, from what the request has made: no service can
forget it. Two requests that would together exceed a quota take turns, but only for the moment between
their last write and their commit, and only where there is a quota.
"""

from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, select, text

from lbaas.domain.terms import TenantAdminState
from lbaas.errors import QuotaExceeded, Suspended
from lbaas.persistence.models import Listener, Member, Owned, Pool, Tenant, Vip
from lbaas.services.trail import Action
from lbaas.services.work import Work

COUNTED: Mapping[str, type[Owned]] = {
    "vips": Vip,
    "listeners": Listener,
    "pools": Pool,
    "members": Member,
}
RESOURCES = {model.__tablename__: resource for resource, model in COUNTED.items()}
_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 0))")


async def use(work: Work, tenant_id: UUID) -> dict[str, int]:
    """How many of each the tenant owns."""
    counts = [
        select(func.count()).where(model.tenant_id == tenant_id).scalar_subquery().label(resource)
        for resource, model in COUNTED.items()
    ]
    return dict((await work.session.execute(select(*counts))).mappings().one())


async def check(work: Work) -> None:
    """What the request has written may stay. Raises QuotaExceeded or Suspended."""
    await _may_write(work)
    made: dict[UUID, set[str]] = defaultdict(set)
    for deed in work.trail.deeds():
        if deed.action is Action.CREATE and deed.kind in RESOURCES and deed.tenant_id is not None:
            made[deed.tenant_id].add(RESOURCES[deed.kind])
    for tenant_id, resources in sorted(made.items()):
        tenant = await work.session.get_one(Tenant, tenant_id)
        for resource in sorted(resources & tenant.quotas.keys()):
            await _within(work, tenant, resource, tenant.quotas[resource])


def turn(tenant_id: UUID, resource: str) -> str:
    """What requests that would use up the quota wait for, one after the other."""
    return f"{tenant_id} {resource}"


async def _may_write(work: Work) -> None:
    tenant_id = work.caller.tenant_id
    if tenant_id is None or not work.trail.deeds():
        return
    tenant = await work.session.get_one(Tenant, tenant_id)
    if tenant.admin_state is TenantAdminState.SUSPENDED:
        raise Suspended(
            f"tenant {tenant.name} is suspended: it may read and not write; ask the operator"
        )


async def _within(work: Work, tenant: Tenant, resource: str, limit: int) -> None:
    await work.session.execute(_TAKE_TURNS, {"what": turn(tenant.id, resource)})
    model = COUNTED[resource]
    query = select(func.count()).select_from(model).where(model.tenant_id == tenant.id)
    used = await work.session.scalar(query) or 0
    if used > limit:
        raise QuotaExceeded(
            f"tenant {tenant.name} would have {used} {resource}, and its quota is {limit}: "
            "delete some, or ask the operator",
            extra={"quota": {"resource": resource, "limit": limit, "would_be": used}},
        )
