"""An agent's certificate is renewed by itself, beside the loop: what fails here delays nothing that forwards.

What reads certificates is imported once there is one: an agent with a token starts sooner, and is smaller.
"""

import time
from datetime import UTC, datetime

import structlog

from lbaas.agent.settings import AgentSettings

log = structlog.get_logger()

_PAUSE_S = 60.0


def renew_forever(settings: AgentSettings) -> None:
    """The certificate in the state directory is renewed in its last third, for as long as the server lets it."""
    while not settings.files.identity.exists():
        time.sleep(_PAUSE_S)
    from lbaas.agent.renewal import Renewal

    renewal = Renewal(settings.files, settings.client())
    while True:
        try:
            pause_s = renewal.turn(datetime.now(UTC))
        except Exception:  # the thread must not die of what nobody foresaw
            log.exception("renewing the certificate broke off")
            pause_s = _PAUSE_S
        time.sleep(pause_s)


def certificate_ends_s(settings: AgentSettings) -> float | None:
    """When the certificate does, in seconds since the epoch; None without one."""
    if not settings.files.identity.exists():
        return None
    from lbaas.agent.identity import held

    present = held(settings.files)
    return None if present is None else present.ends.timestamp()
