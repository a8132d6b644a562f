"""A machine's pods on a real kernel: those to which VIPs come are prepared and counted, the others left alone."""

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from uuid import uuid4

import pytest

from lbaas.dataplane.guard.desired import TABLE
from lbaas.dataplane.namespaces import Namespace
from lbaas.dataplane.nftables import Nft
from lbaas.domain.addresses import Address
from lbaas.host_agent.pods import Pods
from lbaas.metering.places import Place
from lbaas.wire.state import HostState
from tests.kernel.answering import VIP, Pod

AGENT = uuid4()


@pytest.fixture
def machine() -> Iterator[None]:
    """We are in a namespace of our own."""
    namespace = Namespace.new()
    with namespace.inside():
        yield
    namespace.close()


@pytest.fixture
def pods(machine: None) -> Iterator[list[Pod]]:
    made = [Pod("10.244.7.1"), Pod("10.244.7.2")]
    yield made
    for pod in made:
        pod.namespace.close()


def state(*endpoints: str, arrivals: Collection[str]) -> HostState:
    """That of a machine with *endpoints*, to some of which the VIP comes."""
    return HostState(
        host=uuid4(),
        revision=1,
        endpoints=tuple(map(ip_address, endpoints)),
        vips=(ip_address(VIP),),
        nodes=(ip_address("10.0.10.11"),),
        arrivals={ip_address(VIP): tuple(map(ip_address, arrivals))},
    )


def test_pods_to_which_a_vip_comes_are_prepared_and_counted_until_they_are_gone(
    pods: list[Pod],
) -> None:
    one, other = pods
    there = [pod.place.file for pod in pods]
    claims: list[frozenset[Address]] = []
    counted: list[Collection[Place]] = []
    agent = Pods(lambda: (file for file in there if file), claims.append, counted.append)

    done = agent.reconcile(state(one.address, other.address, arrivals=[one.address]), AGENT)

    assert done.failures == []
    assert claims == [{ip_address(pod.address) for pod in pods}]
    assert counted == [(replace(one.place, vips=frozenset({ip_address(VIP)})),)]
    assert [pod.tables() for pod in pods] == [{TABLE}, set()]

    there.remove(one.place.file)
    agent.reconcile(state(one.address, other.address, arrivals=[one.address]), AGENT)

    assert claims[-1] == {ip_address(other.address)}
    assert counted[-1] == ()
    release(agent)


def test_a_guard_that_somebody_deletes_in_a_pod_is_there_again_after_the_next_round(
    pods: list[Pod],
) -> None:
    pod, _ = pods
    agent = Pods(lambda: iter([Path(f"/proc/self/fd/{pod.namespace.fd}")]), frozenset, tuple)
    wanted = state(pod.address, arrivals=[pod.address])
    for _ in range(3):
        agent.reconcile(wanted, AGENT)
    with pod.namespace.inside(), closing(Nft()) as nft:
        nft.run(f"delete table inet {TABLE}")
    done = agent.reconcile(wanted, AGENT)
    assert (done.changes, done.failures) == (1, [])
    assert pod.tables() == {TABLE}
    release(agent)


def release(agent: Pods) -> None:
    """What an agent keeps open until its process ends."""
    hosts = (agent._machine, *agent._hosts.values())
    for opened in (*hosts, *vars(agent._passage).values()):
        if hasattr(opened, "close"):
            opened.close()
