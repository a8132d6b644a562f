"""One run of the demo: the story on a site of its own, each act judged and shown as it comes."""

import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.text import Text

from lbaas.demo.facts import Fact, Json, Order, Verdict
from lbaas.demo.judge import judge
from lbaas.demo.show import show, summary, verdicts
from lbaas.demo.stage import Stage
from lbaas.demo.story import story
from lbaas.lab.messages import Description
from lbaas.lab.relay import Relay
from lbaas.lab.site import Site
from lbaas.lab.topology import Topology


@dataclass(frozen=True)
class Record:
    """What was found, and what of it holds. *elapsed_s* is without the taking down."""

    acts: tuple[tuple[Fact, tuple[Verdict, ...]], ...]
    elapsed_s: float

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(verdict for _, judged in self.acts for verdict in judged)

    @property
    def holds(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts)

    def document(self) -> Json:
        """All of it, for programs."""
        acts = [
            {
                "act": type(fact).__name__,
                "facts": asdict(fact),
                "verdicts": [asdict(verdict) for verdict in judged],
            }
            for fact, judged in self.acts
        ]
        return {"holds": self.holds, "elapsed_s": self.elapsed_s, "acts": acts}


def run(console: Console, topology: Topology, *, stay: bool) -> Record:
    """The demo was shown on *console*, and nothing of it is left. It ends at the first false claim.

    With *stay* everything is kept up until Ctrl-C. Raises ToolMissing or LabError if it can't start.
    """
    begun = time.monotonic()
    with Stage(console) as stage, ExitStack() as undo:
        site = undo.enter_context(Site.start(topology, stage.step))
        if stay:
            description = site.describe()
            undo.callback(Relay(site.lab.remote, description).close)
        acts = _play(site, stage)
        record = Record(acts, time.monotonic() - begun)
        stage.show(summary(record.verdicts, record.elapsed_s))
        if stay:
            stage.show(_invitation(description, acts))
            _until_interrupted()
        stage.step("taking it all down")
        undo.close()
    return record


def _play(site: Site, stage: Stage) -> tuple[tuple[Fact, tuple[Verdict, ...]], ...]:
    acts: list[tuple[Fact, tuple[Verdict, ...]]] = []
    for fact in story(site, stage.step):
        judged = judge(fact)
        acts.append((fact, judged))
        stage.show(Group(show(fact), verdicts(judged)))
        if not all(verdict.holds for verdict in judged):
            break
    return tuple(acts)


def _invitation(
    description: Description, acts: tuple[tuple[Fact, tuple[Verdict, ...]], ...]
) -> Text:
    """Lines to paste into another terminal."""
    program = Path(sys.executable).with_name("lbaas")
    url, token = description.api_url, description.tenant_token_file
    bearer = f'"Authorization: Bearer $(cat {token})"'
    vips = [fact.vip for fact, _ in acts if isinstance(fact, Order)]
    return Text("\n").join(
        map(
            Text,
            [
                "It all stays up until Ctrl-C. From another terminal:",
                f"  curl -H {bearer} {url}/v1/vips",
                *(f"  {program} lab exec client1 -- curl -s http://{_host(vip)}/" for vip in vips),
                f"  {program} lab exec lb2 -- ipvsadm -Ln --stats",
                f"  {program} lab status",
                f"The operator's token is in {description.admin_token_file}",
            ],
        )
    )


def _host(vip: str) -> str:
    return f"[{vip}]" if ":" in vip else vip


def _until_interrupted() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        return
