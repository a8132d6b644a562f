"""Whose the kernel's marks and addresses are.

A name stays known when its object goes: what flowed until then is still to be told. It is forgotten when the mark or
the address becomes another's.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from lbaas.metering.periods import Named
from lbaas.wire.entries import Entries

# What an entry, by key and value, says of names.
Says = Callable[[str, bytes], Iterator[tuple[bytes, Named]]]


class NameBook:
    """Names as the states gave them. *names* is never changed in place by a reader."""

    def __init__(self, says: Says, saved: bytes | None) -> None:
        self._says = says
        self._values: Mapping[str, bytes] = {}
        self.names = dict(_loaded(saved)) if saved else {}
        self._changed = False

    def turn_to(self, entries: Entries) -> None:
        """All that *entries* name is known; only what differs from the last is looked at."""
        for key in entries.differing(self._values):
            if key in entries.values:
                told = dict(self._says(key, entries.values[key]))
                self._changed |= any(self.names.get(each) != named for each, named in told.items())
                self.names |= told
        self._values = entries.values

    def news(self) -> bytes | None:
        """What to save; None if nothing changed since it was last asked for and ``saved``."""
        return _saved(self.names) if self._changed else None

    def saved(self) -> None:
        """The news are kept somewhere."""
        self._changed = False


def _saved(names: Mapping[bytes, Named]) -> bytes:
    rows = [
        (subject.hex(), str(named.vip), named.listener and str(named.listener))
        for subject, named in names.items()
    ]
    return json.dumps(rows).encode()


def _loaded(saved: bytes) -> Iterator[tuple[bytes, Named]]:
    for subject, vip, listener in json.loads(saved):
        yield bytes.fromhex(subject), Named(UUID(vip), listener and UUID(listener))
