"""The host's table on the real nftables."""

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address

import pytest

from lbaas.dataplane.guard.apply import apply
from lbaas.dataplane.guard.desired import FAMILY, TABLE, declaration, guard
from lbaas.dataplane.guard.observe import expected, observe
from lbaas.dataplane.guard.plan import plan
from lbaas.dataplane.nftables import Nft
from tests.kernel.loopback import settle
from tests.unit.dataplane.guard.test_desired import EMPTY, STATE

WANTED = declaration(guard(STATE, {4: 1500, 6: 1500}))


@pytest.fixture
def nft() -> Iterator[Nft]:
    with closing(Nft()) as opened:
        yield opened
        opened.run(f"add table {FAMILY} {TABLE}")
        opened.run(f"delete table {FAMILY} {TABLE}")


def bring_to(nft: Nft, wanted: str) -> int:
    """The number of steps that it took."""
    steps = plan(observe(nft), expected(nft, wanted), wanted).establish
    assert apply(nft, steps).failed == ()
    return len(steps)


def test_one_step_puts_it_in_place_and_then_there_is_nothing_to_do(nft: Nft) -> None:
    assert [bring_to(nft, WANTED), bring_to(nft, WANTED)] == [1, 0]


@pytest.mark.parametrize(
    "drift",
    [
        "delete element inet lbaas_host nodes4 { 10.0.10.11 }",
        "add element inet lbaas_host nodes4 { 192.0.2.66 }",
        "flush chain inet lbaas_host tunnel",
        "delete table inet lbaas_host",
    ],
)
def test_drift_is_repaired(nft: Nft, drift: str) -> None:
    bring_to(nft, WANTED)
    nft.run(drift)
    assert [bring_to(nft, WANTED), bring_to(nft, WANTED)] == [1, 0]


@pytest.mark.parametrize(
    "drift",
    [
        'add element inet lbaas_host nodes4 { 192.0.2.66 comment "a friend" }',
        "add rule inet lbaas_host tunnel accept",
    ],
)
def test_what_is_not_an_agents_goes_with_the_table(nft: Nft, drift: str) -> None:
    bring_to(nft, WANTED)
    nft.run(drift)
    assert [bring_to(nft, WANTED), bring_to(nft, WANTED)] == [1, 0]


def test_drops_are_counted_on_while_vips_and_nodes_come_and_go(nft: Nft) -> None:
    bring_to(nft, WANTED)
    for _ in range(3):
        send_from_a_stranger()
    vips = (STATE.vips[0], ip_address("198.51.100.77"), ip_address("2001:db8:100::77"))
    nodes = (STATE.nodes[0], ip_address("10.0.10.13"))
    changed = STATE.model_copy(update={"vips": vips, "nodes": nodes})
    wanted = declaration(guard(changed, {4: 1500, 6: 1500}))
    assert [bring_to(nft, wanted), bring_to(nft, wanted)] == [1, 0]
    send_from_a_stranger()
    assert dropped() == 4


def send_from_a_stranger() -> None:
    """An IP in IP packet to the machine's own endpoint, from no node."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IPIP) as raw:
        raw.sendto(bytes(20), (str(STATE.endpoints[0]), 0))
    settle()


def dropped() -> int:
    command = ["nft", "list", "chain", FAMILY, TABLE, "tunnel"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return sum(map(int, re.findall(r"packets (\d+)", listing)))


def test_a_host_that_loses_its_last_vip_closes_the_door(nft: Nft) -> None:
    bring_to(nft, WANTED)
    assert [bring_to(nft, declaration(guard(EMPTY, {})))] == [1]
    elements = nft.elements(FAMILY, TABLE)
    assert elements
    assert not any(elements.values())
