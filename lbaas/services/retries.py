"""How soon to look again for what somebody's open write still hides."""

FIRST_RETRY_S = 0.005
LONGEST_RETRY_S = 0.5


class Retries:
    """Pauses that double up to a longest."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The next pause is the first again."""
        self._next_s = FIRST_RETRY_S

    def next(self) -> float:
        """Seconds to wait."""
        pause_s = self._next_s
        self._next_s = min(2 * pause_s, LONGEST_RETRY_S)
        return pause_s
