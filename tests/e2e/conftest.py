"""One datacentre, with a VIP of each family, for all end-to-end tests."""

from collections.abc import Iterator

import pytest

from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e.balanced import PORT, Balanced, guard_removals


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with Site.start() as started:
        for backend in started.lab.topology.of(Role.BACKEND):
            started.lab.web(backend.name, PORT)
        # Tests clean up, and a slow machine hears of that at once.
        guard_removals(started, 100)
        yield started


@pytest.fixture(scope="session")
def vips(site: Site) -> dict[int, Balanced]:
    """A programmed VIP of each family that lives as long as the datacentre."""
    return {family: Balanced.create(site, family) for family in (4, 6)}


@pytest.fixture(params=[4, 6], ids=["v4", "v6"])
def balanced(vips: dict[int, Balanced], request: pytest.FixtureRequest) -> Balanced:
    """The VIP of one family, programmed and announced. Whoever changes it changes it back."""
    return _settled(vips[request.param])


@pytest.fixture
def balanced4(vips: dict[int, Balanced]) -> Balanced:
    """The IPv4 one, for what does not depend on the family."""
    return _settled(vips[4])


def _settled(vip: Balanced) -> Balanced:
    """A node that an earlier test killed may still be on its way back."""
    vip.wait_programmed()
    return vip
