"""The kernel's table, through its open sockets."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Self

from lbaas.dataplane.namespaces import Namespace
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.usage import apply, observe
from lbaas.dataplane.usage.desired import Meter
from lbaas.dataplane.usage.reading import Reading
from lbaas.dataplane.usage.series import Series
from lbaas.metering.places import Place


class Table:
    """One thread at a time may use it. Calls raise LbaasError or OSError where the kernel says no.

    As long as it is open its network namespace lives, and can be read when all else in it has ended. A context of
    libnftables takes half a megabyte: of those that a hundred pods have, none is kept.
    """

    def __init__(self, name: str, namespace: Namespace | None = None) -> None:
        """*namespace* is the one that we are in, if it is not ours."""
        self._name = name
        self._namespace = namespace
        self._made: str | None = None
        self._seen: int | None = None
        self._netfilter = NfSocket()

    @classmethod
    def at(cls, name: str, place: Place) -> Self:
        """The one of *place*."""
        with place.inside():
            return cls(name, None if place.file is None else Namespace.current())

    def close(self) -> None:
        """The namespace is given back; the table goes on counting."""
        self._netfilter.close()
        if self._namespace is not None:
            self._namespace.close()

    def turn(self, meter: Meter, generation: int) -> None:
        """Packets are counted in *generation*, whatever stood there."""
        with self._nft() as nft:
            apply.turn(nft, meter, generation)
            self._made = observe.structure(nft, self._name)

    def intact(self) -> bool:
        """True if nobody has touched it since the last turn."""
        # As long as nobody touched any table of the namespace, there is nothing to list.
        seen = self._netfilter.generation()
        if seen != self._seen:
            with self._nft() as nft:
                if observe.structure(nft, self._name) != self._made:
                    return False
            self._seen = seen
        return True

    def keep_addresses(self, meter: Meter) -> None:
        """The addresses that are looked up are those of *meter*."""
        with self._nft() as nft:
            apply.keep_addresses(nft, meter)

    def held(self) -> list[Series]:
        """All series, the oldest first."""
        return observe.held(self._netfilter, self._name)

    def read(self, names: Iterable[Series]) -> Iterator[Reading]:
        """The counts of series that stand still."""
        for name in names:
            yield from observe.read(self._netfilter, self._name, name)

    def forget(self, meter: Meter, names: Iterable[Series]) -> None:
        """The series are gone."""
        with self._nft() as nft:
            apply.forget(nft, meter, names)
            self._made = observe.structure(nft, self._name)

    def remove(self) -> None:
        """It is gone, and nothing is counted."""
        with self._nft() as nft:
            apply.remove(nft, self._name)

    @contextmanager
    def _nft(self) -> Iterator[Nft]:
        with (
            nullcontext() if self._namespace is None else self._namespace.inside(),
            closing(Nft()) as nft,
        ):
            yield nft
