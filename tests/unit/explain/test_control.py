"""What the API says of a flow by itself, and of machines that it heard of."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_network

import pytest

from lbaas.domain.terms import NodeAdminState, Protocol, Verdict
from lbaas.explain.control import Heard, Listens, Premises, agent, agreement, choosable, premises
from lbaas.explain.hops import Stage
from lbaas.wire.explanation import FiveTuple, Hop

VIP, MEMBER, OTHER = (IPv4Address(f"198.51.100.{number}") for number in (7, 8, 9))
FLOW = FiveTuple(client=IPv4Address("192.0.2.7"), vip=VIP, port=80)
WEB = Listens("web", Protocol.TCP, ((80, 80), (8000, 8099)), (), "web", {MEMBER: True})
SHOP = Premises("shop", "public", ip_network("198.51.100.0/24"), "east", (), (WEB,))
WELL = Heard("lb1", NodeAdminState.ACTIVE, 3.0, 7)


def wrong(found: Premises, flow: FiveTuple = FLOW) -> list[str]:
    return [hop.stage for hop in premises(found, flow) if hop.verdict is not Verdict.OK]


def test_a_flow_that_is_served_has_nothing_wrong() -> None:
    assert wrong(SHOP) == []
    assert wrong(SHOP, FLOW.model_copy(update={"port": 8050})) == []


def test_what_the_api_can_tell_by_itself() -> None:
    assert wrong(SHOP, FLOW.model_copy(update={"port": 81})) == ["listener"]
    assert wrong(SHOP, FLOW.model_copy(update={"protocol": Protocol.UDP})) == ["listener"]
    elsewhere = (ip_network("198.18.0.0/15"),)
    assert wrong(replace(SHOP, sources=elsewhere)) == ["policy"]
    assert wrong(replace(SHOP, listeners=(replace(WEB, sources=elsewhere),))) == ["policy"]
    assert wrong(replace(SHOP, listeners=(replace(WEB, members={MEMBER: False}),))) == ["members"]


@pytest.mark.parametrize(
    ("heard", "verdict", "cause"),
    [
        (WELL, Verdict.OK, ""),
        (replace(WELL, silent_s=None), Verdict.BROKEN, "stopped"),
        (replace(WELL, silent_s=91.0), Verdict.BROKEN, "stopped"),
        (replace(WELL, silent_s=91.0, token="the token expired"), Verdict.BROKEN, "expired"),
        (replace(WELL, token="the token expired"), Verdict.SUSPECT, "expired"),
        (
            replace(WELL, silent_s=91.0, token="the certificate expired", enrolled=True),
            Verdict.BROKEN,
            "certificate expired",
        ),
        (replace(WELL, applied=6), Verdict.SUSPECT, "not applied yet"),
        (replace(WELL, failures=("ipvs apply: no",)), Verdict.SUSPECT, "ipvs apply: no"),
    ],
)
def test_what_was_heard_of_an_agent(heard: Heard, verdict: Verdict, cause: str) -> None:
    hop = agent(heard, 7)
    assert hop.verdict is verdict
    assert cause in hop.cause


def verdicts(*hops: Hop) -> dict[str, Verdict]:
    return {hop.stage: hop.verdict for hop in hops}


def test_nodes_that_choose_differently_and_sizes_that_do_not_fit_show_side_by_side() -> None:
    same = {"lb1": [MEMBER], "lb2": [MEMBER]}
    assert verdicts(*agreement(same, {"lb1": 1500, "host": 1500})) == {"agreement": Verdict.OK}
    differing = {"lb1": [MEMBER], "lb2": [OTHER], "lb3": []}
    assert verdicts(*agreement(differing, {})) == {"agreement": Verdict.BROKEN}
    small = verdicts(*agreement(same, {"lb1": 1400, "lb2": 1500, "host": 1500}))
    assert small == {"agreement": Verdict.OK, "mtu": Verdict.SUSPECT}


def test_a_router_can_choose_the_nodes_that_tell_it_of_the_vip() -> None:
    told = Stage("lb1", "export").ok("told")
    held = Stage("lb2", "export").broken("told", "not", "a filter", "look")
    assert choosable([told, held], ["lb1", "lb2"]).actual == "lb1"
    assert choosable([held], ["lb1", "lb2"]).verdict is Verdict.BROKEN
