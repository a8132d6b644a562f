"""A host's side of the data path as commands that a person can run: for ``print`` and for ``check``'s advice. Pure."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from lbaas.dataplane.guard.apply import transaction
from lbaas.dataplane.guard.desired import declaration, guard
from lbaas.dataplane.guard.plan import ReplaceTable
from lbaas.dataplane.gue.desired import openings
from lbaas.dataplane.gue.plan import GueStep, OpenPort
from lbaas.dataplane.gue.plan import plan as plan_gue
from lbaas.dataplane.link.desired import (
    Alias,
    Kind,
    LinkTable,
    host_links,
    receiving_v4,
    sit_endpoint,
    tunnel_devices,
)
from lbaas.dataplane.link.netlink import ROUTE_PROTOCOL
from lbaas.dataplane.link.plan import (
    AcceptAddress,
    AddAddress,
    AddDevice,
    LinkStep,
    RefuseAddress,
    RemoveAddress,
    RemoveDevice,
)
from lbaas.dataplane.link.plan import plan as plan_link
from lbaas.dataplane.sysctl.desired import HOST, tunnel_sysctls
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.dataplane.sysctl.plan import plan as plan_sysctl
from lbaas.domain.addresses import Address
from lbaas.wire.state import HostState

HostStep: TypeAlias = ReplaceTable | SetSysctl | LinkStep | GueStep


def whole(state: HostState, mtus: Mapping[int, int]) -> Iterator[HostStep]:
    """All steps that make a bare host hold *state*, in the agent's own order."""
    yield ReplaceTable(declaration(guard(state, mtus)))
    yield from plan_sysctl({}, HOST).establish
    yield from plan_link(LinkTable(), host_links(state)).establish
    tunnels = tunnel_sysctls(sorted(receiving_v4(tunnel_devices(state))))
    yield from plan_sysctl({}, tunnels).establish
    yield from plan_gue(frozenset(), openings(state)).establish


def command(step: HostStep) -> str:
    """The shell commands, one a line, that do what *step* says. Source: ip-link(8), ip-fou(8), nft(8), sysctl(8)."""
    match step:
        case ReplaceTable():
            return f"nft -f - <<'END'\n{transaction(step)}END"
        case SetSysctl():
            return f"sysctl -w {step.name}={step.value}"
        case AddDevice():
            return f"{creation(step)}\nip link set dev {step.name} up"
        case RemoveDevice():
            return f"ip link delete dev {step.name}"
        case AddAddress():
            nodad = " nodad" if step.alias.address.version == 6 else ""
            return f"ip address add {_on_device(step.alias)}{nodad}"
        case RemoveAddress():
            return f"ip address delete {_on_device(step.alias)}"
        case AcceptAddress():
            return f"ip route add {_delivered(step.address)}"
        case RefuseAddress():
            return f"ip route delete {_delivered(step.address)}"
        case _:
            return _fou(step)


def creation(step: AddDevice) -> str:
    """The command that makes the device, down."""
    how = f"local {sit_endpoint(step.name)}" if step.kind is Kind.SIT else "external"
    return f"ip link add name {step.name} type {step.kind} {how}"


def _on_device(alias: Alias) -> str:
    return f"{alias.address}/{alias.address.max_prefixlen} dev {alias.device}"


def _delivered(address: Address) -> str:
    return f"local {address} dev lo table local proto {ROUTE_PROTOCOL}"


def _fou(step: GueStep) -> str:
    opening = step.opening
    family = "-6 " if opening.endpoint.version == 6 else ""
    if isinstance(step, OpenPort):
        return f"ip {family}fou add port {opening.port} gue local {opening.endpoint}"
    return f"ip {family}fou del port {opening.port} local {opening.endpoint}"
