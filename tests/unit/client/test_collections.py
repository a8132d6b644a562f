"""What both clients send, and what they make of the answers: one set of cases for the two."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from lbaas.client.problems import ChangedMeanwhile, Invalid, NotProgrammed, NotSafeToStop
from lbaas.client.retrying import Retries
from lbaas.errors import ServerUnavailable
from lbaas.wire.fields import Named, Removal
from lbaas.wire.ledger import ReconciledVip, Usage
from lbaas.wire.operators import Node
from lbaas.wire.report import NodeFacts
from lbaas.wire.status import NodeStatus, VipStatus
from lbaas.wire.tenants import Member, MemberCreate, Pool, PoolCreate, PoolPatch
from tests.unit.client.recorded import Call, Prepared, Recorded, lost
from tests.unit.client.samples import sample

ID = UUID(int=7)
POOL = sample(Pool, id=str(ID), name="web", scheduler="mh")
MEMBER = sample(Member, pool_id=str(ID), address="10.0.20.11", weight=1, admin_state="active")


@pytest.fixture(params=["sync", "asynchronous"])
def ask(request: pytest.FixtureRequest) -> Callable[..., tuple[Any, Recorded]]:
    """Runs a call on a client of either kind, against the answers."""

    def run(call: Call, *answers: Prepared, retries: Retries | None = None) -> tuple[Any, Recorded]:
        recorded = Recorded(answers)
        return getattr(recorded, request.param)(call, retries), recorded

    return run


Ask = Callable[..., tuple[Any, Recorded]]


def shown(body: object, etag: str = '"1"', status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body, headers={"ETag": etag})


def page(*items: object, after: str | None = None) -> httpx.Response:
    return httpx.Response(200, json={"items": list(items), "next_cursor": after})


def test_an_object_is_a_model_and_a_body_is_what_was_said(ask: Ask) -> None:
    body = PoolCreate(name="web", members=(MemberCreate(address="10.0.20.11"),))
    pool, recorded = ask(lambda api: api.pools.create(body), shown(POOL, status=201))
    (request,) = recorded.asked
    assert (request.method, request.url.path) == ("POST", "/v1/pools")
    assert request.headers["Authorization"] == "Bearer secret"
    assert json.loads(request.content) == {"name": "web", "members": [{"address": "10.0.20.11"}]}
    assert (pool.id, pool.name) == (ID, "web")


def test_a_create_whose_answer_is_lost_is_sent_again_under_the_same_key(ask: Ask) -> None:
    _, recorded = ask(lambda api: api.pools.create({"name": "web"}), lost(), shown(POOL))
    first, second = recorded.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.content == second.content
    assert 0.2 <= recorded.slept_s[0] <= 0.3


def test_two_creates_have_two_keys(ask: Ask) -> None:
    keys = set()
    for _ in range(2):
        _, recorded = ask(lambda api: api.pools.create({"name": "web"}), shown(POOL))
        keys.add(recorded.asked[0].headers["Idempotency-Key"])
    assert len(keys) == 2


def test_a_list_is_read_page_by_page(ask: Ask) -> None:
    found, recorded = ask(
        lambda api: api.pools.list(labels="env=prod", limit=1),
        page(POOL, after="c1"),
        page(POOL | {"name": "db"}),
    )
    assert [pool.name for pool in found] == ["web", "db"]
    assert [dict(request.url.params) for request in recorded.asked] == [
        {"labels": "env=prod", "limit": "1"},
        {"labels": "env=prod", "limit": "1", "cursor": "c1"},
    ]


def test_an_object_is_found_by_name_or_not(ask: Ask) -> None:
    found, recorded = ask(lambda api: api.pools.named("web"), page(POOL))
    assert found.id == ID
    assert dict(recorded.asked[0].url.params) == {"name": "web"}


def test_a_change_of_what_was_read_is_made_only_if_it_is_still_so(ask: Ask) -> None:
    pool, _ = ask(lambda api: api.pools.get(ID), shown(POOL, '"4"'))
    changed, recorded = ask(
        lambda api: api.pools.patch(pool, PoolPatch(labels={"env": "test"})), shown(POOL, '"5"')
    )
    (request,) = recorded.asked
    assert request.headers["If-Match"] == '"4"'
    assert json.loads(request.content) == {"labels": {"env": "test"}}
    _, recorded = ask(lambda api: api.pools.delete(changed), httpx.Response(204))
    assert recorded.asked[0].headers["If-Match"] == '"5"'


def test_a_change_by_id_has_no_condition(ask: Ask) -> None:
    _, recorded = ask(lambda api: api.pools.patch(ID, {"name": "db"}), shown(POOL))
    assert "If-Match" not in recorded.asked[0].headers


def test_a_conditional_change_whose_answer_is_lost_is_left_to_the_caller(ask: Ask) -> None:
    pool, _ = ask(lambda api: api.pools.get(ID), shown(POOL))
    with pytest.raises(ServerUnavailable, match="PATCH /v1/pools/"):
        ask(lambda api: api.pools.patch(pool, {"name": "db"}), lost())


def test_plans_change_nothing(ask: Ask) -> None:
    planned, recorded = ask(lambda api: api.pools.plan_create({"name": "web"}), shown(POOL))
    assert dict(recorded.asked[0].url.params) == {"dry_run": "true"}
    assert planned.name == "web"
    _, recorded = ask(lambda api: api.pools.plan_patch(ID, {"name": "db"}), shown(POOL))
    assert dict(recorded.asked[0].url.params) == {"dry_run": "true"}
    gone = {"removes": [{"kind": "pool", "id": str(ID), "name": "web"}]}
    removal, recorded = ask(
        lambda api: api.vips.plan_delete(ID, cascade=True), httpx.Response(200, json=gone)
    )
    assert dict(recorded.asked[0].url.params) == {"dry_run": "true", "cascade": "true"}
    assert removal == Removal(removes=[Named(kind="pool", id=ID, name="web")])


def test_a_refusal_is_an_exception_with_the_fields(ask: Ask) -> None:
    body = {
        "type": "/errors/invalid",
        "title": "A field's value can't be accepted",
        "status": 422,
        "detail": "/name: too long",
        "problems": [{"pointer": "/name", "detail": "too long"}],
    }
    with pytest.raises(Invalid, match="/name: too long") as caught:
        ask(lambda api: api.pools.create({"name": "x" * 99}), httpx.Response(422, json=body))
    assert [(bad.pointer, bad.detail) for bad in caught.value.problems] == [("/name", "too long")]


def test_an_answer_that_is_no_such_object_is_none(ask: Ask) -> None:
    with pytest.raises(ServerUnavailable, match="not a Pool"):
        ask(lambda api: api.pools.get(ID), shown({"id": "x"}))


def test_members_are_added_together_and_replaced_as_they_were_seen(ask: Ask) -> None:
    both = httpx.Response(201, json={"members": [MEMBER, MEMBER | {"address": "10.0.20.12"}]})
    added, recorded = ask(
        lambda api: api.members(ID).add([{"address": "10.0.20.11"}, {"address": "10.0.20.12"}]),
        both,
    )
    assert [str(member.address) for member in added] == ["10.0.20.11", "10.0.20.12"]
    assert recorded.asked[0].url.path == f"/v1/pools/{ID}/members:add"
    assert "Idempotency-Key" in recorded.asked[0].headers

    tagged = httpx.Response(
        200, json={"items": [MEMBER], "next_cursor": None}, headers={"ETag": '"set-3"'}
    )
    (seen, tag), _ = ask(lambda api: api.members(ID).tagged(), tagged)
    assert (len(seen), tag) == (1, '"set-3"')
    with pytest.raises(ChangedMeanwhile):
        ask(
            lambda api: api.members(ID).replace([{"address": "10.0.20.12"}], tag),
            httpx.Response(412, json={}),
        )


def status(*, programmed: bool) -> httpx.Response:
    node = sample(NodeStatus, name="lb1", applied_revision=41, programmed=programmed)
    body = sample(VipStatus, revision=42, programmed=programmed, nodes=[node])
    return httpx.Response(200, json=body)


def test_waiting_ends_when_it_is_programmed_and_can_be_watched(ask: Ask) -> None:
    seen: list[bool] = []

    def wait(api: Any) -> Any:
        return api.wait_until_programmed(ID, watch=lambda now: seen.append(now.programmed))

    done, recorded = ask(wait, status(programmed=False), status(programmed=True))
    assert done.programmed
    assert seen == [False, True]
    assert dict(recorded.asked[0].url.params) == {"wait_for": "programmed", "timeout_s": "1.0"}


def test_waiting_says_who_is_behind_when_the_time_is_up(ask: Ask) -> None:
    with pytest.raises(NotProgrammed, match=r"lb1 \(at revision 41\)") as caught:
        ask(lambda api: api.wait_until_programmed(ID, timeout_s=0), status(programmed=False))
    assert caught.value.status.revision == 42


def drained(minute: int, **known: object) -> dict[str, Any]:
    """A node that was taken out, and what it said at some time."""
    reported = f"2026-11-01T00:{minute:02}:00Z"
    return sample(Node, name="lb1", admin_state="drained", reported_at=reported, **known)


def test_a_node_may_be_stopped_when_it_says_so_after_it_was_asked_to(ask: Ask) -> None:
    quiet, busy = sample(NodeFacts, safe_to_stop=True), sample(NodeFacts, safe_to_stop=False)
    before = drained(1, facts=quiet)  # of an earlier time out of service
    answers = [
        shown(before),
        shown(drained(2)),
        shown(drained(3, facts=busy)),
        shown(drained(4, facts=quiet)),
    ]
    asked = Node.model_validate(before)
    node, recorded = ask(lambda api: api.wait_until_safe_to_stop(asked), *answers)
    assert node.reported_at == Node.model_validate(drained(4)).reported_at
    assert [pause_s >= 1 for pause_s in recorded.slept_s] == [True] * 4


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"admin_state": "active"}, "lb1 may not be stopped yet: it was put back into service"),
        ({}, "it never said what it sees"),
        ({"facts": sample(NodeFacts, ingress_packets=17)}, "clients' packets come, 17 so far"),
    ],
)
def test_waiting_for_a_node_to_be_quiet_says_what_is_in_the_way(
    ask: Ask, known: dict[str, Any], why: str
) -> None:
    asked = Node.model_validate(drained(1))
    with pytest.raises(NotSafeToStop, match=why) as caught:
        ask(
            lambda api: api.wait_until_safe_to_stop(asked, timeout_s=0),
            shown(drained(2) | known),
        )
    assert caught.value.node.name == "lb1"


def test_usage_is_asked_for_by_time_and_comes_in_pages(ask: Ask) -> None:
    one = {**dict.fromkeys(Usage.model_fields), "packets": 1, "bytes": 2}
    one |= {"begun_at": "2026-11-01T00:00:00Z", "ended_at": "2026-11-01T01:00:00Z"}
    begin = datetime(2026, 11, 1, tzinfo=UTC)

    found, recorded = ask(
        lambda api: api.usage(begin, group_by="total"), page(one, after="next"), page(one)
    )

    assert [each.packets for each in found] == [1, 1]
    first, second = (dict(request.url.params) for request in recorded.asked)
    assert first == {"group_by": "total", "from": "2026-11-01T00:00:00+00:00"}
    assert second == first | {"cursor": "next"}


def test_a_reconciliation_is_its_pages_as_one(ask: Ask) -> None:
    def answer(after: str | None) -> httpx.Response:
        times = {"begun_at": "2026-11-01T00:00:00Z", "ended_at": "2026-11-02T00:00:00Z"}
        volumes = {key: {"packets": 1, "bytes": 2} for key in ("ingress", "received", "egress")}
        body = {
            **times,
            "items": [sample(ReconciledVip, **volumes)],
            "next_cursor": after,
            "agents": [],
        }
        return httpx.Response(200, json=body)

    found, recorded = ask(lambda api: api.reconciliation(), answer("next"), answer(None))

    assert (len(found.items), found.next_cursor) == (2, None)
    assert [dict(request.url.params) for request in recorded.asked] == [{}, {"cursor": "next"}]
