"""A small OpenID Connect provider: discovery, keys, codes that PKCE guards, refresh tokens that are good once."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.integration.server.test_oidc import Issuer, new_key

CLIENT_ID, CLIENT_SECRET = "portal", "a secret: with colons & spaces"
API = "lbaas-test"  # the audience of access tokens
PAGE = '<!doctype html><html lang="en"><title>ID</title><a href="{}">Continue as Ann</a></html>'

Asked = Mapping[str, str]


@dataclass
class Provider(Issuer):
    """Everybody is Ann; *claims* say what she may. *nonce*, if set, is what ID tokens lie about."""

    claims: dict[str, object] = field(default_factory=dict)
    nonce: str | None = None
    codes: dict[str, Asked] = field(default_factory=dict)
    refreshes: set[str] = field(default_factory=set)

    def answer(self, path: str) -> dict[str, object] | None:
        document = super().answer(path)
        if document is not None and "jwks_uri" in document:
            document["authorization_endpoint"] = f"{self.url}/authorize"
            document["token_endpoint"] = f"{self.url}/token"
        return document

    def consent(self, asked: Asked) -> str:
        """Where her browser goes on to, with a code."""
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.url}
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def tokens(self, said: Asked) -> dict[str, object]:
        """What a code or a refresh token is good for, once."""
        if said["grant_type"] == "refresh_token":
            if said["refresh_token"] not in self.refreshes:
                return {"error": "invalid_grant"}
            self.refreshes.remove(said["refresh_token"])
            return self._issued({})
        asked = self.codes.pop(said["code"], None)
        if asked is None:
            return {"error": "invalid_grant", "error_description": "no such code"}
        proof = hashlib.sha256(said["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(proof).decode().rstrip("=") != asked["code_challenge"]:
            return {"error": "invalid_grant", "error_description": "another's code"}
        if said["redirect_uri"] != asked["redirect_uri"]:
            return {"error": "invalid_grant", "error_description": "another redirect_uri"}
        return self._issued({"nonce": self.nonce or asked["nonce"]})

    def _issued(self, claims: Mapping[str, object]) -> dict[str, object]:
        refresh = secrets.token_urlsafe()
        self.refreshes.add(refresh)
        return {
            "token_type": "Bearer",
            "access_token": self.token(aud=API, **self.claims),
            "id_token": self.token(aud=CLIENT_ID, lbaas_role=None, **claims),
            "refresh_token": refresh,
        }


@contextmanager
def provider() -> Iterator[Provider]:
    """One that listens."""
    made = Provider([new_key()])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            way = urlsplit(self.path)
            if way.path == "/authorize":
                page = PAGE.format(made.consent(dict(parse_qsl(way.query))).replace("&", "&amp;"))
                return self._send(200, page, "text/html")
            document = made.answer(way.path)
            return self._send(404 if document is None else 200, json.dumps(document))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            scheme, _, proof = self.headers.get("Authorization", "").partition(" ")
            known, _, secret = base64.b64decode(proof).decode().partition(":")
            if (scheme, unquote(known), unquote(secret)) != ("Basic", CLIENT_ID, CLIENT_SECRET):
                return self._send(401, json.dumps({"error": "invalid_client"}))
            tokens = made.tokens(dict(parse_qsl(body)))
            return self._send(400 if "error" in tokens else 200, json.dumps(tokens))

        def _send(self, status: int, body: str, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        made.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield made
        http.shutdown()
        thread.join()
