"""``--check`` on a kernel that has everything, and without the right to try."""

import sys

import pytest

from lbaas.lab.site import Site
from tests.e2e.balanced import Balanced

CHECKS = [("lb1", "node-agent"), ("backend1", "host-agent")]


@pytest.mark.parametrize(("machine", "role"), CHECKS)
def test_a_kernel_that_has_everything_is_said_to(
    balanced4: Balanced, machine: str, role: str
) -> None:
    lab = balanced4.site.lab
    before = lab.run(machine, ["ip", "-br", "link"]).stdout
    checked = lab.run(machine, [sys.executable, "-m", "lbaas", role, "--check"])
    assert checked.status == 0, checked.stdout + checked.stderr
    assert "missing" not in checked.stdout
    assert checked.stdout.count("\nok ") >= 5
    # It was tried elsewhere: this machine is as it was, and serves.
    assert lab.run(machine, ["ip", "-br", "link"]).stdout == before
    assert balanced4.fetch().ok


@pytest.mark.parametrize(("machine", "role"), CHECKS)
def test_without_the_right_to_try_it_says_so(site: Site, machine: str, role: str) -> None:
    unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    checked = site.lab.run(machine, [*unprivileged, sys.executable, "-m", "lbaas", role, "--check"])
    assert checked.status == 1
    assert "takes root" in checked.stderr
