"""The way of one flow, hop by hop: what is asked, what each machine answers, and what the API makes of it."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from lbaas.domain.addresses import Address
from lbaas.domain.terms import Protocol, Verdict
from lbaas.wire import fields
from lbaas.wire.state import Document, Port


class FiveTuple(Document):
    """The packets of one client to a VIP; without *client_port*, of all its flows there."""

    client: Address
    client_port: Port | None = None
    vip: Address
    port: Port
    protocol: Protocol = Protocol.TCP

    def __str__(self) -> str:
        client = _endpoint(self.client, self.client_port)
        return f"{client} → {_endpoint(self.vip, self.port)}/{self.protocol}"


def _endpoint(address: Address, port: int | None) -> str:
    if port is None:
        return str(address)
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


_TEXT = Field(max_length=2000)


class Hop(Document):
    """One thing on the way. *desired* and *actual* are for a person; so is *cause*, why it breaks, and *remedy*."""

    machine: Annotated[str, Field(max_length=255)]
    stage: Annotated[str, Field(max_length=64)]
    verdict: Verdict
    desired: Annotated[str, _TEXT] = ""
    actual: Annotated[str, _TEXT] = ""
    cause: Annotated[str, _TEXT] = ""
    remedy: Annotated[str, _TEXT] = ""


class Question(Document):
    """What the server asks an agent to look at."""

    id: UUID
    flow: FiveTuple


class Questions(Document):
    """All that is asked of one agent now."""

    questions: tuple[Question, ...]


class Answer(Document):
    """A machine's own hops. *members*: where a node sends the flow; several where one can't be told.

    *mtu*: the largest packet that a node can send to those members, or that a host's device takes.
    """

    hops: Annotated[tuple[Hop, ...], Field(max_length=200)]
    members: Annotated[tuple[Address, ...], Field(max_length=1000)] = ()
    mtu: int | None = None


class HopShown(BaseModel):
    """One thing on the way."""

    machine: str = Field(description="Where it is: the control plane, a node, a backend host.")
    stage: str
    verdict: Verdict = Field(
        description="ok; suspect: it may break here; broken: it breaks here; unknown: nobody could look."
    )
    desired: str
    actual: str
    cause: str = Field(description="Why it breaks here; empty if it does not.")
    remedy: str = Field(description="What to do about it.")


class Explanation(BaseModel):
    """The way of a flow, in the order in which its packets take it."""

    client: fields.Address
    client_port: int | None
    vip: fields.Address
    port: int
    protocol: Protocol
    verdict: Verdict = Field(description="The worst of all hops.")
    members: list[fields.Address] = Field(
        description="Where nodes send the flow; several if that is not decided by what was asked."
    )
    hops: list[HopShown]
