"""The node agent as its systemd unit has it: real systemd, with the unit's capabilities, seccomp filters and mounts."""

from collections.abc import Iterator

import pytest

from lbaas.lab.site import Site
from tests.e2e.balanced import Balanced, eventually
from tests.e2e.checked import Checked
from tests.e2e.test_explain import explained, wrong
from tests.e2e.units import Unit

NODE = "lb1"
BACKENDS = ("backend1", "backend2", "backend3")

# Where the unit's RuntimeDirectory is, which the agent may write to. What the kernel can is tried by another test.
OWN = {
    "LBAAS_BIRD_SOCKET": "/run/lbaas/bird.ctl",
    "LBAAS_BIRD_INCLUDE": "/run/lbaas/lbaas.conf",
}
TRIED = "[]"


@pytest.fixture
def unit(site: Site) -> Iterator[Unit]:
    """lb1 has systemd and the unit's agent, instead of the lab's."""
    site.agents[NODE].kill()
    site.agents[NODE].wait()
    findings = site.lab.directory(NODE) / "findings.json"
    site.lab.run(NODE, ["tee", str(findings)], stdin=TRIED)
    given = site.agent_environment(NODE) | OWN
    del given["LBAAS_STATE_DIR"]  # which the unit itself names
    started = Unit.start(site, NODE, "lbaas-node-agent", given)
    yield started
    started.end()
    site.start_agent(NODE)


def holds(unit: Unit) -> bool:
    """It told systemd that it is up, and that nothing fails."""
    return unit.shown.get("StatusText", "").endswith(" holds")


def test_what_the_unit_leaves_the_agent_is_enough_for_all_that_it_does(
    site: Site, balanced4: Balanced, unit: Unit
) -> None:
    eventually(lambda: holds(unit))
    confined = unit.process
    assert (confined["Seccomp"], confined["NoNewPrivs"]) == ("2", "1")
    # CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_NET_ADMIN, CAP_NET_RAW
    assert int(confined["CapBnd"], 16) == 1 << 0 | 1 << 1 | 1 << 12 | 1 << 13

    checks = [
        Checked.create(site, 4, kind="icmp"),
        Checked.create(site, 6, kind="http", port=80),
    ]
    for vip in checks:
        vip.await_traffic(*BACKENDS)
        vip.await_announced(2)
        vip.delete()
    eventually(lambda: wrong(explained(balanced4)) == [])
    assert "not permitted" not in unit.log.read_text()

    hung = unit.shown["MainPID"]
    unit.hang()
    eventually(lambda: unit.shown["MainPID"] not in ("0", hung) and holds(unit))

    unit.stop()
    eventually(lambda: len(balanced4.next_hops()) == 2)
    eventually(lambda: balanced4.fetch().ok)
