"""Another tenant's object is a 404, on every route, by every method; a role sees only its own routes."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from lbaas.api.app import create_app
from lbaas.client.api import ApiClient

from .conftest import LiveServer, Site, listener, make_site, unique


def security(param: Any) -> object:
    """What the description says that lets a request in."""
    return param.values[2]["security"]


OPERATIONS = [
    pytest.param(method.upper(), path, operation, id=operation["operationId"])
    for path, methods in create_app().openapi()["paths"].items()
    for method, operation in methods.items()
    if path.startswith("/v1/")
]
# Those that ask for a token at all, and those that ask for the token of a role.
GUARDED = [param for param in OPERATIONS if security(param)]
BY_ROLE = [param for param in GUARDED if security(param) == [{"HTTPBearer": []}]]
OF_ONE_OBJECT = [param for param in OPERATIONS if "{" in str(param.values[1])]
# A good body for each operation that takes one; what is refused must be refused for whose it is.
BODIES: dict[str, Any] = {
    "patch_vip": {"labels": {"mine": "now"}},
    "patch_listener": {"name": "mine"},
    "patch_pool": {"scheduler": "sh"},
    "patch_member": {"weight": 0},
    "create_member": {"address": "10.0.20.99"},
    "add_members": {"members": [{"address": "10.0.20.99"}]},
    "replace_members": {"members": []},
}


def needed(operation: dict[str, Any]) -> dict[str, str]:
    """The parameters without which the operation means nothing."""
    found = (each for each in operation.get("parameters", ()) if each["in"] == "query")
    return {each["name"]: each["examples"]["any"]["value"] for each in found if each["required"]}


@pytest.fixture(scope="module")
def victim(server: LiveServer, admin: ApiClient) -> Site:
    return make_site(server, admin)


@pytest.fixture(scope="module")
def objects(victim: Site) -> dict[str, str]:
    """Ids of the victim's objects by path parameter."""
    admin = victim.admin
    body = {
        "name": unique("vip"),
        "tenant_id": victim.tenant["id"],
        "address_pool_id": victim.v4["id"],
        "listeners": [listener("a", 80, "10.0.20.1")],
    }
    vip = admin.post("/v1/vips", body)
    entry = vip["listeners"][0]
    [member] = admin.get(f"/v1/pools/{entry['pool_id']}/members")["items"]
    host = admin.post("/v1/backend-hosts", {"name": unique("h"), "addresses": ["10.99.0.1"]})
    token = admin.post("/v1/tokens", {"name": "t", "role": "admin"})
    inside = {"cluster_id": victim.cluster["id"]}
    peer = {**inside, "name": "r", "address": "10.0.0.1", "as_number": 65000}
    return {
        "vip_id": vip["id"],
        "listener_id": entry["id"],
        "pool_id": entry["pool_id"],
        "member_id": member["id"],
        "tenant_id": victim.tenant["id"],
        "cluster_id": victim.cluster["id"],
        "node_id": victim.nodes[0]["id"],
        "peer_id": admin.post("/v1/peers", peer)["id"],
        "address_pool_id": victim.v4["id"],
        "backend_host_id": host["id"],
        "token_id": token["id"],
        "question_id": str(uuid4()),
    }


@pytest.fixture(scope="module")
def stranger(server: LiveServer, admin: ApiClient) -> Iterator[httpx.Client]:
    """A member of another tenant, with the same backend prefixes."""
    prefixes = ["10.0.20.0/24"]
    tenant = admin.post("/v1/tenants", {"name": unique("t"), "backend_prefixes": prefixes})
    body = {"name": "t", "role": "member", "tenant_id": tenant["id"]}
    token = admin.post("/v1/tokens", body)["token"]
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}) as http:
        yield http


@pytest.mark.parametrize(("method", "path", "operation"), OF_ONE_OBJECT)
def test_a_stranger_gets_no_object_of_another_tenant(
    method: str,
    path: str,
    operation: dict[str, Any],
    objects: dict[str, str],
    stranger: httpx.Client,
    victim: Site,
) -> None:
    address = re.sub(r"{(\w+)}", lambda match: objects[match[1]], path)
    body = BODIES.get(operation["operationId"], {})
    answer = stranger.request(
        method,
        address,
        params=needed(operation),
        **({"json": body} if "requestBody" in operation else {}),
    )

    tenants_own = operation["tags"] == ["tenant"]
    assert answer.status_code == (404 if tenants_own else 403), answer.text
    assert victim.tenant["name"] not in answer.text


@pytest.mark.parametrize("path", ["/v1/vips", "/v1/listeners", "/v1/pools"])
def test_a_strangers_lists_are_empty(
    path: str, objects: dict[str, str], stranger: httpx.Client
) -> None:
    assert stranger.get(path).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (
            "/v1/listeners",
            {"name": "a", "protocol": "tcp", "ports": [{"first": 9}], "vip_id": "vip_id"},
            "/vip_id",
        ),
        (
            "/v1/vips",
            {"name": "a", "address_pool_id": "v4", "listeners": "uses"},
            "/listeners/0/pool_id",
        ),
    ],
)
def test_a_strangers_request_cannot_refer_to_anothers_object(
    path: str,
    body: dict[str, Any],
    pointer: str,
    objects: dict[str, str],
    victim: Site,
    stranger: httpx.Client,
) -> None:
    uses = {"name": "a", "protocol": "tcp", "ports": [{"first": 9}], "pool_id": objects["pool_id"]}
    filled = dict(body)
    if path == "/v1/listeners":
        filled |= {"vip_id": objects["vip_id"], "pool_id": objects["pool_id"]}
    else:
        filled |= {"address_pool_id": victim.v4["id"], "listeners": [uses]}

    answer = stranger.post(path, json=filled)

    assert answer.status_code == 422
    assert answer.json()["problems"][0]["pointer"] == pointer


def test_what_is_for_everybody_is_whom_to_trust() -> None:
    assert [param.id for param in OPERATIONS if param not in GUARDED] == ["get_authorities"]


@pytest.mark.parametrize(("method", "path", "operation"), GUARDED)
@pytest.mark.parametrize("token", [None, "lbaas_abcdefgh_" + "x" * 43, "nonsense"])
def test_nobody_passes_without_a_good_token(
    method: str, path: str, operation: dict[str, Any], token: str | None, server: LiveServer
) -> None:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = httpx.request(
        method, server.url + path.replace("{", "").replace("}", ""), headers=headers
    )

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "operation"), BY_ROLE)
def test_a_reader_changes_nothing_and_an_agent_sees_only_the_agents_side(
    method: str,
    path: str,
    operation: dict[str, Any],
    objects: dict[str, str],
    victim: Site,
    server: LiveServer,
) -> None:
    address = re.sub(r"{(\w+)}", lambda match: objects[match[1]], path)
    allowed = {
        "reader": operation["tags"] == ["tenant"] and method == "GET",
        "node": operation["tags"] == ["agent"],
    }
    for role, bearer in (("reader", "tenant_id"), ("node", "node_id")):
        if allowed[role]:
            continue
        body = {"name": "t", "role": role, bearer: objects[bearer]}
        token = victim.admin.post("/v1/tokens", body)["token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.request(method, server.url + address, headers=headers).status_code == 403
