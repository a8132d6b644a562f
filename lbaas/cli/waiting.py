"""``--wait``: until what a change is for has come about.

That is mostly that every node and backend host has applied it, with a line for each of them; of a node that was taken
out of service, that nothing arrives at it any more.
"""

from collections.abc import Iterable
from uuid import UUID

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lbaas.cli.session import Session
from lbaas.client.api import ApiClient
from lbaas.client.kinds import LISTENERS, MEMBERS, POOLS, VIPS, AnyKind
from lbaas.wire.fields import Resource
from lbaas.wire.operators import Node
from lbaas.wire.status import HostStatus, NodeStatus, VipStatus
from lbaas.wire.tenants import Listener, Member

WAITABLE = (VIPS, LISTENERS, POOLS, MEMBERS)


def wait_for(session: Session, kind: AnyKind, one: Resource, timeout_s: float) -> None:
    """What a change of *one* is for has come about. Raises NotProgrammed or NotSafeToStop at the timeout."""
    if isinstance(one, Node):
        done = session.api.wait_until_safe_to_stop(one, timeout_s)
        session.tell(f"nothing arrives at {done.name} any more: it may be stopped")
    else:
        wait(session, concerned(session.api, kind, one), timeout_s)


def concerned(api: ApiClient, kind: AnyKind, one: Resource) -> list[UUID]:
    """The VIPs that a change of *one* changes."""
    if kind is VIPS:
        return [one.id]
    if isinstance(one, Listener):
        return _vips_of([one])
    pool = one.pool_id if isinstance(one, Member) else one.id
    return _vips_of(api.listeners.list(pool_id=str(pool)))


def wait(session: Session, vips: Iterable[UUID], timeout_s: float) -> None:
    """Each VIP is programmed. Raises NotProgrammed at the timeout."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    for vip in vips:
        with Live(console=console, transient=True, auto_refresh=False) as live:

            def show(status: VipStatus, live: Live = live) -> None:
                live.update(Text("\n".join(lines(status))), refresh=True)

            done = session.api.wait_until_programmed(
                vip, timeout_s, show if console.is_terminal else None
            )
        nodes = sum(node.programmed for node in done.nodes)
        session.tell(f"programmed on {nodes} nodes and {len(done.hosts)} backend hosts")


def lines(status: VipStatus) -> list[str]:
    """A line for each node and host: how far it is."""
    agents: list[NodeStatus | HostStatus] = [*status.nodes, *status.hosts]
    return [_line(each, status.revision) for each in agents]


def _line(agent: NodeStatus | HostStatus, revision: int) -> str:
    return f"  {agent.name:<20} {state(agent, revision)}"


def state(agent: NodeStatus | HostStatus, revision: int) -> str:
    """How far *agent* is, in a few words."""
    if agent.programmed:
        return "programmed"
    if isinstance(agent, NodeStatus) and agent.failures:
        return "failed: " + "; ".join(failure.cause for failure in agent.failures)
    if agent.applied_revision is None:
        return "never reported"
    late = ", stale" if agent.stale else ""
    return f"at revision {agent.applied_revision} of {revision}{late}"


def _vips_of(listeners: Iterable[Listener]) -> list[UUID]:
    both = (vip for each in listeners for vip in (each.vip_id, each.dual_vip_id) if vip is not None)
    return list(dict.fromkeys(both))
