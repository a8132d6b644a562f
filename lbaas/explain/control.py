"""The control plane's hops: what the API holds of a flow's VIP, and what it last heard of the machines on its way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lbaas.domain.addresses import Address, Prefix
from lbaas.domain.terms import NodeAdminState, Protocol
from lbaas.explain.hops import Stage
from lbaas.wire.explanation import FiveTuple, Hop

CONTROL = "control plane"
_STALE_S = 90.0  # as the API says of an agent


@dataclass(frozen=True)
class Listens:
    """A listener of the VIP, with the members of its pool: address, and whether it shall get new flows."""

    name: str
    protocol: Protocol
    ports: tuple[tuple[int, int], ...]
    sources: tuple[Prefix, ...]
    pool: str
    members: Mapping[Address, bool]

    def takes(self, wanted: FiveTuple) -> bool:
        """True if the flow is the listener's."""
        inside = any(first <= wanted.port <= last for first, last in self.ports)
        return inside and self.protocol is wanted.protocol

    def __str__(self) -> str:
        ports = ",".join(f"{a}-{b}" if b > a else str(a) for a, b in self.ports)
        return f"{self.name} on {self.protocol}/{ports}"


@dataclass(frozen=True)
class Premises:
    """What the API holds of the VIP. *suspended*: its tenant may change nothing."""

    name: str
    address_pool: str
    prefix: Prefix
    cluster: str
    sources: tuple[Prefix, ...]
    listeners: tuple[Listens, ...]


@dataclass(frozen=True)
class Heard:
    """What the API last heard of an agent. *silent_s* is since when, None if ever.

    *token* is empty if it has a token or a certificate that holds, else what is wrong with those that it has. If it is
    *enrolled* it has, or had, a certificate.
    """

    name: str
    admin_state: NodeAdminState | None
    silent_s: float | None
    applied: int | None
    failures: tuple[str, ...] = ()
    token: str = ""
    enrolled: bool = False
    order_differs: bool = False

    @property
    def stale(self) -> bool:
        """True if it is no use to ask."""
        return self.silent_s is None or self.silent_s > _STALE_S


def premises(found: Premises, wanted: FiveTuple) -> Iterator[Hop]:
    """What the API can say by itself."""
    yield Stage(CONTROL, "vip").ok(
        f"{wanted.vip} is {found.name}, from address pool {found.address_pool} ({found.prefix}), "
        f"announced by cluster {found.cluster}"
    )
    listener = next((each for each in found.listeners if each.takes(wanted)), None)
    if listener is None:
        have = ", ".join(map(str, found.listeners)) or "none"
        yield Stage(CONTROL, "listener").broken(
            f"a listener for {wanted.protocol}/{wanted.port}",
            f"the VIP has {have}",
            f"nothing listens on {wanted.protocol}/{wanted.port}: nodes refuse the packets",
            "lbaas listener create, or ask for a port that has one",
        )
        return
    yield Stage(CONTROL, "listener").ok(f"listener {listener}, to pool {listener.pool}")
    yield from _sources(found, listener, wanted)
    yield _members(listener)


def _sources(found: Premises, listener: Listens, wanted: FiveTuple) -> Iterator[Hop]:
    stage = Stage(CONTROL, "policy")
    for whose, allowed in (("VIP", found.sources), (f"listener {listener.name}", listener.sources)):
        if allowed and not any(wanted.client in prefix for prefix in allowed):
            yield stage.broken(
                f"the {whose} allows {', '.join(map(str, allowed))}",
                f"the client is {wanted.client}",
                "the client's address is in none of the allowed source prefixes: nodes drop its packets",
                f"lbaas {'vip' if whose == 'VIP' else 'listener'} set … --allowed-sources, with the client's prefix",
            )


def _members(listener: Listens) -> Hop:
    stage = Stage(CONTROL, "members")
    desired = f"pool {listener.pool} has members that get new flows"
    able = [str(address) for address, takes in listener.members.items() if takes]
    if able:
        return stage.ok(desired, ", ".join(able))
    actual = f"{len(listener.members)} members, all drained or at weight 0"
    cause = "there is nobody to send a new flow to"
    return stage.broken(desired, actual, cause, "lbaas member add, or undrain one")


def agent(heard: Heard, revision: int) -> Hop:
    """Whether the agent can do its work, as far as the API knows. *revision* holds the VIP's newest change."""
    stage = Stage(heard.name, "agent")
    desired = f"reports, and holds revision {revision}"
    actual = f"{_last_heard(heard)}, revision {heard.applied or 'none'}"
    if heard.token and heard.stale:
        cause = f"{heard.token}: the server does not listen to it, and it hears of no change"
        return stage.broken(desired, actual, cause, _anew(heard))
    if heard.stale:
        cause = "the agent is stopped, or cannot reach the server: forwarding goes on as it was"
        return stage.broken(
            desired, actual, cause, f"on {heard.name}: systemctl status, and the agent's log"
        )
    if heard.token:
        return stage.suspect(desired, actual, heard.token, _anew(heard))
    if heard.failures:
        cause = f"steps failed: {'; '.join(heard.failures[:3])}"
        return stage.suspect(
            desired, actual, cause, f"on {heard.name}: mend the cause, the agent tries again"
        )
    if (heard.applied or 0) < revision:
        cause = "the newest change is not applied yet"
        return stage.suspect(desired, actual, cause, "lbaas status --wait; see the agent's log")
    return stage.ok(desired, actual)


def _anew(heard: Heard) -> str:
    """How the agent is let in again."""
    if heard.enrolled:
        return f"lbaas node enrol or host enrol for {heard.name}; there, what it prints"
    return f"lbaas token create for {heard.name}, into its --token-file; restart it"


def _last_heard(heard: Heard) -> str:
    return "never reported" if heard.silent_s is None else f"reported {heard.silent_s:.0f} s ago"


def silent(machine: str, command: str) -> Hop:
    """The machine was asked, and did not answer in time."""
    return Stage(machine, "answer").broken(
        "the agent answers what it sees",
        "no answer in time",
        "the agent hangs, is stopped or is older than this server",
        f"on {machine}: lbaas {command} explain …, which needs no server",
    )


def unmanaged(member: Address) -> Hop:
    """A member that no host agent looks after."""
    return Stage(str(member), "host").suspect(
        "a backend host with this address",
        "there is none",
        "no host agent sets up tunnel and VIP there: somebody has to do it by hand",
        "lbaas host create, and run lbaas host-agent there",
    )


def agreement(members: Mapping[str, Sequence[Address]], mtus: Mapping[str, int]) -> Iterator[Hop]:
    """What only shows where several machines' answers are laid side by side."""
    chosen = {node: tuple(each) for node, each in members.items() if each}
    stage = Stage(CONTROL, "agreement")
    said = "; ".join(f"{node}: {', '.join(map(str, each))}" for node, each in chosen.items())
    if len({frozenset(each) for each in chosen.values()}) > 1:
        yield stage.broken(
            "nodes choose the same member",
            said,
            "a flow that comes to another node goes to another member, and is reset",
            "look at the hops members and service of these nodes: one differs",
        )
    elif chosen:
        yield stage.ok("nodes choose the same member", said)
    yield from _sizes(chosen, mtus)


def _sizes(nodes: Mapping[str, object], mtus: Mapping[str, int]) -> Iterator[Hop]:
    """A host asks clients for segments that fill its own MTU once they are wrapped."""
    hosts = {name: mtu for name, mtu in mtus.items() if name not in nodes}
    for node, mtu in mtus.items():
        if node in nodes and hosts and mtu < max(hosts.values()):
            yield Stage(node, "mtu").suspect(
                f"packets of {max(hosts.values())} bytes get to the members",
                f"MTU {mtu}",
                "full-size segments of clients don't fit the tunnel: uploads wait for ICMP errors to reach the client",
                "raise the MTU towards the members, or lower the hosts'",
            )


def choosable(hops: Sequence[Hop], nodes: Sequence[str]) -> Hop:
    """Which of *nodes* a router could send the packets to."""
    stage, desired = Stage(CONTROL, "routers"), "a router can choose a node"
    able = [
        node
        for node in nodes
        if any((hop.machine, hop.stage, hop.verdict) == (node, "export", "ok") for hop in hops)
    ]
    if able:
        return stage.ok(desired, ", ".join(able))
    cause = "no node announces the VIP to any router: packets don't get to the cluster"
    return stage.broken(
        desired,
        "none",
        cause,
        "see announcement, session and export of each node; is every node drained?",
    )
