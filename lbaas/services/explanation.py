"""The way of a flow: what the API holds, then what the nodes see, then what the hosts see that they send to."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from lbaas.domain.addresses import Address
from lbaas.domain.terms import MemberAdminState, Protocol
from lbaas.errors import FieldProblem, Invalid
from lbaas.explain import control
from lbaas.explain.control import Heard, Listens, Premises
from lbaas.explain.hops import worst
from lbaas.persistence import feed
from lbaas.persistence.database import Database
from lbaas.persistence.models import (
    AddressPool,
    BackendHost,
    Cluster,
    Member,
    Node,
    Pool,
    Token,
    Vip,
)
from lbaas.persistence.notices import Sender
from lbaas.services import orders, questions
from lbaas.services.bells import Bells
from lbaas.services.scope import fetch
from lbaas.services.status import order_of
from lbaas.services.work import Caller, Work
from lbaas.wire import explanation as wire

# Of the members that a flow may go to, so many are asked about.
MOST_MEMBERS = 8

Agent = Node | BackendHost


@dataclass(frozen=True)
class Asked:
    """A flow, but for the address of the VIP."""

    client: Address
    client_port: int | None
    port: int
    protocol: Protocol

    def about(self, vip: Address) -> wire.FiveTuple:
        """The flow to *vip*. Raises Invalid."""
        if self.client.version != vip.version:
            detail = f"the VIP is {vip}: name an IPv{vip.version} client"
            raise Invalid(detail, problems=[FieldProblem(parameter="client", detail=detail)])
        return wire.FiveTuple(
            client=self.client,
            client_port=self.client_port,
            vip=vip,
            port=self.port,
            protocol=self.protocol,
        )


@dataclass(frozen=True)
class Site:
    """What was read of the VIP at once."""

    premises: Premises
    revision: int
    nodes: Mapping[UUID, Heard]


class Explainer:
    """Explains, and asks the agents through *sender* and *bells*."""

    def __init__(self, database: Database, sender: Sender, bells: Bells) -> None:
        self._database = database
        self._sender = sender
        self._bells = bells

    async def explain(
        self, caller: Caller, vip_id: UUID, asked: Asked, timeout_s: float
    ) -> wire.Explanation:
        """The flow's way. Machines that do not answer within *timeout_s* are said to be silent.

        Raises NotFound, and Invalid for a client of the other family.
        """
        async with self._database.autocommit() as session:
            work = Work(session, caller)
            vip = await fetch(work, Vip, vip_id, options=[selectinload(Vip.listeners)])
            site = await _site(session, vip)
        flow = asked.about(vip.address)
        hops = list(control.premises(site.premises, flow))
        told = await self._ask(site.nodes, flow, timeout_s)
        seen = [
            hop
            for node, heard in site.nodes.items()
            for hop in _of_node(heard, told.get(node), site.revision)
        ]
        names = [each.name for each in site.nodes.values()]
        hops += [control.choosable(seen, names), *seen]
        members = _members(told.values())
        hosts, mtus = await self._hosts(members[:MOST_MEMBERS], flow, timeout_s)
        chosen = {site.nodes[node].name: answer.members for node, answer in told.items()}
        sizes = {site.nodes[node].name: answer.mtu for node, answer in told.items()}
        mtus |= {name: mtu for name, mtu in sizes.items() if mtu}
        hops += [*control.agreement(chosen, mtus), *hosts]
        return _shown(flow, members, hops)

    async def _ask(
        self, agents: Mapping[UUID, Heard], flow: wire.FiveTuple, timeout_s: float
    ) -> Mapping[UUID, wire.Answer]:
        """Those that were heard of lately; the others would only keep us waiting."""
        able = [agent for agent, heard in agents.items() if not heard.stale]
        until = asyncio.get_running_loop().time() + timeout_s
        found = await questions.ask(self._database, self._sender, self._bells, able, flow, until)
        return {agent: _named(answer, agents[agent].name) for agent, answer in found.items()}

    async def _hosts(
        self, members: Sequence[Address], flow: wire.FiveTuple, timeout_s: float
    ) -> tuple[list[wire.Hop], dict[str, int]]:
        """The hops of the hosts of *members*, and their devices' MTUs."""
        async with self._database.autocommit() as session:
            rows = await _hosts_of(session, members)
            heard = await _heard(session, rows)
        told = await self._ask(heard, flow, timeout_s)
        hops = [
            hop
            for host, each in heard.items()
            for hop in _of_machine(each, told.get(host), each.applied or 0, "host-agent")
        ]
        held = {address for host in rows for address in host.addresses}
        hops += [control.unmanaged(member) for member in members if member not in held]
        return hops, {heard[host].name: each.mtu for host, each in told.items() if each.mtu}


def _of_node(heard: Heard, answer: wire.Answer | None, revision: int) -> list[wire.Hop]:
    return _of_machine(heard, answer, revision, "node-agent")


def _of_machine(
    heard: Heard, answer: wire.Answer | None, revision: int, command: str
) -> list[wire.Hop]:
    about = control.agent(heard, revision)
    if answer is not None:
        return [about, *answer.hops]
    return [about] if heard.stale else [about, control.silent(heard.name, command)]


def _named(answer: wire.Answer, machine: str) -> wire.Answer:
    """A host does not know its name, and nobody needs to believe a node's."""
    hops = tuple(hop.model_copy(update={"machine": machine}) for hop in answer.hops)
    return answer.model_copy(update={"hops": hops})


def _members(answers: Iterable[wire.Answer]) -> list[Address]:
    return list(dict.fromkeys(member for answer in answers for member in answer.members))


def _shown(
    flow: wire.FiveTuple, members: list[Address], hops: Sequence[wire.Hop]
) -> wire.Explanation:
    return wire.Explanation(
        client=flow.client,
        client_port=flow.client_port,
        vip=flow.vip,
        port=flow.port,
        protocol=flow.protocol,
        verdict=worst(hops),
        members=members,
        hops=[wire.HopShown.model_validate(hop.model_dump()) for hop in hops],
    )


async def _site(session: AsyncSession, vip: Vip) -> Site:
    pool = await session.get_one(AddressPool, vip.address_pool_id)
    cluster = await session.get_one(Cluster, vip.cluster_id)
    premises = Premises(
        vip.name,
        pool.name,
        pool.prefix,
        cluster.name,
        tuple(vip.allowed_sources),
        await _listeners(session, vip),
    )
    query = select(Node).where(Node.cluster_id == vip.cluster_id).order_by(Node.name)
    nodes = list(await session.scalars(query))
    heard = await _heard(session, nodes)
    differing = orders.differing(map(order_of, nodes))
    nodes_heard = {
        node: replace(each, order_differs=node in differing) for node, each in heard.items()
    }
    return Site(premises, await feed.vip_revision(session, vip.id), nodes_heard)


async def _listeners(session: AsyncSession, vip: Vip) -> tuple[Listens, ...]:
    pools = {each.pool_id for each in vip.listeners}
    members: dict[UUID, dict[Address, bool]] = defaultdict(dict)
    for member in await session.scalars(select(Member).where(Member.pool_id.in_(pools))):
        able = member.admin_state is MemberAdminState.ACTIVE and member.weight > 0
        members[member.pool_id][member.address] = able
    names = dict(
        (await session.execute(select(Pool.id, Pool.name).where(Pool.id.in_(pools)))).tuples().all()
    )
    return tuple(
        Listens(
            each.name,
            each.protocol,
            tuple((ports["first"], ports["last"]) for ports in each.ports),
            tuple(each.allowed_sources),
            names[each.pool_id],
            members[each.pool_id],
        )
        for each in vip.listeners
    )


async def _hosts_of(session: AsyncSession, members: Sequence[Address]) -> list[BackendHost]:
    query = select(BackendHost).where(BackendHost.addresses.overlap(list(members)))
    return list(await session.scalars(query.order_by(BackendHost.name)))


async def _heard(session: AsyncSession, agents: Sequence[Agent]) -> dict[UUID, Heard]:
    tokens = await _tokens(session, [each.id for each in agents])
    now = datetime.now(UTC)
    return {
        each.id: Heard(
            each.name,
            each.admin_state if isinstance(each, Node) else None,
            (now - each.reported_at).total_seconds() if each.reported_at else None,
            each.applied_revision,
            tuple(_failure(failure) for failure in each.failures),
            _token(tokens[each.id], each.certificate_expires_at, now),
            enrolled=each.certificate_expires_at is not None,
        )
        for each in agents
    }


async def _tokens(
    session: AsyncSession, agents: Sequence[UUID]
) -> Mapping[UUID, list[datetime | None]]:
    """When the tokens of each agent expire."""
    query = select(Token.node_id, Token.host_id, Token.expires_at).where(
        Token.node_id.in_(agents) | Token.host_id.in_(agents)
    )
    found: dict[UUID, list[datetime | None]] = defaultdict(list)
    for node, host, expires_at in await session.execute(query):
        if (agent := node or host) is not None:
            found[agent].append(expires_at)
    return found


def _token(
    expiries: Sequence[datetime | None], certificate_ends: datetime | None, now: datetime
) -> str:
    """Empty if the agent has a token or a certificate that holds, else what is wrong with what it has."""
    if any(each is None or each > now for each in expiries):
        return ""
    if certificate_ends is not None:
        if certificate_ends > now:
            return ""
        return f"the agent's certificate expired at {certificate_ends:%Y-%m-%dT%H:%M:%SZ}"
    if not expiries:
        return "the agent has no token"
    newest = max(each for each in expiries if each is not None)
    return f"the agent's token expired at {newest:%Y-%m-%dT%H:%M:%SZ}"


def _failure(failure: Mapping[str, str]) -> str:
    return "{subsystem} {operation} {key}: {cause}".format_map(failure)
