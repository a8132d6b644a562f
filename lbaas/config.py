"""Settings, read once at start from the environment (prefix ``LBAAS_``) and the command line."""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, IPvAnyNetwork, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_dir() -> Path:
    """Where a program of ours keeps what must outlive it: the system's place for root, else the user's."""
    if os.geteuid() == 0:
        return Path("/var/lib/lbaas")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "lbaas"


class ServerSettings(BaseSettings):
    """What ``lbaas server`` needs to know; every field is also ``LBAAS_<FIELD>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix="LBAAS_", env_parse_none_str="none", frozen=True)

    database_url: str | None = Field(
        default=None, description="postgresql://… of a server ≥ 15. None: the server runs its own."
    )
    agents_database_url: str | None = Field(
        default=None,
        description="A streaming replica of it, for what agents read. None: they read from it, too.",
    )
    migrate: bool = Field(
        default=True,
        description="Bring the schema to head at the start. False: only start if it is: lbaas db upgrade.",
    )
    host: str = "127.0.0.1"
    port: int | None = Field(
        default=8080, ge=0, le=65535, description="0: any free one. None: inherited sockets only."
    )
    listen_fds: tuple[int, ...] = Field(
        default=(), description="Listening sockets inherited from the parent, served as well."
    )
    data_dir: Path = Field(default_factory=default_data_dir)
    admin_token_file: Path | None = Field(
        default=None, description="Where the first admin token is written; in data_dir if None."
    )

    tls_cert: Path | None = Field(
        default=None, description="Its certificate and chain, in PEM: HTTPS is spoken. Read anew."
    )
    tls_key: Path | None = Field(default=None, description="The certificate's key, in PEM.")
    ca_cert: Path | None = Field(
        default=None,
        description="Who signs agents' certificates, in PEM; after it, others that are trusted.",
    )
    ca_key: Path | None = Field(default=None, description="The key of the first of ca_cert.")
    certificate_lifetime_h: float = Field(
        default=30 * 24, gt=0, description="How long an agent's certificate holds, in hours."
    )
    agent_certificates: Literal["optional", "required"] = Field(
        default="optional", description="required: an agent's token alone opens nothing."
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Whose word, the header Client-Cert, counts for a certificate."
    )

    rate_limit: str | None = Field(
        default="500/second",
        pattern=r"^[1-9]\d*/(second|minute|hour)$",
        description="Requests per token and replica. None: no limit.",
    )
    oidc_issuer: str | None = Field(default=None, description="Its JWTs are accepted, too.")
    oidc_audience: str | None = Field(default=None, description="For whom they must be: us.")
    oidc_jwks_url: str | None = Field(
        default=None, description="Where its keys are. None: where the issuer announces them."
    )
    oidc_role_claim: str = "lbaas_role"
    oidc_tenant_claim: str = "lbaas_tenant"
    oidc_client_id: str | None = Field(
        default=None, description="As whom the portal signs people in there. None: by token only."
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="None: the portal is a public client, which PKCE alone protects."
    )
    oidc_scope: str = "openid profile email"
    oidc_name: str = Field(default="single sign-on", description="What the portal calls it.")

    usage_minutes_kept_h: int = Field(
        default=26, ge=1, le=24 * 31, description="Hours for which usage is kept by the minute."
    )
    usage_hours_kept_d: int = Field(
        default=400, ge=31, le=10_000, description="Days for which usage is kept by the hour."
    )
    usage_prefixes_kept_d: int = Field(
        default=100, ge=1, le=10_000, description="Days for which it is kept by clients' prefix."
    )

    @model_validator(mode="after")
    def _audience_with_issuer(self) -> Self:
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            raise ValueError("oidc_issuer and oidc_audience go together")
        if self.oidc_client_id is not None and self.oidc_issuer is None:
            raise ValueError("oidc_client_id needs oidc_issuer")
        return self

    @model_validator(mode="after")
    def _certificates_can_be_had(self) -> Self:
        for certificate, key in (("tls_cert", "tls_key"), ("ca_cert", "ca_key")):
            if (getattr(self, certificate) is None) != (getattr(self, key) is None):
                raise ValueError(f"{certificate} and {key} go together")
        seen = self.tls_cert is not None or self.trusted_proxies
        if self.agent_certificates == "required" and not (self.ca_cert and seen):
            raise ValueError(
                "agents can't present certificates here: set ca_cert, and tls_cert or trusted_proxies"
            )
        return self

    @property
    def admin_token_path(self) -> Path:
        """The file that holds the bootstrap token once the server has started the first time."""
        return self.admin_token_file or self.data_dir / "admin-token"
