"""Whatever goes wrong, the answer is a problem (RFC 9457)."""

from collections.abc import Iterator

import httpx
import pytest

from .conftest import LiveServer


@pytest.fixture(scope="module")
def http(server: LiveServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {server.admin_token}"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        yield client


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status", "kind"),
    [
        ("GET", "/nowhere", b"", {}, 404, "no-such-path"),
        ("GET", "/v1/vips/", b"", {}, 404, "no-such-path"),
        ("PUT", "/v1/vips", b"", {}, 405, "method-not-allowed"),
        ("POST", "/v1/tenants", b"{", JSON, 400, "malformed-json"),
        ("POST", "/v1/tenants", b'{"name": "\xff"}', JSON, 400, "malformed-json"),
        ("POST", "/v1/tenants", b"name=a", {}, 415, "unsupported-media-type"),
        ("POST", "/v1/tenants", b"", JSON, 422, "invalid"),
        ("POST", "/v1/tenants", b"[]", JSON, 422, "invalid"),
        ("POST", "/v1/tenants", b'{"name": "a\\u0000"}', JSON, 422, "invalid"),
        ("POST", "/v1/tenants", b" " * 2_000_000, JSON, 413, "content-too-large"),
        ("GET", "/v1/vips/not-an-id", b"", {}, 422, "invalid"),
        ("GET", "/v1/vips?limit=0", b"", {}, 422, "invalid"),
        ("GET", "/v1/vips?name=%00", b"", {}, 422, "invalid"),
        ("GET", "/v1/vips/00000000-0000-0000-0000-000000000000", b"", {}, 404, "not-found"),
    ],
)
def test_every_error_is_a_problem(
    http: httpx.Client,
    method: str,
    path: str,
    content: bytes,
    headers: dict[str, str],
    status: int,
    kind: str,
) -> None:
    answer = http.request(method, path, content=content, headers=headers)

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"/errors/{kind}", status)
    assert body["title"]
    assert body["detail"]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/vips", "GET, POST"),
        ("/v1/vips/x", "DELETE, GET, PATCH"),
        ("/v1/tokens/x", "DELETE, GET"),
        ("/healthz", "GET"),
        ("/docs", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_all_the_right_ones(
    http: httpx.Client, path: str, allowed: str
) -> None:
    answer = http.put(path)

    assert answer.status_code == 405
    assert sorted(answer.headers["Allow"].split(", ")) == sorted(allowed.split(", "))


def test_a_bad_field_is_pointed_at(http: httpx.Client) -> None:
    body = {"name": "a b", "backend_prefixes": ["10.0.0.0/24", "10.0.0.1/24"]}

    problems = http.post("/v1/tenants", json=body).json()["problems"]

    assert {problem["pointer"] for problem in problems} == {"/name", "/backend_prefixes/1"}


def test_a_request_id_is_echoed_or_made(http: httpx.Client) -> None:
    given = http.get("/healthz", headers={"X-Request-Id": "mine-7"})
    made = http.get("/nowhere")

    assert given.headers["X-Request-Id"] == "mine-7"
    assert len(made.headers["X-Request-Id"]) == 36
