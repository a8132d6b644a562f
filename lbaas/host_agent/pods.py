"""A machine whose addresses are its pods': each pod's network namespace is brought to what concerns it alone."""

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
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
from lbaas.wire.state import HostState

log = structlog.get_logger()

PROC = Path("/proc")
SOCKET = ".sock"


@dataclass(frozen=True)
class _Pod:
    """A namespace that is not the machine's own, and what is in it."""

    host: Host
    addresses: frozenset[Address]


def share(state: HostState, addresses: Collection[Address]) -> HostState:
    """What concerns a namespace with *addresses*."""
    own = [each for each in state.endpoints if each in addresses]
    vips = tuple(
        vip
        for vip in state.vips
        if not set(own).isdisjoint(state.arrivals.get(vip, state.endpoints))
    )
    return state.model_copy(update={"endpoints": tuple(own), "vips": vips})


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


class Pods:
    """The namespaces that *files* names, found anew each round. *claim* is told of all addresses in them."""

    def __init__(
        self,
        files: Callable[[], Iterator[Path]],
        claim: Callable[[frozenset[Address]], object],
    ) -> None:
        self._files = files
        self._claim = claim
        self._machine = Host(shut_without_vips=True)
        self._passage = Passage()
        self._lingering = Lingering()
        self._hosts: dict[int, Host] = {}

    def reconcile(self, state: HostState, agent: UUID) -> Round:
        """Each namespace holds its share of *state* as far as it could be had; others were not touched.

        While nobody says which pods there are, those that were known are.
        """
        found = Round()
        attempt(found, "pods", "observe", self._discover)
        pods = list(self._pods())
        self._claim(frozenset(address for pod in pods for address in pod.addresses))
        shares = [(pod.host, share(state, pod.addresses)) for pod in pods]
        vips = {vip for _, own in shares for vip in own.vips}
        answering = {endpoint for _, own in shares if own.vips for endpoint in own.endpoints}
        # A pod's address is no device's of the machine itself, whatever routes lead there.
        inside = {address for pod in pods for address in pod.addresses}
        shares.append((self._machine, share(state, self._machine.addresses() - inside)))
        # What a VIP's pods still answer, as it lingers there, gets out.
        held = self._lingering.held(vips, time.monotonic())
        passage = self._passage.reconcile(held, answering)
        passage.pending = self._lingering.pending
        return _joined([found, passage, *(self._round(host, own, agent) for host, own in shares)])

    def _round(self, host: Host, own: HostState, agent: UUID) -> Round:
        """A namespace without VIPs is not touched, unless we did so before."""
        return host.reconcile(own, agent) if own.vips or host.prepared() else Round()

    def _discover(self) -> None:
        """Every namespace there is has a Host; those that are gone are let go."""
        found = namespaces(self._files())
        for inode in self._hosts.keys() - found.keys():
            self._hosts.pop(inode).close()
        for inode in found.keys() - self._hosts.keys():
            try:
                self._hosts[inode] = Host(Namespace.at(found[inode]), shut_without_vips=True)
            except OSError as error:
                log.debug("no namespace", path=str(found[inode]), error=str(error))

    def _pods(self) -> Iterable[_Pod]:
        """An address that two namespaces have is neither's: one of them lies."""
        found: list[tuple[Host, frozenset[Address]]] = []
        for host in self._hosts.values():
            try:
                found.append((host, host.addresses()))
            except OSError as error:
                log.debug("a namespace that can't be entered", error=os.strerror(error.errno or 0))
        count = Counter(address for _, addresses in found for address in addresses)
        for host, addresses in found:
            yield _Pod(host, frozenset(each for each in addresses if count[each] == 1))


def _joined(rounds: Iterable[Round]) -> Round:
    """All as one."""
    whole = Round()
    for each in rounds:
        whole.changes += each.changes
        whole.failures += each.failures
        whole.pending |= each.pending
    return whole
