"""Ordering a VIP, step by step.

The whole draft is in the query: back, forward, reload, a bookmark and a second tab all do what one expects, and the
server keeps nothing. A step is shown when the API accepts, as a dry run, what the steps before it say.
"""

from dataclasses import replace
from ipaddress import ip_network
from uuid import uuid4

from starlette.responses import Response

from lbaas.client.api import ApiProblem
from lbaas.portal import pages
from lbaas.portal.draft import KEYS, STEPS, Draft, Row, step_of
from lbaas.portal.faults import Faults, sorted_out
from lbaas.portal.gateway import Json
from lbaas.portal.visits import Form, Visit, form, see

MORE = ".more"


async def show(visit: Visit) -> Response:
    """The step that was asked for, or the first before it that has a fault."""
    asked = Form(visit.request.query_params.multi_items())
    draft = Draft.of(asked)
    if not draft.id:
        draft = replace(draft, id=uuid4().hex)
    wanted = asked.get("step", KEYS[0])
    if wanted.endswith(MORE):
        draft = replace(draft, rows=(*draft.rows, Row()))
    step = wanted.removesuffix(MORE)
    step = step if step in KEYS else KEYS[0]
    plan, faults = await _plan(visit, draft, step)
    return await _page(visit, draft, _first_faulty(faults, step), faults, plan)


async def order(visit: Visit) -> Response:
    """The VIP is made, once however often the form is sent; or the form is shown again, with what is wrong."""
    given = await form(visit.request)
    draft = Draft.of(given)
    try:
        vip = await _made(visit, draft)
    except ApiProblem as error:
        faults = sorted_out(error, draft.place)
        return await _page(visit, draft, _first_faulty(faults, "review"), faults, None)
    return see(f"/portal/vips/{vip['id']}")


async def _made(visit: Visit, draft: Draft) -> Json:
    """The VIP. Of two the one without a listener comes first: nobody hears of it before all is well."""
    if not draft.dual:
        return await visit.api.post("vips", draft.body(), key=draft.key())
    body = draft.second(await _sibling(visit, draft))
    second = await visit.api.post("vips", body, key=draft.key(body))
    vip = await visit.api.post("vips", draft.body(), key=draft.key())
    listener = vip["listeners"][0]["id"]
    await visit.api.patch(f"listeners/{listener}", {"dual_vip_id": second["id"]})
    return vip


async def _sibling(visit: Visit, draft: Draft) -> str | None:
    """A pool of the other family in the cluster of the pool that an operator chose: a listener's VIPs share one."""
    if not visit.operator or not draft.address_pool_id:
        return None
    pools = await visit.api.all("address-pools")
    chosen = next((pool for pool in pools if pool["id"] == draft.address_pool_id), None)
    return next((pool["id"] for pool in pools if chosen and _are_siblings(chosen, pool)), None)


def _are_siblings(one: Json, other: Json) -> bool:
    families = {ip_network(pool["prefix"]).version for pool in (one, other)}
    return one["cluster_id"] == other["cluster_id"] and len(families) > 1


async def _plan(visit: Visit, draft: Draft, step: str) -> tuple[Json | None, Faults]:
    """What the API would make of the steps before *step*, and what it finds wrong with them."""
    if step == KEYS[0]:
        return None, Faults()
    try:
        plan = await visit.api.plan("vips", draft.body(step))
        if draft.dual:
            body = draft.second(await _sibling(visit, draft))
            plan["second"] = await visit.api.plan("vips", body)
        return plan, Faults()
    except ApiProblem as error:
        faults = sorted_out(error, draft.place)
        return None, _known(faults, step)


def _known(faults: Faults, step: str) -> Faults:
    """*faults* without those of fields that are asked for at *step* or later, and may be empty still."""
    before = KEYS[: KEYS.index(step)]
    kept = {name: text for name, text in faults.by_field.items() if step_of(name) in before}
    return Faults(kept, faults.general)


def _first_faulty(faults: Faults, step: str) -> str:
    """The first step with a faulty field; if none is to blame, the one before *step*, which led to it."""
    if not faults:
        return step
    faulty = [KEYS.index(key) for name in faults.by_field if (key := step_of(name))]
    return KEYS[min(faulty)] if faulty else KEYS[max(0, KEYS.index(step) - 1)]


async def _page(
    visit: Visit, draft: Draft, step: str, faults: Faults, plan: Json | None
) -> Response:
    index = KEYS.index(step)
    tenants, pools = await _choices(visit)
    return pages.show(
        visit,
        "wizard.html",
        422 if faults else 200,
        draft=draft,
        faults=faults,
        plan=plan,
        step=STEPS[index],
        steps=STEPS,
        index=index,
        following=KEYS[min(index + 1, len(KEYS) - 1)],
        previous=KEYS[index - 1] if index else None,
        carried=list(draft.pairs(STEPS[index].fields)),
        tenants=tenants,
        pools=pools,
    )


async def _choices(visit: Visit) -> tuple[list[Json], list[Json]]:
    """Tenants and address pools, for those who may know them."""
    if not visit.operator:
        return [], []
    return await visit.api.all("tenants"), await visit.api.all("address-pools")
