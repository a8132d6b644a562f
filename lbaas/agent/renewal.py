"""What is to be done about an agent's certificate, and when."""

import random
from datetime import datetime

import structlog

from lbaas.agent.identity import Held, Stage, held, keep, new_key, signing_request, trust
from lbaas.agent.pauses import Pauses
from lbaas.client.agent import AgentClient
from lbaas.client.credentials import Files
from lbaas.errors import LbaasError, ServerUnavailable

log = structlog.get_logger()

# So soon a certificate that an operator has put there is noticed, and an authority that the server has begun to trust.
LOOK_EVERY_S = 600.0
_LONGEST_PAUSE_S = 60.0


class Renewal:
    """Keeps the certificate in *files* good, in turns."""

    def __init__(self, files: Files, client: AgentClient) -> None:
        self._files = files
        self._client = client
        self._pauses = Pauses(_LONGEST_PAUSE_S)

    def turn(self, now: datetime) -> float:
        """The certificate is renewed if that is due; the seconds until the next look."""
        try:
            present = held(self._files)
            if present is None:
                return LOOK_EVERY_S
            return self._turn(present, present.stage(now), now)
        except (LbaasError, OSError) as error:
            log.warning("the certificate can't be looked after", error=str(error))
            return self._pauses.next(random.random())  # noqa: S311  # spreading, not secrecy

    def _turn(self, present: Held, stage: Stage, now: datetime) -> float:
        if stage is Stage.EXPIRED:
            log.error(
                "the certificate has expired: forwarding goes on, and nothing new is heard",
                expired_at=str(present.ends),
                remedy="enrol this machine again, with a new token of lbaas node enrol or lbaas host enrol",
            )
            return _LONGEST_PAUSE_S
        if stage is Stage.FRESH:
            self._trust()
            self._pauses.reset()
            return _until_due(present, now)
        return self._renew(present, stage)

    def _renew(self, present: Held, stage: Stage) -> float:
        key = new_key()
        try:
            issued = self._client.next_certificate(signing_request(key, present.names))
        except ServerUnavailable as error:
            say = log.error if stage is Stage.URGENT else log.warning
            say("the certificate is not renewed", ends_at=str(present.ends), error=str(error))
            return self._pauses.next(random.random())  # noqa: S311  # spreading, not secrecy
        keep(self._files, key, issued)
        self._pauses.reset()
        log.info("renewed the certificate", ends_at=str(issued.expires_at))
        return 0.0

    def _trust(self) -> None:
        """Where the server's own authorities are trusted: those that it names now."""
        if self._files.authorities.exists():
            trust(self._files, self._client.authorities().certificates)


def _until_due(present: Held, now: datetime) -> float:
    """Spread over a twentieth of the lifetime: agents that were enrolled together are not renewed together."""
    spread_s = present.lifetime.total_seconds() / 20 * random.random()  # noqa: S311  # not secrecy
    return min((present.due - now).total_seconds() + spread_s, LOOK_EVERY_S)
