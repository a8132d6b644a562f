"""The REST client for tenants and operators.

::

    from lbaas.client.api import ApiClient

    with ApiClient("https://lb.example", token) as api:
        vip = api.vips.create({"name": "shop", "listeners": [...]})
        api.wait_until_programmed(vip)

Every call raises :class:`ApiProblem`, or one of its kinds, if the API refuses, and ServerUnavailable if there was
no usable answer after some attempts. The asynchronous twin is :mod:`lbaas.client.asynchronous`.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Generic, Self, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel

from lbaas.client import kinds, operations
from lbaas.client.exchange import ANY_VERSION, KEY, Flow, Json, Outcome, Parameter, Request
from lbaas.client.kinds import C, Kind, M, P, R
from lbaas.client.operations import Body, Which
from lbaas.client.problems import ApiProblem, NotProgrammed, NotSafeToStop
from lbaas.client.retrying import NO_RETRIES, Retries
from lbaas.client.transport import answered, lost, options, settings
from lbaas.errors import ServerUnavailable
from lbaas.wire.explanation import Explanation, FiveTuple
from lbaas.wire.fields import Removal
from lbaas.wire.ledger import Reconciliation, Usage
from lbaas.wire.operators import Node, TenantInUse
from lbaas.wire.status import VipStatus
from lbaas.wire.tenants import Event, Member, MemberCreate, MemberPatch

__all__ = [
    "NO_RETRIES",
    "ApiClient",
    "ApiProblem",
    "Collection",
    "Json",
    "Members",
    "NotProgrammed",
    "NotSafeToStop",
    "Retries",
    "ServerUnavailable",
]

T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)


class ApiClient:
    """Speaks ``/v1`` as the bearer of *token*. Close it, or use it as a context manager.

    A request that may be repeated safely is, as *retries* says: every POST has an idempotency key.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float = 30,
        transport: httpx.BaseTransport | None = None,
        retries: Retries | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._http = httpx.Client(transport=transport, **settings(url, token, timeout_s))
        self._timeout_s = timeout_s
        self._sleep = sleep
        self.retries = retries or Retries()
        self.vips = Collection(self, kinds.VIPS)
        self.listeners = Collection(self, kinds.LISTENERS)
        self.pools = Collection(self, kinds.POOLS)
        self.tenants = Collection(self, kinds.TENANTS)
        self.tokens = Collection(self, kinds.TOKENS)
        self.clusters = Collection(self, kinds.CLUSTERS)
        self.nodes = Collection(self, kinds.NODES)
        self.peers = Collection(self, kinds.PEERS)
        self.address_pools = Collection(self, kinds.ADDRESS_POOLS)
        self.backend_hosts = Collection(self, kinds.BACKEND_HOSTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Connections are given back."""
        self._http.close()

    def members(self, pool: Which) -> "Members":
        """The members of one pool."""
        return Members(self, pool)

    def own_tenant(self) -> TenantInUse:
        """The tenant that the token is for, its quotas and what it uses of them."""
        return self.run(operations.read(TenantInUse, Request("GET", "/v1/tenant"), self.retries))

    def events(self, **filters: Parameter) -> Iterator[Event]:
        """Who changed what, oldest first."""
        return self.pages(Event, "/v1/events", filters)

    def usage(
        self, begin: datetime | None = None, end: datetime | None = None, **asked: Parameter
    ) -> Iterator[Usage]:
        """What was counted from *begin* to before *end*, by default in the last day, in sums, oldest first.

        *asked* are the API's parameters: ``granularity="month", group_by="tenant,direction"``.
        """
        return self.pages(Usage, "/v1/usage", operations.within(begin, end, asked))

    def reconciliation(
        self, begin: datetime | None = None, end: datetime | None = None, **asked: Parameter
    ) -> Reconciliation:
        """What nodes and backend hosts counted of each VIP, side by side, and what does not fit together."""
        params = operations.within(begin, end, asked)
        return self.run(operations.reconciliation(params, self.retries))

    def status(self, vip: Which) -> VipStatus:
        """How far the VIP's newest change has come, at this moment."""
        return self.run(operations.read(VipStatus, operations.status_request(vip), self.retries))

    def explain(self, vip: Which, flow: FiveTuple, wait_s: float = 5) -> Explanation:
        """The way of *flow* to *vip*, hop by hop, as the API and the machines on it see it within *wait_s*."""
        request = operations.explanation_request(vip, flow, wait_s)
        return self.run(operations.read(Explanation, request, self.retries))

    def wait_until_programmed(
        self,
        vip: Which,
        timeout_s: float = 60,
        watch: Callable[[VipStatus], object] | None = None,
    ) -> VipStatus:
        """Every active node and every backend host has applied the VIP's newest change.

        *watch*, if given, sees the status about once a second meanwhile. Raises NotProgrammed at the timeout.
        """
        until_s = time.monotonic() + timeout_s
        return self.run(
            operations.until_programmed(vip, until_s, time.monotonic, watch, self.retries)
        )

    def wait_until_safe_to_stop(self, node: Node, timeout_s: float = 60) -> Node:
        """*node*, as a change that took it out of service answered it, gets no packets for its VIPs any more.

        Raises NotSafeToStop at the timeout.
        """
        until_s = time.monotonic() + timeout_s
        return self.run(operations.until_safe_to_stop(node, until_s, time.monotonic, self.retries))

    def request(self, method: str, path: str, body: object = None, **params: Parameter) -> Json:
        """Whatever the API can do, by path: the answer's JSON object, empty if it has none."""
        headers = {KEY: str(uuid4())} if method == "POST" else {}
        flow = operations.raw(Request(method, path, params, body, headers), self.retries)
        return self.run(flow)

    def post(self, path: str, body: Mapping[str, object], **params: Parameter) -> Json:
        """Create, or act; the answer's body."""
        return self.request("POST", path, body, **params)

    def patch(self, path: str, body: Mapping[str, object]) -> Json:
        """Change the fields named in *body*."""
        return self.request("PATCH", path, body)

    def get(self, path: str, **params: Parameter) -> Json:
        """Read one object or one page."""
        return self.request("GET", path, **params)

    def delete(self, path: str, **params: Parameter) -> Json:
        """Delete; the answer's body, empty if it has none."""
        return self.request("DELETE", path, **params)

    def pages(self, model: type[B], path: str, filters: Mapping[str, Parameter]) -> Iterator[B]:
        """All objects of a list, fetched a page at a time as they are asked for."""
        params = dict(filters)
        while True:
            page = self.run(operations.page(model, path, params, self.retries))
            yield from page.items
            if page.next_cursor is None:
                return
            params["cursor"] = page.next_cursor

    def run(self, flow: Flow[T]) -> T:
        """What *flow* returns, each of its attempts sent in turn."""
        try:
            attempt = next(flow)
            while True:
                if attempt.after_s:
                    # Those who were refused together do not come back together.
                    self._sleep(attempt.after_s * random.uniform(1, 1.5))  # noqa: S311 - spreads load
                attempt = flow.send(self._send(attempt.request))
        except StopIteration as done:
            result: T = done.value
            return result

    def _send(self, request: Request) -> Outcome:
        try:
            answer = self._http.request(**options(request, self._timeout_s))
        except httpx.TransportError as error:
            return lost(error)
        return answered(answer)


class Collection(Generic[R, M, C, P]):
    """The objects of one kind that the token may see."""

    def __init__(self, api: ApiClient, kind: Kind[R, M, C, P], path: str | None = None) -> None:
        self.api = api
        self.kind = kind
        self._path = path or f"/v1/{kind.path}"

    def list(self, **filters: Parameter) -> Iterator[R]:
        """Those that fit, oldest first, or as ``sort`` says; ``labels`` takes a selector."""
        return self.api.pages(self.kind.shown, self._path, filters)

    def get(self, which: Which) -> R:
        """The object with this id, as it is now; it knows its version, see :meth:`patch`."""
        request = Request("GET", f"{self._path}/{operations.id_of(which)}")
        return self.api.run(operations.read(self.kind.shown, request, self.api.retries))

    def named(self, identity: str, **filters: Parameter) -> R | None:
        """The one with this name (a member: with this address), None if there is none."""
        filters = {**filters, self.kind.identity: identity}
        return next(self.list(**filters), None)

    def create(self, body: C | Mapping[str, object]) -> M:
        """The object exists. An answer that is lost on the way is asked for again, not done again."""
        return self._create(body, dry_run=False)

    def plan_create(self, body: C | Mapping[str, object]) -> M:
        """The object as :meth:`create` would make it; nothing has changed."""
        return self._create(body, dry_run=True)

    def patch(self, which: R | Which, changes: P | Mapping[str, object]) -> R:
        """The fields named in *changes* have their new values.

        If *which* came from :meth:`get`, :meth:`create` or :meth:`patch`: only if nobody has changed it since;
        otherwise ChangedMeanwhile is raised.
        """
        return self._patch(which, changes, dry_run=False)

    def plan_patch(self, which: R | Which, changes: P | Mapping[str, object]) -> R:
        """The object as :meth:`patch` would leave it; nothing has changed."""
        return self._patch(which, changes, dry_run=True)

    def delete(self, which: R | Which, *, cascade: bool = False) -> None:
        """It is gone; with *cascade* also what only it holds. The same condition as in :meth:`patch`."""
        request = operations.delete_request(self._path, which, cascade=cascade, dry_run=False)
        self.api.run(operations.nothing(request, self.api.retries))

    def plan_delete(self, which: R | Which, *, cascade: bool = False) -> Removal:
        """What :meth:`delete` would remove; nothing has changed."""
        request = operations.delete_request(self._path, which, cascade=cascade, dry_run=True)
        return self.api.run(operations.removal(request, self.api.retries))

    def _create(self, body: Body, *, dry_run: bool) -> M:
        request = operations.create_request(self._path, body, str(uuid4()), dry_run=dry_run)
        return self.api.run(operations.read(self.kind.made, request, self.api.retries))

    def _patch(self, which: Which, changes: Body, *, dry_run: bool) -> R:
        request = operations.patch_request(self._path, which, changes, dry_run=dry_run)
        return self.api.run(operations.read(self.kind.shown, request, self.api.retries))


class Members(Collection[Member, Member, MemberCreate, MemberPatch]):
    """The members of one pool, one by one or many at once."""

    def __init__(self, api: ApiClient, pool: Which) -> None:
        super().__init__(api, kinds.MEMBERS, f"/v1/pools/{operations.id_of(pool)}/members")

    def add(self, members: Sequence[MemberCreate | Mapping[str, object]]) -> Sequence[Member]:
        """All of *members* are in the pool, or none and an error is raised."""
        path, body = f"{self._path}:add", operations.member_set(members)
        request = operations.create_request(path, body, str(uuid4()), dry_run=False)
        return self.api.run(operations.member_list(request, self.api.retries))

    def tagged(self) -> tuple[Sequence[Member], str]:
        """All members, and the ETag of their set."""
        return self.api.run(operations.tagged_members(self._path, self.api.retries))

    def replace(
        self,
        members: Sequence[MemberCreate | Mapping[str, object]],
        if_match: str = ANY_VERSION,
        *,
        dry_run: bool = False,
    ) -> Sequence[Member]:
        """The pool has exactly *members*; who stays, by address, keeps its id and its flows.

        With the ETag of :meth:`tagged`, only if the set is still that; otherwise ChangedMeanwhile is raised.
        """
        request = operations.replace_request(self._path, members, if_match, dry_run=dry_run)
        return self.api.run(operations.member_list(request, self.api.retries))
