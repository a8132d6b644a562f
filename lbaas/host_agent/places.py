"""Where a host's VIPs arrive: in one network namespace, or in those of its pods."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from lbaas.dataplane.namespaces import Namespace
from lbaas.host_agent.pods import namespace_files, namespaces, share
from lbaas.host_agent.reconcile import Host
from lbaas.wire.state import HostState


@dataclass(frozen=True)
class Place:
    """*state* is the share of the host's that concerns it; *name* tells it from others, if there are others.

    None for *namespace* is that in which we run.
    """

    state: HostState
    namespace: Namespace | None = None
    name: str = ""

    def inside(self) -> AbstractContextManager[None]:
        """The calling thread looks from there meanwhile."""
        return nullcontext() if self.namespace is None else self.namespace.inside()


# One place at a time: it is open until the next is asked for.
Places: TypeAlias = Callable[[HostState], Iterator[Place]]


def here(state: HostState) -> Iterator[Place]:
    """The namespace in which we run."""
    yield Place(state)


def at(path: Path) -> Places:
    """The namespace that *path* names. Raises OSError when it is looked at and is not there."""

    def places(state: HostState) -> Iterator[Place]:
        with closing(Namespace.at(path)) as namespace:
            yield Place(state, namespace)

    return places


def of_pods(where: Path) -> Places:
    """The namespaces of the pods that *where* tells of and to which VIPs come."""
    files = namespace_files(where)

    def places(state: HostState) -> Iterator[Place]:
        for path in namespaces(files()).values():
            # A pod may be gone by now.
            with suppress(OSError), closing(Host(namespace := Namespace.at(path))) as host:
                own = share(state, host.addresses())
                if own.vips:
                    yield Place(own, namespace, f"pod {own.endpoints[0]}")

    return places


def places_of(netns: Path | None, pods: Path | None) -> Places:
    """Those of an agent with these options."""
    if pods is not None:
        return of_pods(pods)
    return here if netns is None else at(netns)
