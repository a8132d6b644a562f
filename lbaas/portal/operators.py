"""Operators' pages: who serves, and for whom."""

from starlette.responses import Response

from lbaas.portal import pages
from lbaas.portal.gateway import Json, together
from lbaas.portal.typed import number
from lbaas.portal.visits import Visit, form, see

PER_PAGE = 50


async def nodes(visit: Visit) -> Response:
    """Every node by cluster, with what it applied."""
    clusters = await visit.api.all("clusters", sort="name")
    found = await visit.api.all("nodes", sort="name")
    by_cluster = [
        (cluster, [node for node in found if node["cluster_id"] == cluster["id"]])
        for cluster in clusters
    ]
    return pages.show(visit, "nodes.html", clusters=by_cluster)


async def change_node(visit: Visit) -> Response:
    """The node's admin state is the one that was sent."""
    given = await form(visit.request)
    body = {"admin_state": given.get("admin_state", "")}
    await visit.api.patch(f"nodes/{visit.named('node_id')}", body)
    return see("/portal/nodes")


async def confirm_removal(visit: Visit) -> Response:
    """The node may remove as many services as the revision that was sent says."""
    given = await form(visit.request)
    body = {"revision": number(given.get("revision", ""))}
    await visit.api.post(f"nodes/{visit.named('node_id')}/confirm-removal", body)
    return see("/portal/nodes")


async def backend_hosts(visit: Visit) -> Response:
    """Where members live, and whether it is ready for them."""
    page = await _page_of(visit, "backend-hosts")
    return pages.show(
        visit, "backend-hosts.html", hosts=page["items"], following=page["next_cursor"]
    )


async def tokens(visit: Visit) -> Response:
    """Who may ask, by role; never what he asks with."""
    page = await _page_of(visit, "tokens")
    names = [await _names(visit, kind) for kind in ("tenants", "nodes", "backend-hosts")]
    return pages.show(
        visit,
        "tokens.html",
        tokens=page["items"],
        names=names[0] | names[1] | names[2],
        following=page["next_cursor"],
    )


async def peers(visit: Visit) -> Response:
    """The routers that nodes speak BGP with."""
    clusters = await _names(visit, "clusters")
    return pages.show(
        visit, "peers.html", peers=await visit.api.all("peers", sort="name"), clusters=clusters
    )


async def address_pools(visit: Visit) -> Response:
    """Where VIPs get their addresses, and how full it is there."""
    pools = await visit.api.all("address-pools", sort="name")
    fills = await together(*(visit.api.get(f"address-pools/{pool['id']}/fill") for pool in pools))
    return pages.show(
        visit,
        "address-pools.html",
        pools=list(zip(pools, fills, strict=True)),
        clusters=await _names(visit, "clusters"),
        tenants=await _names(visit, "tenants"),
    )


async def tenants(visit: Visit) -> Response:
    """Tenants with quotas and what they own; a page of them, since each is counted."""
    page = await visit.api.get(
        "tenants",
        limit=PER_PAGE,
        sort="name",
        cursor=visit.asked("cursor"),
        name=visit.asked("name"),
    )
    counted = await together(*(visit.api.get(f"tenants/{one['id']}") for one in page["items"]))
    return pages.show(
        visit,
        "tenants.html",
        tenants=counted,
        following=page["next_cursor"],
        name=visit.asked("name"),
    )


async def _page_of(visit: Visit, resource: str) -> Json:
    return await visit.api.get(resource, limit=PER_PAGE, sort="name", cursor=visit.asked("cursor"))


async def _names(visit: Visit, resource: str) -> dict[str, str]:
    found: list[Json] = await visit.api.all(resource)
    return {one["id"]: one["name"] for one in found}
