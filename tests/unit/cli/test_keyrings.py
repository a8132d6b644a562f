"""Tokens in a keyring: one made of a dictionary, since no test machine has another."""

import sys
from types import SimpleNamespace

import pytest

from lbaas.cli import keyrings
from lbaas.cli.profiles import Profile, Profiles, chosen, save
from lbaas.errors import ToolMissing

Kept = dict[tuple[str, str], str]


class KeyringError(Exception):
    """As the library's."""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Kept:
    """What the keyring holds."""
    held: Kept = {}
    library = SimpleNamespace(
        set_password=lambda service, name, token: held.update({(service, name): token}),
        get_password=lambda service, name: held.get((service, name)),
        delete_password=lambda service, name: held.pop((service, name)),
        errors=SimpleNamespace(KeyringError=KeyringError),
    )
    monkeypatch.setitem(sys.modules, "keyring", library)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return held


def test_a_token_in_the_keyring_is_in_no_file_and_found_with_its_profile(kept: Kept) -> None:
    keyrings.keep("prod", "lbaas_secret")
    save(Profiles(profiles={"prod": Profile(url="https://lb.example", token="", in_keyring=True)}))
    assert chosen("prod", {}).token == "lbaas_secret"
    keyrings.forget("prod")
    keyrings.forget("prod")
    assert kept == {}
    with pytest.raises(keyrings.NoKeyring, match="lbaas login"):
        chosen("prod", {})


def test_a_keyring_that_refuses_says_so(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_service: str, _name: str) -> None:
        raise KeyringError("it is locked")

    monkeypatch.setattr(sys.modules["keyring"], "get_password", locked)
    with pytest.raises(keyrings.NoKeyring, match="it is locked"):
        keyrings.token("prod")


def test_without_the_package_it_says_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ToolMissing, match="pip install keyring"):
        keyrings.token("prod")
