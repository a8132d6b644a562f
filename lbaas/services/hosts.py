"""Backend hosts: where host agents run."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select

from lbaas.domain.addresses import Address, Prefix, address_key
from lbaas.errors import AddressTaken, Gone
from lbaas.persistence.models import BackendHost
from lbaas.services.scope import Lock, change, fetch, users
from lbaas.services.work import ALL, Work
from lbaas.wire import operators as wire


async def create(work: Work, body: wire.BackendHostCreate) -> BackendHost:
    """A new host; members at its addresses are on it from now on."""
    await _addresses_free(work, body.addresses)
    host = BackendHost(name=body.name, addresses=list(body.addresses), prefixes=list(body.prefixes))
    work.session.add(host)
    await work.session.flush()
    await _changed(work, host.id)
    return host


async def patch(work: Work, host_id: UUID, body: wire.BackendHostPatch) -> BackendHost:
    """The host is as *body* says."""
    host = await fetch(work, BackendHost, host_id, lock=Lock.CHANGE)
    if body.addresses is not None:
        await _addresses_free(work, body.addresses, but=host_id)
    change(host, body.changes())
    await work.session.flush()
    await _changed(work, host_id)
    return host


async def claim(work: Work, body: wire.PodAddresses) -> BackendHost:
    """The caller, a host, has the addresses of *body* that are within its prefixes and no other host's.

    Its addresses outside its prefixes are the operator's to say, and stay.
    """
    host = await work.session.get(BackendHost, work.caller.host_id, with_for_update=True)
    if host is None:
        raise Gone("the backend host was deleted")
    own = [each for each in host.addresses if not _within(each, host.prefixes)]
    claimed = {each for each in body.addresses if _within(each, host.prefixes)}
    free = claimed - await _taken(work, claimed, but=host.id)
    addresses = [*own, *sorted(free - set(own), key=address_key)]
    if addresses != list(host.addresses):
        host.addresses = addresses
        await work.session.flush()
        await _changed(work, host.id)
    return host


async def delete(work: Work, host_id: UUID) -> None:
    """The host and its tokens are gone, and nobody waits for it."""
    await work.session.delete(await fetch(work, BackendHost, host_id, lock=Lock.CHANGE))
    await work.revoke(ALL)


async def _changed(work: Work, host_id: UUID) -> None:
    await work.changed("host", host_id, [None])


def _within(address: Address, prefixes: Sequence[Prefix]) -> bool:
    return any(address in prefix for prefix in prefixes)


async def _taken(work: Work, addresses: Collection[Address], but: UUID) -> set[Address]:
    """All addresses of the other hosts that have some of *addresses*."""
    if not addresses:
        return set()  # Postgres can't tell the type of an empty array's elements
    query = select(BackendHost.addresses).where(
        BackendHost.addresses.overlap(list(addresses)), BackendHost.id != but
    )
    return {address for held in await work.session.scalars(query) for address in held}


async def _addresses_free(
    work: Work, addresses: Sequence[Address], but: UUID | None = None
) -> None:
    query = select(BackendHost).where(
        BackendHost.addresses.overlap(list(addresses)), BackendHost.id != but
    )
    if other := (await work.session.scalars(query)).first():
        raise AddressTaken(
            f"backend host {other.name} has one of the addresses", extra={"used_by": users([other])}
        )
