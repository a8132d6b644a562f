"""What every command of the line has: a client, a way to print, and options that are common to all."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import typer

from lbaas.cli import profiles, render
from lbaas.cli.completing import names_of, profile_names
from lbaas.cli.failures import FlagOf, exit_code, message
from lbaas.cli.options import Option
from lbaas.cli.render import Output
from lbaas.cli.shapes import Form
from lbaas.cli.values import BadValue
from lbaas.client.api import ApiClient
from lbaas.errors import LbaasError

# Tests put a transport without sockets here.
TRANSPORT: httpx.BaseTransport | None = None

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Session:
    """One command's run."""

    api: ApiClient
    output: Output

    @property
    def for_people(self) -> bool:
        """True if a person reads, not a program."""
        return self.output in (Output.TABLE, Output.WIDE)

    def print(self, text: str) -> None:
        """A result."""
        typer.echo(text)

    def print_some(self, text: str) -> None:
        """A result, if there is anything of it."""
        if text:
            self.print("\n" + text)

    def tell(self, text: str) -> None:
        """What a person wants to know besides, out of the way of results."""
        typer.echo(text, err=True)


@contextmanager
def session(given: Given, flag_of: FlagOf = lambda _pointer: None) -> Iterator[Session]:
    """A session as the chosen profile; what fails inside is said, and ends the program with its exit code."""
    try:
        profile = profiles.chosen(given.get("profile"))
        with ApiClient(profile.url, profile.token, transport=TRANSPORT) as api:
            yield Session(api, Output(given.get("output") or Output.TABLE))
    except LbaasError as error:
        fail(error, flag_of)


def fail(error: LbaasError, flag_of: FlagOf = lambda _pointer: None) -> None:
    """The program ends with what is wrong."""
    typer.echo(message(error, flag_of), err=True)
    raise typer.Exit(exit_code(error)) from None


def add(
    group: typer.Typer,
    name: str,
    run: Callable[[Given], None],
    help_text: str,
    *parameters: inspect.Parameter,
) -> None:
    """*group* has the command *name*, whose parameters are known only now."""

    def command(**given: Any) -> None:
        run(given)

    every = [*parameters, *COMMON]
    command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]  # what inspect, and so typer, goes by
    command.__annotations__ = {each.name: each.annotation for each in every}
    group.command(name, help=help_text)(command)


def group(help_text: str) -> typer.Typer:
    """Commands under one word."""
    return typer.Typer(
        help=help_text, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )


def argument(
    name: str,
    metavar: str,
    help_text: str,
    kind: Any = str,
    default: object = inspect.Parameter.empty,
    complete: Callable[..., list[str]] | None = None,
) -> inspect.Parameter:
    """A value that has to be said, unless it has a default."""
    said = typer.Argument(metavar=metavar, help=help_text, autocompletion=complete)
    return _parameter(name, Annotated[kind, said], default)


def option(
    name: str,
    kind: Any,
    help_text: str,
    *flags: str,
    default: object = None,
    metavar: str | None = None,
    complete: Callable[..., list[str]] | None = None,
) -> inspect.Parameter:
    """A value that may be said."""
    said = typer.Option(*flags, help=help_text, metavar=metavar, autocompletion=complete)
    return _parameter(name, Annotated[kind, said], default)


def _parameter(
    name: str, annotation: Any, default: object = inspect.Parameter.empty
) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def switch(name: str, help_text: str, flag: str) -> inspect.Parameter:
    """Off unless it is said."""
    return option(name, bool, help_text, flag, default=False)


OUTPUT = option("output", Output, "How to print.", "-o", "--output", default=Output.TABLE)
PROFILE = option(
    "profile",
    str | None,
    "Which server and token, see lbaas profile.",
    "--profile",
    complete=profile_names,
)
COMMON = (OUTPUT, PROFILE)


def parameter_of(each: Option) -> inspect.Parameter:
    """The parameter of a body's field."""
    shape, help_text = each.field.shape, each.field.help
    if each.field.required and len(each.path) == 1:
        help_text = f"{help_text} Needed.".strip()
    if shape.form is Form.SWITCH:
        flags = f"{each.flag}/--no-{each.flag.removeprefix('--')}"
        return option(each.key, bool | None, help_text, flags)
    if shape.form is Form.CHOICE:
        return option(each.key, Literal[shape.words] | None, help_text, each.flag)
    named = each.field.reference
    kind = list[str] | None if each.repeated else str | None
    complete = None if named is None else names_of(named)
    return option(each.key, kind, help_text, each.flag, metavar=_metavar(each), complete=complete)


def _metavar(each: Option) -> str:
    shape = each.field.shape
    inner = shape.inner or shape
    match inner.form:
        case Form.NUMBER:
            return "NUMBER"
        case Form.LABELS:
            return "KEY=VALUE"
        case Form.REFERENCE:
            return "NAME|ID"
        case Form.OBJECT:
            return _OBJECTS.get(inner.title, f"{inner.fields[0].name.upper()}[,FIELD=VALUE…]")
        case _:
            return each.flag.removeprefix("--").upper().replace("-", "_")


_OBJECTS = {"PortsInput": "PORT[-PORT]", "InlineListener": "NAME=PROTOCOL/PORTS[@POOL]"}


def body_file(place: Path | None) -> dict[str, Any]:
    """The body in a file of JSON or YAML, empty without one; ``-`` is standard input."""
    if place is None:
        return {}
    text = sys.stdin.read() if str(place) == "-" else _text(place)
    body = render.yaml().safe_load(text) if place.suffix in (".yaml", ".yml") else _parsed(text)
    if not isinstance(body, dict):
        raise BadValue(f"{place}: not an object")
    return body


def _text(place: Path) -> str:
    try:
        return place.read_text()
    except OSError as error:
        raise BadValue(f"{place}: {error.strerror}") from error


def _parsed(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        return render.yaml().safe_load(text)


def flags_of(options: Sequence[Option]) -> FlagOf:
    """Says which option a problem's pointer concerns."""
    from lbaas.cli.options import nearest

    def flag(pointer: str) -> str | None:
        found = nearest(options, pointer)
        return found.flag if found else None

    return flag
