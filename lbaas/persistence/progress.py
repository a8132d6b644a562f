"""Which VIPs are pending, as one condition of a list: the same that ``GET /v1/vips/{id}/status`` says of one.

Found from what is behind, and not VIP by VIP. What nodes have yet to apply is found by the index of changes by
cluster and revision, and costs what is pending. What hosts have yet to apply costs a look at members: at those of the
tenant whose VIPs are listed, however many hosts there are; for an operator's list of all tenants, at every host's.
"""

from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    any_,
    case,
    func,
    literal_column,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import array

from lbaas.domain.terms import NodeAdminState
from lbaas.persistence.models import BackendHost, Change, Cluster, Listener, Member, Node, Vip
from lbaas.persistence.served import SERVES

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
    # Both say the same. The first finds a host's members by an index, the second a member's host.
    members_of_host = Member.address == any_(BackendHost.addresses)
    host_of_member = BackendHost.addresses.contains(array([Member.address]))
    here = (
        select(Vip.id)
        .join(Listener, SERVES)
        .join(Member, Member.pool_id == Listener.pool_id)
        .join(BackendHost, members_of_host if owner is None else host_of_member)
    )
    if owner is not None:
        here = here.where(Vip.tenant_id == owner, Listener.tenant_id == owner)
    applied = _behind(BackendHost)
    changed = Change.revision > applied
    of_vip = here.join(Change, Change.object_id == Vip.id).where(changed)
    of_pool = here.join(Change, Change.object_id == Listener.pool_id).where(changed)
    return of_vip, of_pool
