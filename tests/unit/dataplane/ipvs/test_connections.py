"""How long a node remembers connections, and whom it tells of them."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.ipvs.connections import (
    ConnectionStep,
    ConnectionTable,
    SetTimeouts,
    StartDaemon,
    StopDaemon,
    SyncDaemon,
    plan,
    sync_daemons,
)
from lbaas.wire.state import Timeouts

tables = st.builds(
    ConnectionTable,
    st.builds(Timeouts, tcp_s=st.integers(1, 2)),
    st.frozensets(
        st.builds(
            SyncDaemon,
            st.sampled_from(["master", "backup"]),
            st.sampled_from(["eth0", "eth1"]),
            st.integers(1, 2),
        ),
        max_size=2,
    ).filter(lambda daemons: len({each.state for each in daemons}) == len(daemons)),
)


def carry_out(table: ConnectionTable, steps: tuple[ConnectionStep, ...]) -> ConnectionTable:
    """As the kernel does: a second daemon of one state is refused."""
    timeouts, daemons = table.timeouts, {each.state: each for each in table.daemons}
    for step in steps:
        match step:
            case SetTimeouts():
                timeouts = step.timeouts
            case StopDaemon(daemon=daemon):
                del daemons[daemon.state]
            case StartDaemon(daemon=daemon):
                assert daemon.state not in daemons
                daemons[daemon.state] = daemon
    return ConnectionTable(timeouts, frozenset(daemons.values()))


@given(observed=tables, desired=tables)
def test_carrying_out_the_plan_gives_the_desired_table(
    observed: ConnectionTable, desired: ConnectionTable
) -> None:
    steps = plan(observed, desired)
    assert carry_out(observed, steps.establish) == desired
    assert steps.withdraw == ()
    assert len(plan(desired, desired)) == 0


@given(cluster=st.uuids())
def test_a_node_tells_and_hears_under_its_clusters_own_number(cluster: UUID) -> None:
    daemons = sync_daemons(cluster, "eth0")
    assert {each.state for each in daemons} == {"master", "backup"}
    (sync_id,) = {each.sync_id for each in daemons}
    assert 1 <= sync_id <= 255
