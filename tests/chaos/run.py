"""One schedule, carried out on a site, with everything checked that must hold."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.chaos.invariants import Forwarding, Violation, astray, differing, forwarding, twice
from tests.chaos.moves import Fault, Move, Step, Strike
from tests.chaos.schedule import Ground
from tests.chaos.storm import FOREIGN_MARK, Storm
from tests.chaos.tenant import PORT, Tenant

CLIENT = "client1"
FLOWS = 10
CALM_S = 120

_LISTED = "nft list map inet lbaas flows4; nft list map inet lbaas flows6"
_FOREIGN = (
    ("nft add table inet foreign", "nft list table inet foreign", "nft delete table inet foreign"),
    (
        f"ipvsadm -A -f {FOREIGN_MARK} -s rr",
        f"ipvsadm -Sn | grep -- '-A -f {FOREIGN_MARK} '",
        f"ipvsadm -D -f {FOREIGN_MARK}",
    ),
    (
        "ip addr add 192.0.2.9/32 dev lo",
        "ip addr show dev lo | grep 192.0.2.9",
        "ip addr del 192.0.2.9/32 dev lo",
    ),
)

Say = Callable[[str], object]


def ground(site: Site) -> Ground:
    """The site's machines."""
    nodes, hosts = (site.lab.topology.of(role) for role in (Role.NODE, Role.BACKEND))
    return Ground(tuple(each.name for each in nodes), tuple(each.name for each in hosts))


def carry_out(site: Site, steps: Sequence[Step], anchor: str, say: Say) -> None:
    """All *steps* were done, every fault is mended, the tenant's VIPs are gone again.

    Meanwhile connections to *anchor*, a VIP that no step touches, were held. Raises Violation.
    """
    storm, tenant = Storm(site), Tenant(site)
    flows = site.lab.flows(CLIENT, anchor, PORT, FLOWS)
    with _foreign(site):
        try:
            for number, step in enumerate(steps):
                say(f"{number:3} {step.move}")
                _make(step, storm, tenant)
                _check(site, storm, tenant)
        finally:
            storm.clear()
        say("calm")
        tenant.finish()
        _check_at_rest(site, tenant, anchor)
        dead = [flow for flow in flows.stop() if not flow.alive]
        if dead and not any(_makes_a_node_answer(step.move, site) for step in steps):
            raise Violation(f"flows of a VIP that nobody touched broke: {dead}")
        tenant.leave()


def _make(step: Step, storm: Storm, tenant: Tenant) -> None:
    if isinstance(step.move, Strike):
        storm.strike(step.move)
    else:
        tenant.order(step.move)
    time.sleep(step.pause_s)
    storm.pass_by()


def _makes_a_node_answer(move: Move, site: Site) -> bool:
    """Without our table nothing keeps the node itself from resetting flows, until it is repaired."""
    return (
        isinstance(move, Strike)
        and move.fault is Fault.FLUSH_TABLE
        and move.machine in ground(site).nodes
    )


def _check(site: Site, storm: Storm, tenant: Tenant) -> None:
    for node in ground(site).nodes:
        if node not in storm.away:
            _hold(node, astray(_forwarding(site, node), tenant.meant))


def _check_at_rest(site: Site, tenant: Tenant, anchor: str) -> None:
    """Every write that was answered is applied, and nothing else."""
    tenant.await_programmed()
    listed = {each["address"] for each in tenant.listed() if each["name"].startswith("chaos-")}
    held = [each.address for each in tenant.holdings.values()]
    _hold("the API", twice(each["address"] for each in tenant.listed()))
    if listed != set(held):
        raise Violation(f"the API lists {sorted(listed)}, its tenant was promised {sorted(held)}")
    wanted = {each.address: each.weights for each in tenant.holdings.values()}
    for node in ground(site).nodes:
        _soon(partial(_differing, site, node, wanted), node)
    _soon(partial(_unanswered, site, anchor), "a client")


def _differing(site: Site, node: str, wanted: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    return differing(_forwarding(site, node), wanted)


def _unanswered(site: Site, anchor: str) -> Iterator[str]:
    attempts = [site.lab.fetch(CLIENT, anchor, PORT) for _ in range(10)]
    yield from (f"{anchor} does not answer: {each.error}" for each in attempts if not each.ok)


def _forwarding(site: Site, node: str) -> Forwarding:
    flows = site.lab.run(node, ["sh", "-c", _LISTED]).stdout
    return forwarding(flows, site.lab.run(node, ["ipvsadm", "-Sn"]).stdout)


def _hold(where: str, wrong: Iterator[str]) -> None:
    if found := list(wrong):
        raise Violation(f"{where}: {'; '.join(found)}")


def _soon(look: Callable[[], Iterator[str]], where: str) -> None:
    """Nothing is wrong any more, after a while."""
    until_s = time.monotonic() + CALM_S
    while (wrong := list(look())) and time.monotonic() < until_s:
        time.sleep(0.5)
    _hold(where, iter(wrong))


@contextmanager
def _foreign(site: Site) -> Iterator[None]:
    """Each node has things of somebody else's, and has them still at the end."""
    nodes = ground(site).nodes
    for node in nodes:
        for make, _, _ in _FOREIGN:
            site.lab.run(node, ["sh", "-c", make])
    yield
    for node in nodes:
        for _, show, remove in _FOREIGN:
            if site.lab.run(node, ["sh", "-c", show]).status != 0:
                raise Violation(f"{node}: what is somebody else's is gone: {show}")
            site.lab.run(node, ["sh", "-c", remove])
