"""What the demo does to a site, in order; each act yields what it found."""

import time
from collections.abc import Iterable, Iterator

from lbaas.demo import count, gather
from lbaas.demo.facts import Fact, Json, NodeLoss, NodeReturn, Order, Programmed, Tables
from lbaas.demo.gather import WEB_PORT
from lbaas.lab.handles import Flows, Load
from lbaas.lab.kernel.cache import Progress
from lbaas.lab.site import Site
from lbaas.lab.topology import Machine, Role

REQUESTS_PER_MACHINE = 12  # with fewer, chance might leave a node or a backend idle
HELD_FLOWS = 20
TICK_MS = 50
ATTEMPT_TIMEOUT_S = 2
PROGRAMMED_TIMEOUT_S = 25

AFTER_PROGRAMMED_S = 0.3  # so that some attempt begins when all is ready
COUNTERS_LAG_S = 2.2  # IPVS adds up its counters every 2 s
BEFORE_LOSS_S = 1.5
AFTER_LOSS_S = 4.5
ROUTES_TIMEOUT_S = 30
ROUTES_LOOK_S = 0.2
AFTER_RETURN_S = 1.5


def story(site: Site, step: Progress) -> Iterator[Fact]:
    """The whole demo on a site that has just been started; *step* is told what comes next."""
    for backend in site.lab.topology.of(Role.BACKEND):
        site.lab.web(backend.name, WEB_PORT)
    orders: list[Order] = []
    for family in (4, 6):
        for fact in _serve(site, family, step):
            yield fact
            if isinstance(fact, Order):
                orders.append(fact)
    step("reading the router's and the nodes' tables")
    time.sleep(COUNTERS_LAG_S)
    yield _tables(site, orders)
    yield from _lose_and_return(site, orders[0].vip, step)


def _serve(site: Site, family: int, step: Progress) -> Iterator[Fact]:
    """A VIP of *family* is asked for by the tenant, programmed, and used."""
    lab = site.lab
    step(f"tenant: POST /v1/vips, IPv{family}")
    asked_at_s = lab.clock()
    order = _order(site, family)
    yield order
    step(f"waiting until {order.vip} is programmed")
    yield _await_programmed(site, order, asked_at_s)
    _await_routes(site, order.vip, gather.node_names(lab), asked_at_s)  # BGP tells them one by one
    requests = REQUESTS_PER_MACHINE * max(lab.topology.nodes, lab.topology.backends)
    step(f"{requests} requests and a download from {order.vip}, all nodes captured")
    yield gather.exchanges(lab, order.vip, requests)


def _order(site: Site, family: int) -> Order:
    members = [_address(host, family) for host in site.lab.topology.of(Role.BACKEND)]
    request = _vip(family, members)
    begun = time.monotonic()
    answer = site.tenant.post("/v1/vips", request)
    return Order("/v1/vips", request, answer, time.monotonic() - begun)


def _vip(family: int, members: list[str]) -> Json:
    return {
        "name": f"shop-v{family}",
        "family": family,
        "listeners": [
            {
                "name": "http",
                "protocol": "tcp",
                "ports": [{"first": WEB_PORT}],
                "pool": {"members": [{"address": address} for address in members]},
            }
        ],
    }


def _await_programmed(site: Site, order: Order, asked_at_s: float) -> Programmed:
    """A client tries all the time, so that the first answer is measured, not deduced."""
    lab = site.lab
    load = _load(site, order.vip)
    path = f"/v1/vips/{order.answer['id']}/status"
    status = site.tenant.get(path, wait_for="programmed", timeout_s=PROGRAMMED_TIMEOUT_S)
    programmed_s = lab.clock() - asked_at_s
    time.sleep(AFTER_PROGRAMMED_S)
    first_answer_s, unanswered = count.first_answer(load.stop(), asked_at_s)
    return Programmed(
        vip=order.vip,
        revision=status["revision"],
        agents={
            row["name"]: row["applied_revision"] for row in (*status["nodes"], *status["hosts"])
        },
        programmed=status["programmed"],
        programmed_s=programmed_s,
        first_answer_s=first_answer_s,
        unanswered=unanswered,
    )


def _tables(site: Site, orders: list[Order]) -> Tables:
    return Tables(
        members={order.vip: order.members for order in orders},
        routes=tuple(gather.route(site.lab, order.vip) for order in orders),
        nodes={name: gather.node_tables(site.lab, name) for name in gather.node_names(site.lab)},
    )


def _lose_and_return(site: Site, vip: str, step: Progress) -> Iterator[Fact]:
    """A node loses its power and gets it back, while the same flows are held all the time."""
    lab = site.lab
    step(f"{HELD_FLOWS} flows held, a new connection every {TICK_MS} ms")
    flows = lab.flows(_client(site), vip, WEB_PORT, HELD_FLOWS, every_ms=TICK_MS)
    yield _lose_node(site, vip, flows, step)
    yield _return_node(site, vip, flows, step)


def _lose_node(site: Site, vip: str, flows: Flows, step: Progress) -> NodeLoss:
    lab, node = site.lab, gather.node_names(site.lab)[0]
    load = _load(site, vip)
    with gather.watching(lab, dict.fromkeys(gather.node_names(lab), "any")) as watch:
        time.sleep(BEFORE_LOSS_S)
    step(f"{node} loses its power: no carrier, no process, and nobody is told")
    before, lost_at_s = flows.read(), lab.clock()
    site.kill_node(node)
    time.sleep(AFTER_LOSS_S)
    ports = {name: count.source_ports(seen, vip) for name, seen in watch.captured.items()}
    return NodeLoss(
        node=node,
        vip=vip,
        watched_s=lab.clock() - lost_at_s,
        detection_s=lab.topology.bfd_interval_ms * lab.topology.bfd_multiplier / 1000,
        route=gather.route(lab, vip),
        flows=count.held(before, flows.read(), ports),
        attempts=count.attempts(load.stop(), lost_at_s),
    )


def _return_node(site: Site, vip: str, flows: Flows, step: Progress) -> NodeReturn:
    lab, node = site.lab, gather.node_names(site.lab)[0]
    load = _load(site, vip)
    step(f"{node} comes back: plugged in, BIRD and its agent started")
    before, begun_at_s = flows.read(), lab.clock()
    site.revive_node(node)
    back_s = _await_routes(site, vip, [node], begun_at_s)
    time.sleep(AFTER_RETURN_S)
    return NodeReturn(
        node=node,
        vip=vip,
        back_s=back_s,
        flows=count.held(before, flows.stop(), {}),
        attempts=count.attempts(load.stop(), begun_at_s),
    )


def _await_routes(site: Site, vip: str, nodes: Iterable[str], since_s: float) -> float | None:
    """How long after *since_s* the router had a route by each of *nodes*; None if it took too long."""
    wanted = set(nodes)
    while (waited_s := site.lab.clock() - since_s) < ROUTES_TIMEOUT_S:
        if wanted <= set(gather.route(site.lab, vip).nodes):
            return waited_s
        time.sleep(ROUTES_LOOK_S)
    return None


def _load(site: Site, vip: str) -> Load:
    client = _client(site)
    return site.lab.load(client, vip, WEB_PORT, every_ms=TICK_MS, timeout_s=ATTEMPT_TIMEOUT_S)


def _client(site: Site) -> str:
    return site.lab.topology.of(Role.CLIENT)[0].name


def _address(machine: Machine, family: int) -> str:
    return str(machine.address4 if family == 4 else machine.address6)
