"""``lbaas server``: from settings to a serving process, and back to nothing."""

import asyncio
import gc
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from types import FrameType

import structlog
import uvicorn
import uvloop

from lbaas import logs
from lbaas.api import tls
from lbaas.api.app import create_app
from lbaas.api.polls import Polls
from lbaas.config import ServerSettings
from lbaas.domain.usage import Retention
from lbaas.errors import DatabaseUnusable, LbaasError
from lbaas.persistence import migrate
from lbaas.persistence.database import Database
from lbaas.persistence.own_postgres import own_postgres
from lbaas.services import tokens
from lbaas.services.authority import Authority
from lbaas.services.bells import Bells
from lbaas.services.code_flow import Registration
from lbaas.services.oidc import Trust
from lbaas.services.runtime import Runtime
from lbaas.tracing import spans

# A long poll that was told to end needs a moment; a client that reads slowly gets no more than this.
GRACEFUL_STOP_S = 10
# Longer than clients keep an idle connection, so that it is they who close it, never in mid-request.
KEEP_ALIVE_S = 75
# So many more objects than were freed before the collector looks. A list of a thousand rows is no reason to, nor are
# polls that wait, of some forty objects each: it took 30 ms to find nothing among those of a thousand.
COLLECT_AFTER = 200_000

log = structlog.get_logger()


class _Server(uvicorn.Server):
    """Tells the waiting requests when it is to stop, so that they answer rather than hold it up."""

    def __init__(self, config: uvicorn.Config, bells: Bells) -> None:
        super().__init__(config)
        self._bells = bells

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._bells.close()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn raises the signal again at the end, which would kill us before Postgres is stopped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def run(settings: ServerSettings) -> None:
    """Serves until SIGTERM or SIGINT; then everything that was asked is answered, and all is stopped.

    Raises DatabaseUnusable or ToolMissing if there is no database, LbaasError if the address is taken.
    """
    logs.configure()
    spans.configure("lbaas-server")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))


async def _run(settings: ServerSettings) -> None:
    # First: an address that is taken, or a certificate that can't be read, needs no database to say so.
    sockets, context, authority = _sockets(settings), tls.context(settings), _authority(settings)
    async with _dsn(settings) as dsn, _database(dsn) as database, _replica(settings) as replica:
        await _prepare(database, upgrade=settings.migrate)
        if await tokens.bootstrap(database, settings.admin_token_path):
            log.info("wrote the first admin token", file=str(settings.admin_token_path))
        runtime = Runtime(
            database,
            replica=replica,
            rate_limit=settings.rate_limit,
            trust=_trust(settings),
            registration=_registration(settings),
            retention=_retention(settings),
            authority=authority,
            certificates_required=settings.agent_certificates == "required",
        )
        await _serve(runtime, sockets, settings, context)


async def _prepare(database: Database, *, upgrade: bool) -> None:
    """The schema will do. Raises DatabaseUnusable if it must be upgraded first, and that is another's to do."""
    if upgrade:
        await migrate.to_head(database)
    found = await migrate.schema(database)
    if not found.usable:
        raise DatabaseUnusable(f"{found}: run lbaas db upgrade")
    if found.ahead:
        log.info("the schema is later than this program", present=found.present, needed=found.head)


@asynccontextmanager
async def _database(dsn: str, wanted: str = "read-write") -> AsyncIterator[Database]:
    database = Database(dsn, wanted=wanted)
    try:
        await database.require()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _replica(settings: ServerSettings) -> AsyncIterator[Database | None]:
    if settings.agents_database_url is None:
        yield None
        return
    async with _database(settings.agents_database_url, "any") as database:
        yield database


def _trust(settings: ServerSettings) -> Trust | None:
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return None
    return Trust(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        jwks_url=settings.oidc_jwks_url,
        role_claim=settings.oidc_role_claim,
        tenant_claim=settings.oidc_tenant_claim,
    )


def _registration(settings: ServerSettings) -> Registration | None:
    if settings.oidc_client_id is None:
        return None
    secret = settings.oidc_client_secret
    return Registration(
        client_id=settings.oidc_client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        scope=settings.oidc_scope,
        name=settings.oidc_name,
    )


def _authority(settings: ServerSettings) -> Authority | None:
    if settings.ca_cert is None or settings.ca_key is None:
        return None
    lifetime = timedelta(hours=settings.certificate_lifetime_h)
    return Authority.load(settings.ca_cert, settings.ca_key, lifetime)


def _retention(settings: ServerSettings) -> Retention:
    return Retention(
        minutes=timedelta(hours=settings.usage_minutes_kept_h),
        hours=timedelta(days=settings.usage_hours_kept_d),
        prefixes=timedelta(days=settings.usage_prefixes_kept_d),
    )


def settle_memory() -> None:
    """The collector leaves alone what lives as long as the process.

    Modules and tables are 120,000 objects: looking at them all held every request up for 80 ms, again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


async def _serve(
    runtime: Runtime,
    sockets: list[socket.socket],
    settings: ServerSettings,
    context: ssl.SSLContext | None,
) -> None:
    for listening in sockets:
        log.info("listening", address=str(listening.getsockname()), tls=context is not None)
    config = uvicorn.Config(
        Polls(create_app(runtime), runtime),
        http=tls.protocol(settings.trusted_proxies),
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=GRACEFUL_STOP_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        server_header=False,
    )
    config.load()
    config.ssl = context  # uvicorn's own would trust no agent
    settle_memory()
    async with _kept_current(context, settings):
        await _Server(config, runtime.bells).serve(sockets=sockets)


@asynccontextmanager
async def _kept_current(
    context: ssl.SSLContext | None, settings: ServerSettings
) -> AsyncIterator[None]:
    if context is None:
        yield
        return
    keeping = asyncio.create_task(tls.keep_current(context, settings))
    try:
        yield
    finally:
        keeping.cancel()


@asynccontextmanager
async def _dsn(settings: ServerSettings) -> AsyncIterator[str]:
    if settings.database_url is not None:
        yield settings.database_url
        return
    async with own_postgres(settings.data_dir) as dsn:
        yield dsn


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise LbaasError(f"can't listen on {host}, port {port}: {error.strerror}") from error


def _sockets(settings: ServerSettings) -> list[socket.socket]:
    sockets = [socket.socket(fileno=fd) for fd in settings.listen_fds]
    if settings.port is not None:
        sockets.append(_listen(settings.host, settings.port))
    for listening in sockets:
        # Inherited by each connection; without it an answer can wait 40 ms for the client's ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sockets
