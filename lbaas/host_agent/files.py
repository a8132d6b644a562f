"""A host's side of the data path as files of systemd-networkd or ifupdown, for hosts that run no agent. Pure.

Source: systemd.netdev(5), systemd.network(5), sysctl.d(5), interfaces(5).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lbaas.dataplane.guard.apply import transaction
from lbaas.dataplane.guard.plan import ReplaceTable
from lbaas.dataplane.gue.plan import OpenPort
from lbaas.dataplane.link.desired import Alias, Kind, sit_endpoint
from lbaas.dataplane.link.plan import AddAddress, AddDevice
from lbaas.dataplane.sysctl.plan import SetSysctl
from lbaas.domain.addresses import Address
from lbaas.host_agent.commands import HostStep, command, creation

Files = dict[str, str]

_NETWORKD = "/etc/systemd/network"
_SYSCTL = "/etc/sysctl.d/60-lbaas-host.conf"
_NFT = "/etc/nftables.d/lbaas-host.nft"
_INTERFACES = "/etc/network/interfaces.d/lbaas-host"


def networkd(steps: Sequence[HostStep]) -> Files:
    """By path, what systemd-networkd, systemd-sysctl and nft read at boot. nftables.conf must include its part."""
    addresses = _addresses(steps)
    files: Files = {}
    for step in steps:
        if isinstance(step, AddDevice):
            files[f"{_NETWORKD}/60-{step.name}.netdev"] = _netdev(step)
            files[f"{_NETWORKD}/60-{step.name}.network"] = _network(step, addresses[step.name])
        elif isinstance(step, OpenPort):
            name = f"lbfou{step.opening.endpoint.version}"
            files[f"{_NETWORKD}/60-{name}-{step.opening.port}.netdev"] = _fou(name, step)
    return files | _common(steps)


def ifupdown(steps: Sequence[HostStep]) -> Files:
    """By path, what ``ifup`` and nft read at boot. nftables.conf must include its part."""
    addresses = _addresses(steps)
    settings = [step for step in steps if isinstance(step, SetSysctl)]
    stanzas = [
        _stanza(step, addresses[step.name], settings)
        for step in steps
        if isinstance(step, AddDevice)
    ]
    ports = [f"    up {command(step)}\n" for step in steps if isinstance(step, OpenPort)]
    return {_INTERFACES: "\n".join(stanzas) + "".join(ports)} | _common(steps)


def shown(files: Files) -> str:
    """All *files*, each behind a line with its path."""
    return "\n".join(f"# {path}\n{content}" for path, content in files.items())


def _common(steps: Iterable[HostStep]) -> Files:
    settings = [f"{step.name} = {step.value}\n" for step in steps if isinstance(step, SetSysctl)]
    tables = [transaction(step) for step in steps if isinstance(step, ReplaceTable)]
    return {_SYSCTL: "".join(settings), _NFT: "".join(tables)}


def _addresses(steps: Iterable[HostStep]) -> Mapping[str, Sequence[Address]]:
    found: dict[str, list[Address]] = defaultdict(list)
    for step in steps:
        if isinstance(step, AddAddress):
            found[step.alias.device].append(step.alias.address)
    return found


def _netdev(step: AddDevice) -> str:
    how = f"Local={sit_endpoint(step.name)}" if step.kind is Kind.SIT else "External=yes"
    return f"[NetDev]\nName={step.name}\nKind={step.kind}\n\n[Tunnel]\n{how}\nIndependent=yes\n"


def _network(step: AddDevice, addresses: Iterable[Address]) -> str:
    aliases = "".join(
        f"\n[Address]\nAddress={each}/{each.max_prefixlen}\nDuplicateAddressDetection=none\n"
        for each in addresses
    )
    return f"[Match]\nName={step.name}\n\n[Network]\nLinkLocalAddressing=no\n{aliases}"


def _fou(name: str, step: OpenPort) -> str:
    opening = step.opening
    how = "Encapsulation=GenericUDPEncapsulation"
    where = f"Port={opening.port}\nLocal={opening.endpoint}"
    return f"[NetDev]\nName={name}\nKind=fou\n\n[FooOverUDP]\n{how}\n{where}\n"


def _stanza(step: AddDevice, addresses: Iterable[Address], settings: Sequence[SetSysctl]) -> str:
    lines = (
        f"auto {step.name}\niface {step.name} inet manual",
        *(f"    pre-up {command(setting)}" for setting in _of("all", settings)),
        f"    pre-up {creation(step)}",
        *(f"    pre-up {command(setting)}" for setting in _of(step.name, settings)),
        f"    up ip link set dev {step.name} up",
        *(f"    up {command(AddAddress(Alias(step.name, each)))}" for each in addresses),
        f"    down ip link delete dev {step.name}",
    )
    return "\n".join(lines) + "\n"


def _of(device: str, settings: Iterable[SetSysctl]) -> Iterator[SetSysctl]:
    return (each for each in settings if each.name.split(".")[3] == device)
