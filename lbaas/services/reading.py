"""Objects as the API shows them: one, or a page of them, in one statement."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import joinedload
from sqlalchemy.sql.base import ExecutableOption

from lbaas.persistence import documents, models
from lbaas.services import listing, members, quotas, scope
from lbaas.services.listing import Window
from lbaas.services.work import Work
from lbaas.wire import operators, tenants
from lbaas.wire.fields import Resource

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


async def one(work: Work, kind: type[R], object_id: UUID, *where: ColumnElement[bool]) -> bytes:
    """The object's JSON. Raises NotFound."""
    model = ROWS[kind]
    expression = documents.expression(kind, model)
    if expression is None:
        row = await scope.fetch(work, model, object_id, *where, options=LOADED_TOO.get(kind, ()))
        return shown(work, kind, row).model_dump_json().encode()
    text, version = await scope.document(work, model, object_id, expression, *where)
    work.shown = str(version)
    return text.encode()


async def some(work: Work, kind: type[R], window: Window, **where: Any) -> bytes:
    """The JSON of a page of those objects that *where* asks for: see :func:`listing.conditions`."""
    model = ROWS[kind]
    owner = work.caller.tenant_id or where.get("tenant_id")
    wanted = listing.conditions(model, owner=owner, **where)
    expression = documents.expression(kind, model)
    if expression is None:
        options = LOADED_TOO.get(kind, ())
        objects, following = await scope.page(work, model, window, *wanted, options=options)
        texts = (kind.model_validate(row).model_dump_json() for row in objects)
    else:
        rows, following = await scope.documents(work, model, window, expression, *wanted)
        texts = (row.text for row in rows)
    return page_of(texts, following)


async def pool_members(work: Work, pool_id: UUID, window: Window, **where: Any) -> bytes:
    """The JSON of a page of the pool's members; shows the tag of the whole set. Raises NotFound."""
    kind, model = tenants.Member, models.Member
    wanted = listing.conditions(model, pool_id=pool_id, **where)
    tag = members.tag_of_set(pool_id).label("tag")
    expression = documents.expression(kind, model)
    if expression is None:
        raise documents.Unwritable(kind.__name__)
    rows, following = await scope.documents(work, model, window, expression, *wanted, also=[tag])
    if not rows:  # which says nothing of the pool
        await scope.fetch(work, models.Pool, pool_id)
    work.shown = rows[0].tag if rows else await members.set_tag(work, pool_id)
    return page_of((row.text for row in rows), following)


def page_of(texts: Iterable[str], following: str | None) -> bytes:
    """The JSON of a page, from that of its objects."""
    return f'{{"items":[{",".join(texts)}],"next_cursor":{json.dumps(following)}}}'.encode()


async def tenant(work: Work, row: models.Tenant) -> operators.TenantInUse:
    """The tenant as the answer shows it, with what it owns at this moment."""
    plain = shown(work, operators.Tenant, row).model_dump()
    return operators.TenantInUse(**plain, usage=await quotas.use(work, row.id))
