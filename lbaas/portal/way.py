"""A packet's way to a VIP's members, as a drawing: columns of stops, and who reaches whom."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Json = Mapping[str, Any]
MOST_STOPS = 8  # more in one column, and the drawing says nothing


class State(StrEnum):
    """How a stop is: each has a colour, a sign and a word."""

    OK = "ok"
    WAIT = "wait"
    BAD = "bad"
    OFF = "off"


_BADNESS = (State.OK, State.WAIT, State.OFF, State.BAD)


@dataclass(frozen=True)
class Stop:
    """Where a packet passes. *passes* is false where new flows do not come."""

    title: str
    state: State
    word: str
    note: str = ""
    link: str = ""
    passes: bool = True


@dataclass(frozen=True)
class Line:
    """From a stop of one column to one of the next, heights in percent; broken where nothing passes."""

    start: float
    end: float
    passes: bool


@dataclass(frozen=True)
class Way:
    """The columns of the drawing, and how many members it leaves out."""

    routers: Sequence[Stop]
    nodes: Sequence[Stop]
    members: Sequence[Stop]
    members_hidden: int = 0


def lines(left: Sequence[Stop], right: Sequence[Stop]) -> Iterator[Line]:
    """Every stop of *left* reaches every one of *right*, unless one of them lets nothing pass."""
    for row, start in enumerate(left):
        for column, end in enumerate(right):
            yield Line(
                _middle(row, len(left)),
                _middle(column, len(right)),
                start.passes and end.passes,
            )


def way(
    status: Json, pools: Sequence[tuple[Json, Sequence[Json]]], peers: Sequence[Json] | None
) -> Way:
    """The way to the members of *pools*, each with its members. *peers* is None for who may not know them."""
    checking = watching(status)
    members = _one_each(
        member_stop(member, pool, sick_on(status, pool["id"], member["address"]), checking)
        for pool, of_pool in pools
        for member in of_pool
    )
    return Way(
        routers=_routers(peers),
        nodes=[node_stop(node, status["revision"]) for node in status["nodes"]],
        members=members[:MOST_STOPS],
        members_hidden=max(0, len(members) - MOST_STOPS),
    )


def node_stop(node: Json, revision: int) -> Stop:
    """A node of the VIP's cluster."""
    name, applied = node["name"], node["applied_revision"]
    if node["admin_state"] != "active":
        return Stop(name, State.OFF, node["admin_state"], "announces nothing", passes=False)
    if node["failures"]:
        return Stop(name, State.BAD, "failed", node["failures"][0]["cause"], passes=False)
    if node["programmed"]:
        silent = "has not reported for a while" if node["stale"] else ""
        return Stop(name, State.WAIT if silent else State.OK, "programmed", silent)
    if applied is None:
        return Stop(name, State.WAIT, "never reported", passes=False)
    behind = "no report: it forwards what it last had" if node["stale"] else ""
    return Stop(name, State.WAIT, "applying", behind or f"{applied} of {revision}")


def watching(status: Json) -> int:
    """How many nodes check the VIP's members now: those that have it, and still report."""
    return sum(
        node["admin_state"] == "active" and node["programmed"] and not node["stale"]
        for node in status["nodes"]
    )


def sick_on(status: Json, pool_id: str, address: str) -> list[Json]:
    """What nodes find wrong with the pool's member at *address*, each with the node's name."""
    return [
        {**finding, "node": node["name"]}
        for node in status["nodes"]
        for finding in node.get("unhealthy", ())
        if (finding["pool_id"], finding["address"]) == (pool_id, address)
    ]


def member_stop(member: Json, pool: Json, findings: Sequence[Json] = (), checking: int = 0) -> Stop:
    """A member, as its pool and the *checking* nodes have it. It is healthy only if somebody looked."""
    title, link = str(member["address"]), f"/portal/pools/{pool['id']}"
    weight = f"weight {member['weight']}"
    if member["admin_state"] == "drained":
        return Stop(title, State.OFF, "drained", "no new flows", link, passes=False)
    if findings:
        nodes = sorted({finding["node"] for finding in findings})
        why = f"{findings[0]['cause']} ({', '.join(nodes)})"
        for_all = len(nodes) >= checking
        state = State.BAD if for_all else State.WAIT
        return Stop(title, state, "unhealthy", why, link, passes=not for_all)
    if member["weight"] == 0:
        return Stop(title, State.OFF, weight, "no new flows", link, passes=False)
    word = "healthy" if pool["monitor"] and checking else "in service"
    return Stop(title, State.OK, word, weight, link)


def _routers(peers: Sequence[Json] | None) -> list[Stop]:
    if peers is None:
        return [Stop("Routers", State.OK, "ECMP", "spread flows over the nodes")]
    if not peers:
        return [Stop("No router", State.BAD, "no peer", "nobody hears of the VIP", passes=False)]
    return [
        Stop(peer["name"], State.OK, f"AS {peer['as_number']}", str(peer["address"]))
        for peer in peers[:MOST_STOPS]
    ]


def _one_each(stops: Iterable[Stop]) -> list[Stop]:
    """A member that is in several pools stands once, as it is in the pool where it is worst."""
    worst: dict[str, Stop] = {}
    for stop in stops:
        known = worst.get(stop.title)
        if known is None or _BADNESS.index(stop.state) > _BADNESS.index(known.state):
            worst[stop.title] = stop
    return list(worst.values())


def _middle(index: int, count: int) -> float:
    return round(100 * (index + 0.5) / count, 2)
