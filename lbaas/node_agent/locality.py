"""Local services as one node shall hold them: it sends to backends on its own machine, or leaves it to others. Pure."""

from collections.abc import Collection

from lbaas.domain.terms import WhenNoBackend
from lbaas.wire.state import ClusterState, VirtualService


def localized(state: ClusterState, here: str) -> ClusterState:
    """*state* as the node named *here* shall hold it.

    Its local services have the backends on its machine and no others, and it announces a VIP only while some service
    has a backend to send new flows to. What only checks can tell, they tell: without a healthy backend the node
    withdraws, whatever the VIP says, since other nodes may have one. A service of which no backend is on any node
    of the cluster is nobody's own: every node holds it as if it were not local.
    """
    if not any(service.local for service in state.services):
        return state
    names = frozenset(node.name for node in state.nodes.values())
    pairs = [(each, _own(each, here) if _placed(each, names) else each) for each in state.services]
    able = {own.vip for service, own in pairs if own is service or _takes_flows(own)}
    return state.model_copy(
        update={
            "services": tuple(own for _, own in pairs),
            "announced": tuple(each for each in state.announced if each.network_address in able),
        }
    )


def _placed(service: VirtualService, nodes: Collection[str]) -> bool:
    return service.local and any(backend.node in nodes for backend in service.backends)


def _own(service: VirtualService, here: str) -> VirtualService:
    backends = tuple(backend for backend in service.backends if backend.node == here)
    return service.model_copy(
        update={"backends": backends, "when_no_backend": WhenNoBackend.WITHDRAW}
    )


def _takes_flows(service: VirtualService) -> bool:
    return any(backend.weight for backend in service.backends)
