"""One datacentre, with a VIP of each family, for all end-to-end tests."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lbaas.lab.site import Site
from lbaas.lab.topology import Role
from tests.e2e.balanced import PORT, Balanced, guard_removals


@contextmanager
def datacentre() -> Iterator[Site]:
    """A site whose backends serve PORT. Removals are not guarded: tests clean up, all at once if they are slow."""
    with Site.start() as started:
        for backend in started.lab.topology.of(Role.BACKEND):
            started.lab.web(backend.name, PORT)
        guard_removals(started, 100)
        yield started


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with datacentre() as started:
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
