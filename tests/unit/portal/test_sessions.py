"""Who hears whom."""

from lbaas.portal.sessions import Hearing, heard_by

PEER = {"cluster_id": "edge", "address": "192.0.2.1"}


def node(name: str, sessions: list[str] | None, cluster: str = "edge") -> dict[str, object]:
    return {"name": name, "cluster_id": cluster, "facts": {"sessions": sessions}}


def test_each_node_of_the_cluster_has_a_session_or_none_or_has_not_said() -> None:
    nodes: list[dict[str, object]] = [
        node("lb1", ["192.0.2.1", "2001:db8::1"]),
        node("lb2", ["2001:db8::1"]),
        node("lb3", None),
        {"name": "lb4", "cluster_id": "edge", "facts": None},
        node("elsewhere", [], "core"),
    ]
    assert heard_by(PEER, nodes) == Hearing(("lb1",), ("lb2",), ("lb3", "lb4"))
