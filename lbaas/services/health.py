"""Whether this replica can serve."""

from lbaas.errors import ServerUnavailable
from lbaas.persistence import migrate
from lbaas.services.runtime import Runtime


async def check(runtime: Runtime) -> None:
    """Postgres answers and its schema is ours. Raises ServerUnavailable, or what the driver raises."""
    if not await migrate.at_head(runtime.database):
        raise ServerUnavailable("the database's schema is not the one this server was written for")
