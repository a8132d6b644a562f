"""What of the facts holds. Pure; each verdict says what was seen, whichever way it goes."""

from collections.abc import Iterator, Mapping

from lbaas.demo.count import good_again, hurt, touched
from lbaas.demo.facts import (
    Exchanges,
    Fact,
    HeldFlow,
    NodeLoss,
    NodeReturn,
    NodeTables,
    Order,
    Programmed,
    Service,
    Tables,
    Verdict,
)

# A line of a held flow takes milliseconds. One that has waited this long hangs.
HANGS_S = 1.0


def judge(fact: Fact) -> tuple[Verdict, ...]:
    """Every claim that the demo makes about *fact*."""
    match fact:
        case Order():
            return ()
        case Programmed():
            return tuple(_programmed(fact))
        case Exchanges():
            return tuple(_exchanges(fact))
        case Tables():
            return tuple(_tables(fact))
        case NodeLoss():
            return tuple(_node_loss(fact))
        case NodeReturn():
            return tuple(_node_return(fact))


def _programmed(fact: Programmed) -> Iterator[Verdict]:
    behind = [name for name, revision in fact.agents.items() if (revision or 0) < fact.revision]
    yield Verdict(
        "every node and backend host has applied the VIP",
        fact.programmed and not behind,
        f"not {', '.join(behind)}"
        if behind
        else f"{', '.join(fact.agents)}, {fact.programmed_s:.2f} s after the POST",
    )
    yield Verdict(
        "the VIP answers",
        fact.first_answer_s is not None,
        f"not one of {fact.unanswered} attempts"
        if fact.first_answer_s is None
        else f"for the first time {fact.first_answer_s:.2f} s after the POST",
    )


def _exchanges(fact: Exchanges) -> Iterator[Verdict]:
    answers = sum(fact.served.values())
    own = fact.seen.get(fact.client_address, 0)
    idle = [name for name, crossing in fact.nodes.items() if not crossing.requests.packets]
    missed = fact.replies_missed + sum(each.missed for each in fact.nodes.values())
    yield Verdict(
        "every request was answered",
        answers > 0 and not fact.errors,
        "; ".join(sorted(set(fact.errors)))
        or f"{answers} and one of {fact.download_bytes:,} bytes",
    )
    yield Verdict(
        "the backends saw the client's own address",
        own == answers > 0,
        f"{fact.client_address} in {own} of {answers}",
    )
    yield Verdict(
        "every node carried requests",
        not idle,
        f"none on {', '.join(idle)}" if idle else _per_node(fact),
    )
    yield Verdict(
        "nodes send on what they get, in tunnels",
        fact.tunnelled.packets == fact.requests.packets > 0,
        f"{fact.requests.packets} packets in, {fact.tunnelled.packets} tunnelled out",
    )
    yield Verdict(
        "no reply crossed a node",
        fact.replies_at_nodes.packets == 0 < fact.replies.packets and not missed,
        f"{fact.replies_at_nodes.packets} of the {fact.replies.packets} that the client got"
        + (f"; the captures missed {missed} packets" if missed else ""),
    )


def _per_node(fact: Exchanges) -> str:
    return ", ".join(f"{name} {each.requests.packets}" for name, each in fact.nodes.items())


def _tables(fact: Tables) -> Iterator[Verdict]:
    short = {
        route.vip: ", ".join(route.nodes) or "no node"
        for route in fact.routes
        if set(route.nodes) != set(fact.nodes)
    }
    yield Verdict(
        "the router has a route by every node",
        not short,
        "; ".join(f"{vip} by {nodes}" for vip, nodes in short.items())
        or f"{len(fact.nodes)} next hops for each VIP",
    )
    wrong = [line for name, node in fact.nodes.items() for line in _wrong(name, node, fact.members)]
    yield Verdict(
        "mark and IPVS service lead to the tenant's members",
        not wrong,
        "; ".join(wrong) or f"for {len(fact.members)} VIPs on each of {len(fact.nodes)} nodes",
    )
    first, *others = fact.nodes.values()
    alike = all(_held(other) == _held(first) for other in others)
    yield Verdict(
        "the nodes hold the same, in the same order",
        alike,
        "marks, schedulers, destinations" + ("" if alike else " differ"),
    )


def _wrong(name: str, node: NodeTables, members: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    services = {service.mark: service for service in node.services}
    marked = {mark.vip: mark.mark for mark in node.marks}
    for vip, wanted in members.items():
        service = services.get(marked.get(vip, 0))
        if vip not in marked:
            yield f"{name} has no mark for {vip}"
        elif service is None:
            yield f"{name} has no IPVS service for mark {marked[vip]:#x}"
        elif {each.address for each in service.destinations} != set(wanted):
            yield f"{name} sends {vip} to {', '.join(d.address for d in service.destinations)}"
        elif any(each.forwarding != "tunnel" for each in service.destinations):
            yield f"{name} does not tunnel what goes to {vip}"


def _held(node: NodeTables) -> tuple[object, ...]:
    return (frozenset(node.marks), {(s.family, s.mark): _choice(s) for s in node.services})


def _choice(service: Service) -> tuple[object, ...]:
    """All that decides to which backend a flow goes."""
    weighted = tuple((each.address, each.weight) for each in service.destinations)
    return (service.scheduler, service.flags, weighted)


def _node_loss(fact: NodeLoss) -> Iterator[Verdict]:
    live = [flow for flow in fact.flows if _lives(flow)]
    moved = [flow for flow in live if flow.through == fact.node]
    on_it = sum(flow.through == fact.node for flow in fact.flows)
    yield Verdict(
        "established flows live on",
        len(live) == len(fact.flows) and on_it > 0,
        f"{len(live)} of {len(fact.flows)}, among them {len(moved)} of the {on_it} on {fact.node}",
    )
    after = touched(fact.attempts)
    failed = sum(bool(attempt.error) for attempt in after)
    slow = sum(hurt(attempt) for attempt in after) - failed
    again = good_again(fact.attempts)
    yield Verdict(
        "new connections work again",
        again is not None,
        f"of {len(after)}, {failed} failed and {slow} waited; "
        + ("never good again" if again is None else f"all good {again:.2f} s after the loss"),
    )
    yield Verdict(
        "the router sends nothing to the dead node",
        bool(fact.route.nodes) and fact.node not in fact.route.nodes,
        f"its route is by {', '.join(fact.route.nodes) or 'no node'}",
    )


def _node_return(fact: NodeReturn) -> Iterator[Verdict]:
    yield Verdict(
        "the node takes part again",
        fact.back_s is not None,
        "the router has no route by it"
        if fact.back_s is None
        else f"the router has a route by it {fact.back_s:.1f} s later",
    )
    live = sum(map(_lives, fact.flows))
    yield Verdict(
        "the same flows still live",
        live == len(fact.flows) > 0,
        f"{live} of {len(fact.flows)}",
    )
    failed = sum(bool(attempt.error) for attempt in fact.attempts)
    yield Verdict(
        "no new connection fails meanwhile",
        not failed and bool(fact.attempts),
        f"{failed} of {len(fact.attempts)}",
    )


def _lives(flow: HeldFlow) -> bool:
    return flow.alive and flow.exchanged > 0 and flow.waiting_s < HANGS_S
