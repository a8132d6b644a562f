"""The newest proven state, on disk: what an agent starts from while the server is away."""

from pathlib import Path
from uuid import UUID

from lbaas.client.agent import Fetched, follow
from lbaas.dataplane.files import write_atomically
from lbaas.errors import BadState
from lbaas.wire.body import decode
from lbaas.wire.lineage import Origin


class LastGood:
    """One file: a line of agent, digest and origin, then the whole state as the server would send it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "last-good-state"

    def save(self, state: Fetched) -> None:
        """*state* is on disk, whole. Raises OSError; then the one before still is."""
        origin = () if state.origin is None else (state.origin.epoch, state.origin.made_at_us)
        head = " ".join(map(str, (state.agent, state.digest, *origin))) + "\n"
        # A cluster's state holds its peers' passwords.
        write_atomically(self._path, head.encode() + state.body, mode=0o600)

    def load(self) -> Fetched | None:
        """The saved state, None if there is none. Raises BadState if it is not what was saved."""
        try:
            head, _, body = self._path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        try:
            agent, saved, *origin = head.decode().split()
            update = decode(body)
            state = Fetched(
                UUID(agent),
                update.kind,
                update.revision,
                follow(None, update),
                _origin(*origin) if origin else None,
            )
        except (BadState, ValueError, TypeError) as error:
            raise BadState(f"{self._path}: can't be read: {error}") from error
        if state.digest != saved:
            raise BadState(f"{self._path}: content and digest differ")
        return state


def _origin(epoch: str, made_at_us: str) -> Origin:
    return Origin(UUID(epoch), int(made_at_us))
