"""Objects as the API shows them: one, or a page of them."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from lbaas.persistence import models
from lbaas.services import listing, quotas, scope
from lbaas.services.listing import Window
from lbaas.services.work import Work
from lbaas.wire import operators, tenants
from lbaas.wire.fields import Page, Resource

R = TypeVar("R", bound=Resource)

ROWS: Mapping[type[Resource], type[models.Resource]] = {
    operators.Tenant: models.Tenant,
    operators.Token: models.Token,
    operators.Cluster: models.Cluster,
    operators.Node: models.Node,
    operators.Peer: models.Peer,
    operators.AddressPool: models.AddressPool,
    operators.BackendHost: models.BackendHost,
    tenants.Vip: models.Vip,
    tenants.Listener: models.Listener,
    tenants.Pool: models.Pool,
    tenants.Member: models.Member,
}
LOADED_TOO: Mapping[type[Resource], tuple[ExecutableOption, ...]] = {
    tenants.Vip: (joinedload(models.Vip.listeners),),
}


def shown(work: Work, kind: type[R], row: models.Resource) -> R:
    """The object as the answer shows it; its version becomes the answer's ETag."""
    work.shown = str(row.version)
    return kind.model_validate(row)


async def one(work: Work, kind: type[R], object_id: UUID) -> R:
    """The object. Raises NotFound."""
    row = await scope.fetch(work, ROWS[kind], object_id, options=LOADED_TOO.get(kind, ()))
    return shown(work, kind, row)


async def some(work: Work, kind: type[R], window: Window, **where: Any) -> Page[R]:
    """A page of those objects that *where* asks for: see :func:`lbaas.services.listing.conditions`."""
    model = ROWS[kind]
    rows, following = await scope.page(
        work,
        model,
        window,
        *listing.conditions(model, **where),
        options=LOADED_TOO.get(kind, ()),
    )
    return Page[R](items=[kind.model_validate(row) for row in rows], next_cursor=following)


async def tenant(work: Work, row: models.Tenant) -> operators.TenantInUse:
    """The tenant as the answer shows it, with what it owns at this moment."""
    plain = shown(work, operators.Tenant, row).model_dump()
    return operators.TenantInUse(**plain, usage=await quotas.use(work, row.id))
