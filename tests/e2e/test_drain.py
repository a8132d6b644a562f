"""What a member's end looks like to clients, in the lab."""

from lbaas.lab.site import Site
from lbaas.lab.topology import ROUTER, Role
from tests.e2e.balanced import CLIENT, OWN_PORTS, PATIENT_S, PORT, Balanced, eventually

FLOWS = 20

# On the router: whoever begins to speak hears nothing yet.
MUTE = """\
table inet mute {
    chain passing {
        type filter hook forward priority 0;
        tcp flags syn,ack / syn,ack drop
    }
}
"""


def test_a_drained_member_keeps_its_flows_and_gets_no_new_ones(balanced: Balanced) -> None:
    flows = balanced.site.lab.flows(CLIENT, balanced.address, PORT, FLOWS)
    drained = flows.read()[0].backend
    with balanced.drained(drained):
        answers = [balanced.fetch() for _ in range(40)]
        assert all(answer.ok for answer in answers)
        assert drained not in {answer.backend for answer in answers}
        before = {flow.source_port: flow.exchanged for flow in flows.read()}
        eventually(lambda: all(flow.exchanged > before[flow.source_port] for flow in flows.read()))
        held = flows.stop()
    assert all(flow.alive for flow in held)
    assert drained in {flow.backend for flow in held}


def test_a_connection_that_began_before_the_drain_stays_with_its_member(
    balanced: Balanced,
) -> None:
    """Its first packet comes again after it, since the answer was late: two members that answer would end it."""
    site, lab = balanced.site, balanced.site.lab
    (drained, *_) = [each.name for each in lab.topology.of(Role.BACKEND)]
    nft(site, MUTE)
    load = lab.load(CLIENT, balanced.address, PORT, every_ms=20, timeout_s=PATIENT_S)
    eventually(lambda: half_open(site, drained))
    with balanced.drained(drained):
        begun = half_open(site, drained)
        nft(site, "delete table inet mute")
        attempts = load.stop()
    assert [each for each in attempts if not each.ok] == []
    answered = {each.source_port: each.backend for each in attempts}
    assert begun
    assert {answered[port] for port in begun} == {drained}


def test_a_reused_port_does_not_lead_to_a_drained_member(balanced4: Balanced) -> None:
    before = {port: balanced4.fetch(port).backend for port in range(OWN_PORTS, OWN_PORTS + FLOWS)}
    drained = before[OWN_PORTS]
    with balanced4.drained(drained):
        again = [balanced4.fetch(port, timeout_s=PATIENT_S) for port in before]
    assert [answer.error for answer in again if not answer.ok] == []
    assert drained not in {answer.backend for answer in again}


def test_the_flows_of_a_removed_member_end_at_once(site: Site) -> None:
    vip = Balanced.create(site, 4)  # not the others': members are ordered by age
    eventually(lambda: vip.fetch().ok)
    flows = site.lab.flows(CLIENT, vip.address, PORT, FLOWS)
    removed = flows.read()[0].backend
    site.tenant.delete(f"{vip.members}/{vip.member_on(removed)['id']}")
    vip.wait_programmed()
    eventually(lambda: {removed} == {flow.backend for flow in flows.read() if not flow.alive})
    eventually(lambda: not any(flow.alive for flow in flows.read() if flow.backend == removed))
    assert all(flow.alive for flow in flows.stop() if flow.backend != removed)
    vip.delete()


def nft(site: Site, commands: str) -> None:
    """The router obeys them."""
    ran = site.lab.run(ROUTER, ["nft", "-f", "/dev/stdin"], stdin=commands)
    assert ran.status == 0, ran.stderr


def half_open(site: Site, backend: str) -> set[int]:
    """The clients' ports of connections that the backend has been asked for, and that are not made yet."""
    listed = site.lab.run(backend, ["ss", "-Htn", "state", "syn-recv"]).stdout
    return {int(line.split()[3].rpartition(":")[2]) for line in listed.splitlines()}
