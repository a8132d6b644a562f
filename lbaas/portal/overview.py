"""The first page, and the trail of who did what."""

from typing import Any

from starlette.responses import Response

from lbaas.client.api import ApiProblem
from lbaas.portal import pages
from lbaas.portal.faults import Faults, sorted_out
from lbaas.portal.gateway import Json, together
from lbaas.portal.vips import tenant_names
from lbaas.portal.visits import Visit

RECENT = 6
# Before the first VIP: what an operator makes, in this order, and where.
STEPS = (
    ("clusters", "a cluster", "clusters/new"),
    ("nodes", "a node in it, and its token", "nodes/new"),
    ("peers", "the routers that it announces to", "peers/new"),
    ("address-pools", "a pool of addresses", "address-pools/new"),
    ("backend-hosts", "a backend host, and its token", "backend-hosts/new"),
    ("tenants", "a tenant, and its token", "tenants/new"),
    ("vips", "its first VIP", "vips/new"),
)
NO_FLEET: dict[str, list[Json]] = {"clusters": [], "nodes": []}
PER_PAGE = 50
FILTERS = ("kind", "action", "object_id")


async def show(visit: Visit) -> Response:
    """What the visitor has, how it is, and what happened last."""
    vips, events = await together(
        visit.api.get("vips", limit=RECENT, sort="-created_at"),
        visit.api.get("events", limit=RECENT, sort="-created_at"),
    )
    statuses = await together(*(visit.api.get(f"vips/{vip['id']}/status") for vip in vips["items"]))
    fleet: dict[str, Any] = await _fleet(visit) if visit.operator else NO_FLEET
    return pages.show(
        visit,
        "overview.html",
        vips=list(zip(vips["items"], statuses, strict=True)),
        events=events["items"],
        steps=await _first_steps(visit) if visit.operator and not vips["items"] else [],
        tenant=None if visit.operator else await visit.api.get("tenant"),
        **fleet,
    )


async def events(visit: Visit) -> Response:
    """Events, newest first, filtered."""
    filters = {name: visit.asked(name) for name in FILTERS}
    faults, page = Faults(), Json(items=[], next_cursor=None)
    try:
        page = await visit.api.get(
            "events", limit=PER_PAGE, sort="-created_at", cursor=visit.asked("cursor"), **filters
        )
    except ApiProblem as error:
        faults = sorted_out(error, lambda where: where.removeprefix("?"))
    return pages.show(
        visit,
        "events.html",
        422 if faults else 200,
        events=page["items"],
        following=page["next_cursor"],
        filters=filters,
        faults=faults,
        tenants=await tenant_names(visit),
    )


async def _first_steps(visit: Visit) -> list[Json]:
    """What there has to be before a VIP can serve, and whether it is there."""
    found = await together(*(visit.api.get(kind, limit=1) for kind, _, _ in STEPS))
    return [
        {"done": bool(page["items"]), "what": what, "path": path}
        for page, (_, what, path) in zip(found, STEPS, strict=True)
    ]


async def _fleet(visit: Visit) -> dict[str, list[Json]]:
    """Clusters and nodes, for operators."""
    return {
        "clusters": await visit.api.all("clusters"),
        "nodes": await visit.api.all("nodes", sort="name"),
    }
