"""A node's hops at its door: the VIP's address, who may come, and the mark."""

from collections.abc import Callable, Iterator, Mapping

from lbaas.dataplane.link.desired import LinkTable
from lbaas.dataplane.marks.desired import PROTOCOL_NUMBERS, FlowKey, MarkTable
from lbaas.dataplane.marks.policy import spans
from lbaas.domain.addresses import Address
from lbaas.explain.carried import asked
from lbaas.explain.drift import DRIFT
from lbaas.explain.hops import Seen, Stage, T, Unseen
from lbaas.explain.node_facts import NodeDesired, NodeSeen
from lbaas.explain.others import described, mark_setters
from lbaas.explain.packets import UNTRACKED
from lbaas.wire.explanation import FiveTuple, Hop
from lbaas.wire.state import Admission, Flow


def marking(
    machine: str, desired: NodeDesired, seen: NodeSeen, wanted: FiveTuple, flow: Flow
) -> Iterator[Hop]:
    yield _address(machine, seen.links, wanted.vip)
    admission = next((a for a in desired.state.admissions if a.mark == flow.mark), None)
    yield _policy(machine, admission, wanted)
    yield from _judge(
        Stage(machine, "rules"),
        "our table marks packets",
        seen.marks,
        lambda s, t: _rules(s, t, seen),
    )
    yield from _judge(
        Stage(machine, "mark"),
        f"mark {flow.mark:#x}",
        seen.marks,
        lambda stage, table: _mark(stage, table, flow),
    )
    yield from _judge(
        Stage(machine, "marks of others"),
        "nobody changes the mark",
        seen.others,
        lambda s, t: _others_marks(s, t, wanted),
    )


def _judge(
    stage: Stage, desired: str, seen: Seen[T], judge: Callable[[Stage, T], Hop]
) -> Iterator[Hop]:
    yield stage.unknown(desired, seen) if isinstance(seen, Unseen) else judge(stage, seen)


def _address(machine: str, seen: Seen[LinkTable], vip: Address) -> Hop:
    stage, desired = Stage(machine, "address"), f"{vip} is the node's own"
    if isinstance(seen, Unseen):
        return stage.unknown(desired, seen)
    if vip not in seen.accepted:
        cause = "the node does not take the packets for its own, and routes them on"
        return stage.broken(desired, "table local has no route of ours to it", cause, DRIFT)
    return stage.ok(desired)


def _policy(machine: str, admission: Admission | None, wanted: FiveTuple) -> Hop:
    stage = Stage(machine, "policy")
    if admission is None:
        return stage.ok("anybody may come")
    if admission.sources and not any(
        each.first.version == wanted.client.version and each.first <= wanted.client <= each.last  # type: ignore[operator]  # one family, as the line says
        for each in spans(admission)
    ):
        allowed = " and ".join(", ".join(map(str, each)) for each in admission.sources)
        return stage.broken(
            f"clients of {allowed}",
            f"the client is {wanted.client}",
            "allowed source prefixes of the VIP or its listener don't hold the client: it is dropped",
            "add the client's prefix, or ask from an allowed one",
        )
    limit = admission.new_connections_per_source
    return stage.ok(f"the client may come{f', {limit} new connections a second' if limit else ''}")


def _rules(stage: Stage, table: MarkTable, seen: NodeSeen) -> Hop:
    desired = "table inet lbaas is as we make it"
    if table.structure is None:
        return stage.broken(desired, "there is no such table", "no packet is marked", DRIFT)
    if table.structure != seen.structure:
        return stage.broken(
            desired, _difference(table.structure, seen.structure), "its rules are not ours", DRIFT
        )
    return stage.ok(desired)


def _difference(actual: str, desired: str) -> str:
    had, wanted = ([line.strip() for line in text.splitlines()] for text in (actual, desired))
    extra = [line for line in had if line not in wanted]
    missing = [line for line in wanted if line not in had]
    parts = [f"has {extra[0]!r}"] if extra else []
    return "; ".join(parts + ([f"lacks {missing[0]!r}"] if missing else [])) or "in another order"


def _mark(stage: Stage, table: MarkTable, flow: Flow) -> Hop:
    key = FlowKey(flow.vip, PROTOCOL_NUMBERS[flow.protocol], flow.ports.first, flow.ports.last)
    desired = f"{key} gets mark {flow.mark:#x}"
    found = next((mark for each, mark in table.flows.items() if each.overlaps(key)), None)
    if flow.vip not in table.vips:
        return stage.broken(
            desired, f"{flow.vip} is not in the set of VIPs", "no rule looks at it", DRIFT
        )
    if found is None or found.packets is None:
        return stage.broken(desired, "no mark", "packets without a mark are refused", DRIFT)
    if found.packets != flow.mark:
        cause = "IPVS takes them for another listener's, or for nobody's"
        return stage.broken(desired, f"mark {found.packets:#x}", cause, DRIFT)
    if found.errors != found.packets:
        cause = "ICMP errors don't follow their flow: large packets may get stuck"
        return stage.suspect(desired, f"ICMP errors get {found.errors or 'none'}", cause, DRIFT)
    return stage.ok(desired)


def _others_marks(stage: Stage, others: Mapping[str, str], wanted: FiveTuple) -> Hop:
    desired = "nobody changes the mark after us"
    what, certain = described(mark_setters(others, asked(wanted, UNTRACKED)))
    if not what:
        return stage.ok(desired)
    remedy = "let that rule leave packets with our marks alone, or run it before priority -145"
    if certain:
        cause = "the packet loses its mark: it is refused, or goes to another listener"
        return stage.broken(desired, what, cause, remedy)
    cause = "a packet that the rule matches loses its mark; not all of its conditions can be read"
    return stage.suspect(desired, what, cause, remedy)
