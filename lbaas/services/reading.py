"""Objects as the API shows them: one, or a page of them."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import selectinload
from sqlalchemy.sql.base import ExecutableOption

from lbaas.persistence import models
from lbaas.services import scope
from lbaas.services.work import Work
from lbaas.wire import resources as wire

R = TypeVar("R", bound=wire.Resource)

ROWS: Mapping[type[wire.Resource], type[models.Resource]] = {
    wire.Tenant: models.Tenant,
    wire.Token: models.Token,
    wire.Cluster: models.Cluster,
    wire.Node: models.Node,
    wire.Peer: models.Peer,
    wire.AddressPool: models.AddressPool,
    wire.BackendHost: models.BackendHost,
    wire.Vip: models.Vip,
    wire.Listener: models.Listener,
    wire.Pool: models.Pool,
    wire.Member: models.Member,
}
LOADED_TOO: Mapping[type[wire.Resource], tuple[ExecutableOption, ...]] = {
    wire.Vip: (selectinload(models.Vip.listeners),),
}


async def one(work: Work, shown: type[R], object_id: UUID) -> R:
    """The object. Raises NotFound."""
    row = await scope.fetch(work, ROWS[shown], object_id, options=LOADED_TOO.get(shown, ()))
    return shown.model_validate(row)


async def some(
    work: Work, shown: type[R], limit: int, cursor: str | None, **where: Any
) -> wire.Page[R]:
    """A page of those objects whose columns have the values *where* gives; None asks for no value."""
    model = ROWS[shown]
    conditions = [
        getattr(model, name) == value for name, value in where.items() if value is not None
    ]
    rows, following = await scope.page(
        work, model, limit, cursor, *conditions, options=LOADED_TOO.get(shown, ())
    )
    return wire.Page[R](items=[shown.model_validate(row) for row in rows], next_cursor=following)
