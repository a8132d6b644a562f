"""The kernel's table, through its open sockets."""

from collections.abc import Iterable, Iterator
from typing import Self

from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.usage import apply, observe
from lbaas.dataplane.usage.desired import Meter
from lbaas.dataplane.usage.reading import Reading
from lbaas.dataplane.usage.series import Series
from lbaas.metering.places import Place


class Table:
    """One thread at a time may use it. Calls raise LbaasError or OSError where the kernel says no.

    As long as it is open its network namespace lives, and can be read when all else in it has ended.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._made: str | None = None
        self._seen: int | None = None
        self._nft = Nft()
        self._netfilter = NfSocket()

    @classmethod
    def at(cls, name: str, place: Place) -> Self:
        """The one of *place*."""
        with place.inside():
            return cls(name)

    def close(self) -> None:
        """The sockets are given back; the table goes on counting."""
        self._nft.close()
        self._netfilter.close()

    def turn(self, meter: Meter, generation: int) -> None:
        """Packets are counted in *generation*, whatever stood there."""
        apply.turn(self._nft, meter, generation)
        self._made = observe.structure(self._nft, self._name)

    def intact(self) -> bool:
        """True if nobody has touched it since the last turn."""
        # As long as nobody touched any table of the namespace, there is nothing to list.
        seen = self._netfilter.generation()
        if seen != self._seen:
            if observe.structure(self._nft, self._name) != self._made:
                return False
            self._seen = seen
        return True

    def keep_addresses(self, meter: Meter) -> None:
        """The addresses that are looked up are those of *meter*."""
        apply.keep_addresses(self._nft, meter)

    def held(self) -> list[Series]:
        """All series, the oldest first."""
        return observe.held(self._netfilter, self._name)

    def read(self, names: Iterable[Series]) -> Iterator[Reading]:
        """The counts of series that stand still."""
        for name in names:
            yield from observe.read(self._netfilter, self._name, name)

    def forget(self, meter: Meter, names: Iterable[Series]) -> None:
        """The series are gone."""
        apply.forget(self._nft, meter, names)
        self._made = observe.structure(self._nft, self._name)

    def remove(self) -> None:
        """It is gone, and nothing is counted."""
        apply.remove(self._nft, self._name)
