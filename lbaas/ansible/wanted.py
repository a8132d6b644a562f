"""A task's parameters as wanted objects, and what a plan changes as Ansible shows it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lbaas.cli.manifest import Wanted, parse
from lbaas.cli.reconcile import Change, Create, Observed, Remove, SetMembers, Step

Json = dict[str, Any]

# Of a task, and not of the object.
TASKS_OWN = frozenset({"url", "token", "profile", "state", "wait", "wait_timeout"})


def wanted_of(section: str, parameters: Mapping[str, Any]) -> list[Wanted]:
    """The objects that a task describes: one of *section*, and a VIP's listeners. Raises BadManifest."""
    return parse({section: [said(parameters)]})


def said(value: Any) -> Any:
    """What a task says: Ansible gives null for all that it leaves out."""
    if isinstance(value, Mapping):
        kept = {name: said(inner) for name, inner in value.items() if name not in TASKS_OWN}
        return {name: inner for name, inner in kept.items() if inner is not None}
    return [said(inner) for inner in value] if isinstance(value, list) else value


def surplus(observed: Observed, wanted: Sequence[Wanted], kind: str) -> list[Step]:
    """The removal of those of *kind* that were looked at and are not wanted."""
    keep = {(one.kind, one.key) for one in wanted}
    return [Remove(*place) for place in observed if place[0] == kind and place not in keep]


def difference(steps: Iterable[Step], observed: Observed) -> dict[str, Json]:
    """Ansible's diff: by object, what the steps change, before and after."""
    before: Json = {}
    after: Json = {}
    for step in steps:
        match step:
            case Create(kind, key, fields):
                after[f"{kind} {key}"] = fields
            case Change(kind, key, old, fields):
                before[f"{kind} {key}"], after[f"{kind} {key}"] = old, fields
            case SetMembers(key, old, members):
                before[f"members of {key}"] = [_member(each) for each in old]
                after[f"members of {key}"] = [_member(each) for each in members]
            case Remove(kind, key):
                before[f"{kind} {key}"] = observed[kind, key]
    return {"before": before, "after": after}


def _member(member: Mapping[str, Any]) -> Json:
    return {name: member[name] for name in ("address", "weight", "admin_state", "labels")}
