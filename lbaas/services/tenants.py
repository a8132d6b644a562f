"""Tenants, and where their members may live."""

from uuid import UUID

from sqlalchemy import select

from lbaas.domain.addresses import Prefix
from lbaas.errors import FieldProblem, Forbidden, InUse, Invalid
from lbaas.persistence.models import Member, Pool, Tenant, Vip
from lbaas.services import rules
from lbaas.services.scope import Lock, change, fetch, referred, users
from lbaas.services.work import ALL, Work
from lbaas.wire import operators as wire


async def create(work: Work, body: wire.TenantCreate) -> Tenant:
    """A new tenant without anything of its own."""
    tenant = Tenant(
        name=body.name,
        backend_prefixes=list(body.backend_prefixes),
        quotas=body.quotas.limits(),
        admin_state=body.admin_state,
    )
    work.session.add(tenant)
    await work.session.flush()
    return tenant


async def patch(work: Work, tenant_id: UUID, body: wire.TenantPatch) -> Tenant:
    """The tenant is as *body* says. Raises InUse if a member would live outside its prefixes.

    Suspended: its VIPs are withdrawn and kept, and come back with all that is theirs when it is active again.
    """
    tenant = await fetch(work, Tenant, tenant_id, lock=Lock.CHANGE)
    if body.backend_prefixes is not None:
        await _members_fit(work, tenant, body.backend_prefixes)
    changes = body.changes()
    if body.quotas is not None:
        changes["quotas"] = body.quotas.limits()
    resumed_or_suspended = body.admin_state not in (None, tenant.admin_state)
    change(tenant, changes)
    await work.session.flush()
    if resumed_or_suspended:
        await work.tenant_changed(tenant_id)
    return tenant


async def delete(work: Work, tenant_id: UUID) -> None:
    """The tenant and its tokens are gone. Raises InUse if it owns a VIP or a pool."""
    tenant = await fetch(work, Tenant, tenant_id, lock=Lock.CHANGE)
    owned = [
        row
        for model in (Vip, Pool)
        for row in await work.session.scalars(
            select(model).where(model.tenant_id == tenant_id).limit(100)
        )
    ]
    if owned:
        raise InUse(f"tenant {tenant.name} owns objects", extra={"used_by": users(owned)})
    await work.session.delete(tenant)
    await work.revoke(ALL)


async def get(work: Work, tenant_id: UUID) -> Tenant:
    """The tenant. Raises NotFound."""
    return await fetch(work, Tenant, tenant_id)


def own(work: Work) -> UUID:
    """The caller's tenant. Raises Forbidden if he has none."""
    if work.caller.tenant_id is None:
        raise Forbidden("the token is of no tenant: see /v1/tenants")
    return work.caller.tenant_id


async def owner(work: Work, wanted: UUID | None) -> Tenant:
    """Whose a new object becomes: the caller's tenant, or the one that an operator names.

    The row is held, so that its prefixes stay as they are until the transaction ends.
    """
    mine = work.caller.tenant_id
    if mine is None and wanted is None:
        raise _tenant_problem("an operator says whose it becomes")
    if mine is not None and wanted not in (None, mine):
        raise _tenant_problem("a tenant's token makes objects of that tenant only: leave it out")
    if mine is None and wanted is not None:
        tenant = await referred(work, Tenant, wanted, "/tenant_id", lock=Lock.SHARE)
        work.keep(tenant)
        return tenant
    return await hold(work, mine)


async def hold(work: Work, tenant_id: UUID | None) -> Tenant:
    """The tenant's row, which stays as it is until the transaction ends."""
    query = select(Tenant).where(Tenant.id == tenant_id).with_for_update(read=True)
    tenant = (await work.session.scalars(query)).one()
    work.keep(tenant)
    return tenant


async def _members_fit(work: Work, tenant: Tenant, prefixes: tuple[Prefix, ...]) -> None:
    members = await work.session.scalars(select(Member).where(Member.tenant_id == tenant.id))
    out = [member for member in members if rules.outside(member.address, prefixes)]
    if out:
        raise InUse(
            f"{len(out)} members of the tenant live outside the new prefixes",
            extra={"used_by": users(out[:100])},
        )


def _tenant_problem(detail: str) -> Invalid:
    return Invalid(detail, problems=[FieldProblem(pointer="/tenant_id", detail=detail)])
