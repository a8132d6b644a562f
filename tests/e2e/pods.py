"""A machine of a Kubernetes cluster in the lab: on the backends' segment, with pods in namespaces of their own.

As with most container networks: each pod has a cable to its machine and nothing else, and the machine forwards.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lbaas.lab.handles import Process
from lbaas.lab.site import METER_PERIOD_S, Site
from lbaas.lab.topology import API_ADDRESS, API_PORT, FABRIC, MANAGEMENT, ROUTER, SEGMENTS, Role
from tests.e2e.balanced import PORT

MACHINE, _NUMBER = "kube1", 200
RUN_NETNS = Path("/run/netns")

_WEB = Path(__file__).with_name("pod_web.py")
_BACKENDS = SEGMENTS[Role.BACKEND]

# Of kube-proxy's rules the one that bites.
_KUBE_PROXY = """\
table inet kube {
    chain forward {
        type filter hook forward priority 0; policy accept;
        ct state invalid drop
    }
}
"""

# One command for the router's namespace, one for the one that holds the management bridge: each lays a cable.
_CABLES = {
    ROUTER: (_BACKENDS.name, "eth0"),
    FABRIC: (MANAGEMENT, "mgmt"),
}


@dataclass(frozen=True)
class PodAddress:
    """The addresses of pod *number*."""

    number: int

    @property
    def name(self) -> str:
        return f"pod{self.number}"

    @property
    def v4(self) -> str:
        return str(_BACKENDS.prefix4[_NUMBER + self.number])

    @property
    def v6(self) -> str:
        return str(_BACKENDS.prefix6[0x200 + self.number])

    def address(self, family: int) -> str:
        return self.v4 if family == 4 else self.v6


@contextmanager
def machine_with_pods(site: Site, count: int) -> Iterator[list[PodAddress]]:
    """The machine stands, its pods serve on PORT, and a host agent looks after them."""
    pods = [PodAddress(number) for number in range(1, count + 1)]
    processes: list[Process] = []
    host = site.admin.post(
        "/v1/backend-hosts",
        {
            "name": MACHINE,
            "addresses": [str(_BACKENDS.prefix4[_NUMBER])],
            "prefixes": [str(_BACKENDS.prefix4), str(_BACKENDS.prefix6)],
        },
    )
    try:
        _build(site, pods)
        token = issue_token(site, MACHINE, str(host["id"]))
        # Not ``ip netns exec``: that mounts another /sys, and so needs a mount namespace that outlives its files.
        entered = ["nsenter", f"--net={RUN_NETNS / MACHINE}"]
        processes += [
            serve(site, (pod.name for pod in pods)),
            start_agent(site, ROUTER, token, RUN_NETNS, entered),
        ]
        yield pods
    finally:
        for process in processes:
            process.kill()
        names = " ".join([*(pod.name for pod in pods), MACHINE])
        site.lab.run(ROUTER, ["sh", "-c", f"for each in {names}; do ip netns delete $each; done"])
        site.admin.delete(f"/v1/backend-hosts/{host['id']}")


def has_connections(site: Site, pod: str) -> bool:
    """Somebody still speaks, or begins to speak, with the pod's server."""
    states = "state established state syn-recv state fin-wait-1 state close-wait"
    return bool(_in_namespace(site, pod, f"ss -Htn {states} sport = :{PORT}"))


def end(site: Site, pod: str) -> None:
    """The pod answers nothing any more."""
    _in_namespace(site, pod, "ip link set eth0 down")


def remove(site: Site, *names: str) -> None:
    """The pods' network namespaces have no files any more."""
    sh(site, ROUTER, f"for each in {' '.join(names)}; do ip netns delete $each; done")


def _in_namespace(site: Site, pod: str, command: str) -> str:
    entered = ["nsenter", f"--net={RUN_NETNS / pod}", "sh", "-c", command]
    ran = site.lab.run(ROUTER, entered)
    assert ran.status == 0, ran.stderr
    return ran.stdout


def _build(site: Site, pods: list[PodAddress]) -> None:
    names = " ".join(pod.name for pod in pods)
    sh(site, ROUTER, f"for each in {names}; do ip netns add $each; done")
    build_machine(site, MACHINE, _NUMBER)
    settings = "net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.eth0.proxy_arp"
    strict = "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=1"
    inside = [
        f"for each in {settings} net.ipv6.conf.eth0.proxy_ndp; do sysctl -qw $each=1; done",
        f"sysctl -qw {strict}",
        *(plugged(pod, str(_BACKENDS.prefix4[_NUMBER])) for pod in pods),
        *(f"ip neighbour add proxy {pod.v6} dev eth0" for pod in pods),
        f"nft -f - <<'END'\n{_KUBE_PROXY}END",
    ]
    script = "\n".join(inside)
    sh(site, ROUTER, f"ip netns exec {MACHINE} sh -eu <<'SCRIPT'\n{script}\nSCRIPT")


def build_machine(site: Site, name: str, number: int) -> None:
    """There is one of this name on the backends' segment, with addresses that end in *number*, and it sees the API."""
    sh(site, ROUTER, f"ip netns add {name}")
    for namespace, (bridge, device) in _CABLES.items():
        made = f"ip link add {name}-{device} type veth peer name {device} netns {name}"
        sh(site, namespace, f"{made} && ip link set {name}-{device} master {bridge} up")
    sh(site, ROUTER, f"ip -n {name} -batch - <<'END'\n{_machine(number)}END")


def _machine(number: int) -> str:
    return (
        "link set lo up\nlink set eth0 up\nlink set mgmt up\n"
        f"address add {_BACKENDS.prefix4[number]}/{_BACKENDS.prefix4.prefixlen} dev eth0\n"
        f"address add {_BACKENDS.prefix6[number]}/{_BACKENDS.prefix6.prefixlen} dev eth0 nodad\n"
        f"address add 10.255.9.{number}/{API_ADDRESS.network.prefixlen} dev mgmt\n"
        f"route add default via {_BACKENDS.gateway4}\n"
        f"route add default via {_BACKENDS.gateway6}\n"
    )


def plugged(pod: PodAddress, machine: str) -> str:
    """The commands, in the machine's namespace, that lay the cable to the pod's; *machine* is where its way out is."""
    inside = f"ip -n {pod.name} -batch - <<'END'\n{_in_pod(pod, machine)}END"
    return f"ip -batch - <<'END'\n{_on_machine(pod, machine)}END\n{inside}"


def _on_machine(pod: PodAddress, machine: str) -> str:
    return (
        f"link add veth-{pod.name} type veth peer name eth0 netns {pod.name}\n"
        f"link set veth-{pod.name} up\n"
        f"address add fe80::1/64 dev veth-{pod.name} nodad\n"
        f"route add {pod.v4} dev veth-{pod.name} src {machine}\n"
        f"route add {pod.v6} dev veth-{pod.name}\n"
    )


def _in_pod(pod: PodAddress, machine: str) -> str:
    return (
        "link set lo up\nlink set eth0 up\n"
        f"address add {pod.v4}/32 dev eth0\n"
        f"address add {pod.v6}/128 dev eth0 nodad\n"
        f"route add {machine} dev eth0\n"
        f"route add default via {machine}\n"
        "route add default via fe80::1 dev eth0\n"
    )


def serve(site: Site, names: Iterable[str]) -> Process:
    """Each pod of these *names* answers on PORT by its name."""
    argv = [sys.executable, str(_WEB), str(PORT), *names]
    return site.lab.spawn(ROUTER, argv, env={}, name="pod-web")


def issue_token(site: Site, machine: str, host: str) -> Path:
    """A file with the token of the backend host *host*, which *machine* is."""
    token = site.lab.share / f"{machine}-host-token"
    bearer = {"name": machine, "role": "host", "host_id": host}
    token.write_text(site.admin.post("/v1/tokens", bearer)["token"])
    return token


def start_agent(
    site: Site, namespace: str, token: Path, pods: Path, entered: Sequence[str] = ()
) -> Process:
    """A host agent looks after the namespaces that *pods* has files of, by *entered* in another than *namespace*."""
    environment = {
        "LBAAS_SERVER_URL": f"http://{API_ADDRESS.ip}:{API_PORT}",
        "LBAAS_TOKEN_FILE": str(token),
        "LBAAS_STATE_DIR": f"{token}-state",
        "LBAAS_CYCLE_S": "1",
        "LBAAS_METER_PERIOD_S": str(METER_PERIOD_S),
    }
    argv = [*entered, sys.executable, "-m", "lbaas", "host-agent", "--pods", str(pods)]
    return site.lab.spawn(namespace, argv, env=environment, name="pod-agent")


def sh(site: Site, namespace: str, script: str) -> None:
    ran = site.lab.run(namespace, ["sh", "-eu", "-c", script], timeout_s=120)
    assert ran.status == 0, ran.stderr
