"""JWTs of an identity provider that serves its keys over HTTP."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from lbaas.client.api import ApiClient

from .conftest import LiveServer, Site, make_site, start_server, unique

Key = RSAKey | ECKey
AUDIENCE = "lbaas-test"


@dataclass
class Issuer:
    """An identity provider: a discovery document and its present keys."""

    keys: list[Key] = field(default_factory=list)
    fetches: int = 0
    url: str = ""

    def answer(self, path: str) -> dict[str, Any] | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys":
            self.fetches += 1
            others = [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "new", "kid": "of-tomorrow"}]
            return {"keys": [key.as_dict(private=False) for key in self.keys] + others}
        return None

    def token(self, **claims: object) -> str:
        return self.signed(self.keys[0], **claims)

    def signed(self, chosen: Key, **claims: object) -> str:
        algorithm = "RS256" if isinstance(chosen, RSAKey) else "ES256"
        usual = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ann",
            "preferred_username": "Ann",
            "exp": int(time.time()) + 300,
            "lbaas_role": "admin",
        }
        header = {"alg": algorithm, "kid": chosen.kid}
        given = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode(header, given, chosen)


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": unique("k"), "use": "sig"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer([new_key()])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = made.answer(self.path)
            self.send_response(404 if document is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        made.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield made
        http.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def trusting(
    server: LiveServer, issuer: Issuer, short_dir: Callable[[], Path]
) -> Iterator[LiveServer]:
    """A replica that believes the issuer."""
    running = start_server(
        short_dir(),
        LBAAS_DATABASE_URL=server.dsn,
        LBAAS_OIDC_ISSUER=issuer.url,
        LBAAS_OIDC_AUDIENCE=AUDIENCE,
    )
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def site(server: LiveServer, admin: ApiClient) -> Site:
    return make_site(server, admin)


def ask(server: LiveServer, token: str, path: str = "/v1/vips") -> httpx.Response:
    return httpx.get(server.url + path, headers={"Authorization": f"Bearer {token}"})


def test_a_members_jwt_is_of_its_tenant_named_by_id_or_name(
    trusting: LiveServer, issuer: Issuer, site: Site
) -> None:
    for named in (site.tenant["id"], site.tenant["name"]):
        token = issuer.token(lbaas_role="member", lbaas_tenant=named)
        assert ask(trusting, token, "/v1/tenant").json()["id"] == site.tenant["id"]
        assert ask(trusting, token, "/v1/clusters").status_code == 403


def test_events_name_the_subject(trusting: LiveServer, issuer: Issuer, site: Site) -> None:
    token = issuer.token(lbaas_role="member", lbaas_tenant=site.tenant["id"])
    with ApiClient(trusting.url, token) as client:
        pool = client.post("/v1/pools", {"name": unique("p")})
        [event] = client.get("/v1/events", object_id=pool["id"])["items"]

    assert (event["actor"], event["actor_name"]) == ("oidc:ann", "Ann")


def test_a_token_of_ours_is_good_beside_jwts(trusting: LiveServer, server: LiveServer) -> None:
    assert ask(trusting, server.admin_token).status_code == 200


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"iss": "https://elsewhere.example"}, "iss"),
        ({"aud": "another"}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": 1_000_000_000}, "expired"),
        ({"exp": None}, "exp"),
        ({"nbf": 4_000_000_000}, "not yet valid"),
        ({"sub": None}, "sub"),
        ({"lbaas_role": None}, "lbaas_role"),
        ({"lbaas_role": "node"}, "lbaas_role"),
        ({"lbaas_role": ["admin"]}, "lbaas_role"),
        ({"lbaas_role": "member"}, "lbaas_tenant"),
        ({"lbaas_role": "member", "lbaas_tenant": "nobody"}, "tenant"),
    ],
)
def test_a_claim_that_does_not_hold_opens_nothing(
    trusting: LiveServer, issuer: Issuer, claims: dict[str, object], why: str
) -> None:
    answer = ask(trusting, issuer.token(**claims))

    assert answer.status_code == 401
    assert answer.json()["type"] == "/errors/unauthenticated"
    assert why in answer.json()["detail"]


def signed_with_the_public_key(issuer: Issuer) -> str:
    """HS256 with what everybody may know: what a careless verifier takes for the key."""
    header = _part(json.dumps({"alg": "HS256", "kid": issuer.keys[0].kid}).encode())
    signed = f"{header}.{issuer.token().split('.')[1]}"
    public = issuer.keys[0].as_pem(private=False)
    return f"{signed}.{_part(hmac.digest(public, signed.encode(), 'sha256'))}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_only_the_issuers_private_keys_sign(trusting: LiveServer, issuer: Issuer) -> None:
    good = issuer.keys[0]
    same_name = RSAKey.generate_key(2048, {"kid": str(good.kid)})
    forged = [
        issuer.signed(same_name),
        signed_with_the_public_key(issuer),
        issuer.token()[:-6] + "AAAAAA",
        issuer.token().rpartition(".")[0] + ".",
        "a.b.c",
        "",
    ]

    assert [ask(trusting, token or "x").status_code for token in forged] == [401] * len(forged)


def test_keys_are_kept_and_a_new_one_is_found_when_it_is_used(
    trusting: LiveServer, issuer: Issuer
) -> None:
    assert ask(trusting, issuer.token()).status_code == 200
    fetches = issuer.fetches
    for _ in range(5):
        ask(trusting, issuer.token())
    assert issuer.fetches == fetches

    old, new = issuer.keys[0], ECKey.generate_key("P-256", {"kid": unique("k"), "use": "sig"})
    issuer.keys[:] = [new]
    deadline = time.monotonic() + 10
    while ask(trusting, issuer.token()).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)

    assert issuer.fetches == fetches + 1
    assert ask(trusting, issuer.signed(old)).status_code == 401


def test_without_an_issuer_a_jwt_is_no_token(server: LiveServer, issuer: Issuer) -> None:
    assert ask(server, issuer.token()).status_code == 401
