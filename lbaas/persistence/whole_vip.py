"""One statement that writes a VIP and all that goes with it.

It writes everything or nothing: a number that is not to be had, for the address or the marks, is a null where none
may be, and undoes the rest. It writes nothing, without an error, if what it was prepared from is no longer so.

In the statement's later parts a table's name means the rows that were just written to it, which is what lets
:mod:`lbaas.persistence.documents` show them.
"""

from functools import cache

from pydantic import BaseModel
from sqlalchemy import inspect

from lbaas.persistence import documents, extents
from lbaas.persistence.hot import Statement
from lbaas.persistence.models import (
    CURRENT_REVISION,
    Base,
    Event,
    Listener,
    Member,
    Pool,
    Resource,
    Vip,
)

WRITTEN: tuple[type[Resource], ...] = (Vip, Pool, Member, Listener)

# What Postgres says by itself.
OWN_DEFAULTS = frozenset({"created_at", "updated_at", "version"})

# What was true when the rows were made, and is held so until they are written.
_HELD = """held AS (
  SELECT tenant.id FROM tenant, address_pool
  WHERE tenant.id = :tenant AND tenant.version = :tenant_version
    AND address_pool.id = :address_space AND address_pool.version = :pool_version
    AND (CAST(:key AS bytea) IS NULL OR pg_try_advisory_xact_lock(CAST(:key_number AS bigint)) AND NOT EXISTS (
      SELECT FROM stored_answer WHERE bearer = :bearer AND key_sha256 = :key)){room}
  FOR SHARE OF tenant
)"""
_ROOM = """
    AND coalesce((SELECT count(*) FROM {table} WHERE tenant_id = :tenant) <= CAST(:{table}_room AS bigint), TRUE)"""
# inet and bigint add up to 2^63 at once; a pool of 2^64 addresses needs two steps.
_ADDRESS = """(
    SELECT CAST(:network AS inet) + div(place, 2)::bigint + (place - div(place, 2))::bigint
    FROM (SELECT number - CAST(:network_number AS numeric) AS place FROM address) AS taken)"""
# An event says all that its row holds, but for the id.
_DEEDS = """deed AS (
  SELECT made.* FROM held, jsonb_populate_recordset(NULL::event, :event_rows) AS made
)"""
_INSERT = """{table} AS (
  INSERT INTO {table} ({columns}) SELECT {values}
  FROM deed, jsonb_populate_record(NULL::{table}, deed.after) AS made WHERE deed.kind = '{table}' RETURNING *
)"""
_MARKED = """marked AS (
  INSERT INTO mark (cluster_id, mark, listener_id)
  SELECT :mark_space, (SELECT number FROM mark) + given.place - 1, given.id::uuid
  FROM held, jsonb_array_elements_text(:listeners) WITH ORDINALITY AS given (id, place)
), changed AS (
  INSERT INTO change (cluster_id, kind, object_id, request_id, traceparent)
  SELECT vip.cluster_id, 'vip', vip.id, CAST(:request_id AS text), CAST(:traceparent AS text) FROM vip
)"""
_TOLD = """told AS (
  INSERT INTO event ({columns}) SELECT {values}
  FROM vip, deed AS made
)"""
_ADDRESS_TOLD = """CASE WHEN made.object_id = vip.id
    THEN made.after || jsonb_build_object('address', host(vip.address)) ELSE made.after END"""
_KEPT = """shown AS (
  SELECT {document} AS text, vip.version, {revision} AS revision FROM vip
), kept AS (
  INSERT INTO stored_answer (bearer, key_sha256, request_sha256, status, headers, body, sealed)
  SELECT CAST(:bearer AS text), CAST(:key AS bytea), CAST(:request AS bytea), 201, jsonb_build_object(
      'content-length', octet_length(text)::text, 'content-type', 'application/json',
      'etag', '"' || version || '"', 'lbaas-revision', revision::text
    ), convert_to(text, 'UTF8'), FALSE
  FROM shown WHERE CAST(:key AS bytea) IS NOT NULL
)"""

_WHOLE = "WITH {parts} SELECT text, version, revision FROM shown"


def columns(model: type[Base]) -> list[str]:
    """Those that the rows of *model* are given with."""
    return [
        name
        for name in inspect(model).columns.keys()  # noqa: SIM118 - iterated itself, it gives the columns
        if name not in OWN_DEFAULTS
    ]


@cache
def statement(kind: type[BaseModel], *, limited: bool) -> Statement:
    """It answers ``text``, the *kind* that the API shows, ``version`` and ``revision``.

    *limited*: no more rows may there be than ``:TABLE_room``, before it writes.
    """
    rooms = [_ROOM.format(table=model.__tablename__) for model in WRITTEN if limited]
    document, revision = documents.expression(kind, Vip), CURRENT_REVISION.text
    count = "jsonb_array_length(:listeners)"
    parts = [
        _HELD.format(room="".join(rooms)),
        extents.taking("address", allowed="EXISTS (SELECT FROM held)"),
        extents.taking("mark", count=count, allowed=f"{count} > 0 AND EXISTS (SELECT FROM held)"),
        _DEEDS,
        *(_insert(model) for model in WRITTEN),
        _MARKED,
        _told(),
        _KEPT.format(document=document, revision=revision),
    ]
    return Statement(_WHOLE.format(parts=", ".join(parts)))


def _insert(model: type[Resource]) -> str:
    names = columns(model)
    given = {"id": "deed.object_id"} | ({"address": _ADDRESS} if model is Vip else {})
    values = (given.get(name, f"made.{name}") for name in names)
    table = model.__tablename__
    return _INSERT.format(table=table, columns=", ".join(names), values=", ".join(values))


def _told() -> str:
    names = columns(Event)
    values = (_ADDRESS_TOLD if name == "after" else f"made.{name}" for name in names)
    return _TOLD.format(columns=", ".join(names), values=", ".join(values))
