"""One round instead of a loop: for images, init containers, and a person who looks."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from uuid import UUID

from lbaas.agent.fetching import Read, S
from lbaas.agent.last_good import LastGood
from lbaas.agent.ledger import Ledger
from lbaas.agent.pauses import Pauses
from lbaas.agent.rounds import Failed, Round
from lbaas.agent.settings import AgentSettings
from lbaas.client.agent import Fetched
from lbaas.errors import ServerUnavailable
from lbaas.wire.report import Report

# A device's own settings can only follow the device, so one round may not be enough.
_ROUNDS = 3


def newest(settings: AgentSettings, until_s: float, enough: Callable[[Fetched], bool]) -> Fetched:
    """The server's state as soon as it is *enough*, or as it is at the monotonic time *until_s*.

    Raises ServerUnavailable if there was none, BadState if it can't be trusted.
    """
    pauses = Pauses()
    held: Fetched | None = None
    with closing(settings.client()) as api:
        while True:
            try:
                held = api.fetch(held) or held
            except ServerUnavailable:
                if held is None and time.monotonic() >= until_s:
                    raise
            if held is not None and (enough(held) or time.monotonic() >= until_s):
                return held
            time.sleep(pauses.next(0.5))


def apply_once(
    settings: AgentSettings,
    read: Read[S],
    reconcile: Callable[[S, UUID], Round],
    fetched: Fetched,
) -> list[Failed]:
    """The state is applied as far as it could be, saved and reported; what is left undone."""
    state = read(fetched.entries, fetched.revision)
    ledger, reports, done = Ledger(), [], Round()
    for _ in range(_ROUNDS):
        done = reconcile(state, fetched.agent)
        reports.append(ledger.enter(fetched, done, time.monotonic()))
        if not done.failures and not done.changes:
            break
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    LastGood(settings.state_dir).save(fetched)
    _report(settings, [report for report in reports if report is not None])
    return done.failures


def _report(settings: AgentSettings, reports: Sequence[Report]) -> None:
    """The last of *reports* was sent. The data path stands whether or not anybody hears of it."""
    with suppress(ServerUnavailable), closing(settings.client()) as api:
        api.report(reports[-1])
