"""What can be asked of the API, as flows. Pure: keys and the time are arguments."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from lbaas.client import reading
from lbaas.client.exchange import IF_MATCH, KEY, Answer, Flow, Json, Parameter, Request
from lbaas.client.problems import NotProgrammed, NotSafeToStop
from lbaas.client.retrying import Retries, exchange
from lbaas.errors import ServerUnavailable
from lbaas.wire.explanation import FiveTuple
from lbaas.wire.fields import Page, Removal, Resource
from lbaas.wire.ledger import Reconciliation
from lbaas.wire.operators import Node
from lbaas.wire.status import VipStatus
from lbaas.wire.tenants import Member, MemberList

T = TypeVar("T", bound=BaseModel)
Body = BaseModel | Mapping[str, object]
Parameters = Mapping[str, Parameter]
Which = Resource | UUID | str

# The longest that the server holds a request for a status.
HOLD_S = 30.0
# … while somebody watches how far it has come.
WATCHED_HOLD_S = 1.0
# Between two looks at what no request is held for.
LOOK_AGAIN_S = 1.0


def raw(request: Request, retries: Retries) -> Flow[Json]:
    """The answer's JSON object, empty if it has none."""
    answer = yield from exchange(request, retries)
    if not answer.content:
        return {}
    try:
        return dict(json.loads(answer.content))
    except (ValueError, TypeError) as error:
        text = answer.content[:200]
        raise ServerUnavailable(f"{request}: not a JSON object: {text!r}") from error


def read(model: type[T], request: Request, retries: Retries, after_s: float = 0) -> Flow[T]:
    """The answer as *model*; a resource knows the ETag that it came with."""
    answer = yield from exchange(request, retries, after_s)
    return _parsed(model, request, answer)


def nothing(request: Request, retries: Retries) -> Flow[None]:
    """It is done."""
    yield from exchange(request, retries)


def removal(request: Request, retries: Retries) -> Flow[Removal]:
    """What a DELETE would remove."""
    return (yield from read(Removal, request, retries))


def page(model: type[T], path: str, params: Parameters, retries: Retries) -> Flow[Page[T]]:
    """One page of a list."""
    return (yield from read(Page[model], Request("GET", path, params), retries))  # type: ignore[valid-type]  # a model is made for it at run time


def tagged_members(path: str, retries: Retries) -> Flow[tuple[list[Member], str]]:
    """All of a pool's members and the ETag of their set, which every page of the list carries."""
    found: list[Member] = []
    params: dict[str, Parameter] = {"limit": 1000}
    while True:
        request = Request("GET", path, params)
        answer = yield from exchange(request, retries)
        some = _parsed(Page[Member], request, answer)
        found += some.items
        if some.next_cursor is None:
            return found, answer.headers.get("etag", "")
        params["cursor"] = some.next_cursor


def reconciliation(params: Parameters, retries: Retries) -> Flow[Reconciliation]:
    """What both ends counted, of all VIPs: its pages as one."""
    path, items, asked = "/v1/usage/reconciliation", [], dict(params)
    while True:
        page = yield from read(Reconciliation, Request("GET", path, asked), retries)
        items += page.items
        if page.next_cursor is None:
            return page.model_copy(update={"items": items})
        asked["cursor"] = page.next_cursor


def within(begin: datetime | None, end: datetime | None, asked: Parameters) -> Parameters:
    """*asked*, of the time from *begin* to before *end*; None leaves it to the server."""
    times = {"from": begin, "to": end}
    told = {name: time.isoformat() for name, time in times.items() if time is not None}
    return {**asked, **told}


def member_list(request: Request, retries: Retries) -> Flow[list[Member]]:
    """The members that a write of several answers."""
    return (yield from read(MemberList, request, retries)).members


def until_programmed(
    vip: Which,
    until_s: float,
    now: Callable[[], float],
    watch: Callable[[VipStatus], object] | None,
    retries: Retries,
) -> Flow[VipStatus]:
    """The status of the VIP when it is programmed. Raises NotProgrammed when *now()* has passed *until_s*."""
    longest_s = HOLD_S if watch is None else WATCHED_HOLD_S
    while True:
        hold_s = max(0.0, min(longest_s, until_s - now()))
        status = yield from read(VipStatus, status_request(vip, hold_s), retries)
        if watch is not None:
            watch(status)
        if status.programmed:
            return status
        if now() >= until_s:
            raise NotProgrammed(status)


def until_safe_to_stop(
    node: Node, until_s: float, now: Callable[[], float], retries: Retries
) -> Flow[Node]:
    """The node when it has said, later than *node* does, that it may be stopped. Raises NotSafeToStop as above."""
    request = Request("GET", f"/v1/nodes/{node.id}")
    while True:
        seen = yield from read(Node, request, retries, after_s=LOOK_AGAIN_S)
        told = seen.reported_at != node.reported_at
        if told and seen.facts is not None and seen.facts.safe_to_stop:
            return seen
        if now() >= until_s:
            raise NotSafeToStop(seen)


def status_request(vip: Which, hold_s: float = 0) -> Request:
    """Asks how far a VIP's newest change has come; held for *hold_s* until it is everywhere."""
    wait: dict[str, Parameter] = {"wait_for": "programmed", "timeout_s": hold_s} if hold_s else {}
    return Request("GET", f"/v1/vips/{id_of(vip)}/status", wait, hold_s=hold_s)


def explanation_request(vip: Which, flow: FiveTuple, wait_s: float) -> Request:
    """Asks for a flow's way; held for *wait_s* until the agents have said what they see."""
    asked: dict[str, Parameter] = {
        "client": str(flow.client),
        "port": flow.port,
        "protocol": flow.protocol.value,
        "timeout_s": wait_s,
    }
    if flow.client_port is not None:
        asked["client_port"] = flow.client_port
    # Hosts are asked after nodes.
    return Request("GET", f"/v1/vips/{id_of(vip)}/explanation", asked, hold_s=2 * wait_s)


def create_request(path: str, body: Body, key: str, *, dry_run: bool) -> Request:
    """A POST that is safe to repeat."""
    return Request("POST", path, _dry(dry_run=dry_run), document(body), {KEY: key})


def patch_request(path: str, which: Which, changes: Body, *, dry_run: bool) -> Request:
    """A PATCH: if *which* is an object that was read by itself, only if it is still as it was."""
    place = f"{path}/{id_of(which)}"
    return Request("PATCH", place, _dry(dry_run=dry_run), document(changes), _condition(which))


def delete_request(path: str, which: Which, *, cascade: bool, dry_run: bool) -> Request:
    """A DELETE, with the same condition."""
    params = _dry(dry_run=dry_run) | ({"cascade": "true"} if cascade else {})
    return Request("DELETE", f"{path}/{id_of(which)}", params, headers=_condition(which))


def member_set(members: Sequence[Body]) -> Json:
    """Several members as one body."""
    return {"members": [document(member) for member in members]}


def replace_request(path: str, members: Sequence[Body], if_match: str, *, dry_run: bool) -> Request:
    """A PUT of the whole set."""
    body = member_set(members)
    return Request("PUT", path, _dry(dry_run=dry_run), body, {IF_MATCH: if_match})


def id_of(which: Which) -> str:
    """The id of an object, or *which* itself."""
    return str(which.id if isinstance(which, Resource) else which)


def etag_of(resource: Resource) -> str | None:
    """The ETag of the version that this is, None if it came from a list."""
    return resource._etag  # noqa: SLF001 - kept on the object for us, and shown by us only


def document(body: Body) -> object:
    """*body* as JSON has it: of a model the fields that were said, so that the server's defaults stay its own."""
    if isinstance(body, BaseModel):
        return body.model_dump(mode="json", exclude_unset=True)
    return body


def _dry(*, dry_run: bool) -> dict[str, Parameter]:
    return {"dry_run": "true"} if dry_run else {}


def _condition(which: Which) -> dict[str, str]:
    tag = etag_of(which) if isinstance(which, Resource) else None
    return {} if tag is None else {IF_MATCH: tag}


def _parsed(model: type[T], request: Request, answer: Answer) -> T:
    try:
        parsed = reading.read(model, answer.content)
    except ValidationError as error:
        raise ServerUnavailable(f"{request}: not a {model.__name__}: {error}") from error
    if isinstance(parsed, Resource):
        parsed._etag = answer.headers.get("etag")  # noqa: SLF001 - see etag_of
    return parsed
