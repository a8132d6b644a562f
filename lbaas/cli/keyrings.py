"""Tokens in the system's keyring, for whoever asks for it.

Secret Service, macOS's Keychain and Windows' Credential Manager, by PyPI's ``keyring``. It is no part of the
installation: servers and containers have no keyring.
"""

from importlib import import_module
from typing import Any

from lbaas.errors import LbaasError, ToolMissing

SERVICE = "lbaas"


class NoKeyring(LbaasError):
    """The keyring is locked, refuses, or has lost the token."""


def keep(profile: str, token: str) -> None:
    """The keyring has *token* as the profile's."""
    _do("set_password", profile, token)


def token(profile: str) -> str:
    """The profile's token. Raises NoKeyring if there is none."""
    kept = _do("get_password", profile)
    if not kept:
        raise NoKeyring(f"the keyring has no token of profile {profile!r}: lbaas login URL")
    return str(kept)


def forget(profile: str) -> None:
    """The keyring has no token of the profile."""
    if _do("get_password", profile):
        _do("delete_password", profile)


def _do(what: str, profile: str, *arguments: str) -> Any:
    library = _library()
    try:
        return getattr(library, what)(SERVICE, profile, *arguments)
    except library.errors.KeyringError as error:
        raise NoKeyring(f"the keyring refuses: {error}") from error


def _library() -> Any:
    try:
        return import_module("keyring")
    except ImportError as error:
        raise ToolMissing("the keyring needs its package: pip install keyring") from error
