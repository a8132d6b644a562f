"""The law of the incremental compiler: following what changes touched equals compiling from scratch.

A little database of clusters' rows lives through a random history, and notes what each write touches as the
services do. One state follows it, several writes at a time, some of them looked at twice, as happens when the
feed's horizon lags.
"""

from dataclasses import dataclass, field, replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lbaas.compiler.compile import compile_cluster, recompile
from lbaas.compiler.history import History
from lbaas.compiler.snapshot import (
    ClusterRow,
    ListenerRow,
    MemberRow,
    NodeRow,
    ServiceRow,
    Touched,
    VipRow,
)
from lbaas.domain.terms import NodeAdminState
from lbaas.wire.entries import Entries

IDS = [UUID(int=n) for n in range(1, 5)]
Noted = tuple[str, UUID]


@dataclass
class Rows:
    """VIPs by id with the pool of each listener by mark; pools by id with their members' weights."""

    nodes: set[UUID] = field(default_factory=set)
    vips: dict[UUID, dict[int, UUID]] = field(default_factory=dict)
    pools: dict[UUID, dict[UUID, int]] = field(default_factory=lambda: {pool: {} for pool in IDS})

    def cluster(self) -> ClusterRow:
        nodes = [NodeRow(id=n, name=str(n), admin_state=NodeAdminState.ACTIVE) for n in self.nodes]
        row = ClusterRow(
            id=UUID(int=9), as_number=65001, mark_first=1, mark_last=99, nodes=(), peers=()
        )
        return replace(row, nodes=tuple(nodes))

    def vip(self, vip: UUID) -> VipRow:
        return VipRow(
            id=str(vip),
            address=f"198.51.100.{vip.int}",
            listeners=tuple(self._listener(mark, pool) for mark, pool in self.vips[vip].items()),
        )

    def touched(self, noted: set[Noted]) -> Touched:
        """As the loader reads it: a pool stands for the VIPs that use it now."""
        pools = {which for kind, which in noted if kind == "pool"}
        users = {vip for vip, used in self.vips.items() if pools & set(used.values())}
        vips = users | {which for kind, which in noted if kind == "vip"}
        return Touched(
            cluster=self.cluster() if any(kind == "cluster" for kind, _ in noted) else None,
            named=vips,
            vips=tuple(self.vip(vip) for vip in vips if vip in self.vips),
        )

    def _listener(self, mark: int, pool: UUID) -> ListenerRow:
        members = tuple(
            MemberRow(address=f"10.0.0.{member.int}", weight=weight)
            for member, weight in self.pools[pool].items()
        )
        return ListenerRow(str(UUID(int=mark)), mark, ServiceRow(ports=((mark, mark),)), members)


def write(rows: Rows, kind: str, one: UUID, other: UUID) -> set[Noted]:
    """One write of *kind* on *one*; what the services would note of it."""
    match kind:
        case "node":
            rows.nodes ^= {one}
            return {("cluster", UUID(int=9))}
        case "vip":
            if rows.vips.pop(one, None) is None:
                rows.vips[one] = {}
            return {("vip", one)}
        case "listener":
            listeners = rows.vips.setdefault(one, {})
            if listeners.pop(one.int * 10, None) is None:
                listeners[one.int * 10] = other
            return {("vip", one)}
        case "move":
            listeners = rows.vips.setdefault(one, {})
            listeners.update(dict.fromkeys(listeners, other))
            return {("vip", one)}
        case _:
            members = rows.pools[one]
            members[other] = members.get(other, 0) + 1
            if members[other] > 2:
                del members[other]
            return {("pool", one)}


WRITES = st.tuples(
    st.sampled_from(["node", "vip", "listener", "move", "member"]),
    st.sampled_from(IDS),
    st.sampled_from(IDS),
)
LOOKS = st.lists(st.tuples(st.lists(WRITES, max_size=4), st.booleans()), max_size=12)


@given(LOOKS)
def test_following_a_history_equals_compiling_from_scratch(
    looks: list[tuple[list[tuple[str, UUID, UUID]], bool]],
) -> None:
    rows = Rows()
    entries = Entries.of(compile_cluster(rows.cluster(), ()))
    seen, history = [entries], History(0)
    again: set[Noted] = set()
    for revision, (writes, twice) in enumerate(looks, start=1):
        noted = again.union(*(write(rows, *each) for each in writes))
        again = noted if twice else set()
        touched = rows.touched(noted)
        delta = recompile(entries.values, touched)
        entries = entries.after(delta)
        history = history.then(revision, delta.keys)
        seen.append(entries)

        scratch = compile_cluster(rows.cluster(), map(rows.vip, rows.vips))
        assert entries == Entries.of(scratch)

    for revision, held in enumerate(seen):
        changed = history.keys_since(revision)
        assert changed is not None
        assert held.after(entries.at(changed)) == entries
