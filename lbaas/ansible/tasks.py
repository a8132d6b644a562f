"""A task of the collection, from its parameters to what it says it has done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from lbaas.ansible.wanted import Json, difference, said, surplus, wanted_of
from lbaas.cli import profiles, references
from lbaas.cli.apply import Known
from lbaas.cli.differences import lines
from lbaas.cli.failures import message
from lbaas.cli.manifest import Wanted
from lbaas.cli.reconcile import Remove, Step, plan
from lbaas.client.api import ApiClient
from lbaas.client.kinds import LISTENERS, POOLS, VIPS, AnyKind
from lbaas.errors import LbaasError

STATES = {"present": "active", "drained": "drained"}


class Module(Protocol):
    """As much of ``AnsibleModule`` as we use."""

    params: Mapping[str, Any]
    check_mode: bool

    def exit_json(self, **result: Any) -> NoReturn: ...

    def fail_json(self, msg: str, **result: Any) -> NoReturn: ...


@dataclass(frozen=True)
class Done:
    """What a task has changed, or in check mode would have. *shown* is the object afterwards."""

    steps: Sequence[str] = ()
    diff: Mapping[str, Any] = field(default_factory=lambda: {"before": {}, "after": {}})
    shown: Mapping[str, Any] | None = None


def run(module: Module, kind: str) -> None:
    """The object is as the task says, and the module has said what changed. In check mode nothing has."""
    try:
        with _client(module.params) as api:
            done = TASKS[kind](api, module.params, check=module.check_mode)
    except LbaasError as error:
        module.fail_json(msg=message(error))
    changed = bool(done.steps)
    module.exit_json(changed=changed, steps=done.steps, diff=done.diff, **{kind: done.shown})


def vip(api: ApiClient, task: Mapping[str, Any], *, check: bool) -> Done:
    """The VIP is there with exactly the listeners that the task names, if it names any; or both are gone."""
    known = Known(api)
    known.learn(VIPS, name=task["name"])
    if task["state"] == "absent":
        return _removed(api, known, VIPS, task["name"], check=check)
    wanted = wanted_of("vips", task)
    for pool in {one.fields["pool_id"] for one in wanted if one.kind == "listener"}:
        known.learn(POOLS, name=pool)
    for found in api.vips.list(name=task["name"]):
        known.learn(LISTENERS, vip_id=str(found.id))
    more = surplus(known.observed, wanted, "listener") if task["listeners"] is not None else []
    done = _brought(known, wanted, more, check=check)
    made = api.vips.named(task["name"])
    if made is not None and task["wait"] and not check:
        api.wait_until_programmed(made, task["wait_timeout"])
    return Done(done.steps, done.diff, _shown(made))


def pool(api: ApiClient, task: Mapping[str, Any], *, check: bool) -> Done:
    """The pool is there, with exactly the members that the task names, if it names any; or it is gone."""
    known = Known(api)
    known.learn(POOLS, name=task["name"])
    if task["state"] == "absent":
        return _removed(api, known, POOLS, task["name"], check=check)
    done = _brought(known, wanted_of("pools", task), [], check=check)
    return Done(done.steps, done.diff, _shown(api.pools.named(task["name"])))


def member(api: ApiClient, task: Mapping[str, Any], *, check: bool) -> Done:
    """The pool has the member, drained or not, or has it no more. Other members are left alone."""
    members = api.members(references.id_of(api, POOLS, task["pool"]))
    key = f"member {task['address']} of {task['pool']}"
    present = members.named(task["address"])
    if task["state"] == "absent":
        if present is not None and not check:
            members.delete(present)
        return _told(f"- {key}", key, _shown(present), None) if present else Done()
    wanted = {name: value for name, value in said(task).items() if name != "pool"}
    wanted["admin_state"] = STATES[task["state"]]
    if present is None:
        made = members.plan_create(wanted) if check else members.create(wanted)
        return _told(f"+ {key}", key, None, wanted, _shown(made))
    before = present.model_dump(mode="json")
    changes = {name: value for name, value in wanted.items() if before[name] != value}
    if not changes:
        return Done(shown=before)
    after = members.plan_patch(present, changes) if check else members.patch(present.id, changes)
    old = {name: before[name] for name in changes}
    text = "\n".join([f"~ {key}", *lines(old, changes)])
    return _told(text, key, old, changes, _shown(after))


TASKS = {"vip": vip, "pool": pool, "member": member}


def _brought(known: Known, wanted: Sequence[Wanted], more: list[Step], *, check: bool) -> Done:
    """The law of the plan holds for a task, too: the same one again changes nothing."""
    settled = [known.settled(one) for one in wanted]
    steps = [*more, *plan(known.observed, settled)]
    diff = difference(steps, known.observed)
    for step in () if check else steps:
        known.do(step)
    return Done([str(step) for step in steps], diff)


def _removed(api: ApiClient, known: Known, kind: AnyKind, name: str, *, check: bool) -> Done:
    if not known.observed:
        return Done()
    step = Remove(kind.name, name)
    if not check:
        objects = references.collection(api, kind)
        objects.delete(references.find(objects, name).id, cascade=kind is VIPS)
    return Done([str(step)], difference([step], known.observed))


def _told(step: str, key: str, before: object, after: object, shown: Json | None = None) -> Done:
    diff = {"before": {key: before} if before else {}, "after": {key: after} if after else {}}
    return Done([step], diff, shown)


def _shown(one: Any) -> Json | None:
    if one is None:
        return None
    shown: Json = one.model_dump(mode="json")
    return shown


def _client(parameters: Mapping[str, Any]) -> ApiClient:
    """The server that the task names, else that of the command line."""
    if parameters["url"] and parameters["token"]:
        return ApiClient(parameters["url"], parameters["token"])
    chosen = profiles.chosen(parameters["profile"])
    return ApiClient(parameters["url"] or chosen.url, parameters["token"] or chosen.token)
