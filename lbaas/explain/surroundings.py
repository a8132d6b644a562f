"""What around our own tables may stop packets on a node."""

from collections.abc import Iterator, Mapping

from lbaas.dataplane.sysctl.desired import NODE
from lbaas.explain.drift import DRIFT
from lbaas.explain.hops import Stage, Unseen
from lbaas.explain.node_facts import NodeSeen
from lbaas.explain.others import droppers
from lbaas.wire.explanation import Hop


def surroundings(machine: str, seen: NodeSeen) -> Iterator[Hop]:
    yield _settings(Stage(machine, "settings"), seen.settings)
    if not isinstance(seen.others, Unseen):
        yield _firewall(Stage(machine, "firewall"), seen.others)
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


def _firewall(stage: Stage, others: Mapping[str, str]) -> Hop:
    desired = "no firewall drops half of a connection"
    found = list(droppers(others, _HOOKS))
    if not found:
        return stage.ok(desired)
    return stage.suspect(
        desired,
        "; ".join(found),
        "a rule of somebody else's drops: a node sees one half of each connection, and none is in state established",
        "accept packets to VIPs and tunnelled ones before such a rule",
    )


_HOOKS = frozenset({"prerouting", "input", "output", "postrouting"})
