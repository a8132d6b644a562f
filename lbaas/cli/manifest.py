"""A file that says what shall be, read into wanted objects. Pure.

The file has a section for each kind of resource, a list of objects as the API's bodies have them, with two
differences: another object is named, not numbered (``pool: web`` for ``pool_id``), and ports and members may
be written as on the command line. A VIP may hold its listeners, and a listener its pool.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lbaas.cli.references import PARENTS
from lbaas.cli.shapes import Field, Form, Shape, fields_of, kind_of, stem
from lbaas.cli.values import BadValue, value_of
from lbaas.client.kinds import KINDS, AnyKind
from lbaas.errors import LbaasError

Json = dict[str, Any]

# In the order in which they can be made: what others name comes first. Tokens are secrets: no file has them.
ORDER = (
    "tenant",
    "cluster",
    "backend_host",
    "node",
    "peer",
    "address_pool",
    "pool",
    "vip",
    "listener",
)


class BadManifest(LbaasError):
    """The file says something that can't be; the message says where."""


@dataclass(frozen=True)
class Wanted:
    """One object. *fields* are as the API has them, with names where it has ids."""

    kind: str
    fields: Json

    @property
    def key(self) -> str:
        """What no other object of the kind is called."""
        return key_of(self.kind, self.fields)


def key_of(kind: str, fields: Mapping[str, Any]) -> str:
    """``shop/http`` for a listener of the VIP shop, the name alone where that is unique."""
    parent = PARENTS.get(kind)
    return f"{fields[f'{parent}_id']}/{fields['name']}" if parent else str(fields["name"])


def parse(document: Any) -> list[Wanted]:
    """What the file wants, in the order of making. Raises BadManifest."""
    if not isinstance(document, Mapping):
        raise BadManifest("the file has no sections, like vips: and pools:")
    found = [wanted for section in document for wanted in _section(section, document[section])]
    wanted = sorted(found, key=lambda one: ORDER.index(one.kind))
    keys = [(one.kind, one.key) for one in wanted]
    for kind, key in keys:
        if keys.count((kind, key)) > 1:
            raise BadManifest(f"{kind} {key} is there twice")
    return wanted


def _section(section: str, objects: Any) -> Iterator[Wanted]:
    kind = kind_of(section.replace("-", "_").removesuffix("s"))
    if kind is None or kind.name not in ORDER:
        possible = ", ".join(f"{KINDS[name].path}" for name in ORDER)
        raise BadManifest(f"there is no section {section!r}; possible: {possible}")
    if not isinstance(objects, list):
        raise BadManifest(f"{section}: not a list")
    for number, one in enumerate(objects):
        yield from _object(kind, one, f"{section}[{number}]")


def _object(kind: AnyKind, one: Any, place: str) -> Iterator[Wanted]:
    if not isinstance(one, Mapping) or "name" not in one:
        raise BadManifest(f"{place}: an object with a name is wanted")
    place = f"{place} ({one['name']})"
    one = dict(one)
    if kind.name == "vip":
        for number, inner in enumerate(one.pop("listeners", ())):
            yield from _listener(one["name"], inner, f"{place}.listeners[{number}]")
    if kind.name == "listener" and isinstance(one.get("pool"), Mapping):
        yield from _listener(one.get("vip"), one, place)
        return
    yield Wanted(kind.name, _checked(kind, _fields(kind, one, place), place))


def _listener(vip: Any, one: Any, place: str) -> Iterator[Wanted]:
    """A listener inside its VIP, and the pool inside it, if there is one."""
    if not isinstance(one, Mapping):
        raise BadManifest(f"{place}: not an object")
    listener = {**one, "vip": vip}
    pool = listener.get("pool")
    if isinstance(pool, Mapping):
        named = {"name": f"{vip}-{one.get('name')}", **pool}
        listener["pool"] = named["name"]
        yield from _object(KINDS["pool"], named, f"{place}.pool")
    yield from _object(KINDS["listener"], listener, place)


def _fields(kind: AnyKind, one: Mapping[str, Any], place: str) -> Json:
    """The fields by the API's names, their short spellings written out."""
    known = {
        name: field for field in fields_of(kind.create) for name in (field.name, stem(field.name))
    }
    made: Json = {}
    for name, value in one.items():
        if name not in known:
            possible = ", ".join(sorted({stem(field.name) for field in known.values()}))
            raise BadManifest(f"{place}: there is no field {name!r}; possible: {possible}")
        made[known[name].name] = _value(known[name], value, f"{place}.{name}")
    return made


def _value(field: Field, value: Any, place: str) -> Any:
    if isinstance(value, list):
        return [_one(field.shape.inner or field.shape, each, place) for each in value]
    return _one(field.shape, value, place)


def _one(shape: Shape, value: Any, place: str) -> Any:
    short = isinstance(value, str | int) and not isinstance(value, bool)
    if shape.title == "PortsInput" and isinstance(value, Mapping):
        return {"last": value.get("first"), **value}
    if shape.form is not Form.OBJECT or not short:
        return value
    try:
        return value_of(shape, str(value))
    except BadValue as error:
        raise BadManifest(f"{place}: {error}") from error


def _checked(kind: AnyKind, fields: Json, place: str) -> Json:
    """*fields* as their model has them, references aside: what is wrong is told before anything is done.

    Objects inside are whole, with their defaults, as the API takes them.
    """
    references = {field.name for field in fields_of(kind.create) if field.reference is not None}
    plain = {name: value for name, value in fields.items() if name not in references}
    try:
        model = kind.create.model_validate(plain | _stand_ins(kind, fields))
    except ValidationError as error:
        bad = error.errors()[0]
        where = ".".join(str(part) for part in bad["loc"])
        raise BadManifest(f"{place}{'.' if where else ''}{where}: {bad['msg']}") from error
    whole = model.model_dump(mode="json", include=set(plain) - {"members"})
    # A member's fields that the file leaves out are left alone, a drain among them.
    members = model.model_dump(mode="json", include=set(plain) & {"members"}, exclude_unset=True)
    return {**fields, **whole, **members}


def _stand_ins(kind: AnyKind, fields: Json) -> Json:
    """An id in the place of each name."""
    some = "00000000-0000-0000-0000-000000000000"
    return {
        field.name: [some] * len(set(value)) if isinstance(value, list) else some
        for field in fields_of(kind.create)
        if field.reference is not None and (value := fields.get(field.name)) is not None
    }
