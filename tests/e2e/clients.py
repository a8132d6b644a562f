"""Clients that keep coming while something happens."""

import re

from lbaas.lab.messages import Fetched
from lbaas.lab.site import Site
from lbaas.lab.topology import ROUTER
from tests.e2e.balanced import CLIENT, PATIENT_S, PORT

# What a router says that has no node to send to.
NO_ROUTE = ("ENETUNREACH", "EHOSTUNREACH")


class Clients:
    """New connections to *address*, one each *every_ms*, until :meth:`failures` asks how they fared."""

    def __init__(self, site: Site, address: str, every_ms: int = 50) -> None:
        self._site = site
        self._sessions = sessions(site)
        self._load = site.lab.load(CLIENT, address, PORT, every_ms=every_ms, timeout_s=PATIENT_S)

    def failures(self) -> list[Fetched]:
        """They come no more; those of them that failed.

        A guest that stood still for a second has lost its BFD sessions, and for a moment its routes: where sessions did
        change, what the router itself refused never came to a node.
        """
        attempts = self._load.stop()
        assert attempts
        slowest = max(attempt.elapsed_s for attempt in attempts)
        print(f"{len(attempts)} connections, the slowest took {slowest:.2f} s")
        excused = () if sessions(self._site) == self._sessions else NO_ROUTE
        return [each for each in attempts if not each.ok and each.error not in excused]


def sessions(site: Site) -> str:
    """The router's BGP and BFD sessions, and since which second they are as they are."""
    asked = ["birdc", "-s", str(site.lab.bird_socket(ROUTER)), "show", "protocols"]
    return re.sub(r"\.\d{3}\b", "", site.lab.run(ROUTER, asked).stdout)
