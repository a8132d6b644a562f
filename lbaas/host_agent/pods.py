"""A machine whose addresses are its pods': each pod's network namespace is brought to what concerns it alone."""

import os
import resource
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog

from lbaas.agent.rounds import Round, attempt
from lbaas.dataplane.namespaces import Namespace
from lbaas.domain.addresses import Address
from lbaas.host_agent.lingering import Lingering
from lbaas.host_agent.passage import Passage
from lbaas.host_agent.reconcile import Host
from lbaas.host_agent.sandboxes import Sandboxes
from lbaas.metering.places import Place
from lbaas.wire.state import HostState

log = structlog.get_logger()

PROC = Path("/proc")
SOCKET = ".sock"


@dataclass(frozen=True)
class _Pod:
    """A namespace that is not the machine's own, and the addresses that it alone has."""

    host: Host
    addresses: frozenset[Address]
    inode: int
    file: Path


@dataclass(frozen=True)
class _Share:
    """What concerns the namespace of *host*, and where its meter counts."""

    host: Host
    state: HostState
    place: Place

    def concerned(self) -> bool:
        """A namespace without VIPs is not touched, unless we did so before."""
        return bool(self.state.vips) or self.host.prepared()


def share(state: HostState, addresses: Collection[Address]) -> HostState:
    """What concerns a namespace with *addresses*."""
    own = tuple(each for each in state.endpoints if each in addresses)
    held = frozenset(own)
    vips = tuple(
        vip for vip in state.vips if not held.isdisjoint(state.arrivals.get(vip, state.endpoints))
    )
    return state.model_copy(update={"endpoints": own, "vips": vips})


def namespace_files(where: Path) -> Callable[[], Iterator[Path]]:
    """What finds, each time, the files that may name a pod's namespace.

    All of the directory *where*; of /proc, those of its processes; at a container runtime's socket, what it names.
    """
    if where.suffix == SOCKET:
        return Sandboxes(where).files
    if where == PROC:
        return lambda: (each / "ns/net" for each in PROC.iterdir() if each.name.isdecimal())
    return where.iterdir


def namespaces(files: Iterable[Path]) -> dict[int, Path]:
    """By inode, a file for each namespace that *files* name and that is not the machine's own."""
    own = PROC.joinpath("thread-self/ns/net").stat().st_ino
    found: dict[int, Path] = {}
    for path in files:
        with suppress(OSError):  # the process or the pod is gone
            found[path.stat().st_ino] = path
    found.pop(own, None)
    return found


def take_all_files() -> None:
    """The process may have as many open files as the system grants: of each pod there are up to seven."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Pods:
    """The namespaces that *files* names, found anew each round.

    *claim* is told of all addresses in them, *count* of the namespaces to which VIPs come.
    """

    def __init__(
        self,
        files: Callable[[], Iterator[Path]],
        claim: Callable[[frozenset[Address]], object],
        count: Callable[[Collection[Place]], object],
    ) -> None:
        self._files = files
        self._claim = claim
        self._count = count
        self._machine = Host(shut_without_vips=True)
        self._passage = Passage()
        self._lingering = Lingering()
        self._found: Mapping[int, Path] = {}
        self._hosts: dict[int, Host] = {}

    def reconcile(self, state: HostState, agent: UUID) -> Round:
        """Each namespace holds its share of *state* as far as it could be had; others were not touched.

        While nobody says which pods there are, those that were known are.
        """
        discovery = Round()
        attempt(discovery, "pods", "observe", self._discover)
        pods = list(self._pods())
        self._claim(frozenset(address for pod in pods for address in pod.addresses))
        shares = [_of_pod(state, pod) for pod in pods]
        passage = self._let_out(shares)
        shares.append(self._of_machine(state, pods, shares))
        concerned = [each for each in shares if each.concerned()]
        self._count(tuple(each.place for each in concerned))
        rounds = [each.host.reconcile(each.state, agent) for each in concerned]
        return _joined([discovery, passage, *rounds])

    def _let_out(self, shares: Iterable[_Share]) -> Round:
        """What a VIP's pods answer gets out, also while it lingers there."""
        reached = [each.state for each in shares if each.state.vips]
        vips = {vip for own in reached for vip in own.vips}
        held = self._lingering.held(vips, time.monotonic())
        endpoints = {endpoint for own in reached for endpoint in own.endpoints}
        passage = self._passage.reconcile(held, endpoints)
        passage.pending = self._lingering.pending
        return passage

    def _of_machine(
        self, state: HostState, pods: Iterable[_Pod], shares: Iterable[_Share]
    ) -> _Share:
        """A pod's address is no device's of the machine itself, whatever routes lead there.

        Replies of pods are counted inside, and pass the machine: there, such VIPs are not counted again.
        """
        inside = {address for pod in pods for address in pod.addresses}
        own = share(state, self._machine.addresses() - inside)
        counted_inside = {vip for each in shares for vip in each.state.vips}
        return _Share(self._machine, own, Place(vips=frozenset(own.vips) - counted_inside))

    def _discover(self) -> None:
        """Every namespace there is has a Host; those that are gone are let go."""
        self._found = found = namespaces(self._files())
        for inode in self._hosts.keys() - found.keys():
            self._hosts.pop(inode).close()
        for inode in found.keys() - self._hosts.keys():
            try:
                self._hosts[inode] = Host(Namespace.at(found[inode]), shut_without_vips=True)
            except OSError as error:
                log.debug("no namespace", path=str(found[inode]), error=str(error))

    def _pods(self) -> Iterator[_Pod]:
        """An address that two namespaces have is neither's: one of them lies."""
        found: dict[int, frozenset[Address]] = {}
        for inode, host in self._hosts.items():
            try:
                found[inode] = host.addresses()
            except OSError as error:
                log.debug("a namespace that can't be entered", error=os.strerror(error.errno or 0))
        count = Counter(address for addresses in found.values() for address in addresses)
        for inode, addresses in found.items():
            own = frozenset(each for each in addresses if count[each] == 1)
            yield _Pod(self._hosts[inode], own, inode, self._found[inode])


def _of_pod(state: HostState, pod: _Pod) -> _Share:
    own = share(state, pod.addresses)
    return _Share(pod.host, own, Place(str(pod.inode), pod.file, frozenset(own.vips)))


def _joined(rounds: Iterable[Round]) -> Round:
    """All as one."""
    whole = Round()
    for each in rounds:
        whole.changes += each.changes
        whole.failures += each.failures
        whole.pending |= each.pending
    return whole
