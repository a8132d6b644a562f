"""Signing people in at an OpenID Connect provider, by authorization code with PKCE.

Sources: OpenID Connect Core 1.0, section 3.1; RFC 7636 (PKCE); RFC 9700 (best current practice).
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from urllib.parse import quote, urlencode

import httpx

from lbaas.errors import ServerUnavailable, Unauthenticated
from lbaas.services.oidc import FETCH_TIMEOUT_S, Provider, Trust, announcement

ENDPOINTS_LIVE_S = 600.0
NO_ANSWER = "the identity provider can't be reached: try again"


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What the provider knows us by, and what people call it. No *client_secret*: a public client."""

    client_id: str
    client_secret: str | None = None
    scope: str
    name: str


def _random() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Pending:
    """A sign-in that has begun. The browser keeps it, so that no other browser can end it.

    *onward* is the page that the visitor wanted.
    """

    onward: str
    state: str = field(default_factory=_random)
    nonce: str = field(default_factory=_random)
    verifier: str = field(default_factory=_random)

    @property
    def challenge(self) -> str:
        """RFC 7636, section 4.2."""
        return _url_safe(hashlib.sha256(self.verifier.encode()).digest())

    def text(self) -> str:
        """Fit for a cookie."""
        return _url_safe(json.dumps(asdict(self)).encode())

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What :meth:`text` made; None of anything else."""
        try:
            padded = text + "=" * (-len(text) % 4)
            return cls(**json.loads(base64.urlsafe_b64decode(padded)))
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True)
class Grant:
    """What the provider gave: the JWT that the API takes, and what a new one can be had with."""

    bearer: str
    refresh: str | None

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of what :meth:`text` made, or of a token by itself."""
        return cls(**json.loads(text)) if text.startswith("{") else cls(text, None)


class CodeFlow:
    """Sign-ins at the provider that *trust* names."""

    def __init__(self, registration: Registration, trust: Trust, provider: Provider) -> None:
        self.registration = registration
        self._trust = trust
        self._provider = provider
        self._known: Mapping[str, Any] = {}
        self._known_at = -ENDPOINTS_LIVE_S

    async def location(self, pending: Pending, redirect_uri: str) -> str:
        """Where the browser goes to sign in. Raises ServerUnavailable."""
        asked = {
            "response_type": "code",
            "client_id": self.registration.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.registration.scope,
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": pending.challenge,
            "code_challenge_method": "S256",
        }
        endpoint = str((await self._endpoints())["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def grant(self, pending: Pending, code: str, redirect_uri: str) -> Grant:
        """What *code* is good for, if it was made for this very sign-in. Raises Unauthenticated."""
        said = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        tokens = await self._tokens({**said, "code_verifier": pending.verifier})
        claims = await self._provider.claims(_one(tokens, "id_token"), self.registration.client_id)
        if not secrets.compare_digest(str(claims.get("nonce")), pending.nonce):
            raise Unauthenticated("the provider's answer belongs to another sign-in")
        return self._granted(tokens, None)

    async def renewed(self, refresh: str) -> Grant:
        """A new JWT for somebody who is still signed in there. Raises Unauthenticated if he is not."""
        tokens = await self._tokens({"grant_type": "refresh_token", "refresh_token": refresh})
        return self._granted(tokens, refresh)

    def _granted(self, tokens: Mapping[str, Any], refresh: str | None) -> Grant:
        """The API's JWT is the ID token where the API's audience is this very client, else the access token."""
        ours = self._trust.audience == self.registration.client_id
        bearer = _one(tokens, "id_token" if ours else "access_token")
        return Grant(bearer, tokens.get("refresh_token", refresh))

    async def _tokens(self, said: Mapping[str, str]) -> Mapping[str, Any]:
        endpoint = str((await self._endpoints())["token_endpoint"])
        known_as, secret = self.registration.client_id, self.registration.client_secret
        # RFC 6749, section 2.3.1: every provider takes a secret this way.
        basic = None if secret is None else (quote(known_as, safe=""), quote(secret, safe=""))
        try:
            async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, auth=basic) as http:
                answer = await http.post(endpoint, data={"client_id": known_as, **said})
            tokens: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServerUnavailable(NO_ANSWER) from error
        if answer.is_error:
            why = tokens.get("error_description") or tokens.get("error") or answer.status_code
            raise Unauthenticated(f"the identity provider refuses: {why}")
        return tokens

    async def _endpoints(self) -> Mapping[str, Any]:
        if time.monotonic() - self._known_at >= ENDPOINTS_LIVE_S:
            try:
                async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_S) as http:
                    self._known = await announcement(http, self._trust.issuer)
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise ServerUnavailable(NO_ANSWER) from error
            self._known_at = time.monotonic()
        return self._known


def _one(tokens: Mapping[str, Any], name: str) -> str:
    found = tokens.get(name)
    if not isinstance(found, str):
        raise Unauthenticated(f"the identity provider gave no {name}")
    return found


def _url_safe(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
