"""What a flow's way is at this backend host: the state on disk beside the kernel. Nothing is changed."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lbaas.agent.last_good import LastGood
from lbaas.agent.looking import no_state, rules_of_others, seen, way_out
from lbaas.dataplane.guard import observe as guard_observe
from lbaas.dataplane.guard.desired import TABLE, declaration, guard
from lbaas.dataplane.gue.desired import openings
from lbaas.dataplane.gue.netlink import FouSocket
from lbaas.dataplane.link import observe as link_observe
from lbaas.dataplane.link.netlink import LinkSocket
from lbaas.dataplane.link.programs import attached
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.sysctl import observe as sysctl_observe
from lbaas.dataplane.sysctl.desired import HOST
from lbaas.domain.terms import Protocol
from lbaas.explain.host import HostSeen, explain_host, nowhere
from lbaas.host_agent.listening import listening
from lbaas.host_agent.places import Place, Places, here
from lbaas.host_agent.reconcile import smallest_mtus
from lbaas.wire.explanation import Answer, FiveTuple
from lbaas.wire.reading import Reader
from lbaas.wire.state import HostState

# An answer has room for 200 hops.
_MOST_PLACES = 16

_CONF = Path("/proc/sys/net/ipv4/conf")


@dataclass(frozen=True)
class Explainer:
    """Answers from *state_dir*, where the agent keeps its last good state, and from what it sees itself at *places*."""

    state_dir: Path
    places: Places = here

    def explain(self, wanted: FiveTuple) -> Answer:
        """This host's hops. Raises BadState if what is on disk can't be read."""
        last_good = LastGood(self.state_dir).load()
        if last_good is None:
            return Answer(hops=(no_state(self.state_dir),))
        state = Reader(HostState).read(last_good.entries, last_good.revision)
        places = (place for place in self.places(state) if wanted.vip in place.state.vips)
        answers = [_at(place, wanted) for place in islice(places, _MOST_PLACES)]
        if not answers:
            return Answer(hops=(nowhere("this host", state, wanted),))
        mtus = [answer.mtu for answer in answers if answer.mtu is not None]
        hops = tuple(hop for answer in answers for hop in answer.hops)
        return Answer(hops=hops, mtu=min(mtus, default=None))


def _at(place: Place, wanted: FiveTuple) -> Answer:
    with place.inside(), ExitStack() as sockets:
        seen = _look(place.state, wanted, sockets)
        answer = explain_host("this host", place.state, seen, wanted)
    if not place.name:
        return answer
    hops = (hop.model_copy(update={"stage": f"{hop.stage}, {place.name}"}) for hop in answer.hops)
    return answer.model_copy(update={"hops": tuple(hops)})


def _look(state: HostState, wanted: FiveTuple, sockets: ExitStack) -> HostSeen:
    link = sockets.enter_context(closing(LinkSocket()))
    nft = sockets.enter_context(closing(Nft()))
    mtus = smallest_mtus(link, state)
    declared = declaration(guard(state, mtus))
    return HostSeen(
        links=seen(lambda: link_observe.observe(link)),
        guard=seen(lambda: guard_observe.observe(nft)),
        expected=guard_observe.expected(nft, declared, f"{TABLE}_explain"),
        settings=sysctl_observe.observe(HOST),
        rp_filters=dict(_rp_filters()),
        shut=seen(lambda: _shut(state)),
        others=seen(lambda: rules_of_others(nft)),
        listening=None if wanted.protocol is Protocol.SCTP else listening(wanted),
        back=way_out(wanted.client, wanted.vip),
        mtu=min(mtus.values(), default=None),
        programs=seen(attached),
    )


def _rp_filters(root: Path = _CONF) -> Iterator[tuple[str, int]]:
    for file in sorted(root.glob("*/rp_filter")):
        yield file.parent.name, int(file.read_text())


def _shut(state: HostState) -> frozenset[int]:
    wanted = openings(state)
    if not wanted:
        return frozenset()
    with closing(FouSocket()) as fou:
        return frozenset(each.port for each in wanted - frozenset(fou.openings()))
