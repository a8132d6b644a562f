"""``lbaas apply -f FILE``: everything is as the file says; applied again it changes nothing."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from lbaas.cli import references
from lbaas.cli.manifest import ORDER, Wanted, key_of, parse
from lbaas.cli.reconcile import Change, Create, Remove, SetMembers, Step, plan
from lbaas.cli.render import yaml
from lbaas.cli.resources import DRY_RUN, TIMEOUT, WAIT
from lbaas.cli.session import Given, Session, add, option, session, switch
from lbaas.cli.shapes import fields_of, translated
from lbaas.cli.values import BadValue
from lbaas.cli.waiting import wait
from lbaas.client.api import ApiClient
from lbaas.client.exchange import Parameter
from lbaas.client.kinds import KINDS, VIPS, AnyKind

Json = dict[str, Any]

FILE = option(
    "file", Path, "What shall be, in YAML or JSON; - for stdin.", "-f", "--file", default=...
)
PRUNE = switch("prune", "Remove what the file does not name, of the kinds that it has.", "--prune")
SELECTOR = option("labels", str | None, "Prune only what has these labels.", "-l", "--labels")
YES = switch("yes", "Do not ask.", "--yes")


def add_to(app: typer.Typer) -> None:
    """The command."""
    text = "Bring everything to what a file says, after showing what that changes."
    add(app, "apply", apply, text, FILE, PRUNE, SELECTOR, DRY_RUN, YES, WAIT, TIMEOUT)


def apply(given: Given) -> None:
    """The file's objects are as it says."""
    with session(given) as now:
        wanted = parse(_document(given["file"]))
        known = Known(now.api)
        for kind in _kinds(wanted):
            known.learn(kind)
        wanted = [known.settled(one) for one in wanted]
        steps = plan(known.observed, wanted, prune=given["prune"])
        steps = [step for step in steps if known.prunable(step, given["labels"])]
        now.print("\n".join(map(str, steps)) or "nothing to do")
        if not steps or given["dry_run"]:
            return
        _ask(now, given)
        for step in steps:
            known.do(step)
        now.tell(f"done: {len(steps)} steps")
        if given["wait"]:
            wait(now, known.vips(wanted), given["timeout"])


class Known:
    """What the server has of some kinds, by key; kept up to date while steps are done."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._ids: dict[tuple[str, str], str] = {}
        self._keys: dict[tuple[str, str], str] = {}
        self.observed: dict[tuple[str, str], Json] = {}

    def learn(self, kind: AnyKind, **filters: Parameter) -> None:
        """Those of *kind* that fit are known; what they name, as far as it was learned before, by name."""
        for one in references.collection(self._api, kind).list(**filters):
            self._learn(kind, one)

    def _learn(self, kind: AnyKind, one: Any) -> None:
        fields = self._named(kind, one.model_dump(mode="json"))
        place = kind.name, key_of(kind.name, fields)
        self._ids[place] = str(one.id)
        self._keys[kind.name, str(one.id)] = place[1]
        self.observed[place] = fields
        if kind.name == "pool":
            members = self._api.members(one.id).list()
            fields["members"] = [member.model_dump(mode="json") for member in members]

    def _named(self, kind: AnyKind, fields: Json) -> Json:
        """*fields* with names in the place of ids, as far as they are known."""
        return translated(
            fields_of(kind.create),
            fields,
            lambda other, value: self._keys.get((other.name, value), value),
        )

    def settled(self, one: Wanted) -> Wanted:
        """*one* with names even where the file has ids."""
        return Wanted(one.kind, self._named(KINDS[one.kind], one.fields))

    def _numbered(self, kind: AnyKind, fields: Json) -> Json:
        return translated(fields_of(kind.create), fields, self._id)

    def _id(self, kind: AnyKind, name: str) -> str:
        known = self._ids.get((kind.name, name))
        return known or references.id_of(self._api, kind, name)

    def prunable(self, step: Step, labels: str | None) -> bool:
        """False for what must stay because it has other labels."""
        if not isinstance(step, Remove) or labels is None:
            return True
        if "labels" not in KINDS[step.kind].shown.model_fields:
            return False
        objects = references.collection(self._api, KINDS[step.kind])
        chosen = {str(one.id) for one in objects.list(labels=labels)}
        return self._ids[step.kind, step.key] in chosen

    def vips(self, wanted: Sequence[Wanted]) -> list[Any]:
        """The ids of the VIPs that the file names, by themselves or in a listener."""
        names = {one.key for one in wanted if one.kind == "vip"}
        names |= {one.fields["vip_id"] for one in wanted if one.kind == "listener"}
        return [self._id(VIPS, name) for name in sorted(names)]

    def do(self, step: Step) -> None:
        """The step is done."""
        match step:
            case Create(name, _, fields):
                kind = KINDS[name]
                objects = references.collection(self._api, kind)
                self._learn(kind, objects.create(self._numbered(kind, fields)))
            case Change(name, key, _, fields):
                kind = KINDS[name]
                objects = references.collection(self._api, kind)
                objects.patch(self._ids[name, key], self._numbered(kind, fields))
            case SetMembers(key, _, members):
                self._api.members(self._ids["pool", key]).replace(members)
            case Remove(name, key):
                references.collection(self._api, KINDS[name]).delete(self._ids[name, key])


def _kinds(wanted: Sequence[Wanted]) -> list[AnyKind]:
    """The kinds that the file has, and those whose names its objects bear; in the order of making."""
    names = {one.kind for one in wanted}
    for one in wanted:
        for field in fields_of(KINDS[one.kind].create):
            kind, value = field.reference, one.fields.get(field.name)
            # A tenant may not list address pools: he who says an id is not made to.
            if kind is not None and value is not None and not references.is_id(str(value)):
                names.add(kind.name)
    return [KINDS[name] for name in ORDER if name in names]


def _document(place: Path) -> Any:
    try:
        text = sys.stdin.read() if str(place) == "-" else place.read_text()
    except OSError as error:
        raise BadValue(f"{place}: {error.strerror}") from error
    library = yaml()
    try:
        return library.safe_load(text)
    except library.YAMLError as error:
        raise BadValue(f"{place} is no YAML: {error}") from error


def _ask(now: Session, given: Given) -> None:
    """Nobody is asked who is not there: a script means what it says."""
    if not given["yes"] and sys.stdin.isatty() and not typer.confirm("do this?", err=True):
        now.tell("nothing was done")
        raise typer.Exit(1)
