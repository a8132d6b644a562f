"""lbaas as far as a plan can see it: what each step leaves, and what it would be refused for."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from uuid import UUID

from lbaas.kube.desired import Wanted
from lbaas.kube.held import Held, HeldListener, HeldPool, HeldVip
from lbaas.kube.plan import (
    CreateListener,
    CreatePool,
    CreateVip,
    Delete,
    PatchListener,
    PatchPool,
    PatchVip,
    SetMembers,
    Step,
    keep,
)


@dataclass
class FakeLbaas:
    """Refuses, by assertion, what the real one refuses."""

    held: Held = field(default_factory=Held)
    names: dict[UUID, str] = field(default_factory=dict)
    _ids: Iterable[int] = field(default_factory=lambda: iter(count(1)))
    vips: dict[int, UUID] = field(default_factory=dict)
    pool: UUID | None = None

    def go_on_with(self, wanted: Wanted) -> None:
        """The objects that a plan for *wanted* keeps."""
        kept = keep(self.held, wanted)
        self.vips = {family: vip.id for family, vip in kept.vips.items()}
        self.pool = kept.pool.id if kept.pool else None

    def do(self, step: Step) -> None:
        match step:
            case CreatePool():
                self.pool = self._new("pool")
                made = HeldPool(self.pool, step.settings, step.members)
                self.held = replace(self.held, pools=(*self.held.pools, made))
            case PatchPool():
                self._pools(step.id, settings=step.changes)
            case SetMembers():
                self._members(step)
            case CreateVip():
                self._create_vip(step)
            case PatchVip():
                self._patch_vip(step)
            case CreateListener() | PatchListener():
                self._listener(step)
            case Delete():
                self._delete(step)

    def _new(self, name: str) -> UUID:
        made = UUID(int=next(iter(self._ids)))
        assert name not in self.names.values(), f"NameTaken: {name}"
        self.names[made] = name
        return made

    def _pools(self, which: UUID, settings: object) -> None:
        assert isinstance(settings, dict)
        self.held = replace(
            self.held,
            pools=tuple(
                replace(each, settings={**each.settings, **settings}) if each.id == which else each
                for each in self.held.pools
            ),
        )

    def _members(self, step: SetMembers) -> None:
        self.held = replace(
            self.held,
            pools=tuple(
                replace(each, members=step.members) if each.id == step.pool else each
                for each in self.held.pools
            ),
        )

    def _create_vip(self, step: CreateVip) -> None:
        vip = step.vip
        made = self._new(vip.name)
        taken = {each.address for each in self.held.vips}
        if vip.address is not None:
            assert vip.address not in taken, "AddressTaken"
            address = vip.address
        else:
            base = IPv4Address("198.51.100.0") if vip.family == 4 else IPv6Address("2001:db8::")
            address = next(base + n for n in count(100) if base + n not in taken)
        held = HeldVip(made, address, vip.settings)
        self.held = replace(self.held, vips=(*self.held.vips, held))
        self.vips[vip.family] = made

    def _patch_vip(self, step: PatchVip) -> None:
        self.held = replace(
            self.held,
            vips=tuple(
                replace(each, settings={**each.settings, **step.changes})
                if each.id == step.id
                else each
                for each in self.held.vips
            ),
        )

    def _listener(self, step: CreateListener | PatchListener) -> None:
        dual = self.vips[step.families[1]] if len(step.families) > 1 else None
        assert self.pool is not None
        if isinstance(step, CreateListener):
            made = HeldListener(
                UUID(int=next(iter(self._ids))),
                self.vips[step.families[0]],
                dual,
                step.protocol,
                step.ports,
                self.pool,
            )
            others = self.held.listeners
        else:
            (old,) = (each for each in self.held.listeners if each.id == step.id)
            made = replace(old, dual=dual, ports=step.ports, pool=self.pool)
            others = tuple(each for each in self.held.listeners if each.id != step.id)
        for other in others:
            shared = {made.vip, made.dual} & {other.vip, other.dual} - {None}
            assert not (shared and other.protocol is made.protocol), "PortsOverlap"
        self.held = replace(self.held, listeners=(*others, made))

    def _delete(self, step: Delete) -> None:
        used = {id_ for each in self.held.listeners for id_ in (each.vip, each.dual, each.pool)}
        assert step.kind == "listeners" or step.id not in used, f"InUse: {step}"
        self.names.pop(step.id, None)
        left = tuple(each for each in getattr(self.held, step.kind) if each.id != step.id)
        self.held = replace(self.held, **{step.kind: left})
