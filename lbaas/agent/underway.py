"""The writes whose changes have come and are not applied yet."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from lbaas.wire.state import Write

# More come in no second; of a state that is never applied the oldest are forgotten.
_MOST = 1000


class Underway:
    """Kept apart from the states: one that a newer one overtakes is never applied, its writes are with the newer.

    One thread may add while another takes.
    """

    def __init__(self) -> None:
        self._writes: deque[Write] = deque(maxlen=_MOST)

    def add(self, writes: Iterable[Write]) -> None:
        """*writes* have come. Call it before the state that has them can be applied."""
        self._writes.extend(writes)

    def take(self, revision: int) -> tuple[Write, ...]:
        """Those that the state of *revision* applies: each is given once."""
        taken = []
        while self._writes and self._writes[0].revision <= revision:
            taken.append(self._writes.popleft())
        return tuple(taken)


def named(writes: Sequence[Write]) -> Mapping[str, Sequence[object]]:
    """What a log line says of *writes*: nothing where there are none."""
    if not writes:
        return {}
    return {
        "revisions": [write.revision for write in writes],
        "requests": [write.request_id for write in writes],
    }
