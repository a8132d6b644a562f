"""What one server process holds besides requests. All of it can be lost: Postgres has the truth."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from lbaas.domain.usage import Retention
from lbaas.persistence.database import Database
from lbaas.persistence.notices import Listener, Notice, Sender
from lbaas.persistence.outages import DATABASE_ERRORS
from lbaas.persistence.pruning import prune
from lbaas.services import questions, upkeep
from lbaas.services.authority import Authority
from lbaas.services.bells import Bells
from lbaas.services.books import Subject
from lbaas.services.certificates import CertificateDirectory, agreed
from lbaas.services.code_flow import CodeFlow, Registration
from lbaas.services.explanation import Explainer
from lbaas.services.ledger import Ledger
from lbaas.services.lineage import RENEWED, Lineage
from lbaas.services.metrics import Metrics
from lbaas.services.oidc import Provider, Trust
from lbaas.services.rates import Rates
from lbaas.services.reports import ReportWriter
from lbaas.services.states import StateDirectory
from lbaas.services.tokens import TOKEN_START, TokenDirectory
from lbaas.services.whole_vips import WholeVips
from lbaas.services.work import ALL, CHANGE, TOKEN, Caller

# A notice can be lost with the replica that owed it: whoever waits looks again this often.
SAFETY_LOOK_S = 5.0

# An agent that was away for longer gets the whole state.
CHANGE_RETENTION = timedelta(hours=1)
PRUNE_EVERY_S = 600.0

log = structlog.get_logger()


@dataclass
class Runtime:
    """The process's shared parts, wired together.

    Agents' states are read from *replica*, if there is one; all else, and every notice, from *database*. Without an
    *authority* no certificate is issued; if *certificates_required*, no agent comes without one.
    """

    database: Database
    bells: Bells = field(default_factory=Bells)
    replica: Database | None = None
    rate_limit: str | None = None
    trust: Trust | None = None
    registration: Registration | None = None
    retention: Retention = field(default_factory=Retention)
    authority: Authority | None = None
    certificates_required: bool = False

    def __post_init__(self) -> None:
        self.sender = Sender(self.database)
        self.listener = Listener(self.database, self._hear, self._doubt)
        read = self.replica or self.database
        self.lineage = Lineage(read, self.database)
        self.states = StateDirectory(
            read, self.bells, lambda: self.listener.connected, self.lineage
        )
        self.reports = ReportWriter(self.database, self.sender)
        self.ledger = Ledger(self.database, self.retention)
        self.metrics = Metrics(self.database)
        if self.authority is not None:
            self.metrics.set_certificate("authority", self.authority.expires_at)
        self.tokens = TokenDirectory(self.database, lambda: self.listener.connected)
        self.certificates = CertificateDirectory(self.database, lambda: self.listener.connected)
        self.provider = None if self.trust is None else Provider(self.trust, self.database)
        self.code_flow = self._code_flow()
        self.rates = Rates(self.rate_limit)
        self.whole_vips = WholeVips(self.database, self.sender)
        self.explainer = Explainer(self.database, self.sender, self.bells)

    async def caller(self, credential: str | None, certificate: bytes | None = None) -> Caller:
        """As :meth:`identified`, and counted. Raises RateLimited, too."""
        caller = await self.identified(credential, certificate)
        self.rates.count(caller.bearer)
        return caller

    async def identified(self, credential: str | None, certificate: bytes | None) -> Caller:
        """Who bears *credential*, a token of ours or a JWT, or has the certificate of that SHA-256; or both.

        Raises Unauthenticated.
        """
        by_token = None if credential is None else await self._bearer(credential)
        by_certificate = (
            None if certificate is None else await self.certificates.caller(certificate)
        )
        return agreed(by_token, by_certificate, required=self.certificates_required)

    async def _bearer(self, credential: str) -> Caller:
        if self.provider is not None and not credential.startswith(TOKEN_START):
            return await self.provider.caller(credential)
        return await self.tokens.caller(credential)

    def _code_flow(self) -> CodeFlow | None:
        if self.registration is None or self.trust is None or self.provider is None:
            return None
        return CodeFlow(self.registration, self.trust, self.provider)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Notices are sent and heard."""
        works = (
            self.sender.run(),
            self.listener.run(),
            self.reports.run(),
            self._look_now_and_then(),
            self._prune_now_and_then(),
            upkeep.run(self.database, self.tokens, self.ledger),
        )
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def scrape(self) -> bytes:
        """The metrics, as Prometheus reads them."""
        self.metrics.set_process(
            waiting=self.bells.count(Subject),
            listening=self.listener.connected,
            sent=self.sender.sent,
            heard=self.listener.heard,
        )
        return await self.metrics.scrape()

    def tell(self, notices: Sequence[Notice]) -> None:
        """Every replica hears soon; a revocation, which the others heard of with its commit, counts here at once.

        So does a new epoch.
        """
        for notice in notices:
            if notice.topic == TOKEN:
                self._forget(notice.subject)
            elif notice.topic == RENEWED:
                self.lineage.forget_epoch()
        self.sender.send(notice for notice in notices if notice.topic != TOKEN)

    def _hear(self, notice: Notice) -> None:
        key = notice.topic, notice.subject
        if notice.topic == TOKEN:
            self._forget(notice.subject)
        elif notice.topic == CHANGE:
            self.states.changed(key, notice.revision)
        elif notice.topic == RENEWED:
            self.lineage.forget_epoch()
        elif notice.topic == questions.QUESTION:
            self.bells.ring(questions.Asked(notice.subject))
        self.bells.ring(key)

    def _doubt(self) -> None:
        self._forget(ALL)
        self.lineage.doubt()
        self.states.distrust()
        self.bells.ring_all(tuple)

    def _forget(self, subject: str) -> None:
        self.tokens.forget(subject)
        if subject == ALL:
            self.certificates.forget_all()
        if self.provider is not None and subject == ALL:
            self.provider.forget_tenants()

    def _look_again(self) -> None:
        self.lineage.forget_epoch()
        # Who waits for a state is woken by the directory, and only if there is a newer one.
        self.states.doubt()
        self.bells.ring_all(tuple)

    async def _prune_now_and_then(self) -> None:
        while True:
            # Spread, so that replicas that start together don't all come at once.
            await asyncio.sleep(PRUNE_EVERY_S * (0.5 + random.random()))  # noqa: S311  # spreading
            try:
                removed = await prune(self.database, CHANGE_RETENTION)
                log.info("pruned the feed", rows=removed)
            except DATABASE_ERRORS as error:
                log.warning("feed not pruned", error=str(error))

    async def _look_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SAFETY_LOOK_S)
            self._look_again()
