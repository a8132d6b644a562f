"""What both agents look at when they are asked about a flow. Nothing is changed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from lbaas.agent.legacy import legacy_rules
from lbaas.dataplane.link.routing import routing
from lbaas.dataplane.nftables import Nft
from lbaas.domain.addresses import Address
from lbaas.errors import LbaasError
from lbaas.explain.hops import Seen, Stage, Unseen
from lbaas.explain.ways import Way
from lbaas.wire.explanation import Hop

T = TypeVar("T")


def seen(look: Callable[[], T]) -> Seen[T]:
    """What *look* gives, or why it gives nothing."""
    try:
        return look()
    except (LbaasError, OSError) as error:
        return Unseen(str(error) or type(error).__name__)


def ours(family: str, table: str) -> bool:
    """True if one of our agents made the nftables table."""
    return family == "inet" and table.startswith("lbaas")


def tables_of_others(nft: Nft) -> dict[str, str]:
    """Tables that are not ours, by family and name, as text without elements."""
    return {
        f"{family} {name}": text
        for (family, name), text in nft.structures().items()
        if not ours(family, name)
    }


def rules_of_others(nft: Nft) -> Mapping[str, str]:
    """Their tables, those of legacy iptables too. Raises StepFailed if one can't be read."""
    return {**tables_of_others(nft), **legacy_rules()}


def way_out(address: Address, source: Address | None = None) -> Way | None:
    """How packets to *address*, as *source* if given, leave the machine; None if they can't."""
    with routing() as asked:
        found = asked.way_towards(address, source)
    return None if found is None else Way(found.device, found.mtu, found.router)


def no_state(state_dir: Path) -> Hop:
    """The hop of a machine whose agent was never told anything."""
    return Stage("this machine", "state").broken(
        f"a state in {state_dir}",
        "there is none",
        "the agent has never had a state from the server: nothing is programmed",
        "does the agent run, with this --state-dir, and can it reach the server with its token? See its log",
    )
