"""Pauses between attempts at what may fail for long."""

# The first and the longest pause after a failed call; each is spread by half, so that agents that lost
# their server together do not come back together.
_FIRST_S, LONGEST_S = 0.5, 5.0


class Pauses:
    """Pauses between attempts: doubling up to a longest, spread by half."""

    def __init__(self, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self.reset()

    def reset(self) -> None:
        """The next pause is the first again."""
        self._next_s = _FIRST_S

    def next(self, spread: float) -> float:
        """Seconds to wait; *spread* in [0, 1) moves it between half and one and a half."""
        pause_s = self._next_s * (0.5 + spread)
        self._next_s = min(2 * self._next_s, self._longest_s)
        return pause_s
