"""Backend hosts: machines whose agents hold VIPs as aliases."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic.json_schema import SkipJsonSchema

from lbaas.wire.fields import (
    Address,
    Addresses,
    Input,
    Name,
    Patch,
    Prefix,
    Prefixes,
    Resource,
    distinct,
)
from lbaas.wire.operators.agents import CERTIFICATE, UNSENT
from lbaas.wire.report import Unsent

POD_PREFIXES = (
    "Where its pods have their addresses: the host's agent says which of these there are, and they are the "
    "host's as well."
)


class BackendHostCreate(Input):
    name: Name
    addresses: Addresses = Field(description="Where tunnelled packets reach it.")
    prefixes: Prefixes = Field(default=(), description=POD_PREFIXES)


class BackendHostPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    addresses: Addresses | SkipJsonSchema[None] = None
    prefixes: Prefixes | SkipJsonSchema[None] = Field(default=None, description=POD_PREFIXES)


class PodAddresses(Input):
    """The addresses of all pods on a backend host."""

    addresses: Annotated[tuple[Address, ...], Field(max_length=4096), AfterValidator(distinct)]


class BackendHost(Resource):
    name: str
    addresses: list[Address]
    prefixes: list[Prefix]
    applied_revision: int | None
    changes: int | None = Field(description="Writes to the kernel since the agent started.")
    repaired: int | None = Field(description="Those of them that undid what others had changed.")
    reported_at: datetime | None
    unsent: Unsent | None = Field(description=UNSENT)
    certificate_expires_at: datetime | None = Field(description=CERTIFICATE)
