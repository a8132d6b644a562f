"""What ``host-agent print`` writes. tests/kernel runs the commands."""

from ipaddress import IPv4Address

import pytest

from lbaas.dataplane.guard.plan import ReplaceTable
from lbaas.dataplane.gue.desired import Opening
from lbaas.dataplane.gue.plan import OpenPort, ShutPort
from lbaas.dataplane.link.desired import Alias
from lbaas.dataplane.link.plan import AddDevice, RemoveAddress, RemoveDevice
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.domain.terms import Encapsulation
from lbaas.host_agent import files
from lbaas.host_agent.commands import HostStep, command, whole
from lbaas.wire.state import HostState, Tunnel
from tests.golden_files import assert_golden
from tests.unit.dataplane.guard.test_desired import STATE

EVERY = STATE.model_copy(
    update={"tunnels": (Tunnel(), Tunnel(encapsulation=Encapsulation.GUE, port=5555))}
)


def steps(state: HostState = EVERY) -> list[HostStep]:
    return list(whole(state, {4: 1500, 6: 1500}))


def test_the_guard_stands_before_the_tunnel_opens_and_gue_opens_last() -> None:
    kinds = [type(step) for step in steps()]
    assert kinds[0] is ReplaceTable
    assert kinds.index(SetSysctl) < kinds.index(AddDevice)
    assert kinds[-2:] == [OpenPort, OpenPort]


def test_the_commands_of_a_dual_stack_host() -> None:
    assert_golden("host-commands.sh", "\n".join(map(command, steps())) + "\n")


def test_the_files_of_systemd_networkd() -> None:
    assert_golden("host-networkd.txt", files.shown(files.networkd(steps())))


def test_the_files_of_ifupdown() -> None:
    assert_golden("host-ifupdown.txt", files.shown(files.ifupdown(steps())))


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (RemoveDevice("lbtun4"), "ip link delete dev lbtun4"),
        (
            RemoveAddress(Alias("lbtun4", IPv4Address("198.51.100.1"))),
            "ip address delete 198.51.100.1/32 dev lbtun4",
        ),
        (
            ShutPort(Opening(IPv4Address("10.0.20.11"), 6080)),
            "ip fou del port 6080 local 10.0.20.11",
        ),
    ],
)
def test_what_is_too_much_has_a_command_too(step: HostStep, words: str) -> None:
    assert command(step) == words
