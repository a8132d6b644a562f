"""Whether this replica can serve."""

from lbaas.errors import ServerUnavailable
from lbaas.persistence import migrate
from lbaas.services.runtime import Runtime


async def check(runtime: Runtime) -> None:
    """Postgres answers, and its schema will do. Raises ServerUnavailable, or what the driver raises."""
    found = await migrate.schema(runtime.database)
    if not found.usable:
        raise ServerUnavailable(f"{found}: run lbaas db upgrade")
