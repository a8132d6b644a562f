"""Whom the command line asks, and how it keeps that."""

import stat
from pathlib import Path

import pytest

from lbaas.cli import profiles
from lbaas.cli.profiles import NoProfile, Profile, Profiles

HOME = Profile(url="https://home", token="lbaas_h")
WORK = Profile(url="https://work", token="lbaas_w")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def test_what_is_saved_is_found_again_and_is_for_its_owner_only() -> None:
    kept = Profiles(current="work", profiles={"home": HOME, "work": WORK})
    profiles.save(kept)
    assert profiles.load() == kept
    assert stat.S_IMODE(profiles.file().stat().st_mode) == 0o600
    assert stat.S_IMODE(profiles.file().parent.stat().st_mode) == 0o700
    assert [path.name for path in profiles.file().parent.iterdir()] == ["profiles.json"]


def test_without_a_file_there_is_no_profile() -> None:
    assert profiles.load() == Profiles()
    with pytest.raises(NoProfile, match="lbaas login URL"):
        profiles.chosen(None, {})


def test_a_file_that_others_may_read_is_not_believed() -> None:
    profiles.save(Profiles(profiles={"default": HOME}))
    profiles.file().chmod(0o640)
    with pytest.raises(NoProfile, match="chmod 600"):
        profiles.chosen(None, {})


def test_a_file_that_can_t_be_understood_is_said_so() -> None:
    profiles.save(Profiles())
    profiles.file().write_text("{")
    with pytest.raises(NoProfile, match="log in again"):
        profiles.load()


def test_an_option_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    profiles.save(Profiles(current="work", profiles={"home": HOME, "work": WORK}))
    said = {"LBAAS_SERVER_URL": "https://env", "LBAAS_TOKEN": "lbaas_e"}
    assert profiles.chosen("home", said) == HOME
    assert profiles.chosen(None, said) == Profile(url="https://env", token="lbaas_e")
    assert profiles.chosen(None, {"LBAAS_PROFILE": "home"}) == HOME
    assert profiles.chosen(None, {}) == WORK
    (tmp_path / "token").write_text("lbaas_f\n")
    by_file = {"LBAAS_SERVER_URL": "https://env", "LBAAS_TOKEN_FILE": str(tmp_path / "token")}
    assert profiles.chosen(None, by_file).token == "lbaas_f"
