"""The lab itself, before anything is balanced in it."""

import signal
import time
from collections.abc import Callable

import pytest

from lbaas.errors import LabError
from lbaas.lab.controller import Lab
from lbaas.lab.topology import DATA, MANAGEMENT, ROUTER, Role

BACKEND, BACKEND6 = "10.0.20.11", "fd00:20::11"
PYTHON_CONNECTS = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"


def becomes(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def connects(lab: Lab, machine: str, address: str, port: int) -> bool:
    argv = ["python3", "-c", PYTHON_CONNECTS, address, str(port)]
    return lab.run(machine, argv).status == 0


@pytest.mark.parametrize("address", [BACKEND, BACKEND6])
def test_a_backend_sees_the_clients_own_address_and_port(lab: Lab, address: str) -> None:
    client = lab.topology.of(Role.CLIENT)[0]
    expected = client.address6 if ":" in address else client.address4

    for asked in (lab.fetch, lab.udp):
        seen = asked("client1", address, 80, source_port=4321)

        assert seen.error == ""
        assert (seen.backend, seen.vip) == ("backend1", address)
        assert (seen.client, seen.client_port) == (str(expected), 4321)


def test_one_source_port_can_be_used_again_at_once(lab: Lab) -> None:
    answers = [lab.fetch("client1", BACKEND, 80, source_port=4322) for _ in range(3)]

    assert [answer.error for answer in answers] == ["", "", ""]


def test_long_bodies_arrive_whole_both_ways(lab: Lab) -> None:
    down = lab.fetch("client1", BACKEND6, 80, path="/bytes/3000000")
    up = lab.fetch("client1", BACKEND, 80, upload=3_000_000)

    assert (down.error, down.status, down.length) == ("", 200, 3_000_000)
    assert '"received": 3000000' in up.body


def test_what_went_wrong_is_told_by_name(lab: Lab) -> None:
    assert lab.fetch("client1", BACKEND, 81).error == "ECONNREFUSED"
    assert lab.fetch("client1", "10.0.20.250", 80, timeout_s=0.5).error == "timed out"


def test_nodes_and_backends_reach_the_api_and_clients_do_not(lab: Lab) -> None:
    assert connects(lab, "lb1", "10.255.0.1", 8080)
    assert connects(lab, "backend3", "10.255.0.1", 8080)
    assert not connects(lab, "client1", "10.255.0.1", 8080)


def test_a_pulled_cable_cuts_one_way_only_and_mends(lab: Lab) -> None:
    lab.link("backend1", MANAGEMENT, up=False)
    try:
        assert not connects(lab, "backend1", "10.255.0.1", 8080)
        assert lab.fetch("client1", BACKEND, 80).ok
    finally:
        lab.link("backend1", MANAGEMENT, up=True)
    # the kernel takes up to a second to act on a carrier that is back
    assert becomes(lambda: connects(lab, "backend1", "10.255.0.1", 8080))


def test_a_machine_keeps_its_addresses_when_its_cable_is_pulled(lab: Lab) -> None:
    lab.link("backend2", DATA, up=False)
    try:
        shown = lab.run("backend2", ["ip", "-br", "address", "show", DATA]).stdout
    finally:
        lab.link("backend2", DATA, up=True)

    assert "10.0.20.12/24" in shown
    assert "fd00:20::12/64" in shown


def test_silent_loss_leaves_the_carrier_up(lab: Lab) -> None:
    lab.loss("backend1", DATA, 100)
    try:
        assert lab.fetch("client1", BACKEND, 80, timeout_s=0.5).error == "timed out"
        assert "LOWER_UP" in lab.run("backend1", ["ip", "link", "show", DATA]).stdout
    finally:
        lab.loss("backend1", DATA, 0)
    assert lab.fetch("client1", BACKEND, 80).ok


def test_a_capture_shows_a_connection_from_both_ends(lab: Lab) -> None:
    captures = [lab.capture("client1", DATA), lab.capture("backend1", "any")]
    lab.fetch("client1", BACKEND, 80, source_port=4323)
    at_client, at_backend = (capture.stop() for capture in captures)

    def first(direction: str, packets: tuple[object, ...]) -> list[str]:
        return [p.tcp_flags for p in packets if p.direction == direction and p.source_port == 4323]  # type: ignore[attr-defined]

    assert first("out", at_client.packets)[0] == "S"
    assert first("out", at_client.packets) == first("in", at_backend.packets)
    assert (at_client.dropped, at_backend.dropped) == (0, 0)


def test_a_capture_file_can_be_read_by_others(lab: Lab) -> None:
    capture = lab.capture("client1", DATA)
    lab.fetch("client1", BACKEND, 80, source_port=4324)
    file = lab.share / "connection.pcap"
    recorded = capture.stop(file)

    magic, linktype = file.read_bytes()[:4], file.read_bytes()[20:24]

    assert magic in (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4")
    assert int.from_bytes(linktype, "little") == 101
    assert len(recorded.packets) >= 8


def test_flows_live_through_a_short_outage_and_tell_how_long_it_was(lab: Lab) -> None:
    flows = lab.flows("client1", BACKEND6, 80, 5)
    time.sleep(0.5)
    calm = flows.read()
    lab.link("backend1", DATA, up=False)
    time.sleep(1)
    lab.link("backend1", DATA, up=True)
    time.sleep(1.5)
    after = flows.stop()

    assert {flow.backend for flow in calm} == {"backend1"}
    assert max(flow.longest_stall_s for flow in calm) < 0.5
    assert all(flow.alive and flow.exchanged > calm[0].exchanged for flow in after)
    assert all(flow.longest_stall_s > 0.9 for flow in after)


def test_a_flow_that_is_refused_is_not_alive_and_says_why(lab: Lab) -> None:
    (flow,) = lab.flows("client1", BACKEND, 81, 1).stop()

    assert (flow.alive, flow.error) == (False, "ECONNREFUSED")


def test_a_load_records_each_new_connection(lab: Lab) -> None:
    load = lab.load("client1", BACKEND, 80, every_ms=50)
    time.sleep(1)
    attempts = load.stop()

    assert 15 <= len(attempts) <= 25
    assert [attempt.error for attempt in attempts] == [""] * len(attempts)


def test_a_spawned_process_is_watched_to_its_end(lab: Lab) -> None:
    process = lab.spawn("client1", ["sh", "-c", "echo here; exec sleep 60"], name="sleeper")
    assert process.alive
    assert becomes(lambda: process.log_tail() == "here\n")

    process.kill(signal.SIGTERM)

    assert process.wait() == -signal.SIGTERM
    assert not process.alive
    assert [row.status for row in lab.processes() if row.name == "sleeper"] == [-signal.SIGTERM]


def test_a_command_that_hangs_is_killed_with_its_children(lab: Lab) -> None:
    hung = lab.run("client1", ["sh", "-c", "sleep 1234 & echo begun; wait"], timeout_s=0.5)

    assert (hung.status, hung.stdout) == (124, "begun\n")
    still_there = lab.run("client1", ["sh", "-c", "grep -lz '^1234$' /proc/[0-9]*/cmdline"])
    assert (still_there.status, still_there.stdout) == (1, "")


def test_what_the_lab_can_not_do_is_an_error_that_says_what_there_is(lab: Lab) -> None:
    with pytest.raises(LabError, match="no machine 'lb9'; it has backend1"):
        lab.run("lb9", ["true"])
    with pytest.raises(LabError, match="can't start nonesuch: No such file"):
        lab.run("lb1", ["nonesuch"])
    with pytest.raises(LabError, match="client1 has no cable in mgmt"):
        lab.link("client1", MANAGEMENT, up=False)


def test_the_router_keeps_a_flow_on_one_next_hop(lab: Lab) -> None:
    policy = lab.run(ROUTER, ["cat", "/proc/sys/net/ipv4/fib_multipath_hash_policy"]).stdout
    fields = lab.run(ROUTER, ["cat", "/proc/sys/net/ipv6/fib_multipath_hash_fields"]).stdout

    assert (policy, fields) == ("3\n", "55\n")


def test_a_node_without_power_has_no_process_and_comes_back(lab: Lab) -> None:
    bird = lab.birds["lb2"]
    lab.kill_node("lb2")
    try:
        assert bird.wait(timeout_s=10) == -signal.SIGKILL
        assert "LOWER_UP" not in lab.run("lb2", ["ip", "link", "show", DATA]).stdout
    finally:
        lab.revive_node("lb2")
    assert lab.birds["lb2"].alive
    assert "LOWER_UP" in lab.run("lb2", ["ip", "link", "show", DATA]).stdout


def test_the_kernel_has_the_whole_production_path(lab: Lab) -> None:
    ruleset = "table inet probe { chain c { type filter hook input priority 0; reject; }; }\n"
    nft = lab.run("lb1", ["nft", "-c", "-f", "-"], stdin=ruleset)
    ipvs = lab.run(
        "lb1", ["sh", "-c", "ipvsadm -A -f 7 -s mh -b mh-fallback,mh-port && ipvsadm -D -f 7"]
    )

    assert (nft.status, nft.stderr) == (0, "")
    assert (ipvs.status, ipvs.stderr) == (0, "")
