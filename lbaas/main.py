"""The command ``lbaas``: one program, one role a call.

A role's packages are imported when it runs: a node has no FastAPI, a server no netlink, and an agent
starts in a fraction of the time.
"""

import sys

import typer

from lbaas import __version__
from lbaas.errors import LbaasError

ROLES = {
    "server": "the API over Postgres",
    "node-agent": "programs a load-balancer node",
    "host-agent": "prepares a backend host",
    "lab": "a datacentre on this machine, to try things on",
    "demo": "the main job from end to end, on this machine",
}


def main() -> None:
    """Runs the role that the command line names; exits 2 for none."""
    role, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if role in ("--version", "version"):
        print(f"lbaas {__version__}")
        return
    if role not in ROLES:
        wanted_help = role in ("--help", "-h", "help")
        print(_usage(), file=sys.stdout if wanted_help else sys.stderr)
        sys.exit(0 if wanted_help and len(sys.argv) > 1 else 2)
    try:
        _app(role)(arguments, prog_name=f"lbaas {role}")
    except LbaasError as error:
        print(f"lbaas {role}: {error}", file=sys.stderr)
        sys.exit(1)


def _app(role: str) -> typer.Typer:
    match role:
        case "server":
            from lbaas.api.cli import app
        case "node-agent":
            from lbaas.node_agent.cli import app
        case "host-agent":
            from lbaas.host_agent.cli import app
        case "lab":
            from lbaas.lab.cli import app
        case _:
            from lbaas.demo.cli import app
    return app


def _usage() -> str:
    lines = [f"  {role:<12}{what}" for role, what in ROLES.items()]
    return "\n".join(["usage: lbaas ROLE [OPTION ...]   (lbaas ROLE --help)", "", *lines])
