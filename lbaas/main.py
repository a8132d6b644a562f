"""The command ``lbaas``: one program for every role, and for the tenants and operators who ask.

What a role or a command needs is imported when it runs: a node has no FastAPI, a server no netlink, and a
client starts in a fraction of the time.
"""

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from lbaas import __version__
from lbaas.errors import LbaasError

ROLES = {
    "server": "the API over Postgres",
    "db": "its schema: upgrade, check",
    "ca": "an authority for certificates: init, server, pin",
    "node-agent": "programs a load-balancer node",
    "host-agent": "prepares a backend host",
    "kube-controller": "VIPs for the Services of a Kubernetes cluster",
    "lab": "a datacentre on this machine, to try things on",
    "demo": "the main job from end to end, on this machine",
}
AGENTS = ("node-agent", "host-agent")
SIGNING_IN = {
    "login": "keep a server and a token, and use them from now on",
    "logout": "forget them",
    "whoami": "which server is asked, and as whom",
    "profile": "other servers and tokens: list, use",
}
TENANTS = {
    "vip": "virtual IP addresses; make one with its listeners and members at once",
    "listener": "the protocol and ports of a VIP, and the pool that they go to",
    "pool": "members, and how they are chosen, reached and checked",
    "member": "backends: add, replace, drain, undrain",
    "apply": "bring everything to what a file says",
    "status": "which node and host has applied a VIP",
    "watch": "how far VIPs are, live",
    "events": "who changed what",
    "usage": "what was counted, and whether nodes and hosts agree",
    "explain": "where a client's packets go, hop by hop, and why they don't",
}
OPERATORS = {
    "cluster": "sets of nodes that announce the same VIPs",
    "node": "load-balancer nodes: drain, undrain, confirm-removal, enrol, revoke",
    "peer": "the routers that nodes announce to",
    "address-pool": "where VIPs get their addresses",
    "host": "backend hosts: enrol, revoke",
    "tenant": "who may have what: quotas, prefixes, suspend, resume",
    "token": "who may do what",
    "epoch": "after a restore of the database: let agents obey it",
}
COMMANDS = SIGNING_IN | TENANTS | OPERATORS

# Typer's, for the shells' completion.
COMPLETION = ("--install-completion", "--show-completion")
COMPLETING = "_LBAAS_COMPLETE"
COMPLETED_LINE = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")  # bash's; zsh's and fish's


def main() -> None:
    """Runs the role or command that the command line names; exits 2 for none."""
    arguments = sys.argv[1:]
    first = arguments[0] if arguments else ""
    if first in ("--version", "version"):
        print(f"lbaas {__version__}")
    elif first in ROLES:
        _run_role(first, arguments[1:])
    elif first in COMMANDS:
        _client(first)(arguments, prog_name="lbaas")
    elif first in COMPLETION or COMPLETING in os.environ:
        _client(_completed(os.environ))(arguments, prog_name="lbaas")
    else:
        _help(wanted=first in ("--help", "-h", "help"))


def _heed_termination() -> None:
    """A container can be stopped while it starts: the kernel keeps from its first process what that does not handle."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def _run_role(role: str, arguments: list[str]) -> None:
    _heed_termination()
    app = _app(role, arguments[0] if arguments else "")
    if arguments[:1] in (["explain"], ["enrol"]):  # applications of their own, of one command
        role, arguments = f"{role} {arguments[0]}", arguments[1:]
    if role in AGENTS:
        from lbaas import logs

        logs.configure()
    try:
        if role in AGENTS:
            from lbaas.tracing import spans

            spans.configure(f"lbaas-{role}")
        app(arguments, prog_name=f"lbaas {role}")
    except LbaasError as error:
        print(f"lbaas {role}: {error}", file=sys.stderr)
        sys.exit(1)


def _app(role: str, first: str) -> Any:
    match role:
        case "node-agent" | "host-agent":
            return _agent(role, first)
        case "server":
            from lbaas.api.cli import app
        case "db":
            from lbaas.api.db_cli import app
        case "ca":
            from lbaas.api.ca_cli import app
        case "kube-controller":
            from lbaas.kube.cli import app
        case "lab":
            from lbaas.lab.cli import app
        case _:
            from lbaas.demo.cli import app
    return app


def _agent(role: str, first: str) -> Any:
    match role, first:
        case _, "enrol":
            from lbaas.agent.enrol_command import command

            return command(role)
        case "node-agent", "explain":
            from lbaas.node_agent.explain_cli import app
        case "node-agent", _:
            from lbaas.node_agent.cli import app
        case _, "explain":
            from lbaas.host_agent.explain_cli import app
        case _:
            from lbaas.host_agent.cli import app
    return app


def _client(word: str | None) -> Any:
    from lbaas.cli.app import build

    app = build(word)
    if word is None:  # a shell completes the roles' names too
        for role, what in ROLES.items():
            app.command(role, help=what)(lambda: None)
    return app


def _completed(environment: Mapping[str, str]) -> str | None:
    """The command whose words a shell completes; None while the command itself is typed: that takes all of them."""
    lines = (environment.get(name, "") for name in COMPLETED_LINE)
    words = next(filter(None, lines), "").split(" ")
    return words[1] if len(words) > 2 and words[1] in COMMANDS else None


def _help(*, wanted: bool) -> None:
    """Written without a library: it is what a new user waits for first."""
    print(_usage(), file=sys.stdout if wanted else sys.stderr)
    sys.exit(0 if wanted else 2)


def _usage() -> str:
    return "\n".join(
        [
            "usage: lbaas COMMAND [OPTION ...]   (lbaas COMMAND --help)",
            *_section("who asks", SIGNING_IN),
            *_section("tenants", TENANTS),
            *_section("operators", OPERATORS),
            *_section("roles", ROLES),
            "",
            "lbaas --install-completion completes commands in your shell.",
        ]
    )


def _section(title: str, commands: Mapping[str, str]) -> list[str]:
    return ["", f"{title}:", *(f"  {name:<14}{what}" for name, what in commands.items())]
