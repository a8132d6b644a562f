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


async def _fleet(visit: Visit) -> dict[str, list[Json]]:
    """Clusters and nodes, for operators."""
    return {
        "clusters": await visit.api.all("clusters"),
        "nodes": await visit.api.all("nodes", sort="name"),
    }
