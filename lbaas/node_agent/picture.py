"""What each VIP is to kernel and BIRD: the node's picture of itself, kept by VIP so that a part can change.

All tables of the data plane are unions over VIPs, so what leads from one picture to the next is planned on
those VIPs alone that differ.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeAlias, TypeVar

from lbaas.dataplane.ipvs.desired import Destination, ServiceKey, ServiceTable, service_table
from lbaas.dataplane.link.desired import LinkTable, node_links
from lbaas.dataplane.marks.desired import MarkTable, joined, mark_table
from lbaas.dataplane.turns import by_turns
from lbaas.domain.addresses import Address, Prefix
from lbaas.wire.state import ClusterState

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VipTables:
    """One VIP's services and marks, and the prefix that announces it, None if nothing shall.

    *alike*: every node of the cluster holds the same.
    """

    services: ServiceTable = field(default_factory=dict)
    marks: MarkTable = field(default_factory=lambda: MarkTable(None))
    prefix: Prefix | None = None
    communities: tuple[str, ...] = ()
    alike: bool = True


# What a step can be about: a VIP, a service, a mark.
Subject: TypeAlias = Address | ServiceKey | int

Picture: TypeAlias = Mapping[Address, VipTables]


@dataclass(frozen=True, slots=True)
class Change:
    """VIPs as they were and as they shall be; one that is missing is not held."""

    before: Picture
    after: Picture

    def __bool__(self) -> bool:
        return bool(self.before or self.after)

    @property
    def vips(self) -> frozenset[Address]:
        """All that the change concerns."""
        return frozenset((*self.before, *self.after))

    @property
    def subjects(self) -> frozenset[Subject]:
        """The VIPs, services and marks that the change concerns."""
        keys = {key for part in (self.before, self.after) for key in services(part)}
        return self.vips | keys | {key.mark for key in keys}

    @property
    def heard(self) -> bool:
        """True if routers hear of it."""
        return announced(self.before) != announced(self.after)


def picture(state: ClusterState) -> dict[Address, VipTables]:
    """The VIPs of *state*, each by itself. Raises ForeignMark."""
    announced = {prefix.network_address: prefix for prefix in state.announced}
    return {
        vip: VipTables(
            _sharing(service_table(part)),
            mark_table(part, None),
            announced.get(vip),
            state.communities.get(announced[vip], ()) if vip in announced else (),
            alike=not any(each.local for each in part.services),
        )
        for vip, part in _by_vip(state).items()
    }


def _sharing(table: ServiceTable) -> ServiceTable:
    """*table*, its destinations shared with all others that have equal ones: backends serve many VIPs."""
    return {
        key: replace(service, destinations=tuple(map(_shared, service.destinations)))
        for key, service in table.items()
    }


@lru_cache(maxsize=65536)
def _shared(destination: Destination) -> Destination:
    return destination


def _by_vip(state: ClusterState) -> dict[Address, ClusterState]:
    services = _grouped((each.vip, each) for each in state.services)
    flows = _grouped((each.vip, each) for each in state.flows)
    admissions = _grouped((each.vip, each) for each in state.admissions)
    return {
        vip: state.model_copy(
            update={
                "vips": (vip,),
                "services": services.get(vip, ()),
                "flows": flows.get(vip, ()),
                "admissions": admissions.get(vip, ()),
            }
        )
        for vip in state.vips
    }


def _grouped(pairs: Iterable[tuple[Address, T]]) -> dict[Address, tuple[T, ...]]:
    groups: dict[Address, list[T]] = {}
    for vip, each in pairs:
        groups.setdefault(vip, []).append(each)
    return {vip: tuple(group) for vip, group in groups.items()}


def united(old: VipTables, new: VipTables, prefix: Prefix | None) -> VipTables:
    """Both, *new* where they say different things; announced as *prefix*."""
    return VipTables(
        {**old.services, **new.services},
        joined(None, [old.marks, new.marks]),
        prefix,
        new.communities,
        old.alike and new.alike,
    )


def links(vips: Picture) -> LinkTable:
    """What packets are taken in for all VIPs."""
    return node_links(vips)


def services(vips: Picture) -> ServiceTable:
    """The services of all VIPs."""
    return {
        key: each for tables in by_turns(vips.values()) for key, each in tables.services.items()
    }


def marks(vips: Picture, structure: str | None) -> MarkTable:
    """The marks of all VIPs, in a table that lists as *structure*."""
    return joined(structure, [tables.marks for tables in vips.values()])


def announced(vips: Picture) -> dict[Prefix, tuple[str, ...]]:
    """What routers hear of: prefixes with their communities."""
    return {
        each.prefix: each.communities for each in by_turns(vips.values()) if each.prefix is not None
    }
