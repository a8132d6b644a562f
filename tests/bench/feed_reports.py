"""Agents' signs of life: how many a second one process takes, from a thousand backend hosts."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from statistics import quantiles
from uuid import uuid4

from tests.bench.feed_agents import Poller
from tests.bench.figures import Figures

AT_ONCE, LASTING_S = 64, 8
OF_TEN_THOUSAND = 10_000 / 30  # a second, where each reports every half minute


class Reporting:
    """An agent that says again and again that it has what it had."""

    def __init__(self, agent: Poller) -> None:
        self._agent = agent
        self._said = {"boot": str(uuid4()), "revision": 1, "digest": "sum-sha-256=" + 64 * "0"}
        self._sequence = 0

    async def report(self) -> float:
        """Seconds until the answer, which says that the report is written."""
        self._sequence += 1
        said = {**self._said, "sequence": self._sequence, "changes": 0, "repaired": 0}
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self._agent.post("/v1/agent/report", json.dumps(said).encode())
        status, _, body = await self._agent.answer()
        assert status == 204, body
        return loop.time() - begun


async def reports(
    figures: Figures, port: int, tokens: Sequence[str], cpu_s: Callable[[], float]
) -> None:
    """*cpu_s* is what the server has used; each of *tokens* is an agent's."""
    agents = [Reporting(await Poller.connect(port, token)) for token in tokens]
    await asyncio.gather(*(agent.report() for agent in agents))  # the first says something new
    used, begun = cpu_s(), time.monotonic()
    slices = [agents[start::AT_ONCE] for start in range(AT_ONCE)]
    spent = [each for of in await asyncio.gather(*map(again_and_again, slices)) for each in of]
    lasted = time.monotonic() - begun
    figures.at_least("feed.reports", len(spent) / lasted, "1/s", OF_TEN_THOUSAND)
    figures.at_most("feed.report_cpu", (cpu_s() - used) / len(spent) * 1e3, "ms", 1)
    figures.shown("feed.report_p99", quantiles(spent, n=100)[98] * 1e3, "ms")


async def again_and_again(agents: Sequence[Reporting]) -> list[float]:
    """One after the other reports, for as long as it lasts."""
    until, spent = time.monotonic() + LASTING_S, []
    for agent in cycle(agents):
        if time.monotonic() > until:
            break
        spent.append(await agent.report())
    return spent
