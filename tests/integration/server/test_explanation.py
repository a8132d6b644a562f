"""What the API makes of a flow, with agents that see what they are told to see."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

import pytest

from lbaas.agent.answering import Explain, answer_all
from lbaas.client.agent import AgentClient
from lbaas.client.api import ApiClient
from lbaas.client.problems import Invalid, NotFound
from lbaas.domain.terms import Protocol, Verdict
from lbaas.explain.hops import Stage
from lbaas.wire.explanation import Answer, Explanation, FiveTuple, HopShown

from .conftest import Json, LiveServer, Site, listener, unique

CLIENT = ip_address("192.0.2.7")
MEMBER = "10.0.20.11"
# Long enough for any machine: nobody waits for it, but where the test says that somebody does not answer.
PATIENCE_S = 30.0


@pytest.fixture
def tenant(site: Site) -> ApiClient:
    return site.member()


@pytest.fixture
def vip(site: Site, tenant: ApiClient) -> Json:
    body = {"name": unique("v"), "address_pool_id": site.v4["id"]}
    return tenant.post("/v1/vips", {**body, "listeners": [listener("http", 80, MEMBER)]})


def flow(vip: Json, **other: Any) -> FiveTuple:
    asked = {"client": CLIENT, "client_port": 40000, "vip": vip["address"], "port": 80, **other}
    return FiveTuple.model_validate(asked)


def explain(tenant: ApiClient, vip: Json, wait_s: float = PATIENCE_S, **other: Any) -> Explanation:
    return tenant.explain(vip["id"], flow(vip, **other), wait_s)


def hop(found: Explanation, machine: str, stage: str) -> HopShown:
    return next(each for each in found.hops if (each.machine, each.stage) == (machine, stage))


def report(agent: ApiClient) -> None:
    said = {"boot": str(uuid4()), "sequence": 1, "revision": 1, "digest": "d"}
    agent.post("/v1/agent/report", {**said, "changes": 0, "repaired": 0})


@contextmanager
def answering(agent: ApiClient, sees: Explain) -> Iterator[None]:
    """The agent answers one question so, on whichever replica it asks."""
    token = agent._http.headers["Authorization"].removeprefix("Bearer ")
    with closing(AgentClient(str(agent._http.base_url), token)) as client:
        work = threading.Thread(target=answer_all, args=(client, sees))
        work.start()
        yield
        work.join(PATIENCE_S)
        assert not work.is_alive()


def node_that_sends_to(*members: str) -> Explain:
    def sees(wanted: FiveTuple) -> Answer:
        export = Stage("whoever I am", "export").ok(f"the router is told of {wanted.vip}")
        return Answer(hops=(export,), members=tuple(map(ip_address, members)), mtu=1400)

    return sees


def test_nodes_are_asked_and_then_the_hosts_that_they_send_to(
    site: Site, tenant: ApiClient, vip: Json, replica: LiveServer
) -> None:
    address = "10.0.20.219"
    host = site.admin.post("/v1/backend-hosts", {"name": unique("h"), "addresses": [address]})
    first, second = site.node(0), site.node(1, at=replica)
    on_host = site.client("host", replica, host_id=host["id"])
    for agent in (first, second, on_host):
        report(agent)
    seen = Answer(hops=(Stage("this host", "alias").ok("there"),), mtu=1500)
    with (
        answering(first, node_that_sends_to(address)),
        answering(second, node_that_sends_to(address)),
        answering(on_host, lambda _: seen),
    ):
        found = explain(tenant, vip)
    assert list(map(str, found.members)) == [address]
    assert hop(found, "control plane", "routers").actual == "lb0, lb1"
    assert hop(found, host["name"], "alias").verdict is Verdict.OK
    assert hop(found, "lb0", "mtu").verdict is Verdict.SUSPECT
    site.admin.delete(f"/v1/backend-hosts/{host['id']}")


def test_nodes_that_choose_differently_are_named(site: Site, tenant: ApiClient, vip: Json) -> None:
    first, second = site.node(0), site.node(1)
    report(first)
    report(second)
    with (
        answering(first, node_that_sends_to("10.0.20.18")),
        answering(second, node_that_sends_to("10.0.20.19")),
    ):
        found = explain(tenant, vip)
    agreement = hop(found, "control plane", "agreement")
    assert (found.verdict, agreement.verdict) == (Verdict.BROKEN, Verdict.BROKEN)
    assert agreement.actual == "lb0: 10.0.20.18; lb1: 10.0.20.19"
    assert hop(found, "10.0.20.18", "host").verdict is Verdict.SUSPECT


def test_nobody_waits_for_agents_that_have_never_reported(tenant: ApiClient, vip: Json) -> None:
    found = explain(tenant, vip)
    assert "never reported" in hop(found, "lb0", "agent").actual
    assert hop(found, "control plane", "routers").verdict is Verdict.BROKEN


def test_an_agent_that_reports_and_does_not_answer_is_named(
    site: Site, tenant: ApiClient, vip: Json
) -> None:
    report(site.node(0))
    found = explain(tenant, vip, wait_s=0)
    assert "no answer" in hop(found, "lb0", "answer").actual


def test_an_expired_token_is_the_cause_of_a_silence(
    site: Site, tenant: ApiClient, vip: Json
) -> None:
    past = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    body = {"name": "t", "role": "node", "node_id": site.nodes[0]["id"], "expires_at": past}
    site.admin.post("/v1/tokens", body)
    deadline = datetime.now(UTC) + timedelta(seconds=60)
    while "expired" not in (cause := hop(explain(tenant, vip), "lb0", "agent").cause):
        assert datetime.now(UTC) < deadline, cause


def test_a_port_without_a_listener_and_a_client_who_may_not_come_are_told(
    site: Site, tenant: ApiClient, vip: Json
) -> None:
    elsewhere = hop(explain(tenant, vip, port=81), "control plane", "listener")
    assert elsewhere.verdict is Verdict.BROKEN
    tenant.patch(f"/v1/vips/{vip['id']}", {"allowed_sources": ["198.18.0.0/15"]})
    assert hop(explain(tenant, vip), "control plane", "policy").verdict is Verdict.BROKEN
    udp = hop(explain(tenant, vip, protocol=Protocol.UDP), "control plane", "listener")
    assert "tcp/80" in udp.actual


def test_an_agent_hears_and_answers_only_what_it_was_asked(
    site: Site, tenant: ApiClient, vip: Json
) -> None:
    first, second = site.node(0), site.node(1)
    report(first)
    asked: list[Json] = []

    def sees(wanted: FiveTuple) -> Answer:
        mine = first.get("/v1/agent/questions", timeout_s=0)["questions"]
        forged = Answer(hops=(Stage("lb0", "export").ok("forged"),))
        second.post(f"/v1/agent/answers/{mine[0]['id']}", forged.model_dump(mode="json"))
        asked.extend([*mine, *second.get("/v1/agent/questions", timeout_s=0)["questions"]])
        return node_that_sends_to()(wanted)

    with answering(first, sees):
        found = explain(tenant, vip)
    assert len(asked) == 1
    assert hop(found, "lb0", "export").desired != "forged"


def test_another_tenants_vip_is_not_there_and_a_client_has_its_family(
    site: Site, tenant: ApiClient, vip: Json
) -> None:
    other = site.admin.post("/v1/tenants", {"name": unique("t")})
    with pytest.raises(NotFound):
        explain(site.client("member", tenant_id=other["id"]), vip)
    with pytest.raises(Invalid, match="IPv4 client"):
        explain(tenant, vip, client="2001:db8::7")
