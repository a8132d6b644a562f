"""The pages of VIPs and their listeners."""

import asyncio
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from starlette.responses import Response

from lbaas.client.api import ApiProblem
from lbaas.portal import pages
from lbaas.portal.faults import Faults, sorted_out
from lbaas.portal.gateway import Json, together
from lbaas.portal.plots import PERIODS, plots
from lbaas.portal.typed import labels, number_or_none, ports, words
from lbaas.portal.visits import Form, Visit, form, see
from lbaas.portal.way import lines, way

PER_PAGE = 20
MEMBERS_SHOWN = 200
EVENTS_SHOWN = 8
TWINS_SHOWN = 200
FILTERS = ("name", "labels", "address", "status", "tenant_id")


async def index(visit: Visit) -> Response:
    """The VIPs, filtered, each with how far it has come. A filter that the API refuses says so beside itself."""
    filters = {name: visit.asked(name) for name in FILTERS}
    faults, page = Faults(), Json(items=[], next_cursor=None)
    try:
        page = await visit.api.get(
            "vips", limit=PER_PAGE, sort="-created_at", cursor=visit.asked("cursor"), **filters
        )
    except ApiProblem as error:
        faults = sorted_out(error, lambda where: where.removeprefix("?"))
    statuses = await together(*(_status(visit, vip["id"]) for vip in page["items"]))
    return pages.show(
        visit,
        "vips.html",
        422 if faults else 200,
        vips=list(zip(page["items"], statuses, strict=True)),
        following=page["next_cursor"],
        filters=filters,
        faults=faults,
        tenants=await tenant_names(visit),
    )


async def show(visit: Visit) -> Response:
    """One VIP: its way drawn, its listeners, what happened to it."""
    return await _page(visit, Form(), Faults())


async def usage(visit: Visit) -> Response:
    """The plots of a VIP's traffic alone, to be put into its page again."""
    return pages.show(visit, "usage.html", **await _usage(visit))


async def add_listener(visit: Visit) -> Response:
    """The VIP has one listener more; or the form is shown again, with what is wrong."""
    given = await form(visit.request)
    body = {
        "vip_id": visit.named("vip_id"),
        "name": given.get("name", ""),
        "protocol": given.get("protocol", ""),
        **ports(given.get("ports", "")),
        "pool_id": given.get("pool_id", ""),
        "dual_vip_id": given.get("dual_vip_id") or None,
    }
    try:
        await visit.api.post("listeners", body, key=given.get("key") or None)
    except ApiProblem as error:
        return await _page(visit, given, sorted_out(error, _listener_field))
    return see(f"/portal/vips/{visit.named('vip_id')}")


async def change(visit: Visit) -> Response:
    """The VIP is as the form of its settings says."""
    given = await form(visit.request)
    body = {
        "name": given.get("name", ""),
        "labels": labels(given.get("labels", "")),
        "allowed_sources": words(given.get("allowed_sources", "")),
        "new_connections_per_source": number_or_none(given.get("new_connections_per_source", "")),
        "when_no_backend": given.get("when_no_backend", ""),
    }
    try:
        await visit.api.patch(f"vips/{visit.named('vip_id')}", body)
    except ApiProblem as error:
        faults = sorted_out(error, lambda where: f"vip-{where.split('/')[1]}")
        return await _page(visit, given, faults)
    return see(f"/portal/vips/{visit.named('vip_id')}")


async def remove_listener(visit: Visit) -> Response:
    """The listener is gone; its pool stays."""
    await visit.api.delete(f"listeners/{visit.named('listener_id')}")
    return see(f"/portal/vips/{visit.named('vip_id')}")


async def ask_removal(visit: Visit) -> Response:
    """What would go, before anything does."""
    vip, plan = await together(
        visit.api.get(f"vips/{visit.named('vip_id')}"),
        visit.api.delete(f"vips/{visit.named('vip_id')}", cascade="true", dry_run="true"),
    )
    return pages.show(visit, "vip-removal.html", vip=vip, plan=plan)


async def remove(visit: Visit) -> Response:
    """The VIP and its listeners are gone."""
    await visit.api.delete(f"vips/{visit.named('vip_id')}", cascade="true")
    return see("/portal/vips")


async def tenant_names(visit: Visit) -> dict[str, str]:
    """Tenants' names by id, for operators."""
    if not visit.operator:
        return {}
    return {tenant["id"]: tenant["name"] for tenant in await visit.api.all("tenants")}


async def _page(visit: Visit, given: Form, faults: Faults) -> Response:
    vip_id = visit.named("vip_id")
    vip, status, events = await together(
        visit.api.get(f"vips/{vip_id}"),
        visit.api.get(f"vips/{vip_id}/status"),
        visit.api.get("events", object_id=vip_id, limit=EVENTS_SHOWN, sort="-created_at"),
    )
    pools = await _pools(visit, vip)
    peers = await _peers(visit, vip["cluster_id"])
    drawn = way(status, [(pool, members["items"]) for pool, members in pools.values()], peers)
    return pages.show(
        visit,
        "vip.html",
        422 if faults else 200,
        vip=vip,
        status=status,
        events=events["items"],
        pools=pools,
        way=drawn,
        lines=lines,
        given=given,
        faults=faults,
        choices=await visit.api.all("pools", tenant_id=vip["tenant_id"]),
        twins=await _twins(visit, vip),
        **await _usage(visit),
    )


async def _status(visit: Visit, vip_id: str) -> Json | None:
    """The VIP's status; None if the VIP went meanwhile."""
    try:
        return await visit.api.get(f"vips/{vip_id}/status")
    except ApiProblem:
        return None


async def _pools(visit: Visit, vip: Json) -> dict[str, tuple[Json, Json]]:
    """The pools of the VIP's listeners by id, each with a page of its members."""
    ids = list(dict.fromkeys(listener["pool_id"] for listener in vip["listeners"]))
    pools, members = await asyncio.gather(
        together(*(visit.api.get(f"pools/{each}") for each in ids)),
        together(*(visit.api.get(f"pools/{each}/members", limit=MEMBERS_SHOWN) for each in ids)),
    )
    return dict(zip(ids, zip(pools, members, strict=True), strict=True))


async def _usage(visit: Visit) -> dict[str, Any]:
    """What was counted of the VIP, drawn."""
    period = PERIODS.get(visit.asked("period"), PERIODS["day"])
    now = datetime.now(UTC)
    counted = await visit.api.all(
        "usage",
        **{"vip_id": visit.named("vip_id"), "from": period.begins(now).isoformat()},
        granularity=period.granularity,
        group_by="direction",
    )
    return {
        "vip_id": visit.named("vip_id"),
        "period": period,
        "periods": PERIODS.values(),
        "plots": plots(counted, period, now),
    }


async def _twins(visit: Visit, vip: Json) -> dict[str, Json]:
    """By id, the tenant's VIPs of the other family in the cluster: a listener may serve one of them as well."""
    page = await visit.api.get("vips", tenant_id=vip["tenant_id"], limit=TWINS_SHOWN, sort="name")
    found = [
        one
        for one in page["items"]
        if one["cluster_id"] == vip["cluster_id"] and _family(one) != _family(vip)
    ]
    return {one["id"]: one for one in found}


def _family(vip: Json) -> int:
    return ip_address(vip["address"]).version


async def _peers(visit: Visit, cluster_id: str) -> list[Json] | None:
    if not visit.operator:
        return None
    return await visit.api.all("peers", cluster_id=cluster_id)


def _listener_field(where: str) -> str | None:
    if where == "/errors/ports-overlap":
        return "ports"
    if where == "/errors/name-taken":
        return "name"
    field = where.split("/")[1] if where.startswith("/") else ""
    return field if field in ("name", "protocol", "ports", "pool_id", "dual_vip_id") else None
