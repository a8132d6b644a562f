"""``--check`` on a kernel that has everything, and without the right to try."""

import sys

import pytest

from lbaas.lab.site import Site
from tests.e2e.balanced import Balanced

CHECKS = [("lb1", "node-agent"), ("backend1", "host-agent")]

# The GRE modules bring these into every namespace as soon as they are loaded, down and without an address.
FALLBACK_DEVICES = ("gre0@", "gretap0@", "erspan0@", "ip6gre0@")


@pytest.mark.parametrize(("machine", "role"), CHECKS)
def test_a_kernel_that_has_everything_is_said_to(
    balanced4: Balanced, machine: str, role: str
) -> None:
    lab = balanced4.site.lab
    before = _links(balanced4.site, machine)
    checked = lab.run(machine, [sys.executable, "-m", "lbaas", role, "--check"])
    assert checked.status == 0, checked.stdout + checked.stderr
    assert "missing" not in checked.stdout
    assert checked.stdout.count("\nok ") >= 5
    # It was tried elsewhere: this machine is as it was, and serves.
    assert _links(balanced4.site, machine) == before
    assert balanced4.fetch().ok


def _links(site: Site, machine: str) -> list[str]:
    lines = site.lab.run(machine, ["ip", "-br", "link"]).stdout.splitlines()
    return [line for line in lines if not line.startswith(FALLBACK_DEVICES)]


@pytest.mark.parametrize(("machine", "role"), CHECKS)
def test_without_the_right_to_try_it_says_so(site: Site, machine: str, role: str) -> None:
    unprivileged = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    checked = site.lab.run(machine, [*unprivileged, sys.executable, "-m", "lbaas", role, "--check"])
    assert checked.status == 1
    assert "takes root" in checked.stderr
