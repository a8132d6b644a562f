"""Which elements to add to the table and to take out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lbaas.dataplane.delta import delta
from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.policy import Policy
from lbaas.dataplane.steps import Plan
from lbaas.dataplane.turns import by_turns
from lbaas.domain.addresses import Address, address_key


@dataclass(frozen=True, slots=True)
class ReplaceTable:
    """The table is made anew with *content*, in one transaction: no packet sees it absent or part-filled."""

    content: MarkTable

    @property
    def key(self) -> str:
        return "table"


@dataclass(frozen=True, slots=True)
class AddVip:
    """Packets to the address are looked up, and refused where nothing marks them."""

    address: Address

    @property
    def key(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class RemoveVip:
    """Packets to the address are none of our business."""

    address: Address

    @property
    def key(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class SetFlow:
    """The flow carries *mark*; *replaced* went in the same transaction, being in its place."""

    flow: FlowKey
    mark: FlowMark
    replaced: tuple[tuple[FlowKey, FlowMark], ...] = ()

    @property
    def key(self) -> str:
        return str(self.flow)


@dataclass(frozen=True, slots=True)
class RemoveFlow:
    """The flow carries no mark."""

    flow: FlowKey
    mark: FlowMark

    @property
    def key(self) -> str:
        return str(self.flow)


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """The mark is policed so; *replaced* went in the same transaction."""

    mark: int
    policy: Policy
    replaced: Policy | None = None

    @property
    def key(self) -> str:
        return f"policy of {self.mark:#x}"


@dataclass(frozen=True, slots=True)
class RemovePolicy:
    """Anybody may use the mark as often as he likes."""

    mark: int
    policy: Policy

    @property
    def key(self) -> str:
        return f"policy of {self.mark:#x}"


@dataclass(frozen=True, slots=True)
class ForgetDrops:
    """Nothing is counted against a mark that no packet carries any more."""

    cause: str
    mark: int

    @property
    def key(self) -> str:
        return f"drops of {self.mark:#x} by {self.cause}"


MarkStep: TypeAlias = (
    ReplaceTable
    | AddVip
    | RemoveVip
    | SetFlow
    | RemoveFlow
    | SetPolicy
    | RemovePolicy
    | ForgetDrops
)


def plan(observed: MarkTable, desired: MarkTable) -> Plan[MarkStep]:
    """Steps that turn *observed* into *desired*.

    What is to be withdrawn stays until the withdrawing half, also where the whole table is replaced. An
    exception is a range of ports in the way of a new one: the kernel refuses overlaps, so it goes with it.
    A policy comes before the flows of its mark, and goes after them; one that a living mark no longer has
    goes at once.
    """
    sets, replaced = _set_flows(observed.flows, desired.flows)
    removals = {
        flow: mark
        for flow, mark in by_turns(observed.flows.items())
        if flow not in desired.flows and flow not in replaced
    }
    gone = observed.vips - desired.vips
    policies = delta(observed.policies, desired.policies)
    living = desired.marks if policies.removed or observed.drops else frozenset()
    return Plan(
        establish=_establish(observed, desired, sets, removals, living),
        withdraw=(
            *(RemoveFlow(flow, mark) for flow, mark in removals.items()),
            *map(RemoveVip, sorted(gone, key=address_key)),
            *(
                RemovePolicy(mark, policy)
                for mark, policy in policies.removed.items()
                if mark not in living
            ),
            *(ForgetDrops(*key) for key in observed.drops if key[1] not in living),
        ),
    )


def _establish(
    observed: MarkTable,
    desired: MarkTable,
    sets: tuple[SetFlow, ...],
    removals: Mapping[FlowKey, FlowMark],
    living: frozenset[int],
) -> tuple[MarkStep, ...]:
    policies = delta(observed.policies, desired.policies)
    elements: tuple[MarkStep, ...] = (
        *(SetPolicy(mark, policy) for mark, policy in policies.added.items()),
        *(SetPolicy(mark, new, observed.policies[mark]) for mark, new in policies.changed.items()),
        *(RemovePolicy(mark, old) for mark, old in policies.removed.items() if mark in living),
        *map(AddVip, sorted(desired.vips - observed.vips, key=address_key)),
        *sets,
    )
    if observed.structure is None and desired.structure is not None:
        # There is nothing that a packet could miss meanwhile, and elements by themselves are quick to place.
        return (ReplaceTable(MarkTable(desired.structure)), *elements)
    if observed.structure != desired.structure:
        leaving = {mark: old for mark, old in policies.removed.items() if mark not in living}
        content = MarkTable(
            desired.structure,
            desired.vips | observed.vips,
            {**desired.flows, **removals},
            {**desired.policies, **leaving},
            observed.drops,
        )
        return (ReplaceTable(content),)
    return elements


def _set_flows(
    observed: Mapping[FlowKey, FlowMark], desired: Mapping[FlowKey, FlowMark]
) -> tuple[tuple[SetFlow, ...], frozenset[FlowKey]]:
    """The steps for new and changed flows, and the observed flows that go with them."""
    leaving = _by_place(
        {flow: mark for flow, mark in by_turns(observed.items()) if flow not in desired}
    )
    steps: list[SetFlow] = []
    replaced: set[FlowKey] = set()
    for flow, mark in by_turns(desired.items()):
        old = observed.get(flow)
        if old == mark:
            continue
        in_the_way = {
            other: left
            for other, left in leaving.get(_place(flow), ())
            if other not in replaced and other.overlaps(flow)
        }
        if old is not None:
            in_the_way[flow] = old
        replaced |= in_the_way.keys()
        steps.append(SetFlow(flow, mark, tuple(in_the_way.items())))
    return tuple(steps), frozenset(replaced)


def _by_place(
    flows: Mapping[FlowKey, FlowMark],
) -> dict[tuple[Address, int], list[tuple[FlowKey, FlowMark]]]:
    """Only flows of one VIP and protocol can overlap: each new one is held against few."""
    places: dict[tuple[Address, int], list[tuple[FlowKey, FlowMark]]] = {}
    for flow, mark in flows.items():
        places.setdefault(_place(flow), []).append((flow, mark))
    return places


def _place(flow: FlowKey) -> tuple[Address, int]:
    return flow.vip, flow.protocol
