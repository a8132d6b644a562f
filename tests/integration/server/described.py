"""Requests of the operations that the description shows, with objects of a site in the places of its ids."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx

from lbaas.agent.identity import new_key, signing_request
from lbaas.api.app import create_app
from lbaas.api.examples import IDS
from lbaas.client.api import ApiClient

from .conftest import Json, Site, listener, unique

DESCRIBED = create_app().openapi()


@dataclass(frozen=True)
class Operation:
    """One of the description's."""

    path: str
    method: str
    described: Json

    @property
    def id(self) -> str:
        return str(self.described["operationId"])

    def parameters(self, place: str) -> list[Json]:
        """Those in the ``path``, the ``query`` or the ``header``."""
        return [each for each in self.described.get("parameters", ()) if each["in"] == place]


def operations() -> Iterator[Operation]:
    """All of them."""
    for path, methods in DESCRIBED["paths"].items():
        for method, described in methods.items():
            yield Operation(path, method, described)


def objects(site: Site) -> dict[str, str]:
    """An object of each kind that nothing else uses, by the name that paths and bodies call its id."""
    owner, admin, named = site.member(), site.admin, {"name": unique("x")}
    on_v4 = {"address_pool_id": site.v4["id"]}
    used = owner.post(
        "/v1/vips", {"name": unique("v"), **on_v4, "listeners": [listener("http", 80)]}
    )
    pool = owner.post("/v1/pools", {**named, "members": [{"address": "10.0.20.1"}]})
    [member] = owner.get(f"/v1/pools/{pool['id']}/members")["items"]
    cluster = admin.post("/v1/clusters", {**named, "as_number": 65001})
    inside = {"cluster_id": cluster["id"]}
    addresses = {"addresses": [str(IPv6Address(0xFD000030 << 96 | secrets.randbits(64)))]}
    peer = {"address": "10.0.10.1", "as_number": 65000}
    tenant = admin.post("/v1/tenants", named)
    spare = admin.post("/v1/address-pools", {**named, **inside, "prefix": "192.0.2.0/28"})
    return {
        "vip_id": owner.post("/v1/vips", {**named, **on_v4})["id"],
        "listener_id": used["listeners"][0]["id"],
        "pool_id": pool["id"],
        "member_id": member["id"],
        "tenant_id": tenant["id"],
        "token_id": admin.post("/v1/tokens", {**named, "role": "admin"})["id"],
        "cluster_id": cluster["id"],
        "node_id": site.nodes[0]["id"],
        "peer_id": admin.post("/v1/peers", {**named, **inside, **peer})["id"],
        "address_pool_id": spare["id"],
        "question_id": str(uuid4()),  # nobody asked it: the answer is dropped
        "backend_host_id": admin.post("/v1/backend-hosts", {**named, **addresses})["id"],
        "epoch_id": admin.get("/v1/epoch")["id"],
    }


def example(operation: Operation) -> Any:
    """The operation's body; None if it takes none."""
    content = operation.described.get("requestBody", {}).get("content", {})
    body = content.get("application/json")
    if body is None:
        return None
    schema = DESCRIBED["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
    return schema["examples"][0]


def query(operation: Operation) -> Json:
    """What has to be said, and that nothing is worth waiting for."""
    found = operation.parameters("query")
    needed = {each["name"]: each["examples"]["any"]["value"] for each in found if each["required"]}
    return needed | {each["name"]: 0 for each in found if each["name"] == "timeout_s"}


def bearer(site: Site, operation: Operation, ids: dict[str, str]) -> httpx.Client:
    """A client that may do the operation."""
    tag = operation.described["tags"][0]
    if operation.id == "create_first_certificate":
        return _enrolling(site)
    if operation.id == "create_next_certificate":
        return _enrolled(site)
    if operation.id == "replace_addresses":
        return site.client("host", host_id=ids["backend_host_id"])._http
    if tag == "agent":
        return site.node()._http
    return (site.member() if tag == "tenant" else site.admin)._http


def _enrolling(site: Site) -> httpx.Client:
    """A node that has a one-time token, and nothing else."""
    made = site.admin.post(f"/v1/nodes/{site.nodes[0]['id']}/enrolments", {})
    site.clients.append(ApiClient(site.server.url, made["token"]))
    return site.clients[-1]._http


def _enrolled(site: Site) -> httpx.Client:
    """A node that has a certificate, and comes through a proxy."""
    csr = signing_request(new_key())
    issued = _enrolling(site).post("/v1/agent/enrolment", json={"csr": csr}).json()
    node = site.node()._http
    node.headers["Client-Cert"] = quote(issued["certificate"])
    return node


def request(operation: Operation, ids: dict[str, str]) -> tuple[str, Any]:
    """The path and the body of the operation's example, about the objects with these *ids*."""
    text = json.dumps([operation.path.format_map(IDS), example(operation)])
    for name, shown in IDS.items():
        text = text.replace(shown, ids[name])
    url, body = json.loads(text)
    if body is not None and "name" in body:
        body["name"] = unique("x")  # names are the server's, which other tests share
    return url, body


def ask(
    client: httpx.Client, operation: Operation, url: str, body: Any, **other: Any
) -> httpx.Response:
    """What is answered to the operation; *other* parameters and ``if_match``, where they are said."""
    condition = {"If-Match": other.pop("if_match", "*")}
    return client.request(
        operation.method,
        url,
        params=query(operation) | other,
        content=None if body is None else json.dumps(body),
        headers={"Content-Type": "application/json", **condition},
    )
