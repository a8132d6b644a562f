"""What lbaas holds for one Service, as values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from lbaas.domain.addresses import Address
from lbaas.domain.terms import MemberAdminState, Protocol
from lbaas.kube.desired import WantedMember
from lbaas.wire import tenants as wire


@dataclass(frozen=True)
class HeldVip:
    id: UUID
    address: Address
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HeldListener:
    id: UUID
    vip: UUID
    dual: UUID | None
    protocol: Protocol
    ports: tuple[int, ...]
    pool: UUID


@dataclass(frozen=True)
class HeldPool:
    """*tag* is the ETag of the set of its members."""

    id: UUID
    settings: Mapping[str, Any]
    members: Mapping[Address, WantedMember]
    tag: str = "*"


@dataclass(frozen=True)
class Held:
    """All that is labelled as the Service's, oldest first."""

    vips: tuple[HeldVip, ...] = ()
    listeners: tuple[HeldListener, ...] = ()
    pools: tuple[HeldPool, ...] = ()


def held_vip(vip: wire.Vip) -> HeldVip:
    """*vip* with the settings that the controller may have an opinion of."""
    settings = vip.model_dump(mode="json", include={"allowed_sources", "when_no_backend"})
    settings["allowed_sources"] = sorted(settings["allowed_sources"])
    return HeldVip(vip.id, vip.address, settings)


def held_listeners(vips: Iterable[wire.Vip]) -> tuple[HeldListener, ...]:
    """Each once, though two VIPs may show it."""
    found = {listener.id: listener for vip in vips for listener in vip.listeners}
    return tuple(_listener(found[each]) for each in sorted(found))


def _listener(listener: wire.Listener) -> HeldListener:
    return HeldListener(
        listener.id,
        listener.vip_id,
        listener.dual_vip_id,
        listener.protocol,
        tuple(number for span in listener.ports for number in range(span.first, span.last + 1)),
        listener.pool_id,
    )


def held_pool(pool: wire.Pool, members: Iterable[wire.Member], tag: str) -> HeldPool:
    """*pool* and its *members*, whose set has the ETag *tag*."""
    return HeldPool(
        pool.id,
        pool.model_dump(mode="json"),
        {
            member.address: WantedMember(
                member.weight,
                drained=member.admin_state is MemberAdminState.DRAINED,
                node=member.node,
            )
            for member in members
        },
        tag,
    )
