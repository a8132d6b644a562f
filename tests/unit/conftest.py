"""Unit tests reach no network: a socket that is not a local one is an error. None is late on a busy machine."""

import pytest
from hypothesis import settings
from pytest_socket import disable_socket

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _no_network() -> None:
    disable_socket(allow_unix_socket=True)
