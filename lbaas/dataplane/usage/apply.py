"""The table, made to count."""

from collections.abc import Iterable

from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.usage import render
from lbaas.dataplane.usage.desired import Meter
from lbaas.dataplane.usage.series import Series


def turn(nft: Nft, meter: Meter, generation: int) -> None:
    """Packets are counted in *generation*, and no earlier one counts on. Raises NftRefused."""
    nft.run(render.turn(meter, generation))


def keep_addresses(nft: Nft, meter: Meter) -> None:
    """The sets that the meter's matches look into hold what they should. Raises NftRefused."""
    commands = [
        command
        for name, addresses in sorted(meter.addresses.items())
        for command in render.address_set(meter, name, addresses)
    ]
    if commands:
        nft.run("\n".join(commands))


def forget(nft: Nft, meter: Meter, names: Iterable[Series]) -> None:
    """The sets are gone, with all they counted. Raises NftRefused."""
    nft.run(render.forget(meter, names))


def remove(nft: Nft, table: str) -> None:
    """Nothing is counted. Raises NftRefused."""
    nft.run(render.remove(table))
