"""One datacentre for all end-to-end tests: each makes VIPs of its own and leaves everything running."""

from collections.abc import Iterator

import pytest

from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e.balanced import PORT, Balanced


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with Site.start() as started:
        for backend in started.lab.topology.of(Role.BACKEND):
            started.lab.web(backend.name, PORT)
        yield started


@pytest.fixture(params=[4, 6], ids=["v4", "v6"])
def balanced(site: Site, request: pytest.FixtureRequest) -> Iterator[Balanced]:
    """A programmed VIP of one family, with every backend as member."""
    vip = Balanced.create(site, request.param)
    yield vip
    vip.delete()


@pytest.fixture
def balanced4(site: Site) -> Iterator[Balanced]:
    """As ``balanced``, for what does not depend on the family."""
    vip = Balanced.create(site, 4)
    yield vip
    vip.delete()
