"""The command line of clients as one Typer application. A group's commands are made when it is named."""

from collections.abc import Callable, Mapping

import typer

from lbaas.cli import apply, enrolling, epoch, explaining, looking, operating, signing_in, usage
from lbaas.cli.references import command_of
from lbaas.cli.resources import Commands
from lbaas.client.kinds import KINDS, MEMBERS, AnyKind

# Commands of a kind beyond those that every kind has.
_MORE: Mapping[str, tuple[Callable[[typer.Typer], None], ...]] = {
    "member": (operating.add_to_members,),
    "node": (operating.add_to_nodes, enrolling.add_to_nodes),
    "backend_host": (enrolling.add_to_hosts,),
}


def kinds() -> Mapping[str, AnyKind]:
    """The kinds by the words that the command line has for them."""
    return {command_of(kind): kind for kind in (*KINDS.values(), MEMBERS)}


def build(word: str | None) -> typer.Typer:
    """The application; with *word*, only as much of it as ``lbaas WORD …`` needs."""
    app = typer.Typer(
        help="Load balancing as a service: tenants' and operators' commands.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    for name, kind in kinds().items():
        if word in (None, name):
            app.add_typer(_group(kind), name=name)
    app.add_typer(signing_in.profile_group(), name="profile")
    for command in (signing_in.login, signing_in.logout, signing_in.whoami):
        app.command()(command)
    apply.add_to(app)
    looking.add_to(app)
    explaining.add_to(app)
    app.add_typer(usage.usage_group(), name="usage")
    app.add_typer(epoch.epoch_group(), name="epoch")
    return app


def _group(kind: AnyKind) -> typer.Typer:
    made = Commands(kind).group()
    for add in _MORE.get(kind.name, ()):
        add(made)
    return made
