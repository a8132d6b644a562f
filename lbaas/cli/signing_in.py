"""``lbaas login``, ``logout``, ``whoami`` and ``lbaas profile``."""

import sys
from pathlib import Path
from typing import Annotated

import httpx
import typer

from lbaas.cli import keyrings, profiles, render, session
from lbaas.cli.completing import profile_names
from lbaas.cli.profiles import DEFAULT, NoProfile, Profile
from lbaas.cli.values import BadValue
from lbaas.client.api import ApiClient
from lbaas.client.problems import Forbidden
from lbaas.errors import LbaasError

ProfileName = Annotated[str, typer.Option("--profile", help="What to call it.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file", help="Where the token is; else it is asked for, or read from stdin."
    ),
]


def login(
    url: Annotated[str, typer.Argument(metavar="URL", help="Like https://lb.example.")],
    token_file: TokenFile = None,
    profile: ProfileName = DEFAULT,
    keyring: Annotated[  # noqa: FBT002 - an option of the command line, said by its name
        bool, typer.Option("--keyring", help="Keep the token in the system's keyring.")
    ] = False,
) -> None:
    """Keep a server and a token, once they were seen to work, and use them from now on."""
    try:
        said = Profile(url=_checked(url), token=_token(token_file))
        who = _who(said)
        known = profiles.load()
        kept = _in_keyring(profile, said) if keyring else said
        every = {**known.profiles, profile: kept}
        profiles.save(known.model_copy(update={"current": profile, "profiles": every}))
    except LbaasError as error:
        session.fail(error)
    else:
        place = "the keyring" if keyring else profiles.file()
        typer.echo(f"logged in to {url} as {who}; profile {profile!r} in {place}")


def logout(profile: ProfileName = DEFAULT) -> None:
    """Forget a profile. The token itself stays good: an operator revokes it with lbaas token delete."""
    try:
        known = profiles.load()
        rest = {name: kept for name, kept in known.profiles.items() if name != profile}
        if profile not in known.profiles:
            raise NoProfile(f"there is no profile {profile!r}")
        if known.profiles[profile].in_keyring:
            keyrings.forget(profile)
        profiles.save(known.model_copy(update={"profiles": rest}))
    except LbaasError as error:
        session.fail(error)
    else:
        typer.echo(f"profile {profile!r} is forgotten")


def whoami(
    profile: Annotated[
        str | None, typer.Option("--profile", help="Another than the current.")
    ] = None,
) -> None:
    """Say which server is asked, and as whom."""
    try:
        chosen = profiles.chosen(profile)
        typer.echo(f"{_who(chosen)} at {chosen.url}")
    except LbaasError as error:
        session.fail(error)


def profile_group() -> typer.Typer:
    """``lbaas profile``."""
    made = session.group("Servers and tokens that this machine knows.")
    made.command("list", help="List them; a star is before the one in use.")(_list)
    made.command("use", help="Use another one from now on.")(_use)
    return made


def _list() -> None:
    try:
        known = profiles.load()
    except LbaasError as error:
        session.fail(error)
    else:
        rows = [
            ["*" if name == known.current else " ", name, kept.url]
            for name, kept in sorted(known.profiles.items())
        ]
        typer.echo(render.aligned([[" ", "PROFILE", "URL"], *rows]))


def _use(
    name: Annotated[str, typer.Argument(metavar="PROFILE", autocompletion=profile_names)],
) -> None:
    try:
        known = profiles.load()
        if name not in known.profiles:
            raise NoProfile(f"there is no profile {name!r}: see lbaas profile list")
        profiles.save(known.model_copy(update={"current": name}))
    except LbaasError as error:
        session.fail(error)


def _in_keyring(name: str, said: Profile) -> Profile:
    """What the file keeps of *said*, whose token the keyring has."""
    keyrings.keep(name, said.token)
    return said.model_copy(update={"token": "", "in_keyring": True})


def _checked(url: str) -> str:
    if httpx.URL(url).scheme not in ("http", "https"):
        raise BadValue(f"{url!r}: write https:// or http:// in front")
    return url.rstrip("/")


def _token(place: Path | None) -> str:
    if place is not None:
        try:
            return place.read_text().strip()
        except OSError as error:
            raise BadValue(f"{place}: {error.strerror}") from error
    if sys.stdin.isatty():
        return str(typer.prompt("token", hide_input=True)).strip()
    return sys.stdin.readline().strip()


def _who(profile: Profile) -> str:
    """Whose token it is. Raises what the server refuses it with."""
    with ApiClient(profile.url, profile.token, transport=session.TRANSPORT) as api:
        try:
            return f"tenant {api.own_tenant().name}"
        except Forbidden:
            next(api.clusters.list(limit=1), None)  # an operator may, an agent may not
            return "operator"
