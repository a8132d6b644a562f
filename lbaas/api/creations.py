"""A tenant's whole VIP without the framework's way to it.

What the framework does around a POST costs as much of a server's time as the POST itself. So the regular one is
answered here. Whatever is not (another parameter, a wrong body, a token that does not hold, a rule that says no, a
key that was used before) goes on to the route in :mod:`lbaas.api.routers.vips`, which is the one that is described,
and says what is wrong.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lbaas.api import problems
from lbaas.api.dependencies import KEY_PATTERN, KNOWN_CALLER, essence
from lbaas.api.middleware import MAX_BODY_BYTES
from lbaas.api.route import as_created
from lbaas.domain.terms import Role
from lbaas.errors import Refused
from lbaas.persistence.outages import DATABASE_ERRORS, is_outage
from lbaas.services.idempotency import claim_for
from lbaas.services.runtime import Runtime
from lbaas.services.work import Caller
from lbaas.tracing import spans
from lbaas.wire import tenants as wire

PATH = "/v1/vips"
_LENGTH = re.compile(r"[1-9][0-9]{0,6}")
_KEY = re.compile(KEY_PATTERN)


@dataclass(frozen=True)
class Post:
    """A regular creation: whose credential it brings, and under which key."""

    credential: str
    key: str | None


def regular(query: bytes, headers: Mapping[str, str]) -> Post | None:
    """The creation that the head of a POST announces; None if it is anything but plain."""
    scheme, _, credential = headers.get("authorization", "").partition(" ")
    length = _LENGTH.fullmatch(headers.get("content-length", ""))
    key = headers.get("idempotency-key")
    plain = not query and headers.get("content-type") == "application/json"
    small = length is not None and int(length[0]) <= MAX_BODY_BYTES
    named = key is None or _KEY.fullmatch(key) is not None
    return Post(credential, key) if plain and small and named and scheme == "Bearer" else None


class Creations:
    """Around the application: answers regular creations of VIPs, and passes on the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            post = regular(scope["query_string"], Headers(scope=scope))
            caller = None if post is None else await _caller(scope, post)
            if post is not None and caller is not None:
                await self._try(caller, post, scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _try(
        self, caller: Caller, post: Post, scope: Scope, receive: Receive, send: Send
    ) -> None:
        messages = [message async for message in _body(receive)]
        made = await _made(scope, caller, post, messages)
        if made is None:
            await self.app(scope, _again(messages, receive), send)
        else:
            await made(scope, receive, send)


async def _caller(scope: Scope, post: Post) -> Caller | None:
    """The member of a tenant who asks: he is counted, and the route need not do it again."""
    runtime: Runtime | None = scope["app"].state.runtime
    if runtime is None:
        return None
    try:
        caller = await runtime.caller(post.credential)
    except (Refused, *DATABASE_ERRORS):  # which the route will meet, too, and answers
        return None
    scope["state"][KNOWN_CALLER] = caller
    return caller if caller.role is Role.MEMBER else None


async def _made(
    scope: Scope, caller: Caller, post: Post, messages: Sequence[Message]
) -> Response | None:
    """The answer when the VIP is made; None if nothing was done."""
    try:
        said = json.loads(b"".join(message.get("body", b"") for message in messages))
        body = wire.VipCreate.model_validate(said)
    except ValueError:
        return None
    claim = None
    if post.key is not None:
        whole = essence("POST", PATH, "", said)
        claim = claim_for(caller, post.key, f"Bearer {post.credential}", whole)
    runtime: Runtime = scope["app"].state.runtime
    try:
        with spans.part(spans.TRANSACTION):
            made = await runtime.whole_vips.create(
                caller, scope["state"]["request_id"], claim, body
            )
            spans.note({} if made is None else {"lbaas.revision": made.revision})
    except DATABASE_ERRORS as error:
        if not is_outage(error):
            raise
        # What came of it nobody knows: a second try of ours could make a second VIP.
        return problems.unreachable(error)
    return None if made is None else as_created(made.text, made.version, made.revision)


async def _body(receive: Receive) -> AsyncIterator[Message]:
    """The messages that bring the body."""
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message


def _again(messages: Sequence[Message], receive: Receive) -> Receive:
    """Receives *messages* once more, and then what comes."""
    left = iter(messages)

    async def next_message() -> Message:
        for message in left:
            return message
        return await receive()

    return next_message
