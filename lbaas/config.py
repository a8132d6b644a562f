"""Settings, read once at start from the environment (prefix ``LBAAS_``) and the command line."""

import os
from pathlib import Path

from pydantic import Field
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

    @property
    def admin_token_path(self) -> Path:
        """The file that holds the bootstrap token once the server has started the first time."""
        return self.admin_token_file or self.data_dir / "admin-token"
