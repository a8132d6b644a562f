"""One run of the demo: the story on a site of its own, each act judged and shown as it comes."""

import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

from lbaas.demo.facts import Fact, Json, Order, Verdict
from lbaas.demo.judge import judge
from lbaas.demo.show import show, summary
from lbaas.demo.stage import Stage
from lbaas.demo.story import story
from lbaas.lab.messages import Description
from lbaas.lab.relay import Relay
from lbaas.lab.site import Site
from lbaas.lab.topology import Topology

Acts: TypeAlias = tuple[tuple[Fact, tuple[Verdict, ...]], ...]


@dataclass(frozen=True)
class Record:
    """What was found, and what of it holds. *elapsed_s* is without the taking down."""

    acts: Acts
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
        relay = _relay(site, undo) if stay else None
        acts = _play(site, stage)
        record = Record(acts, time.monotonic() - begun)
        stage.show(summary(record.verdicts, record.elapsed_s))
        if relay:
            stage.say(_invitation(relay.description, acts))
            _wait_for_end(relay)
        stage.step("taking it all down")
        undo.close()
    return record


def _relay(site: Site, undo: ExitStack) -> Relay:
    """Before the story: ``lbaas lab`` works in other terminals, or says now that it can't."""
    relay = Relay(site.lab.remote, site.describe())
    undo.callback(relay.close)
    return relay


def _play(site: Site, stage: Stage) -> Acts:
    acts: list[tuple[Fact, tuple[Verdict, ...]]] = []
    for fact in story(site, stage.step):
        judged = judge(fact)
        acts.append((fact, judged))
        stage.show(show(fact, judged))
        if not all(verdict.holds for verdict in judged):
            break
    return tuple(acts)


def _invitation(description: Description, acts: Acts) -> str:
    """Lines to paste into another terminal."""
    program = Path(sys.executable).with_name("lbaas")
    bearer = f'"Authorization: Bearer $(cat {description.tenant_token_file})"'
    vips = [_host(fact.vip) for fact, _ in acts if isinstance(fact, Order)]
    lines = [
        "It all stays up until Ctrl-C. In another terminal:",
        "",
        f"  curl -H {bearer} {description.api_url}/v1/vips",
        *(f"  {program} lab exec client1 -- curl -s 'http://{vip}/'" for vip in vips),
        f"  {program} lab exec lb1 -- ipvsadm -Ln --stats",
        f"  {program} lab status",
        f"  {program} lab --help",
        "",
        f"The operator's token is in {description.admin_token_file}",
    ]
    return "\n".join(lines)


def _host(vip: str) -> str:
    return f"[{vip}]" if ":" in vip else vip


def _wait_for_end(relay: Relay) -> None:
    """Until Ctrl-C, or ``lbaas lab down``."""
    with suppress(KeyboardInterrupt):
        relay.ending.wait()
