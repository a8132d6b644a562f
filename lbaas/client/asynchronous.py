"""The asynchronous twin of :mod:`lbaas.client.api`: the same names, rules and errors.

::

    async with AsyncApiClient("https://lb.example", token) as api:
        async for vip in api.vips.list(labels="env=prod"):
            print(vip.name, (await api.status(vip)).programmed)
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Generic, Self, TypeVar
from uuid import uuid4

import httpx
from pydantic import BaseModel

from lbaas.client import kinds, operations
from lbaas.client.exchange import ANY_VERSION, KEY, Flow, Json, Outcome, Parameter, Request
from lbaas.client.kinds import C, Kind, M, P, R
from lbaas.client.operations import Body, Which
from lbaas.client.retrying import Retries
from lbaas.client.transport import answered, lost, options, settings
from lbaas.wire.explanation import Explanation, FiveTuple
from lbaas.wire.fields import Removal
from lbaas.wire.ledger import Reconciliation, Usage
from lbaas.wire.operators import Node, TenantInUse
from lbaas.wire.status import VipStatus
from lbaas.wire.tenants import Event, Member, MemberCreate, MemberPatch

T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)


class AsyncApiClient:
    """See :class:`lbaas.client.api.ApiClient`."""

    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float = 30,
        transport: httpx.AsyncBaseTransport | None = None,
        retries: Retries | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._http = httpx.AsyncClient(transport=transport, **settings(url, token, timeout_s))
        self._timeout_s = timeout_s
        self._sleep = sleep
        self.retries = retries or Retries()
        self.vips = AsyncCollection(self, kinds.VIPS)
        self.listeners = AsyncCollection(self, kinds.LISTENERS)
        self.pools = AsyncCollection(self, kinds.POOLS)
        self.tenants = AsyncCollection(self, kinds.TENANTS)
        self.tokens = AsyncCollection(self, kinds.TOKENS)
        self.clusters = AsyncCollection(self, kinds.CLUSTERS)
        self.nodes = AsyncCollection(self, kinds.NODES)
        self.peers = AsyncCollection(self, kinds.PEERS)
        self.address_pools = AsyncCollection(self, kinds.ADDRESS_POOLS)
        self.backend_hosts = AsyncCollection(self, kinds.BACKEND_HOSTS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Connections are given back."""
        await self._http.aclose()

    def members(self, pool: Which) -> "AsyncMembers":
        """The members of one pool."""
        return AsyncMembers(self, pool)

    async def own_tenant(self) -> TenantInUse:
        """The tenant that the token is for, its quotas and what it uses of them."""
        request = Request("GET", "/v1/tenant")
        return await self.run(operations.read(TenantInUse, request, self.retries))

    def events(self, **filters: Parameter) -> AsyncIterator[Event]:
        """Who changed what, oldest first."""
        return self.pages(Event, "/v1/events", filters)

    def usage(
        self, begin: datetime | None = None, end: datetime | None = None, **asked: Parameter
    ) -> AsyncIterator[Usage]:
        """What was counted from *begin* to before *end*, by default in the last day, in sums, oldest first.

        *asked* are the API's parameters: ``granularity="month", group_by="tenant,direction"``.
        """
        return self.pages(Usage, "/v1/usage", operations.within(begin, end, asked))

    async def reconciliation(
        self, begin: datetime | None = None, end: datetime | None = None, **asked: Parameter
    ) -> Reconciliation:
        """What nodes and backend hosts counted of each VIP, side by side, and what does not fit together."""
        params = operations.within(begin, end, asked)
        return await self.run(operations.reconciliation(params, self.retries))

    async def status(self, vip: Which) -> VipStatus:
        """How far the VIP's newest change has come, at this moment."""
        request = operations.status_request(vip)
        return await self.run(operations.read(VipStatus, request, self.retries))

    async def explain(self, vip: Which, flow: FiveTuple, wait_s: float = 5) -> Explanation:
        """The way of *flow* to *vip*, hop by hop, as the API and the machines on it see it within *wait_s*."""
        request = operations.explanation_request(vip, flow, wait_s)
        return await self.run(operations.read(Explanation, request, self.retries))

    async def wait_until_programmed(
        self,
        vip: Which,
        timeout_s: float = 60,
        watch: Callable[[VipStatus], object] | None = None,
    ) -> VipStatus:
        """Every active node and every backend host has applied the VIP's newest change."""
        until_s = time.monotonic() + timeout_s
        return await self.run(
            operations.until_programmed(vip, until_s, time.monotonic, watch, self.retries)
        )

    async def wait_until_safe_to_stop(self, node: Node, timeout_s: float = 60) -> Node:
        """*node*, as a change that took it out of service answered it, gets no packets for its VIPs any more."""
        until_s = time.monotonic() + timeout_s
        return await self.run(
            operations.until_safe_to_stop(node, until_s, time.monotonic, self.retries)
        )

    async def request(
        self, method: str, path: str, body: object = None, **params: Parameter
    ) -> Json:
        """Whatever the API can do, by path: the answer's JSON object, empty if it has none."""
        headers = {KEY: str(uuid4())} if method == "POST" else {}
        flow = operations.raw(Request(method, path, params, body, headers), self.retries)
        return await self.run(flow)

    async def post(self, path: str, body: Mapping[str, object], **params: Parameter) -> Json:
        """Create, or act; the answer's body."""
        return await self.request("POST", path, body, **params)

    async def patch(self, path: str, body: Mapping[str, object]) -> Json:
        """Change the fields named in *body*."""
        return await self.request("PATCH", path, body)

    async def get(self, path: str, **params: Parameter) -> Json:
        """Read one object or one page."""
        return await self.request("GET", path, **params)

    async def delete(self, path: str, **params: Parameter) -> Json:
        """Delete; the answer's body, empty if it has none."""
        return await self.request("DELETE", path, **params)

    async def pages(
        self, model: type[B], path: str, filters: Mapping[str, Parameter]
    ) -> AsyncIterator[B]:
        """All objects of a list, fetched a page at a time as they are asked for."""
        params = dict(filters)
        while True:
            page = await self.run(operations.page(model, path, params, self.retries))
            for one in page.items:
                yield one
            if page.next_cursor is None:
                return
            params["cursor"] = page.next_cursor

    async def run(self, flow: Flow[T]) -> T:
        """What *flow* returns, each of its attempts sent in turn."""
        try:
            attempt = next(flow)
            while True:
                if attempt.after_s:
                    # Those who were refused together do not come back together.
                    await self._sleep(attempt.after_s * random.uniform(1, 1.5))  # noqa: S311 - spreads load
                attempt = flow.send(await self._send(attempt.request))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _send(self, request: Request) -> Outcome:
        try:
            answer = await self._http.request(**options(request, self._timeout_s))
        except httpx.TransportError as error:
            return lost(error)
        return answered(answer)


class AsyncCollection(Generic[R, M, C, P]):
    """See :class:`lbaas.client.api.Collection`."""

    def __init__(
        self, api: AsyncApiClient, kind: Kind[R, M, C, P], path: str | None = None
    ) -> None:
        self.api = api
        self.kind = kind
        self._path = path or f"/v1/{kind.path}"

    def list(self, **filters: Parameter) -> AsyncIterator[R]:
        """Those that fit, oldest first, or as ``sort`` says; ``labels`` takes a selector."""
        return self.api.pages(self.kind.shown, self._path, filters)

    async def get(self, which: Which) -> R:
        """The object with this id, as it is now."""
        request = Request("GET", f"{self._path}/{operations.id_of(which)}")
        return await self.api.run(operations.read(self.kind.shown, request, self.api.retries))

    async def named(self, identity: str, **filters: Parameter) -> R | None:
        """The one with this name (a member: with this address), None if there is none."""
        async for one in self.list(**{**filters, self.kind.identity: identity}):
            return one
        return None

    async def create(self, body: C | Mapping[str, object]) -> M:
        """The object exists."""
        return await self._create(body, dry_run=False)

    async def plan_create(self, body: C | Mapping[str, object]) -> M:
        """The object as :meth:`create` would make it; nothing has changed."""
        return await self._create(body, dry_run=True)

    async def patch(self, which: R | Which, changes: P | Mapping[str, object]) -> R:
        """The fields named in *changes* have their new values."""
        return await self._patch(which, changes, dry_run=False)

    async def plan_patch(self, which: R | Which, changes: P | Mapping[str, object]) -> R:
        """The object as :meth:`patch` would leave it; nothing has changed."""
        return await self._patch(which, changes, dry_run=True)

    async def delete(self, which: R | Which, *, cascade: bool = False) -> None:
        """It is gone; with *cascade* also what only it holds."""
        request = operations.delete_request(self._path, which, cascade=cascade, dry_run=False)
        await self.api.run(operations.nothing(request, self.api.retries))

    async def plan_delete(self, which: R | Which, *, cascade: bool = False) -> Removal:
        """What :meth:`delete` would remove; nothing has changed."""
        request = operations.delete_request(self._path, which, cascade=cascade, dry_run=True)
        return await self.api.run(operations.removal(request, self.api.retries))

    async def _create(self, body: Body, *, dry_run: bool) -> M:
        request = operations.create_request(self._path, body, str(uuid4()), dry_run=dry_run)
        return await self.api.run(operations.read(self.kind.made, request, self.api.retries))

    async def _patch(self, which: Which, changes: Body, *, dry_run: bool) -> R:
        request = operations.patch_request(self._path, which, changes, dry_run=dry_run)
        return await self.api.run(operations.read(self.kind.shown, request, self.api.retries))


class AsyncMembers(AsyncCollection[Member, Member, MemberCreate, MemberPatch]):
    """See :class:`lbaas.client.api.Members`."""

    def __init__(self, api: AsyncApiClient, pool: Which) -> None:
        super().__init__(api, kinds.MEMBERS, f"/v1/pools/{operations.id_of(pool)}/members")

    async def add(self, members: Sequence[MemberCreate | Mapping[str, object]]) -> Sequence[Member]:
        """All of *members* are in the pool, or none and an error is raised."""
        path, body = f"{self._path}:add", operations.member_set(members)
        request = operations.create_request(path, body, str(uuid4()), dry_run=False)
        return await self.api.run(operations.member_list(request, self.api.retries))

    async def tagged(self) -> tuple[Sequence[Member], str]:
        """All members, and the ETag of their set."""
        return await self.api.run(operations.tagged_members(self._path, self.api.retries))

    async def replace(
        self,
        members: Sequence[MemberCreate | Mapping[str, object]],
        if_match: str = ANY_VERSION,
        *,
        dry_run: bool = False,
    ) -> Sequence[Member]:
        """The pool has exactly *members*; who stays, by address, keeps its id and its flows."""
        request = operations.replace_request(self._path, members, if_match, dry_run=dry_run)
        return await self.api.run(operations.member_list(request, self.api.retries))
