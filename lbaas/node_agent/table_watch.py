"""Who flushes our nftables table need not wait for the audit to be undone: clients would be refused meanwhile."""

import time
from collections.abc import Callable
from contextlib import closing

import structlog

from lbaas.dataplane.marks.observe import structure
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.errors import LbaasError

log = structlog.get_logger()

# One question to the kernel, of some microseconds. Its events would cost more: while anybody listens, the kernel makes
# one for each element of each transaction, 4 KB each until it is over (decision record: nftables).
_EVERY_S = 0.05

# Whatever nftables did not answer, it would not answer twenty times a second.
_AFTER_ERROR_S = 5.0


class TableWatch:
    """Calls *torn* when the marks' table does not list as *expected* says, which is None while nobody can say."""

    def __init__(self, expected: Callable[[], str | None], torn: Callable[[], None]) -> None:
        self._expected = expected
        self._torn = torn
        self._generation: int | None = None

    def run(self) -> None:
        """Never returns."""
        with closing(Nft()) as nft, closing(NfSocket()) as netfilter:
            while True:
                time.sleep(self._try(netfilter.generation, lambda: structure(nft)))

    def _try(self, generation: Callable[[], int], listed: Callable[[], str | None]) -> float:
        try:
            self.look(generation, listed)
        except (LbaasError, OSError) as error:
            log.warning("table not watched", error=str(error))
            return _AFTER_ERROR_S
        return _EVERY_S

    def look(self, generation: Callable[[], int], listed: Callable[[], str | None]) -> None:
        """If nftables has another *generation* than at the last look, the table as *listed* was compared."""
        found = generation()
        if found == self._generation:
            return
        expected = self._expected()
        if expected is None:
            return
        self._generation = found
        if listed() != expected:
            log.warning("somebody changed the node's table: making it whole")
            self._torn()
