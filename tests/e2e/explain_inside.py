"""Plants one fault after the other on the machine it runs on, and says what explain makes of each.

Run inside a machine of the lab whose agent is stopped, by ``test_explain.py``: a process for each fault, and for each
look, would cost a minute.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lbaas.dataplane.link.netlink import ROUTE_PROTOCOL
from lbaas.domain.terms import Verdict
from lbaas.explain.spoken import flow_of
from lbaas.wire.explanation import Answer, FiveTuple

# Until a fault is seen: BIRD gives a router up after 0.9 s of silence, and all is slow on a busy machine.
DEADLINE_S = 60.0


@dataclass(frozen=True)
class Fault:
    """*plant* and *mend* are shell commands, *stage* is the hop that must be named first."""

    name: str
    stage: str
    plant: str
    mend: str


@dataclass(frozen=True)
class Facts:
    """What the commands of faults are about."""

    vip: str
    mark: str
    other_mark: str
    bird: str
    include: str

    @property
    def birdc(self) -> str:
        return f"birdc -s {self.bird}"


def node_faults(at: Facts) -> Iterable[Fault]:
    element = f"{at.vip} . 6 . 80"
    service = int(at.mark, 16)  # as ipvsadm takes it
    members = [f"-f {service} -r 10.0.20.{number}" for number in (11, 12, 13)]
    first, second, third = (f"ipvsadm -d {m}; ipvsadm -a {m} -i -w 1" for m in members)
    include = f"{at.birdc} configure; sleep 0.3"
    kept = f"cp -p {at.include} {at.include}.kept"
    back = f"cp -p {at.include}.kept {at.include}; rm {at.include}.kept; {include}"
    table = "nft delete table inet planted"
    own_route = f"{at.vip} dev lo table local proto {ROUTE_PROTOCOL}"
    yield Fault(
        "VIP is not on the node",
        "address",
        f"ip route del local {own_route}",
        f"ip route add local {own_route} scope host",
    )
    yield Fault(
        "no mark",
        "mark",
        f"nft delete element inet lbaas flows4 '{{ {element} }}'",
        f"nft add element inet lbaas flows4 '{{ {element} : {at.mark} }}'",
    )
    yield Fault(
        "another listener's mark",
        "mark",
        f"nft delete element inet lbaas flows4 '{{ {element} }}'; "
        f"nft add element inet lbaas flows4 '{{ {element} : {at.other_mark} }}'",
        f"nft delete element inet lbaas flows4 '{{ {element} }}'; "
        f"nft add element inet lbaas flows4 '{{ {element} : {at.mark} }}'",
    )
    yield Fault(
        "drifted table",
        "rules",
        "nft insert rule inet lbaas vip4 tcp dport 80 drop",
        "nft delete rule inet lbaas vip4 handle "
        "$(nft -a list chain inet lbaas vip4 | sed -n 's/.*dport 80 drop # handle //p')",
    )
    yield Fault(
        "mark overwritten by another rule",
        "marks of others",
        "nft add table inet planted; nft add chain inet planted late "
        "'{ type filter hook prerouting priority -100; }'; "
        f"nft add rule inet planted late ip daddr {at.vip} meta mark set 7",
        table,
    )
    # Of the VIP alone: it must not take BGP and BFD down with it.
    yield Fault(
        "stateful firewall drops half-flows",
        "firewall",
        "nft add table inet planted; nft add chain inet planted stateful "
        "'{ type filter hook input priority 0; }'; "
        f"nft add rule inet planted stateful ip daddr {at.vip} ct state != established,related drop",
        table,
    )
    yield Fault(
        "a program on a device may take packets away",
        "programs",
        "tc qdisc add dev eth0 clsact; tc filter add dev eth0 ingress matchall action pass",
        "tc qdisc del dev eth0 clsact",
    )
    yield Fault(
        "wrong weight",
        "members",
        f"ipvsadm -e {members[0]} -i -w 7",
        f"ipvsadm -e {members[0]} -i -w 1",
    )
    yield Fault("member order differs", "members", first, f"{second}; {third}")
    yield Fault(
        "member is missing",
        "members",
        f"ipvsadm -d {members[2]}",
        f"ipvsadm -a {members[2]} -i -w 1",
    )
    yield Fault(
        "member is reached without a tunnel",
        "members",
        f"ipvsadm -e {members[0]} -g -w 1",
        f"ipvsadm -e {members[0]} -i -w 1",
    )
    yield Fault(
        "another scheduler",
        "service",
        f"ipvsadm -E -f {service} -s rr",
        f"ipvsadm -E -f {service} -s mh -b mh-fallback,mh-port",
    )
    yield Fault(
        "no route to the members",
        "tunnel",
        "ip route add unreachable 10.0.20.0/24",
        "ip route del unreachable 10.0.20.0/24",
    )
    yield Fault(
        "flows do not survive a change of nodes",
        "settings",
        "sysctl -qw net.ipv4.vs.sloppy_tcp=0",
        "sysctl -qw net.ipv4.vs.sloppy_tcp=1",
    )
    yield Fault(
        "marked packets are routed elsewhere",
        "routing",
        "ip rule add fwmark 0x10000000/0xf0000000 table 99",
        "ip rule del fwmark 0x10000000/0xf0000000 table 99",
    )
    yield Fault(
        "route is not exported",
        "export",
        f"{kept}; sed -i 's/export where proto = \"lbaas_vips4\"/export none/' {at.include}; {include}",
        back,
    )
    yield Fault(
        "route is not announced",
        "announcement",
        f"{kept}; sed -i '/route {at.vip}/d' {at.include}; {include}",
        back,
    )
    yield Fault(
        "BGP session is shut",
        "session",
        f"{at.birdc} disable lbaas_peer_10_0_10_1",
        f"{at.birdc} enable lbaas_peer_10_0_10_1",
    )
    yield Fault(
        "BFD is down",
        "bfd",
        "nft add table inet planted; nft add chain inet planted deaf "
        "'{ type filter hook prerouting priority -400; }'; "
        "nft add rule inet planted deaf udp dport 3784 drop",
        table,
    )


def host_faults(at: Facts) -> Iterable[Fault]:
    yield Fault(
        "alias is missing",
        "alias",
        f"ip addr del {at.vip}/32 dev lbtun4",
        f"ip addr add {at.vip}/32 dev lbtun4",
    )
    yield Fault("tunnel is down", "tunnel", "ip link set lbtun4 down", "ip link set lbtun4 up")
    yield Fault(
        "host answers ARP for the VIP",
        "arp",
        "sysctl -qw net.ipv4.conf.all.arp_ignore=0",
        "sysctl -qw net.ipv4.conf.all.arp_ignore=1",
    )
    yield Fault(
        "strict rp_filter",
        "rp_filter",
        "sysctl -qw net.ipv4.conf.lbtun4.rp_filter=1",
        "sysctl -qw net.ipv4.conf.lbtun4.rp_filter=2",
    )
    yield Fault(
        "guard does not know a node",
        "guard",
        "nft delete element inet lbaas_host nodes4 '{ 10.0.10.11 }'",
        "nft add element inet lbaas_host nodes4 '{ 10.0.10.11 }'",
    )
    yield Fault(
        "host firewall drops the tunnel",
        "firewall",
        "nft add table inet planted; nft add chain inet planted strict "
        "'{ type filter hook input priority 0; }'; "
        "nft add rule inet planted strict ip protocol 4 drop",
        "nft delete table inet planted",
    )
    yield Fault(
        "no way back to the client",
        "reply",
        "ip route add unreachable 10.0.1.0/24",
        "ip route del unreachable 10.0.1.0/24",
    )


def named(answer: Answer) -> str:
    """The stage that a person is told of first; empty if all is well."""
    for verdict in (Verdict.BROKEN, Verdict.SUSPECT, Verdict.UNKNOWN):
        for hop in answer.hops:
            if hop.verdict is verdict:
                return hop.stage
    return ""


def shell(commands: str) -> None:
    ran = subprocess.run(["sh", "-c", commands], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{commands}: {ran.stdout}{ran.stderr}")


def tried(fault: Fault, look: Callable[[], Answer]) -> str:
    """What is named while the fault is there. It is mended afterwards."""
    shell(fault.plant)
    try:
        return settled(fault.stage, look)
    finally:
        shell(fault.mend)


def settled(stage: str, look: Callable[[], Answer]) -> str:
    """*stage*, as soon as it is the one that is named; at the deadline, whichever is.

    On a busy machine BFD may flap by itself, and then that is named meanwhile.
    """
    deadline = time.monotonic() + DEADLINE_S
    while (found := named(look())) != stage and time.monotonic() < deadline:
        time.sleep(0.3)
    return found


def explainer(told: Mapping[str, str]) -> Callable[[FiveTuple], Answer]:
    state_dir = Path(told["state_dir"])
    if told["role"] == "host":
        from lbaas.host_agent.explaining import Explainer as Host

        return Host(state_dir).explain
    from lbaas.node_agent.announce import BirdPaths
    from lbaas.node_agent.explaining import Explainer as Node

    return Node(state_dir, BirdPaths(Path(told["bird"]), Path(told["include"]))).explain


def main() -> None:
    """Prints, by fault, the stage that it should be and the one that is named first."""
    told = json.loads(sys.argv[1])
    explain, flow = explainer(told), flow_of(told["client"], f"{told['vip']}:80/tcp")
    facts = Facts(told["vip"], told["mark"], told["other_mark"], told["bird"], told["include"])
    faults = host_faults(facts) if told["role"] == "host" else node_faults(facts)
    print(json.dumps({"healthy": ["", settled("", lambda: explain(flow))]}), flush=True)
    for fault in faults:
        print(
            json.dumps({fault.name: [fault.stage, tried(fault, lambda: explain(flow))]}), flush=True
        )


if __name__ == "__main__":
    main()
