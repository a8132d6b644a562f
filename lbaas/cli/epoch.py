"""``lbaas epoch``: an operator's word that a restored database is the truth."""

import typer

from lbaas.cli import render
from lbaas.cli.session import Given, add, argument, group, session
from lbaas.wire.epoch import Epoch

PRESENT = argument("present", "PRESENT", "The epoch that ends, as lbaas epoch show says it.")


def epoch_group() -> typer.Typer:
    """The commands."""
    made = group("Whether agents obey a database that was restored to the past.")
    add(made, "show", show, "Show the present epoch.")
    text = "Begin a new epoch: agents obey the database as it is, whatever they hold."
    add(made, "renew", renew, text, PRESENT)
    return made


def show(given: Given) -> None:
    """The present epoch."""
    with session(given) as now:
        epoch = Epoch.model_validate(now.api.get("/v1/epoch"))
        now.print(render.object_text(epoch, now.output))


def renew(given: Given) -> None:
    """A new epoch has begun."""
    with session(given) as now:
        renewed = now.api.post("/v1/epoch/renew", {"present": given["present"]})
        now.print(render.object_text(Epoch.model_validate(renewed), now.output))
