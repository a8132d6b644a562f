"""Both nodes of the lab are machines of a Kubernetes cluster, too: each has a pod, and a host agent beside its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lbaas.lab.site import Site
from lbaas.lab.topology import ROUTER, SEGMENTS, Machine, Role
from tests.e2e.pods import RUN_NETNS, PodAddress, issue_token, plugged, serve, sh, start_agent

_BACKENDS = SEGMENTS[Role.BACKEND]
_FIRST = 40  # apart from the pods of other tests
_FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")


@contextmanager
def nodes_with_pods(site: Site) -> Iterator[dict[str, PodAddress]]:
    """By the name of its node, a pod that serves on PORT."""
    nodes = site.lab.topology.of(Role.NODE)
    pods = {node.name: PodAddress(number) for number, node in enumerate(nodes, _FIRST)}
    names = " ".join(pod.name for pod in pods.values())
    with ExitStack() as undo:
        undo.callback(sh, site, ROUTER, f"for each in {names}; do ip netns delete $each; done")
        sh(site, ROUTER, f"for each in {names}; do ip netns add $each; done")
        undo.callback(serve(site, (pod.name for pod in pods.values())).kill)
        for node in nodes:
            undo.callback(_detach, site, node, pods[node.name])
            _attach(site, node, pods[node.name])
            host = _host(site, node)
            undo.callback(site.admin.delete, f"/v1/backend-hosts/{host}")
            token = issue_token(site, node.name, host)
            undo.callback(start_agent(site, node.name, token, _directory(site, node)).kill)
        yield pods


def _directory(site: Site, node: Machine) -> Path:
    return site.lab.directory(node.name) / "netns"


def _attach(site: Site, node: Machine, pod: PodAddress) -> None:
    """The pod is reached by way of its node, from everywhere."""
    directory = _directory(site, node)
    commands = [
        *(f"sysctl -qw {each}=1" for each in _FORWARDING),
        plugged(pod, str(node.address4)),
        f"mkdir -p {directory}",
        f"ln -s {RUN_NETNS / pod.name} {directory}",
    ]
    sh(site, node.name, "\n".join(commands))
    for family, way in ((4, node.address4), (6, node.address6)):
        sh(site, ROUTER, f"ip route add {pod.address(family)} via {way}")


def _detach(site: Site, node: Machine, pod: PodAddress) -> None:
    sh(site, ROUTER, f"ip route delete {pod.v4}; ip -6 route delete {pod.v6}")
    ended = [f"rm {_directory(site, node) / pod.name}", f"ip link delete veth-{pod.name}"]
    settings = (f"sysctl -qw {each}=0" for each in _FORWARDING)
    sh(site, node.name, "\n".join([*ended, *settings]))


def _host(site: Site, node: Machine) -> str:
    body = {
        "name": f"{node.name}-pods",
        "addresses": [str(node.address4)],
        "prefixes": [str(_BACKENDS.prefix4), str(_BACKENDS.prefix6)],
    }
    return str(site.admin.post("/v1/backend-hosts", body)["id"])
