"""Resources and data sources, a class for each kind, made when the provider starts."""

from collections.abc import Mapping
from typing import Any

from tf.iface import (
    CreateContext,
    DataSource,
    DeleteContext,
    ImportContext,
    ReadContext,
    ReadDataContext,
    Resource,
    UpdateContext,
)
from tf.schema import Attribute, Schema
from tf.types import String, Unknown
from tf.utils import Diagnostics

from lbaas.cli.references import collection
from lbaas.cli.shapes import fields_of
from lbaas.cli.values import BadValue
from lbaas.cli.waiting import WAITABLE, concerned
from lbaas.client.api import ApiClient, Collection
from lbaas.client.kinds import MEMBERS, AnyKind
from lbaas.client.problems import ApiProblem, NotFound, NotProgrammed
from lbaas.errors import LbaasError
from lbaas.terraform.schemas import TIMEOUTS, chosen_by_server, found_schema, schema_of
from lbaas.terraform.states import body_of, changes_of, imported, is_block, seconds, state_of

State = dict[str, Any]
Objects = Collection[Any, Any, Any, Any]

IN_POOL = Attribute(
    "pool_id", String(), required=True, requires_replace=True, description="Its pool."
)


class KindResource(Resource):  # type: ignore[misc]  # the framework has no types
    """Objects of one kind. Errors are told at the attribute that they concern."""

    kind: AnyKind

    def __init__(self, provider: Any) -> None:
        self._provider = provider  # which knows no server while a configuration is only looked at
        self.fields = fields_of(self.kind.create)

    @property
    def api(self) -> ApiClient:
        """The API."""
        api: ApiClient = self._provider.api
        return api

    @classmethod
    def get_name(cls) -> str:
        return cls.kind.name

    @classmethod
    def get_schema(cls) -> Schema:
        return schema_of(cls.kind, [IN_POOL] if cls.kind is MEMBERS else [])

    def create(self, ctx: CreateContext, planned: State) -> State | None:
        said = {name: None if value is Unknown else value for name, value in planned.items()}
        try:
            patience_s = self._patience_s(said, "create")
            made = self._objects(said).create(body_of(self.fields, said))
        except LbaasError as error:
            tell(ctx.diagnostics, error, planned)
            return None
        self._wait(ctx.diagnostics, made, patience_s)
        return self._state(said, made)

    def read(self, ctx: ReadContext, current: State) -> State | None:
        try:
            return self._state(current, self._objects(current).get(current["id"]))
        except NotFound:
            return None
        except LbaasError as error:
            tell(ctx.diagnostics, error, current)
            return current

    def update(self, ctx: UpdateContext, current: State, planned: State) -> State | None:
        try:
            patience_s = self._patience_s(planned, "update")
            one = self._changed(current, planned)
        except LbaasError as error:
            tell(ctx.diagnostics, error, planned)
            return current
        self._wait(ctx.diagnostics, one, patience_s)
        return self._state(planned, one)

    def delete(self, ctx: DeleteContext, current: State) -> None:
        try:
            self._objects(current).delete(current["id"])
        except NotFound:
            pass
        except LbaasError as error:
            tell(ctx.diagnostics, error, current)

    def import_(self, ctx: ImportContext, id: str) -> State | None:  # noqa: A002 - the framework's name
        pool, _, own = id.rpartition("/")
        try:
            shown = self._shown(self._objects({"pool_id": pool}).get(own))
        except LbaasError as error:
            tell(ctx.diagnostics, error, {})
            return None
        return self._with_computed(imported(self.fields, shown), shown)

    def _changed(self, current: State, planned: State) -> Any:
        objects, own = self._objects(planned), current["id"]
        body = changes_of(self.fields, current, planned)
        members = body.pop("members", None)
        if members is not None:
            self.api.members(own).replace(members)
        return objects.patch(own, body) if body else objects.get(own)

    def _objects(self, state: Mapping[str, Any]) -> Objects:
        if self.kind is MEMBERS:
            return self.api.members(state["pool_id"])
        return collection(self.api, self.kind)

    def _shown(self, one: Any) -> State:
        shown: State = one.model_dump(mode="json")
        if self.kind.name == "pool":
            shown["members"] = [
                each.model_dump(mode="json") for each in self.api.members(one).list()
            ]
        return shown

    def _state(self, said: State, one: Any) -> State:
        shown = self._shown(one)
        return self._with_computed(state_of(self.fields, said, shown), shown, said)

    def _with_computed(self, state: State, shown: State, said: State | None = None) -> State:
        """*state* with what only the server knows."""
        for field in self.fields:
            if chosen_by_server(self.kind, field) and state.get(field.name) is None:
                state[field.name] = shown[field.name]
        if "token" in self.kind.made.model_fields:  # shown once
            state["token"] = shown.get("token") or (said or {}).get("token")
        if self.kind is MEMBERS:
            state["pool_id"] = shown["pool_id"]
        if self.kind in WAITABLE:
            state[TIMEOUTS] = (said or {}).get(TIMEOUTS) or []
        return {**state, "id": shown["id"]}

    def _patience_s(self, said: Mapping[str, Any], what: str) -> float:
        """How long to wait after a create or an update: as the resource says, else as the provider does."""
        own = next((block.get(what) for block in said.get(TIMEOUTS) or ()), None)
        return float(self._provider.wait_s) if own is None else seconds(own)

    def _wait(self, diagnostics: Diagnostics, one: Any, patience_s: float) -> None:
        """It is programmed, or there is a warning: the object is there in any case."""
        if self.kind not in WAITABLE or not patience_s:
            return
        try:
            for vip in concerned(self.api, self.kind, one):
                self.api.wait_until_programmed(vip, patience_s)
        except NotProgrammed as late:
            diagnostics.add_warning("Not programmed yet", str(late))


class KindData(DataSource):  # type: ignore[misc]  # the framework has no types
    """An object that is found by its name."""

    kind: AnyKind

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    @property
    def api(self) -> ApiClient:
        """The API."""
        api: ApiClient = self._provider.api
        return api

    @classmethod
    def get_name(cls) -> str:
        return cls.kind.name

    @classmethod
    def get_schema(cls) -> Schema:
        return found_schema(cls.kind)

    def read(self, ctx: ReadDataContext, config: State) -> State | None:
        name = config[self.kind.identity]
        try:
            found = collection(self.api, self.kind).named(name)
        except LbaasError as error:
            tell(ctx.diagnostics, error, config)
            return None
        if found is None:
            ctx.diagnostics.add_error(
                f"There is no {self.kind.words} {name}", path=[self.kind.identity]
            )
            return None
        shown = found.model_dump(mode="json")
        every = fields_of(self.kind.create)
        fields = [field for field in every if field.name in shown and not is_block(field)]
        state = state_of(fields, shown, shown)
        wanted = {attribute.name for attribute in self.get_schema().attributes}
        return {
            name: value for name, value in {**state, "id": shown["id"]}.items() if name in wanted
        }


def tell(diagnostics: Diagnostics, error: LbaasError, state: Mapping[str, Any]) -> None:
    """*error* at the attributes that it concerns, or at the whole resource."""
    if isinstance(error, BadValue):
        diagnostics.add_error("No such value", str(error), path=[TIMEOUTS])
        return
    if not isinstance(error, ApiProblem):
        diagnostics.add_error("The API gave no usable answer", str(error))
        return
    title = str(error.problem.get("title", "Refused"))
    for bad in error.problems:
        first = (bad.pointer or "").strip("/").partition("/")[0]
        path = [first] if first in state else None
        diagnostics.add_error(title, f"{bad.pointer or bad.parameter}: {bad.detail}", path=path)
    if not error.problems:
        diagnostics.add_error(title, error.detail)
