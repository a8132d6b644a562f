"""Objects by what people call them: a name, ``PARENT/NAME``, an address, or an id."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from lbaas.client.api import ApiClient, Collection
from lbaas.client.kinds import BACKEND_HOSTS, KINDS, VIPS, AnyKind
from lbaas.errors import LbaasError
from lbaas.wire.fields import Resource

Objects = Collection[Any, Any, Any, Any]

# Names of these are unique inside a parent only.
PARENTS: Mapping[str, str] = {"listener": "vip", "node": "cluster", "peer": "cluster"}


class NotThere(LbaasError):
    """There is no such object, or more than one."""


def collection(api: ApiClient, kind: AnyKind) -> Objects:
    """The objects of *kind*."""
    return Collection(api, kind)


def find(objects: Objects, which: str) -> Any:
    """The one object that *which* means. Raises NotThere."""
    kind = objects.kind
    found = _matches(objects, which)
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotThere(f"there is no {kind.words} {which!r}: see lbaas {command_of(kind)} list")
    ids = ", ".join(str(one.id) for one in found[:5])
    hint = f"{PARENTS[kind.name].upper()}/{which}, or " if kind.name in PARENTS else ""
    raise NotThere(f"{which!r} is several {kind.words}s: say {hint}one of the ids {ids}")


def id_of(api: ApiClient, kind: AnyKind, which: str) -> str:
    """The id of the object that *which* means, which is not looked for if it is an id."""
    return which if is_id(which) else str(find(collection(api, kind), which).id)


def is_id(text: str) -> bool:
    """True for a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def command_of(kind: AnyKind) -> str:
    """The word that the command line has for *kind*."""
    return "host" if kind is BACKEND_HOSTS else kind.name.replace("_", "-")


def _matches(objects: Objects, which: str) -> list[Resource]:
    kind = objects.kind
    if is_id(which):
        return [objects.get(which)]
    parent, slash, name = which.rpartition("/")
    if slash and kind.name in PARENTS:
        outer = KINDS[PARENTS[kind.name]]
        inside = {f"{outer.name}_id": id_of(objects.api, outer, parent)}
        return list(objects.list(**{kind.identity: name}, **inside))
    if kind is VIPS and _is_address(which):
        return list(objects.list(address=which))
    return list(objects.list(**{kind.identity: which}))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
