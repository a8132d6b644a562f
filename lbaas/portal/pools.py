"""The pages of pools and their members."""

from starlette.responses import Response

from lbaas.client.api import ApiProblem
from lbaas.portal import checks, pages, tuning
from lbaas.portal.checks import Check
from lbaas.portal.faults import Faults, sorted_out
from lbaas.portal.gateway import Json, together
from lbaas.portal.tuning import Tuning
from lbaas.portal.typed import number
from lbaas.portal.vips import tenant_names
from lbaas.portal.visits import Form, Visit, form, see_again
from lbaas.portal.way import member_stop, sick_on, watching

PER_PAGE = 20
MEMBERS_PER_PAGE = 100
EVENTS_SHOWN = 8

# What the buttons beside a member say, as the API has it.
STATES = {"drain": "drained", "undrain": "active"}


async def index(visit: Visit) -> Response:
    """The pools, by name."""
    page = await visit.api.get(
        "pools",
        limit=PER_PAGE,
        sort="name",
        cursor=visit.asked("cursor"),
        labels=visit.asked("labels"),
    )
    return pages.show(
        visit,
        "pools.html",
        pools=page["items"],
        following=page["next_cursor"],
        labels=visit.asked("labels"),
        tenants=await tenant_names(visit),
    )


async def show(visit: Visit) -> Response:
    """One pool, its members and who uses it."""
    return await _page(visit, Form(), Faults())


async def change(visit: Visit) -> Response:
    """The pool is as the form of its settings says."""
    given = await form(visit.request)
    path = f"pools/{visit.named('pool_id')}"
    before = (await visit.api.get(path))["monitor"]
    body = {
        "name": given.get("name", ""),
        **Tuning.of(given).body(),
        "monitor": Check.of(given).monitor(before),
    }
    try:
        await visit.api.patch(path, body)
    except ApiProblem as error:
        return await _page(visit, given, sorted_out(error, _own_field))
    return _back(visit)


async def add_member(visit: Visit) -> Response:
    """The pool has one member more; or the form is shown again, with what is wrong."""
    given = await form(visit.request)
    body = {"address": given.get("address", ""), "weight": number(given.get("weight", "1"))}
    try:
        await visit.api.post(_members(visit), body)
    except ApiProblem as error:
        return await _page(visit, given, sorted_out(error, _new_field))
    return _back(visit)


async def change_member(visit: Visit) -> Response:
    """The member is drained, in service again, or has another weight, whatever was sent."""
    given = await form(visit.request)
    body: Json = {}
    if (state := STATES.get(given.get("action", ""))) is not None:
        body["admin_state"] = state
    elif "weight" in given:
        body["weight"] = number(given["weight"])
    member = visit.named("member_id")
    try:
        await visit.api.patch(f"{_members(visit)}/{member}", body)
    except ApiProblem as error:
        if error.status != 422:
            raise
        return await _page(visit, given, sorted_out(error, lambda _: f"weight.{member}"))
    return _back(visit)


async def remove_member(visit: Visit) -> Response:
    """The member is gone from the pool."""
    await visit.api.delete(f"{_members(visit)}/{visit.named('member_id')}")
    return _back(visit)


async def _page(visit: Visit, given: Form, faults: Faults) -> Response:
    pool_id = visit.named("pool_id")
    pool, members, listeners, events = await together(
        visit.api.get(f"pools/{pool_id}"),
        visit.api.get(_members(visit), limit=MEMBERS_PER_PAGE, cursor=visit.asked("cursor")),
        visit.api.get("listeners", pool_id=pool_id, limit=PER_PAGE),
        visit.api.get("events", object_id=pool_id, limit=EVENTS_SHOWN, sort="-created_at"),
    )
    statuses = await _statuses(visit, listeners["items"])
    return pages.show(
        visit,
        "pool.html",
        422 if faults else 200,
        pool=pool,
        members=[(member, _stop(member, pool, statuses)) for member in members["items"]],
        following=members["next_cursor"],
        listeners=listeners["items"],
        events=events["items"],
        tuning=Tuning.of(given) if "check" in given else Tuning.shown(pool),
        check=Check.of(given) if "check" in given else Check.shown(pool["monitor"]),
        given=given,
        faults=faults,
    )


async def _statuses(visit: Visit, listeners: list[Json]) -> list[Json]:
    """Of the VIPs that use the pool."""
    vips = dict.fromkeys(listener["vip_id"] for listener in listeners)
    return await together(*(visit.api.get(f"vips/{vip}/status") for vip in vips))


def _stop(member: Json, pool: Json, statuses: list[Json]) -> object:
    findings = [
        bad for status in statuses for bad in sick_on(status, pool["id"], member["address"])
    ]
    return member_stop(member, pool, findings, max(map(watching, statuses), default=0))


def _members(visit: Visit) -> str:
    return f"pools/{visit.named('pool_id')}/members"


def _back(visit: Visit) -> Response:
    return see_again(visit.request, f"/portal/pools/{visit.named('pool_id')}")


def _own_field(where: str) -> str | None:
    if where.startswith("/monitor"):
        return checks.place(where.removeprefix("/monitor"))
    field = where.split("/")[1] if where.startswith("/") else ""
    if field == "name":
        return "pool-name"
    return field if field in tuning.FIELDS else None


def _new_field(where: str) -> str | None:
    if where == "/errors/address-taken":
        return "address"
    field = where.split("/")[1] if where.startswith("/") else ""
    return field if field in ("address", "weight") else None
