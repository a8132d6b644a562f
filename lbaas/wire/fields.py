"""What the REST resources are made of: the values of fields, and what every body has in common.

Inputs refuse unknown fields: a misspelt field that is silently dropped is a wrong configuration.
Outputs have no defaults: every field is always there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

T = TypeVar("T")


def _address(value: Any) -> IPv4Address | IPv6Address:
    """One error at the field itself, where a union of both families would give one for each of them."""
    if isinstance(value, IPv4Address | IPv6Address):  # as rows have it: parsed before
        address = value
    else:
        address = _parsed(ip_address, value, "an address, like 192.0.2.1 or 2001:db8::1")
    if isinstance(address, IPv6Address) and address.scope_id:
        raise PydanticCustomError("address_zone", "an address with a zone means nothing elsewhere")
    return address


def _prefix(value: Any) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    return _parsed(ip_network, value, "a prefix, like 192.0.2.0/24 or 2001:db8::/64")


def _parsed(parse: Callable[[str], T], value: Any, wanted: str) -> T:
    """*value*, which is text; numbers are not: 5 is not 0.0.0.5 here."""
    if isinstance(value, int | bytes):
        raise PydanticCustomError("address_text", "not text: write {wanted}", {"wanted": wanted})
    try:
        return parse(value)
    except ValueError as error:
        raise PydanticCustomError(
            "address_value", "{why}: write {wanted}", {"why": str(error), "wanted": wanted}
        ) from error


def distinct(values: Sequence[T]) -> Sequence[T]:
    """*values*, no two of which are equal."""
    if len(set(values)) < len(values):
        raise PydanticCustomError("duplicates", "names the same thing twice")
    return values


def _instant(value: Any) -> Any:
    """*value*, which is no number of seconds: 2026 is no time in 1970 here."""
    if isinstance(value, datetime) or (isinstance(value, str) and "T" in value.upper()):
        return value
    raise PydanticCustomError("instant", "not a date and a time: write 2026-01-31T23:59:59Z")


Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]

IP_TEXT = {"anyOf": [{"type": "string", "format": name} for name in ("ipv4", "ipv6")]}
PREFIX_TEXT = {
    "type": "string",
    "format": "ip-prefix",
    "examples": ["192.0.2.0/24", "2001:db8::/64"],
}

Address = Annotated[IPv4Address | IPv6Address, PlainValidator(_address), WithJsonSchema(IP_TEXT)]
Prefix = Annotated[IPv4Network | IPv6Network, PlainValidator(_prefix), WithJsonSchema(PREFIX_TEXT)]
AsNumber = Annotated[int, Field(strict=True, ge=1, le=0xFFFFFFFF)]
Name = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$", examples=["web-1"])
]
Addresses = Annotated[
    tuple[Address, ...], Field(min_length=1, max_length=64), AfterValidator(distinct)
]
Prefixes = Annotated[tuple[Prefix, ...], Field(max_length=1000), AfterValidator(distinct)]


def _community(value: str) -> str:
    """Two numbers of 16 bits (RFC 1997), or three of 32 (RFC 8092)."""
    parts = value.split(":")
    bits = 16 if len(parts) == 2 else 32
    if any(int(part) >> bits for part in parts):
        raise PydanticCustomError(
            "community",
            "a number of more than {bits} bits: a large community has three parts, of 32 bits each",
            {"bits": bits},
        )
    return value


Community = Annotated[
    str,
    Field(
        pattern=r"^(0|[1-9]\d{0,9})(:(0|[1-9]\d{0,9})){1,2}$", examples=["65001:80", "65001:1:80"]
    ),
    AfterValidator(_community),
]
Communities = Annotated[tuple[Community, ...], Field(max_length=64), AfterValidator(distinct)]


class Input(BaseModel):
    """A request's body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Patch(Input):
    """A change: what is left out stays. Null is no value, except where a field says so."""

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, body: Any) -> Any:
        for name, value in body.items() if isinstance(body, dict) else ():
            if value is None and name in cls.model_fields and name not in cls.clearable():
                raise PydanticCustomError(
                    "null", "null is no value here: leave it out to keep it", {"field": name}
                )
        return body

    @classmethod
    def clearable(cls) -> frozenset[str]:
        """Fields that null empties."""
        return frozenset()

    def changes(self) -> dict[str, Any]:
        """The fields that the request named, as values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Resource(BaseModel):
    """An object as the API shows it."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: UUID
    created_at: datetime
    updated_at: datetime

    # Not part of the object: a client keeps here which version it saw.
    _etag: str | None = PrivateAttr(default=None)


R = TypeVar("R", bound=BaseModel)


class Page(BaseModel, Generic[R]):
    """Some of a list's objects, oldest first, and where the next page begins, if there is one."""

    model_config = ConfigDict(frozen=True)

    items: list[R]
    next_cursor: str | None

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """``VipPage`` rather than ``Page[Vip]``: code generators like it better."""
        return f"{params[0].__name__}Page"


class Named(BaseModel):
    """An object that an answer only mentions."""

    kind: str
    id: UUID
    name: str


class Removal(BaseModel):
    """What a dry run of a DELETE answers: all that would go, the object itself last."""

    removes: list[Named]
