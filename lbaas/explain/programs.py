"""A hop for programs of others on devices, which no reader of rules can see through."""

from lbaas.explain.hops import Seen, Stage, Unseen
from lbaas.wire.explanation import Hop


def programs_hop(stage: Stage, attached: Seen[tuple[str, ...]]) -> Hop:
    """Suspect where anything is *attached*."""
    desired = "no program on a device takes packets out of the kernel's way"
    if isinstance(attached, Unseen):
        return stage.unknown(desired, attached)
    if not attached:
        return stage.ok(desired)
    return stage.suspect(
        desired,
        "; ".join(attached),
        "it may drop or redirect packets where no rule of ours is asked; what it does can't be seen from here",
        "whose is it? bpftool net; tc filter show dev DEVICE ingress; ip link set DEVICE xdp off takes XDP away",
    )
