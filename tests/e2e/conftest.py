"""The datacentre that the end-to-end tests share: real processes, real packets."""

from collections.abc import Iterator

import pytest

from lbaas.lab.site import Site
from lbaas.lab.topology import Role

WEB_PORT = 80


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Server, agents and lab; every backend serves on port 80, at any address that it gets.

    One for all tests: each deletes the VIPs that it made and mends what it broke.
    """
    with Site.start() as site:
        for backend in site.lab.topology.of(Role.BACKEND):
            site.lab.web(backend.name, WEB_PORT)
        yield site
