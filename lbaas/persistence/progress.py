"""Which VIPs are pending, as one condition of a list: the same that ``GET /v1/vips/{id}/status`` says of one.

Found from what is behind, and not VIP by VIP, so that it costs what is pending. What nodes have yet to apply is found
by the index of changes by cluster and revision. Of backend hosts, nearly all have all but the newest changes: for
those the newest changes are looked at, and whose they are; for the few that are further behind, their members.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    TableValuedAlias,
    Uuid,
    any_,
    case,
    column,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    union,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.sql.selectable import LateralFromClause

from lbaas.domain.terms import NodeAdminState
from lbaas.persistence.models import BackendHost, Change, Cluster, Listener, Member, Node, Vip
from lbaas.persistence.served import SERVES

# So many of the newest changes are looked at by themselves: more than come while a host sleeps, few to look through.
RECENT = 1_000
NEWEST = Change.revision.desc()
_EVERYTHING = literal_column("-1", Change.revision.type)  # below every revision


def is_pending(owner: UUID | None) -> ColumnElement[bool]:
    """Some active node of the VIP's cluster, or some host of its members, has yet to apply its newest change.

    Only VIPs of *owner* are asked about, if there is one.
    """
    return Vip.id.in_(_pending(owner))


def _pending(owner: UUID | None) -> CompoundSelect[UUID]:
    return union(
        *_changed_since(_confirmed_by_nodes()), _on_nodes_that_fail(), *_on_hosts_that_lag(owner)
    )


def _behind(node: type[Node] | type[BackendHost]) -> ColumnElement[int]:
    """What the agent has applied; nothing, if a step of it failed."""
    failed = func.jsonb_array_length(node.failures) > 0
    return case((failed, _EVERYTHING), else_=func.coalesce(node.applied_revision, _EVERYTHING))


def _confirmed_by_nodes() -> Select[UUID, int]:
    """By cluster, what all its active nodes have; nothing if there is none."""
    active = (Node.cluster_id == Cluster.id) & (Node.admin_state == NodeAdminState.ACTIVE)
    least = func.coalesce(func.min(_behind(Node)), _EVERYTHING)
    return (
        select(Cluster.id.label("cluster_id"), least.label("revision"))
        .outerjoin(Node, active)
        .group_by(Cluster.id)
    )


def _changed_since(confirmed: Select[UUID, int]) -> tuple[Select[UUID], Select[UUID]]:
    """The VIPs that changed themselves, and those whose pools did."""
    floor = confirmed.subquery()
    newer = (Change.cluster_id == floor.c.cluster_id) & (Change.revision > floor.c.revision)
    behind = floor.c.revision >= 0
    itself = select(Change.object_id).join(floor, newer).where(behind, Change.kind == "vip")
    by_pool = (
        select(Vip.id)
        .join(Listener, SERVES)
        .join(Change, Change.object_id == Listener.pool_id)
        .join(floor, newer)
        .where(behind, Change.kind == "pool")
    )
    return itself, by_pool


def _on_nodes_that_fail() -> Select[UUID]:
    floor = _confirmed_by_nodes().subquery()
    query = select(Vip.id).join(floor, floor.c.cluster_id == Vip.cluster_id)
    return query.where(floor.c.revision < 0)


def _on_hosts_that_lag(owner: UUID | None) -> tuple[Select[UUID], Select[UUID]]:
    """VIPs with a member on a host that has less than the VIP's newest change, or the pool's."""
    return _changed_lately(owner), _on_hosts_far_behind(owner)


def _changed_lately(owner: UUID | None) -> Select[UUID]:
    """VIPs of which one of the newest changes is not yet on a host of theirs."""
    newest = select(Change.object_id, Change.revision).order_by(NEWEST).limit(RECENT).subquery()
    changed, revision = newest.c.object_id, func.max(newest.c.revision).label("revision")
    recent = select(changed, revision).group_by(changed).subquery()
    vip = _vip_of_listener()
    at = recent.c.object_id
    whose = or_(Listener.pool_id == at, Listener.vip_id == at, Listener.dual_vip_id == at)
    host_of_member = BackendHost.addresses.contains(array([Member.address]))
    concerned = _one_by_one(
        select(vip.c.id)
        .join_from(Listener, vip, true())
        .join(Member, Member.pool_id == Listener.pool_id)
        .join(BackendHost, host_of_member)
        .where(whose, at.in_([vip.c.id, Listener.pool_id]), _owned(owner))
        .where(_behind(BackendHost) < recent.c.revision)
    )
    return select(concerned.c.id).join_from(recent, concerned, true())


def _on_hosts_far_behind(owner: UUID | None) -> Select[UUID]:
    """VIPs with a change that a host of theirs has not, where it has not even what came before the newest."""
    before = select(Change.revision).order_by(NEWEST).offset(RECENT).limit(1).scalar_subquery()
    applied = _behind(BackendHost)
    vip = _vip_of_listener()
    served = _one_by_one(
        select(vip.c.id, Listener.pool_id)
        .join_from(Member, Listener, Listener.pool_id == Member.pool_id)
        .join(vip, true())
        .where(Member.address == any_(BackendHost.addresses), _owned(owner))
    )
    mine = Change.object_id == any_(array([served.c.id, served.c.pool_id]))
    return (
        select(served.c.id)
        .join_from(BackendHost, served, true())
        .where(applied <= func.coalesce(before, _EVERYTHING))
        .where(exists().where(mine, Change.revision > applied))
    )


def _vip_of_listener() -> TableValuedAlias:
    """Both of its VIPs, where it has two."""
    both = func.array_remove(array([Listener.vip_id, Listener.dual_vip_id]), None)
    return func.unnest(both).table_valued(column("id", Uuid)).render_derived()


def _owned(owner: UUID | None) -> ColumnElement[bool]:
    return true() if owner is None else Listener.tenant_id == owner


def _one_by_one(query: Select[Any]) -> LateralFromClause:
    """What *query* says of each row that it refers to, by indexes: Postgres can't tell that those rows are few."""
    return query.offset(0).lateral()
