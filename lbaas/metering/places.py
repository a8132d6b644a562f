"""Where a meter counts: in one network namespace, or in those of a machine's pods."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lbaas.dataplane.namespaces import Namespace
from lbaas.domain.addresses import Address


@dataclass(frozen=True)
class Place:
    """The network namespace in which we run, or that of inode *name* to which *file* leads.

    Of a host's VIPs *vips* come there; all of them if that is None.
    """

    name: str = ""
    file: Path | None = None
    vips: frozenset[Address] | None = None

    @classmethod
    def at(cls, file: Path) -> Self:
        """The namespace that *file* leads to now. Raises OSError."""
        return cls(str(file.stat().st_ino), file)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is there meanwhile. Raises OSError if *file* leads elsewhere by now."""
        if self.file is None:
            yield
            return
        with closing(Namespace.at(self.file)) as namespace:
            if str(os.fstat(namespace.fd).st_ino) != self.name:
                raise FileNotFoundError(f"{self.file} is another namespace's by now")
            with namespace.inside():
                yield


HERE = Place()
