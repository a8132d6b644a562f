"""Names that a shell completes: of objects, asked of the server, and of profiles.

Somebody waits with a finger on the key: one request, no second attempt, and where anything fails, no names.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

import typer

from lbaas.cli import profiles
from lbaas.cli.references import collection, id_of
from lbaas.client.api import NO_RETRIES, ApiClient
from lbaas.client.kinds import MEMBERS, POOLS, AnyKind
from lbaas.errors import LbaasError

PATIENCE_S = 3.0
MOST = 500

Complete = Callable[[typer.Context, str], list[str]]


def names_of(kind: AnyKind) -> Complete:
    """Completes the names of *kind*; a member's are its addresses in the pool that was said before it."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        return _fitting(_names(kind, context), incomplete)

    return complete


def profile_names(incomplete: str) -> list[str]:
    """Completes the profiles of this machine."""
    return _fitting(_profiles(), incomplete)


def _names(kind: AnyKind, context: typer.Context) -> Iterator[str]:
    with _api(context.params.get("profile")) as api:
        objects = collection(api, kind)
        if kind is MEMBERS:
            objects = api.members(id_of(api, POOLS, context.params["pool"]))
        yield from (str(getattr(one, kind.identity)) for one in objects.list(limit=MOST))


@contextmanager
def _api(profile: str | None) -> Iterator[ApiClient]:
    known = profiles.chosen(profile)
    with ApiClient(known.url, known.token, PATIENCE_S, retries=NO_RETRIES) as api:
        yield api


def _profiles() -> Iterator[str]:
    yield from profiles.load().profiles


def _fitting(names: Iterable[str], start: str) -> list[str]:
    try:
        return [name for name in islice(names, MOST) if name.startswith(start)]
    except LbaasError:
        return []
