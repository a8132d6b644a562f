"""Who leads, by a Lease. Pure: the clock is an argument.

As client-go does it: whether a lease has run out is judged by when *we* saw it change last, never by comparing another
machine's clock with ours. Source: k8s.io/client-go/tools/leaderelection.
"""

from dataclasses import dataclass, replace

DURATION_S = 15
RENEW_EVERY_S = 3.0
# A leader that could not renew for so long stops at once: others may take over after DURATION_S.
GIVE_UP_AFTER_S = 10.0


@dataclass(frozen=True)
class Lease:
    """A Lease's spec, and the version of the object that says it. *renewed* is text that nobody interprets."""

    version: str
    holder: str
    renewed: str
    transitions: int = 0
    duration_s: int = DURATION_S


@dataclass(frozen=True)
class Seen:
    """A lease, and when we first saw it so, in monotonic seconds."""

    lease: Lease | None = None
    at_s: float = 0.0

    def look(self, lease: Lease | None, now_s: float) -> "Seen":
        """The same, if *lease* is what was seen before."""
        return self if lease == self.lease and lease is not None else Seen(lease, now_s)

    def free(self, identity: str, now_s: float) -> bool:
        """*identity* may try to take or keep it."""
        lease = self.lease
        if lease is None or lease.holder in ("", identity):
            return True
        return now_s - self.at_s > lease.duration_s


def taken(lease: Lease | None, identity: str, now: str) -> Lease:
    """The lease as *identity* writes it: against the version that it saw, so that one of two loses."""
    if lease is None:
        return Lease("", identity, now)
    moves = lease.holder != identity
    return replace(
        lease,
        holder=identity,
        renewed=now,
        transitions=lease.transitions + moves,
        duration_s=DURATION_S,
    )


def given_up(lease: Lease) -> Lease:
    """Anybody may take it at once."""
    return replace(lease, holder="", duration_s=1)
