"""Operators' objects made, changed and removed, each kind by its sheet."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from lbaas.client.api import ApiProblem
from lbaas.portal import pages
from lbaas.portal.faults import Faults, sorted_out
from lbaas.portal.sheets import Options, Sheet
from lbaas.portal.visits import Form, Page, Visit, form, see


def new(sheet: Sheet) -> Page:
    """The empty form; a link may have filled some of it."""

    async def answer(visit: Visit) -> Response:
        asked = Form(visit.request.query_params.multi_items())
        return await _page(visit, sheet, sheet.begun(asked))

    return answer


def create(sheet: Sheet) -> Page:
    """The object is there; or the form again, with what is wrong. A token is shown, this once."""

    async def answer(visit: Visit) -> Response:
        given = await form(visit.request)
        try:
            body = sheet.body(given, new=True)
            made = await visit.api.post(sheet.path, body, key=given.get("key") or None)
        except ApiProblem as error:
            faults = sorted_out(error, sheet.place)
            return await _page(visit, sheet, sheet.typed(given), faults)
        if "token" in made:
            return pages.show(visit, "token-made.html", made=made)
        return see(f"/portal/{sheet.page}")

    return answer


def edit(sheet: Sheet) -> Page:
    """The form of an object that is there."""

    async def answer(visit: Visit) -> Response:
        present, tag = await visit.api.tagged(_path(visit, sheet))
        return await _page(visit, sheet, sheet.shown(present), present=present, tag=tag)

    return answer


def change(sheet: Sheet) -> Page:
    """The object is as the form says, if it still was as the form had it."""

    async def answer(visit: Visit) -> Response:
        given = await form(visit.request)
        path = _path(visit, sheet)
        try:
            await visit.api.patch(path, sheet.body(given, new=False), if_match=given.get("tag", ""))
        except ApiProblem as error:
            present, tag = await visit.api.tagged(path)
            values = {**sheet.shown(present), **_changeable(sheet, given)}
            faults = sorted_out(error, sheet.place)
            return await _page(visit, sheet, values, faults, present=present, tag=tag)
        return see(f"/portal/{sheet.page}")

    return answer


def ask_removal(sheet: Sheet) -> Page:
    """What would go, or why it can't, before anything does."""

    async def answer(visit: Visit) -> Response:
        one = await visit.api.get(_path(visit, sheet))
        try:
            plan, refusal = await visit.api.delete(_path(visit, sheet), dry_run="true"), ""
        except ApiProblem as error:
            plan, refusal = {"removes": []}, error.detail
        return pages.show(visit, "removal.html", sheet=sheet, one=one, plan=plan, refusal=refusal)

    return answer


def remove(sheet: Sheet) -> Page:
    """The object is gone."""

    async def answer(visit: Visit) -> Response:
        await visit.api.delete(_path(visit, sheet))
        return see(f"/portal/{sheet.page}")

    return answer


async def _page(
    visit: Visit,
    sheet: Sheet,
    values: Mapping[str, Any],
    faults: Faults | None = None,
    present: Mapping[str, Any] | None = None,
    tag: str = "",
) -> Response:
    return pages.show(
        visit,
        "sheet.html",
        422 if faults else 200,
        sheet=sheet,
        values=values,
        options=await _options(visit, sheet),
        present=present,
        tag=tag,
        key=pages.fresh_key(),
        faults=faults or Faults(),
    )


async def _options(visit: Visit, sheet: Sheet) -> dict[str, Options]:
    """What the sheet's choices are of."""
    found: dict[str, Options] = {}
    for entry in sheet.entries:
        if isinstance(entry.options, str):
            objects = await visit.api.all(entry.options, sort="name")
            found[entry.name] = [(one["id"], one["name"]) for one in objects]
        else:
            found[entry.name] = entry.options
    return found


def _changeable(sheet: Sheet, given: Form) -> dict[str, Any]:
    typed = sheet.typed(given)
    return {entry.name: typed[entry.name] for entry in sheet.entries if not entry.fixed}


def _path(visit: Visit, sheet: Sheet) -> str:
    return f"{sheet.path}/{visit.named('object_id')}"
