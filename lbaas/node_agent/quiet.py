"""Whether a node that was taken out of service may be stopped: nobody's packets come any more."""

# The kernel counts anew every 2 s: so long without a packet is no moment between two counts.
QUIET_S = 4.0


class Quiet:
    """Remembers since when the same number of packets has come."""

    def __init__(self) -> None:
        self._packets: int | None = None
        self._since_s = 0.0

    def disturbed(self) -> None:
        """Packets may come, whether any did or not."""
        self._packets = None

    def lasts(self, packets: int, now_s: float) -> bool:
        """True if *packets*, all that have come by *now_s*, were as many long enough ago."""
        if packets != self._packets:
            self._packets, self._since_s = packets, now_s
        return now_s - self._since_s >= QUIET_S
