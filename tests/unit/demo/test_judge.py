"""Every claim holds for a good run, and fails for what contradicts it."""

from dataclasses import replace

import pytest

from lbaas.demo.facts import Attempt, Crossing, Destination, Fact, NodeTables, Route, Tally
from lbaas.demo.judge import judge
from tests.unit.demo.samples import (
    EXCHANGES,
    FACTS,
    FLOWS,
    NODE_LOSS,
    NODE_RETURN,
    NODE_TABLES,
    PROGRAMMED,
    TABLES,
    VIP,
)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_all_claims_hold_for_a_good_run(fact: Fact) -> None:
    assert [verdict for verdict in judge(fact) if not verdict.holds] == []


LB1 = EXCHANGES.nodes["lb1"]
SERVICE = NODE_TABLES.services[0]
FIRST, SECOND = SERVICE.destinations


def exchanges_with(lb1: Crossing) -> Fact:
    return replace(EXCHANGES, nodes={**EXCHANGES.nodes, "lb1": lb1})


def tables_with(lb2: NodeTables) -> Fact:
    return replace(TABLES, nodes={"lb1": NODE_TABLES, "lb2": lb2})


def destinations(*those: Destination) -> NodeTables:
    return NodeTables(NODE_TABLES.marks, (replace(SERVICE, destinations=those),))


SPOILT: list[tuple[str, Fact]] = [
    ("every node and backend host has applied the VIP", replace(PROGRAMMED, programmed=False)),
    (
        "every node and backend host has applied the VIP",
        replace(PROGRAMMED, agents={**PROGRAMMED.agents, "lb2": 755}),
    ),
    (
        "every node and backend host has applied the VIP",
        replace(PROGRAMMED, agents={**PROGRAMMED.agents, "lb2": None}),
    ),
    ("the VIP answers", replace(PROGRAMMED, first_answer_s=None)),
    ("every request was answered", replace(EXCHANGES, errors=("timed out",))),
    ("the backends saw the client's own address", replace(EXCHANGES, seen={"10.0.10.11": 24})),
    (
        "the backends saw the client's own address",
        replace(EXCHANGES, seen={"10.0.1.11": 23, "10.0.10.11": 1}),
    ),
    (
        "every node carried requests",
        exchanges_with(replace(LB1, requests=Tally(), tunnelled=Tally())),
    ),
    ("nodes send on what they get, in tunnels", exchanges_with(replace(LB1, tunnelled=Tally(107)))),
    ("no reply crossed a node", exchanges_with(replace(LB1, replies=Tally(1, 60)))),
    ("no reply crossed a node", exchanges_with(replace(LB1, missed=1))),
    ("no reply crossed a node", replace(EXCHANGES, replies=Tally())),
    ("no reply crossed a node", replace(EXCHANGES, replies_missed=1)),
    ("the router has a route by every node", replace(TABLES, routes=(Route(VIP, ("lb1",)),))),
    ("the router has a route by every node", replace(TABLES, routes=(Route(VIP, ()),))),
    ("mark and IPVS service lead to the tenant's members", tables_with(NodeTables((), ()))),
    (
        "mark and IPVS service lead to the tenant's members",
        tables_with(NodeTables(NODE_TABLES.marks, ())),
    ),
    ("mark and IPVS service lead to the tenant's members", tables_with(destinations(FIRST))),
    (
        "mark and IPVS service lead to the tenant's members",
        tables_with(destinations(FIRST, replace(SECOND, forwarding="masq"))),
    ),
    ("the nodes hold the same, in the same order", tables_with(destinations(SECOND, FIRST))),
    (
        "the nodes hold the same, in the same order",
        tables_with(destinations(FIRST, replace(SECOND, weight=2))),
    ),
    (
        "established flows live on",
        replace(NODE_LOSS, flows=(replace(FLOWS[0], alive=False), FLOWS[1])),
    ),
    (
        "established flows live on",
        replace(NODE_LOSS, flows=(replace(FLOWS[0], waiting_s=3.5), FLOWS[1])),
    ),
    (
        "established flows live on",
        replace(NODE_LOSS, flows=(replace(FLOWS[0], exchanged=0), FLOWS[1])),
    ),
    ("established flows live on", replace(NODE_LOSS, flows=FLOWS[1:])),
    (
        "new connections work again",
        replace(NODE_LOSS, attempts=(Attempt(0.1, 0.01), Attempt(4.0, 2.0, "timed out"))),
    ),
    (
        "the router sends nothing to the dead node",
        replace(NODE_LOSS, route=Route(VIP, ("lb1", "lb2"))),
    ),
    ("the router sends nothing to the dead node", replace(NODE_LOSS, route=Route(VIP, ()))),
    ("the node takes part again", replace(NODE_RETURN, back_s=None)),
    (
        "the same flows still live",
        replace(NODE_RETURN, flows=(replace(FLOWS[0], alive=False), FLOWS[1])),
    ),
    (
        "no new connection fails meanwhile",
        replace(NODE_RETURN, attempts=(Attempt(0.1, 0.01, "reset"),)),
    ),
    ("no new connection fails meanwhile", replace(NODE_RETURN, attempts=())),
]


@pytest.mark.parametrize(("claim", "fact"), SPOILT)
def test_a_claim_fails_for_what_contradicts_it(claim: str, fact: Fact) -> None:
    assert claim in [verdict.claim for verdict in judge(fact) if not verdict.holds]


def test_every_claim_has_a_fact_that_contradicts_it() -> None:
    claims = {verdict.claim for fact in FACTS for verdict in judge(fact)}
    assert {claim for claim, _ in SPOILT} == claims


def test_counters_and_orders_of_services_may_differ_between_nodes() -> None:
    busier = replace(FIRST, connections=99, in_packets=999)
    other = destinations(busier, SECOND)
    second = replace(SERVICE, mark=SERVICE.mark + 1)
    one = NodeTables(NODE_TABLES.marks, (SERVICE, second))
    two = NodeTables(NODE_TABLES.marks, (second, *other.services))
    judged = judge(replace(TABLES, nodes={"lb1": one, "lb2": two}))
    assert all(verdict.holds for verdict in judged)
