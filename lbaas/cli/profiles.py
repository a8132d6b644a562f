"""Where the command line keeps which server it speaks to, and as whom.

One file, ``profiles.json`` under ``$XDG_CONFIG_HOME/lbaas``, which nobody but its owner may read. The environment
goes before it: LBAAS_SERVER_URL with LBAAS_TOKEN or LBAAS_TOKEN_FILE; LBAAS_PROFILE chooses a profile. A token may
be in the system's keyring instead.
"""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lbaas.cli import keyrings
from lbaas.errors import LbaasError

DEFAULT = "default"
OWNER_ONLY = 0o600


class NoProfile(LbaasError):
    """The command line does not know whom to ask, or can't trust the file that says so."""


class Profile(BaseModel):
    """A server and a token for it, which is empty in the file if it is *in_keyring*."""

    model_config = ConfigDict(frozen=True)

    url: str
    token: str
    in_keyring: bool = False


class Profiles(BaseModel):
    """All that the file holds. *current* is used where none is named."""

    model_config = ConfigDict(frozen=True)

    current: str = DEFAULT
    profiles: dict[str, Profile] = {}


def file() -> Path:
    """Where the profiles are."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "lbaas" / "profiles.json"


def load() -> Profiles:
    """The profiles that there are. Raises NoProfile if others may read the file, or it can't be understood."""
    place = file()
    if not place.exists():
        return Profiles()
    if stat.S_IMODE(place.stat().st_mode) & 0o077:
        raise NoProfile(f"{place} holds tokens and others may read it: chmod 600 {place}")
    try:
        return Profiles.model_validate_json(place.read_bytes())
    except ValidationError as error:
        raise NoProfile(f"{place} can't be understood: remove it and log in again") from error


def save(profiles: Profiles) -> None:
    """The file holds *profiles*, whole at every instant and never readable by others."""
    place = file()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = place.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(descriptor, "w") as written:
        json.dump(profiles.model_dump(), written, indent=2)
    fresh.replace(place)


def chosen(name: str | None, environment: Mapping[str, str] | None = None) -> Profile:
    """Whom to ask, and as whom: the profile *name*, else what the environment says, else the current profile.

    Raises NoProfile, saying how to log in.
    """
    environment = os.environ if environment is None else environment
    url = environment.get("LBAAS_SERVER_URL")
    token = _token(environment)
    if name is None and url and token:
        return Profile(url=url, token=token)
    profiles = load()
    wanted = name or environment.get("LBAAS_PROFILE") or profiles.current
    if wanted not in profiles.profiles:
        known = ", ".join(sorted(profiles.profiles)) or "none"
        raise NoProfile(f"there is no profile {wanted!r} (there are: {known}): lbaas login URL")
    found = profiles.profiles[wanted]
    if found.in_keyring:
        return found.model_copy(update={"token": keyrings.token(wanted)})
    return found


def _token(environment: Mapping[str, str]) -> str | None:
    if "LBAAS_TOKEN" in environment:
        return environment["LBAAS_TOKEN"]
    if "LBAAS_TOKEN_FILE" in environment:
        return Path(environment["LBAAS_TOKEN_FILE"]).read_text().strip()
    return None
