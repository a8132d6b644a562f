"""``lbaas KIND list | show | create | set | delete``, made from the table of kinds."""

import inspect
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import typer

from lbaas.cli import references, render
from lbaas.cli.completing import names_of
from lbaas.cli.differences import between
from lbaas.cli.options import body_of, options_of
from lbaas.cli.session import (
    Given,
    Session,
    add,
    argument,
    body_file,
    flags_of,
    group,
    option,
    parameter_of,
    session,
    switch,
)
from lbaas.cli.shapes import fields_of, kind_of, translated
from lbaas.cli.values import BadValue
from lbaas.cli.waiting import WAITABLE, wait_for
from lbaas.client.api import Collection
from lbaas.client.kinds import MEMBERS, POOLS, TOKENS, VIPS, AnyKind
from lbaas.wire.fields import Resource

IN_POOL = argument("pool", "POOL", "Name or id.", complete=names_of(POOLS))
BODY = option("file", Path | None, "The body, in JSON or YAML; - for stdin.", "-f", "--file")
DRY_RUN = switch("dry_run", "Show what would be, and change nothing.", "--dry-run")
WAIT = switch("wait", "Until every node and backend host has applied it.", "--wait")
TIMEOUT = option("timeout", float, "How long --wait waits.", "--timeout", default=60.0)
QUIET = switch("wait", "Until nothing arrives any more, and it may be stopped.", "--wait")
UNSET = option("unset", list[str] | None, "Empty this field.", "--unset", metavar="FIELD")
SELECTOR = option(
    "labels", str | None, "Only those whose labels fit: env=prod,!canary.", "-l", "--labels"
)
NAMED = option("named", str | None, "Only the one with this name.", "--name")
FILTER = option(
    "filter", list[str] | None, "Another filter of the API.", "--filter", metavar="KEY=VALUE"
)
FIELD = option("field", str | None, "Only this field, for scripts.", "--field")
SORT = option("sort", str | None, "created_at, name, and with a minus in front.", "--sort")
LIMIT = option("limit", int | None, "No more than so many.", "--limit")


class Verb(NamedTuple):
    """A word for one change of one field."""

    changes: dict[str, str]
    help: str
    waiting: Sequence[inspect.Parameter] = ()


VERBS: Mapping[str, Mapping[str, Verb]] = {
    "node": {
        "drain": Verb(
            {"admin_state": "drained"},
            "Withdraw its routes; it forwards what still comes.",
            (QUIET, TIMEOUT),
        ),
        "undrain": Verb({"admin_state": "active"}, "Announce everything by it again."),
    },
    "member": {
        "drain": Verb(
            {"admin_state": "drained"},
            "Give it no new flows; the present ones live on.",
            (WAIT, TIMEOUT),
        ),
        "undrain": Verb({"admin_state": "active"}, "Give it new flows again.", (WAIT, TIMEOUT)),
    },
    "tenant": {
        "suspend": Verb({"admin_state": "suspended"}, "Withdraw its VIPs, and let it read only."),
        "resume": Verb({"admin_state": "active"}, "Announce its VIPs, and let it write."),
    },
}


class Commands:
    """The commands of one kind. A member's pool is the first argument of each."""

    def __init__(self, kind: AnyKind) -> None:
        self.kind = kind
        self.inside = [IN_POOL] if kind is MEMBERS else []
        self.creating = options_of(kind.create, kind.identity)
        self.changing = options_of(kind.patch) if kind.patch else ()
        self.waiting = [WAIT, TIMEOUT] if kind in WAITABLE else []
        self.which = argument(
            "which",
            kind.identity.upper(),
            f"Its {kind.identity}, or its id.",
            complete=names_of(kind),
        )

    def group(self) -> typer.Typer:
        """All of them."""
        kind, made = self.kind, group(f"{self.kind.words.capitalize()}s.")
        listing = [SELECTOR, NAMED, FILTER, SORT, LIMIT]
        add(made, "list", self.list, f"List {kind.words}s.", *self.inside, *listing)
        add(made, "show", self.show, f"Show one {kind.words}.", *self.inside, self.which, FIELD)
        self._add_create(made)
        if kind.patch is not None:
            options = [parameter_of(each) for each in self.changing]
            more = [UNSET, BODY, DRY_RUN, *self.waiting]
            add(made, "set", self.set, "Change fields.", *self.inside, self.which, *options, *more)
        cascade = [switch("cascade", "Its listeners too.", "--cascade")] if kind is VIPS else []
        add(made, "delete", self.delete, "Remove it.", *self.inside, self.which, *cascade, DRY_RUN)
        for word, verb in VERBS.get(kind.name, {}).items():
            more = [DRY_RUN, *verb.waiting]
            run = self._verb(verb.changes)
            add(made, word, run, verb.help, *self.inside, self.which, *more)
        return made

    def _add_create(self, made: typer.Typer) -> None:
        options = [parameter_of(each) for each in self.creating]
        name = argument("identity", self.kind.identity.upper(), "Its " + self.kind.identity + ".")
        members = [MEMBER] if self.kind is VIPS else []
        more = [*members, BODY, DRY_RUN, FIELD, *self.waiting]
        add(made, "create", self.create, "Make one.", *self.inside, name, *options, *more)

    def list(self, given: Given) -> None:
        with session(given) as now:
            found = self._objects(now, given).list(**self._filters(now, given))
            self._print(now, list(islice(found, given["limit"])))

    def show(self, given: Given) -> None:
        with session(given) as now:
            _require_field(self.kind.shown, given["field"])
            one = self._read(now, given)
            if given["field"]:
                now.print(_field(one, given["field"]))
                return
            now.print(render.object_text(one, now.output))

    def create(self, given: Given) -> None:
        with session(given, flags_of(self.creating)) as now:
            _require_field(self.kind.made, given["field"])
            body = body_file(given["file"]) | {self.kind.identity: given["identity"]}
            body |= body_of(self.creating, given, body)
            if given.get("member"):
                body = with_members(body, given["member"])
            body = self._with_ids(now, self.kind.create, body)
            objects = self._objects(now, given)
            if given["dry_run"]:
                now.tell("would be made:")
                now.print(render.object_text(objects.plan_create(body), now.output))
                return
            self._done(now, given, objects.create(body))

    def set(self, given: Given) -> None:
        with session(given, flags_of(self.changing)) as now:
            present = self._read(now, given)
            shown = present.model_dump(mode="json")
            body = body_file(given["file"]) | dict.fromkeys(given["unset"] or ())
            body |= body_of(self.changing, given, shown)
            if not body:
                raise BadValue(
                    f"nothing to change: lbaas {references.command_of(self.kind)} set --help"
                )
            self._change(now, given, present, body)

    def _verb(self, changes: Mapping[str, str]) -> Any:
        def run(given: Given) -> None:
            with session(given) as now:
                self._change(now, given, self._read(now, given), dict(changes))

        return run

    def delete(self, given: Given) -> None:
        with session(given) as now:
            which, cascade = self._find(now, given), given.get("cascade", False)
            objects = self._objects(now, given)
            if given["dry_run"]:
                for gone in objects.plan_delete(which, cascade=cascade).removes:
                    now.print(f"- {gone.kind} {gone.name} ({gone.id})")
                return
            objects.delete(which.id, cascade=cascade)
            now.tell(f"{self.kind.words} {given['which']} is gone")

    def _change(self, now: Session, given: Given, present: Resource, body: dict[str, Any]) -> None:
        body = self._with_ids(now, self.kind.patch, body)
        objects = self._objects(now, given)
        if given["dry_run"]:
            planned = objects.plan_patch(present, body)
            now.print("\n".join(between(present, planned)) or "nothing would change")
            return
        self._done(now, given, objects.patch(present, body))

    def _done(self, now: Session, given: Given, made: Resource) -> None:
        if given.get("field"):
            now.print(_field(made, given["field"]))
        elif now.for_people and self.kind is not TOKENS:  # whose secret is in no column
            self._print(now, [made])
        else:
            now.print(render.object_text(made, now.output))
        if given.get("wait"):
            wait_for(now, self.kind, made, given["timeout"])

    def _print(self, now: Session, objects: Sequence[Resource]) -> None:
        """As a table, in which other objects have their names."""
        columns = render.COLUMNS[self.kind.name] if now.output is render.Output.TABLE else ()
        names = references.names(now.api, objects, columns)
        now.print(render.rows_text(self.kind, objects, now.output, names))

    def _objects(self, now: Session, given: Given) -> Collection[Any, Any, Any, Any]:
        if self.kind is MEMBERS:
            return now.api.members(references.id_of(now.api, POOLS, given["pool"]))
        return references.collection(now.api, self.kind)

    def _find(self, now: Session, given: Given) -> Any:
        return references.find(self._objects(now, given), given["which"])

    def _read(self, now: Session, given: Given) -> Any:
        """With the version that a change is then conditional on."""
        objects = self._objects(now, given)
        return objects.get(references.find(objects, given["which"]).id)

    def _with_ids(self, now: Session, model: Any, body: dict[str, Any]) -> dict[str, Any]:
        return translated(
            fields_of(model), body, lambda kind, name: references.id_of(now.api, kind, name)
        )

    def _filters(self, now: Session, given: Given) -> dict[str, Any]:
        """The API's own parameters; ``--filter pool=web`` is its ``pool_id``."""
        said = {
            "labels": given["labels"],
            self.kind.identity: given["named"],
            "sort": given["sort"],
        }
        filters = {name: value for name, value in said.items() if value is not None}
        for text in given["filter"] or ():
            key, equals, value = text.partition("=")
            if not equals:
                raise BadValue(f"--filter {text!r}: write key=value")
            filters |= self._filter(now, key, value)
        return filters

    def _filter(self, now: Session, key: str, value: str) -> dict[str, str]:
        field = f"{key.removesuffix('_id')}_id"
        kind = kind_of(key) if field in self.kind.shown.model_fields else None
        return {key: value} if kind is None else {field: references.id_of(now.api, kind, value)}


MEMBER = option(
    "member",
    list[str] | None,
    "A member of the pools that are made for its listeners.",
    "--member",
    metavar="ADDRESS[,FIELD=VALUE…]",
)


def _field(one: Resource, name: str) -> str:
    return render.cell(one.model_dump(mode="json")[name])


def _require_field(model: type[Resource], name: str | None) -> None:
    """Before anything is done. Raises BadValue."""
    if name is not None and name not in model.model_fields:
        raise BadValue(f"there is no field {name!r}; possible: {', '.join(model.model_fields)}")


def with_members(body: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    """*body* of a VIP whose listeners, those that name no pool, each have one with these members."""
    from lbaas.cli.values import list_of
    from lbaas.wire.tenants import PoolCreate

    shape = next(field.shape for field in fields_of(PoolCreate) if field.name == "members")
    members = list_of(shape, texts)
    listeners = [
        each
        if each.get("pool_id")
        else {**each, "pool": {**each.get("pool", {}), "members": members}}
        for each in body.get("listeners", ())
    ]
    if not listeners:
        raise BadValue("--member: say --listener too, members belong to a listener's pool")
    return {**body, "listeners": listeners}
