"""What around our own tables may stop packets on a node."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from lbaas.dataplane.sysctl.desired import NODE
from lbaas.domain.addresses import Address
from lbaas.domain.terms import Forwarding
from lbaas.explain.carried import asked, wrapped
from lbaas.explain.drift import DRIFT
from lbaas.explain.firewall import firewall
from lbaas.explain.hops import Stage, Unseen
from lbaas.explain.node_facts import NodeSeen
from lbaas.explain.others import INCOMING, OUTGOING, droppers
from lbaas.explain.packets import UNTRACKED, Packet
from lbaas.explain.programs import programs_hop
from lbaas.wire.explanation import FiveTuple, Hop
from lbaas.wire.state import VirtualService

Carried: TypeAlias = tuple[Packet, frozenset[str]]


def surroundings(
    machine: str,
    seen: NodeSeen,
    wanted: FiveTuple,
    service: VirtualService,
    members: Iterable[Address],
) -> Iterator[Hop]:
    """The hops of what is not ours, or not of one VIP."""
    yield _settings(Stage(machine, "settings"), seen.settings)
    yield programs_hop(Stage(machine, "programs"), seen.programs)
    if not isinstance(seen.others, Unseen):
        packets = _carried(wanted, service, members)
        yield _firewall(Stage(machine, "firewall"), seen.others, packets)
    if seen.rules:
        yield Stage(machine, "routing").suspect(
            "no routing rule is for our marks",
            "; ".join(seen.rules),
            "packets of ours may be routed elsewhere",
            "give the rule a mask, or other marks",
        )


def _settings(stage: Stage, found: Mapping[str, str | None]) -> Hop:
    desired = "the settings that flows need"
    wrong = [
        f"{name} is {found.get(name)}, not {value}"
        for name, value in NODE.items()
        if found.get(name) != value
    ]
    if not wrong:
        return stage.ok(desired)
    cause = "flows break when a node, a member or a path changes"
    return stage.suspect(desired, "; ".join(wrong), cause, DRIFT)


def _firewall(stage: Stage, others: Mapping[str, str], packets: Iterable[Carried]) -> Hop:
    return firewall(
        stage,
        "no firewall drops what comes or what is sent on",
        (finding for packet, hooks in packets for finding in droppers(others, packet, hooks)),
        "a node sees one half of each connection, untracked: state established never matches; accept packets to "
        "VIPs, and tunnelled ones, before such a rule",
    )


def _carried(
    wanted: FiveTuple, service: VirtualService, members: Iterable[Address]
) -> Iterator[Carried]:
    """Conntrack passes all of them over: see ``marks.rules``."""
    yield asked(wanted, UNTRACKED), INCOMING
    for member in members:
        if service.forwarding is Forwarding.DIRECT:
            yield asked(wanted, UNTRACKED), OUTGOING
        else:
            yield wrapped(wanted, service.tunnel, None, member, UNTRACKED), OUTGOING
