"""The one path by which a request reads rows: what the caller may not see does not exist for him."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Text, literal_column, select
from sqlalchemy.sql.base import ExecutableOption

from lbaas.domain.terms import Role
from lbaas.errors import FieldProblem, Forbidden, Invalid, NotFound
from lbaas.persistence.models import Event, Identified, Owned, Resource, Tenant
from lbaas.services.listing import Window
from lbaas.services.trail import label
from lbaas.services.work import Caller, Work

M = TypeVar("M", bound=Resource)
L = TypeVar("L", bound=Identified)


class Lock(Enum):
    """How a row is held until the transaction ends, weakest first."""

    NONE = "none"
    SHARE = "share"  # it stays as it is; others may share
    CHANGE = "change"  # it is ours to change


def visible(caller: Caller, model: type[L]) -> Select[L]:
    """The rows of *model* that exist for *caller*."""
    query = select(model)
    if caller.role is Role.ADMIN:
        return query
    if model is Tenant and caller.tenant_id is not None:
        return query.where(model.id == caller.tenant_id)
    if caller.tenant_id is None or not issubclass(model, Owned | Event):
        raise Forbidden(f"a token of role {caller.role} may not see this")
    return query.where(model.tenant_id == caller.tenant_id)


async def fetch(
    work: Work,
    model: type[M],
    object_id: UUID,
    *where: ColumnElement[bool],
    options: Sequence[ExecutableOption] = (),
    lock: Lock = Lock.NONE,
) -> M:
    """The row, held by *lock*. Raises NotFound, alike for no such object and for another tenant's."""
    query = visible(work.caller, model).where(model.id == object_id, *where).options(*options)
    if lock is not Lock.NONE:
        share = lock is Lock.SHARE
        query = query.with_for_update(read=share, key_share=not share, of=model)
    query = query.execution_options(populate_existing=True)
    found = (await work.session.scalars(query)).unique().one_or_none()
    if found is None:
        raise _absent(model, object_id)
    expected = work.precondition
    if lock is Lock.CHANGE and expected is not None and expected.object_id == object_id:
        expected.check(found.version)
    return found


async def document(
    work: Work, model: type[M], object_id: UUID, expression: str, *where: ColumnElement[bool]
) -> Row[str, int]:
    """What *expression* says of the row, and the row's version. Raises NotFound as :func:`fetch` does."""
    query = visible(work.caller, model).where(model.id == object_id, *where)
    said = query.with_only_columns(literal_column(expression, Text()), model.version)
    found: Row[str, int] | None = (await work.session.execute(said)).one_or_none()
    if found is None:
        raise _absent(model, object_id)
    return found


async def referred(
    work: Work, model: type[M], object_id: UUID, pointer: str, *, lock: Lock = Lock.NONE
) -> M:
    """As :func:`fetch`, for an id in the request's body at *pointer*: raises Invalid."""
    try:
        return await fetch(work, model, object_id, lock=lock)
    except NotFound as error:
        raise Invalid(
            error.detail, problems=[FieldProblem(pointer=pointer, detail=error.detail)]
        ) from error


async def page(
    work: Work,
    model: type[L],
    window: Window,
    *where: ColumnElement[bool],
    options: Sequence[ExecutableOption] = (),
) -> tuple[list[L], str | None]:
    """The rows of the page that *window* asks for, and the cursor of the page after them."""
    query = visible(work.caller, model).where(*where).options(*options)
    return window.cut(list((await work.session.scalars(window.over(query, model))).unique()))


async def documents(
    work: Work,
    model: type[L],
    window: Window,
    expression: str,
    *where: ColumnElement[bool],
    also: Sequence[ColumnElement[Any]] = (),
) -> tuple[list[Row[Any]], str | None]:
    """As :func:`page`, but of each row only what *expression* says of it, as ``text``, and *also*."""
    said = literal_column(expression, Text()).label("text")
    query = window.over(visible(work.caller, model).where(*where), model)
    columns = query.with_only_columns(said, *window.key(model), *also)
    return window.cut(list((await work.session.execute(columns)).all()))


def _absent(model: type[Resource], object_id: UUID) -> NotFound:
    return NotFound(f"there is no {kind(model)} {object_id}")


def change(row: Resource, changes: Mapping[str, Any]) -> None:
    """*row* has the values of *changes*."""
    for name, value in changes.items():
        setattr(row, name, list(value) if isinstance(value, tuple) else value)


def kind(model: type[Resource]) -> str:
    """What a person calls an object of *model*."""
    return str(model.__tablename__).replace("_", " ")


def users(rows: Sequence[Resource]) -> list[dict[str, str]]:
    """What a refusal lists under ``used_by``."""
    return [{"kind": kind(type(row)), "id": str(row.id), "name": label(row)} for row in rows]
