"""BGP sessions, as the nodes tell of them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Hearing:
    """The names of a cluster's nodes that have a session with a peer, that have none, and that have not said."""

    up: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def heard_by(peer: Json, nodes: Iterable[Json]) -> Hearing:
    """Which of *nodes*, those of the peer's cluster, have a session with it."""
    said: dict[str, list[str]] = {"up": [], "down": [], "unknown": []}
    for node in nodes:
        if node["cluster_id"] == peer["cluster_id"]:
            said[_session(peer, node)].append(node["name"])
    return Hearing(**{word: tuple(names) for word, names in said.items()})


def _session(peer: Json, node: Json) -> str:
    sessions = (node["facts"] or {}).get("sessions")
    if sessions is None:
        return "unknown"
    return "up" if peer["address"] in sessions else "down"
