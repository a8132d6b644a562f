"""The generations of one table: the one that counts, and those that stand still until they are read and forgotten."""

from collections.abc import Collection, Iterable, Iterator
from typing import Protocol

from lbaas.dataplane.usage.desired import Meter, narrowed
from lbaas.dataplane.usage.reading import Reading
from lbaas.dataplane.usage.series import Series
from lbaas.metering.places import Place

# While the disk takes nothing, the kernel goes on counting in the generation that it is at.
_MOST_UNREAD = 3


class KernelTable(Protocol):
    """See ``table.Table``."""

    def close(self) -> None: ...
    def turn(self, meter: Meter, generation: int) -> None: ...
    def intact(self) -> bool: ...
    def keep_addresses(self, meter: Meter) -> None: ...
    def held(self) -> list[Series]: ...
    def read(self, names: Iterable[Series]) -> Iterator[Reading]: ...
    def forget(self, meter: Meter, names: Iterable[Series]) -> None: ...
    def remove(self) -> None: ...


class Generations:
    """Those of *table*, at *place*. *active* counts; the series of *still* don't any more. *lost* is a generation
    that somebody deleted while it counted.

    Calls raise LbaasError or OSError; then nothing of all this has changed.
    """

    def __init__(self, place: Place, table: KernelTable) -> None:
        self.place = place
        self.active: int | None = None
        self.still: list[Series] = []
        self.lost: int | None = None
        self._table = table
        self._whole: Meter | None = None  # of which the place has its share

    def turn(self, meter: Meter, told: Collection[int], now_s: int) -> None:
        """Packets are counted in a generation that is later than all before it, and than those of *told*."""
        held = self._table.held()
        generations = {each.generation for each in held}
        began = self.active
        if len(generations) > _MOST_UNREAD:
            self.active = max(generations)  # whoever made it
        else:
            self._begin(meter, max(now_s, max({*generations, *told, began or 0}) + 1))
        self.lost = began if began not in generations else None
        self.still = [each for each in held if each.generation != self.active]

    def _begin(self, meter: Meter, generation: int) -> None:
        self._table.turn(narrowed(meter, self.place.vips), generation)
        self.active, self._whole = generation, meter

    def keep_addresses(self, meter: Meter, place: Place) -> None:
        """What is looked up are the addresses of *meter* that come to *place*, which may be others than before."""
        if self._whole is not None and (self._whole, self.place) != (meter, place):
            own = narrowed(meter, place.vips)
            if own != narrowed(self._whole, self.place.vips):
                self._table.keep_addresses(own)
            self._whole = meter
        self.place = place

    def intact(self) -> bool:
        """True if nobody has touched the table since the last turn."""
        return self._table.intact()

    def read(self, names: Iterable[Series]) -> list[Reading]:
        """The counts of series that stand still."""
        return list(self._table.read(names))

    def forget(self, meter: Meter) -> None:
        """What stood still is gone."""
        if self.still:
            self._table.forget(meter, self.still)
            self.still = []

    def end(self) -> None:
        """Nothing is counted there any more, and nothing is left of it."""
        self._table.remove()

    def close(self) -> None:
        """We no longer keep the namespace alive."""
        self._table.close()
