from collections.abc import Iterator

import pytest

from lbaas.lab.controller import Lab
from lbaas.lab.topology import Role

WEB_PORT = 80


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A lab without server and agents, whose backends serve on port 80. Tests put back what they change."""
    with Lab.start() as lab:
        for backend in lab.topology.of(Role.BACKEND):
            lab.web(backend.name, WEB_PORT)
        yield lab
