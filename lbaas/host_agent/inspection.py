"""``host-agent check``: what is wrong on this host, line by line, and how to mend it."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from lbaas.agent.capabilities import Finding, try_all
from lbaas.agent.last_good import LastGood
from lbaas.agent.once import newest
from lbaas.agent.settings import AgentSettings
from lbaas.client.agent import Fetched
from lbaas.errors import BadState, LbaasError
from lbaas.host_agent.commands import command
from lbaas.host_agent.reconcile import Host
from lbaas.host_agent.trials import host_trials
from lbaas.wire.reading import Reader
from lbaas.wire.state import HostState


@dataclass(frozen=True)
class Line:
    """One thing that was looked at. *wrong* is empty if it is as it should be; *mend* is what to do."""

    what: str
    wrong: str = ""
    mend: str = ""


def inspect(settings: AgentSettings, host: Host) -> Iterator[Line]:
    """The kernel, the server, and this host beside what it shall hold. Nothing is changed."""
    yield from map(_of_trial, try_all(tuple(host_trials())))
    fetched = yield from _state(settings)
    if fetched is None:
        return
    state = Reader(HostState).read(fetched.entries, fetched.revision)
    for endpoint in host.missing_endpoints(state):
        yield Line(
            f"{endpoint}, where nodes send this host's packets",
            "no device here has it",
            f"give it to a device, or correct the addresses of backend host {state.host}",
        )
    yield from differences(state, host)


def differences(state: HostState, host: Host) -> Iterator[Line]:
    """A line for each part of the data path that is as *state* says, and for each step where it is not."""
    round_ = host.planned(state)
    for failed in round_.failures:
        yield Line(failed.error.subsystem, str(failed.error), "see the kernel features above")
    for subsystem, plan in round_.plans:
        if not plan:
            yield Line(f"{subsystem.name}: as it should be")
        for step in (*plan.establish, *plan.withdraw):
            yield Line(f"{subsystem.name}: {step.key}", _words(type(step).__name__), command(step))


def render(lines: Sequence[Line]) -> Table:
    """For a person."""
    table = Table("", "what", "why, and how to mend it", box=None, pad_edge=False)
    for line in lines:
        remark = "\n".join(part for part in (line.wrong, line.mend) if part)
        table.add_row("wrong" if line.wrong else "ok", line.what, remark)
    return table


def _of_trial(finding: Finding) -> Line:
    return Line(finding.name, finding.cause, finding.cause and f"without it {finding.without}")


def _state(settings: AgentSettings) -> Generator[Line, None, Fetched | None]:
    """The server's state, else that on disk, and what is wrong with the way to it."""
    server = f"the server at {settings.server_url}"
    try:
        fetched = newest(settings, time.monotonic(), lambda _: True)
    except (LbaasError, OSError) as error:
        yield Line(server, str(error), "see --server-url, --token-file, and the server's log")
    else:
        yield Line(f"{server} has revision {fetched.revision} for this host")
        return fetched
    try:
        saved = LastGood(settings.state_dir).load()
    except (BadState, OSError) as error:
        yield Line("the state on disk", str(error), "remove it: the agent fetches it anew")
        return None
    if saved is None:
        yield Line("the state on disk", f"none in {settings.state_dir}", "start the agent")
    return saved


def _words(step: str) -> str:
    """``AddDevice`` → ``not there``: what the step would change."""
    return {
        "AddDevice": "not there, or down",
        "AddAddress": "not there",
        "OpenPort": "not open",
        "SetSysctl": "has another value",
        "ReplaceTable": "not there, or not as it should be",
    }.get(step, "there, and should not be")
