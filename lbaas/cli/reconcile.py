"""From what is and what a file wants to the steps between them. Pure.

The law: when the steps are done, the same file gives none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lbaas.cli.differences import lines
from lbaas.cli.manifest import ORDER, BadManifest, Wanted
from lbaas.cli.references import command_of
from lbaas.cli.render import cell
from lbaas.client.kinds import KINDS

Json = dict[str, Any]
# By kind and key: the fields as the API shows them, names in the place of ids, a pool's members among them.
Observed = Mapping[tuple[str, str], Json]

_MEMBER = {"weight": 1, "admin_state": "active", "labels": {}}


@dataclass(frozen=True)
class Create:
    """An object that is not there."""

    kind: str
    key: str
    fields: Json

    def __str__(self) -> str:
        fields = [f"  {name}: {cell(value)}" for name, value in self.fields.items()]
        return "\n".join([f"+ {KINDS[self.kind].words} {self.key}", *fields])


@dataclass(frozen=True)
class Change:
    """An object some of whose fields differ."""

    kind: str
    key: str
    before: Json
    fields: Json

    def __str__(self) -> str:
        return "\n".join(
            [f"~ {KINDS[self.kind].words} {self.key}", *lines(self.before, self.fields)]
        )


@dataclass(frozen=True)
class SetMembers:
    """A pool whose members differ; *members* are all it shall have."""

    key: str
    before: tuple[Json, ...]
    members: tuple[Json, ...]

    def __str__(self) -> str:
        old, new = ({one["address"]: one for one in some} for some in (self.before, self.members))
        gone = [f"  - {address}" for address in old if address not in new]
        come = [f"  + {address}" for address in new if address not in old]
        both = [
            f"  ~ {address}:{','.join(lines(old[address], new[address]))}"
            for address in new
            if address in old and not same(_settings(old[address]), new[address])
        ]
        return "\n".join([f"~ members of pool {self.key}", *gone, *come, *both])


@dataclass(frozen=True)
class Remove:
    """An object of a kind that the file has, and that the file does not name."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"- {KINDS[self.kind].words} {self.key}"


Step = Create | Change | SetMembers | Remove


def plan(observed: Observed, wanted: Sequence[Wanted], *, prune: bool = False) -> list[Step]:
    """What has to be done, in an order that the API accepts. Raises BadManifest for what can't be changed."""
    steps: list[Step] = [step for one in wanted for step in _towards(observed, one)]
    return steps + (_removals(observed, wanted) if prune else [])


def _towards(observed: Observed, one: Wanted) -> Iterator[Step]:
    present = observed.get((one.kind, one.key))
    if present is None:
        yield Create(one.kind, one.key, one.fields)
        return
    shown = KINDS[one.kind].shown.model_fields
    changed = {
        name: value
        for name, value in one.fields.items()
        # What is never shown, like a password, is said when the object is made.
        if name in shown and not same(present.get(name), value)
    }
    _refuse_fixed(one, present, changed)
    if changed:
        yield Change(one.kind, one.key, {name: present.get(name) for name in changed}, changed)
    if "members" in one.fields:
        yield from _members(one, present)


def _refuse_fixed(one: Wanted, present: Json, changed: Json) -> None:
    patch = KINDS[one.kind].patch
    for name, value in changed.items():
        if patch is None or name not in patch.model_fields:
            words = KINDS[one.kind].words
            raise BadManifest(
                f"{words} {one.key}: {name} is {present.get(name)} and can't become {value}: "
                f"remove it first (lbaas {command_of(KINDS[one.kind])} delete), then apply again"
            )


def _members(one: Wanted, present: Json) -> Iterator[Step]:
    """What the file leaves out of a member that stays is left as it is, a drain among it."""
    before = {member["address"]: member for member in present.get("members", ())}
    after = tuple(
        {**_MEMBER, **_settings(before.get(member["address"], {})), **member}
        for member in one.fields["members"]
    )
    if not same([_settings(member) for member in before.values()], list(after)):
        yield SetMembers(one.key, tuple(before.values()), after)


def _settings(member: Json) -> Json:
    """What a pool's member is said to be."""
    return {name: member[name] for name in ("address", *_MEMBER) if name in member}


def _removals(observed: Observed, wanted: Sequence[Wanted]) -> list[Step]:
    kinds = {one.kind for one in wanted}
    keep = {(one.kind, one.key) for one in wanted}
    gone = [place for place in observed if place[0] in kinds and place not in keep]
    gone.sort(key=lambda place: (-ORDER.index(place[0]), place[1]))
    return [Remove(kind, key) for kind, key in gone]


def same(present: Any, wanted: Any) -> bool:
    """True if both are one value. The order of a list means nothing: the API's lists are sets."""
    return bool(_settled(present) == _settled(wanted))


def _settled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _settled(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return sorted((_settled(inner) for inner in value), key=repr)
    return value
