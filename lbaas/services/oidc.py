"""Bearers whom an OpenID Connect provider vouches for: portals' users, by JWT.

The provider's keys are fetched over HTTP and kept. They are fetched again when they are old, and when a JWT names
a key that we don't have: that is how providers rotate keys. While the provider is away, the keys we have hold.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import structlog
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import or_, select

from lbaas.domain.terms import Role
from lbaas.errors import ServerUnavailable, Unauthenticated
from lbaas.persistence.database import Database
from lbaas.persistence.models import Tenant
from lbaas.services.work import Caller

KEYS_LIVE_S = 600.0
REFETCH_S = 5.0  # not sooner, whatever keys strangers make up
FETCH_TIMEOUT_S = 5.0
LEEWAY_S = 30
# Signatures of a private key only: with HS256 anybody could sign who knows the public keys.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
TENANT_ROLES = frozenset({Role.MEMBER, Role.READER})
ROLES = TENANT_ROLES | {Role.ADMIN}

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Whom we believe, and where in the claims it stands. *jwks_url* None: what the issuer announces."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    role_claim: str = "lbaas_role"
    tenant_claim: str = "lbaas_tenant"


class Provider:
    """The provider that *trust* names."""

    def __init__(self, trust: Trust, database: Database) -> None:
        self._trust = trust
        self._database = database
        self._keys = _Keys(trust)
        self._tenants: dict[str, UUID] = {}

    async def caller(self, token: str) -> Caller:
        """The bearer of the JWT. Raises Unauthenticated; ServerUnavailable if no keys can be had."""
        return await self._caller(await self.claims(token, self._trust.audience))

    async def claims(self, token: str, audience: str) -> Mapping[str, Any]:
        """What the provider tells *audience* in the JWT. Raises as :meth:`caller`."""
        try:
            keys = await self._keys.fit_for(_key_id(token))
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            _wanted(self._trust.issuer, audience).validate(claims)
        except (JoseError, ValueError) as error:
            raise Unauthenticated(f"the JWT does not hold: {error}") from error
        return claims

    def forget_tenants(self) -> None:
        """Tenants are looked up again: one may be gone."""
        self._tenants.clear()

    async def _caller(self, claims: Mapping[str, Any]) -> Caller:
        role = claims.get(self._trust.role_claim)
        if not isinstance(role, str) or role not in ROLES:
            words = ", ".join(sorted(ROLES))
            raise Unauthenticated(f"the JWT's {self._trust.role_claim} is none of {words}")
        return Caller(
            bearer=f"oidc:{claims['sub']}",
            name=str(claims.get("preferred_username") or claims.get("email") or claims["sub"]),
            role=Role(role),
            tenant_id=await self._tenant(claims) if role in TENANT_ROLES else None,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    async def _tenant(self, claims: Mapping[str, Any]) -> UUID:
        """The id of the tenant that is named, by id or by name."""
        named = claims.get(self._trust.tenant_claim)
        if not isinstance(named, str):
            raise Unauthenticated(f"the JWT's {self._trust.tenant_claim} names no tenant")
        if named not in self._tenants:
            self._tenants[named] = await self._find(named)
        return self._tenants[named]

    async def _find(self, named: str) -> UUID:
        query = select(Tenant.id).where(or_(Tenant.name == named, Tenant.id == _uuid(named)))
        async with self._database.session() as session:
            found = await session.scalar(query)
        if found is None:
            raise Unauthenticated("the JWT names a tenant that there is not")
        return found


class _Keys:
    """The provider's public keys, as new as they need to be."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._keys: KeySet | None = None
        self._known: frozenset[str | None] = frozenset()
        self._fetched_at = -KEYS_LIVE_S
        self._fetching = asyncio.Lock()

    async def fit_for(self, key_id: str | None) -> KeySet:
        """The keys, fetched again if they are old, or lack *key_id* and were not fetched just now."""
        if self._stale(key_id):
            async with self._fetching:
                if self._stale(key_id):
                    await self._fetch()
        if self._keys is None:
            raise ServerUnavailable("the identity provider's keys can't be had: try again")
        return self._keys

    def _stale(self, key_id: str | None) -> bool:
        age = time.monotonic() - self._fetched_at
        missing = self._keys is None or (key_id is not None and key_id not in self._known)
        return age >= (REFETCH_S if missing else KEYS_LIVE_S)

    async def _fetch(self) -> None:
        self._fetched_at = time.monotonic()
        try:
            async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_S) as http:
                document = await _get(http, self._trust.jwks_url or await self._announced(http))
            usable = [key for key in document["keys"] if _signs(key)]
            self._keys = KeySet.import_key_set({"keys": usable})
        except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
            log.warning("no keys from the identity provider", error=str(error))
            return
        self._known = frozenset(key.get("kid") for key in usable)

    async def _announced(self, http: httpx.AsyncClient) -> str:
        return str((await announcement(http, self._trust.issuer))["jwks_uri"])


async def announcement(http: httpx.AsyncClient, issuer: str) -> Mapping[str, Any]:
    """What the issuer says of itself. Raises ValueError if another says it.

    Source: OpenID Connect Discovery 1.0, section 4.
    """
    document = await _get(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if document["issuer"] != issuer:
        raise ValueError(f"the document is {document['issuer']}'s, not {issuer}'s")
    return dict(document)


async def _get(http: httpx.AsyncClient, url: str) -> Any:
    answer = await http.get(url)
    return answer.raise_for_status().json()


def _wanted(issuer: str, audience: str) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=LEEWAY_S,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        sub={"essential": True},
    )


def _signs(key: Mapping[str, Any]) -> bool:
    """An asymmetric key for signatures; sets may hold others, which are not for us."""
    return key.get("kty") in ("RSA", "EC") and key.get("use", "sig") == "sig"


def _key_id(token: str) -> str | None:
    key_id = jws.extract_compact(token.encode()).headers().get("kid")
    return None if key_id is None else str(key_id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
