"""From packets and attempts to figures. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from lbaas.demo.facts import Attempt, Crossing, HeldFlow, Tally
from lbaas.lab.messages import Captured, Fetched, Flow, Packet

# A first SYN that was lost is sent again after 1 s (RFC 6298): what took longer than this waited for that.
SLOW_S = 0.5


def crossing(captured: Captured, vip: str) -> Crossing:
    """What crossed a node to and from *vip*, from a capture of all its interfaces."""
    packets = captured.packets
    asks = [packet for packet in packets if _inner_destination(packet) == vip]
    return Crossing(
        requests=tally(p for p in asks if p.direction == "in" and not p.tunnelled),
        tunnelled=tally(p for p in asks if p.direction == "out" and p.tunnelled),
        replies=tally(packet for packet in packets if _inner_source(packet) == vip),
        missed=captured.dropped,
    )


def replies(captured: Captured, vip: str) -> Tally:
    """What a client received from *vip*."""
    return tally(p for p in captured.packets if p.direction == "in" and _inner_source(p) == vip)


def tally(packets: Iterable[Packet]) -> Tally:
    lengths = [packet.length for packet in packets]
    return Tally(len(lengths), sum(lengths))


def source_ports(captured: Captured, vip: str) -> frozenset[int]:
    """The client ports of the flows to *vip* that a capture shows."""
    return frozenset(
        packet.source_port
        for packet in captured.packets
        if _inner_destination(packet) == vip and packet.source_port is not None
    )


def first_answer(attempts: Sequence[Fetched], asked_at_s: float) -> tuple[float | None, int]:
    """Seconds from *asked_at_s* to the first answer, and how many attempts had failed by then."""
    ends = [attempt.at_s + attempt.elapsed_s for attempt in attempts if attempt.ok]
    if not ends:
        return None, len(attempts)
    first = min(ends)
    failed = [a for a in attempts if not a.ok and a.at_s + a.elapsed_s < first]
    return first - asked_at_s, len(failed)


def attempts(fetched: Iterable[Fetched], killed_at_s: float) -> tuple[Attempt, ...]:
    """Attempts on a clock that begins with the kill."""
    return tuple(Attempt(each.at_s - killed_at_s, each.elapsed_s, each.error) for each in fetched)


def held(
    before: Sequence[Flow], after: Sequence[Flow], ports: Mapping[str, frozenset[int]]
) -> tuple[HeldFlow, ...]:
    """The flows as they are *after*; *ports* says which node carried which just before."""
    node_of = {port: node for node, theirs in ports.items() for port in theirs}
    return tuple(
        HeldFlow(
            source_port=now.source_port,
            through=node_of.get(now.source_port, ""),
            alive=now.alive,
            exchanged=now.exchanged - then.exchanged,
            waiting_s=now.waiting_s,
            longest_stall_s=now.longest_stall_s,
            error=now.error,
        )
        for then, now in zip(before, after, strict=True)
    )


def touched(made: Iterable[Attempt]) -> list[Attempt]:
    """Those that were under way at time 0, or begun after it."""
    return [attempt for attempt in made if attempt.at_s + attempt.elapsed_s > 0]


def hurt(attempt: Attempt) -> bool:
    """It failed, or lost its first packet and waited."""
    return bool(attempt.error) or attempt.elapsed_s > SLOW_S


def good_again(made: Iterable[Attempt]) -> float | None:
    """When the first connection was begun since which each has worked at once; None if none was."""
    since: float | None = None
    for attempt in touched(made):
        if hurt(attempt):
            since = None
        elif since is None:
            since = max(attempt.at_s, 0)
    return since


def _inner_source(packet: Packet) -> str:
    return packet.inner.source if packet.inner else ""


def _inner_destination(packet: Packet) -> str:
    return packet.inner.destination if packet.inner else ""
