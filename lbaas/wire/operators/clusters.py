"""Clusters, and what holds for every node of one."""

from typing import Annotated, Self

from pydantic import Field, StrictBool, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from lbaas.wire.fields import AsNumber, Input, Name, Patch, Resource

Mark = Annotated[int, Field(strict=True, ge=1, le=0xFFFFFFFF)]


class MarkRange(Input):
    first: Mark = 0x10000000
    last: Mark = 0x1000FFFF

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.last < self.first:
            raise PydanticCustomError("mark_range", "the range ends before it begins")
        return self


IdleSeconds = Annotated[int, Field(strict=True, ge=1, le=30 * 24 * 3600)]
Percent = Annotated[int, Field(strict=True, ge=1, le=100)]
GUARD = (
    "A node that would lose more than this share of its services at once holds and waits: see "
    "confirm-removal of nodes."
)
SYNC = (
    "The nodes tell each other their flows, so that one lives on when its node dies while a pool changes. "
    "They need a common segment, or multicast between them."
)


class Timeouts(Input):
    """How long nodes remember an idle flow. The kernel has one set for all services of a node."""

    tcp_s: IdleSeconds = 900
    tcp_fin_s: IdleSeconds = 120
    udp_s: IdleSeconds = 300


class ClusterCreate(Input):
    name: Name
    as_number: AsNumber
    marks: MarkRange = MarkRange()
    timeouts: Timeouts = Timeouts()
    removal_guard_percent: Percent = Field(default=50, description=GUARD)
    connection_sync: StrictBool = Field(default=False, description=SYNC)


class ClusterPatch(Patch):
    name: Name | SkipJsonSchema[None] = None
    timeouts: Timeouts | SkipJsonSchema[None] = Field(
        default=None, description="All of them: what is left out has its default."
    )
    removal_guard_percent: Percent | SkipJsonSchema[None] = Field(default=None, description=GUARD)
    connection_sync: StrictBool | SkipJsonSchema[None] = Field(default=None, description=SYNC)


class Cluster(Resource):
    name: str
    as_number: int
    marks: MarkRange
    timeouts: Timeouts
    removal_guard_percent: int
    connection_sync: bool
