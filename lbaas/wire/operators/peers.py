"""The routers that nodes speak BGP with."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, StrictBool
from pydantic.json_schema import SkipJsonSchema

from lbaas.wire.fields import Address, AsNumber, Input, Name, Patch, Resource

Password = Annotated[str, Field(pattern=r"^[!#-~]{1,80}$", examples=["a-shared-secret"])]


class PeerCreate(Input):
    cluster_id: UUID
    name: Name
    address: Address
    as_number: AsNumber
    password: Password | None = None
    bfd: StrictBool = True
    multihop: StrictBool = False
    graceful_restart: StrictBool = Field(
        default=False, description="It keeps a node's routes for a while when BIRD restarts there."
    )


class PeerPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    address: Address | SkipJsonSchema[None] = None
    as_number: AsNumber | SkipJsonSchema[None] = None
    password: Password | None = Field(default=None, description="Null removes it.")
    bfd: StrictBool | SkipJsonSchema[None] = None
    multihop: StrictBool | SkipJsonSchema[None] = None
    graceful_restart: StrictBool | SkipJsonSchema[None] = None

    @classmethod
    def clearable(cls) -> frozenset[str]:
        return frozenset({"password"})


class Peer(Resource):
    cluster_id: UUID
    name: str
    address: Address
    as_number: int
    has_password: bool
    bfd: bool
    multihop: bool
    graceful_restart: bool
