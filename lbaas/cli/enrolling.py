"""``lbaas node enrol`` and ``lbaas host enrol``: a one-time token for a machine's certificate, and an end to it."""

import typer

from lbaas.cli import references, render
from lbaas.cli.completing import names_of
from lbaas.cli.session import Given, Session, add, argument, option, session
from lbaas.client.kinds import BACKEND_HOSTS, NODES, AnyKind
from lbaas.wire.enrolment import HOUR_S, EnrolmentCreate, NewEnrolment

VALID = option(
    "expires_in_s",
    int,
    "How long the token may wait, in seconds.",
    "--expires-in-s",
    default=HOUR_S,
)


def add_to_nodes(nodes: typer.Typer) -> None:
    """``lbaas node enrol`` and ``revoke``."""
    _Machines(NODES, "node-agent").add_to(nodes)


def add_to_hosts(hosts: typer.Typer) -> None:
    """``lbaas host enrol`` and ``revoke``."""
    _Machines(BACKEND_HOSTS, "host-agent").add_to(hosts)


class _Machines:
    def __init__(self, kind: AnyKind, agent: str) -> None:
        self._kind = kind
        self._agent = agent

    def add_to(self, group: typer.Typer) -> None:
        which = argument("which", "NAME", "Its name, or its id.", complete=names_of(self._kind))
        text = "Make a one-time token, with which its agent gets a certificate."
        add(group, "enrol", self._enrol, text, which, VALID)
        add(group, "revoke", self._revoke, "Let none of its certificates open anything.", which)

    def _enrol(self, given: Given) -> None:
        body = EnrolmentCreate(expires_in_s=given["expires_in_s"])
        with session(given) as now:
            answer = now.api.post(self._path(now, given, "enrolments"), body.model_dump())
            made = NewEnrolment.model_validate(answer)
            if now.for_people:
                now.print("\n".join(self._how(made)))
            else:
                now.print(render.object_text(made, now.output))

    def _how(self, made: NewEnrolment) -> list[str]:
        return [
            f"on {made.name}, before {made.expires_at:%Y-%m-%dT%H:%M:%SZ}, once:",
            "",
            f"lbaas {self._agent} enrol --server-url URL \\",
            f"  --ca-sha256 {made.authority_sha256[0]} \\",
            f"  --token {made.token}",
        ]

    def _revoke(self, given: Given) -> None:
        with session(given) as now:
            now.api.delete(self._path(now, given, "certificates"))
            now.tell(f"no certificate of {given['which']} opens anything any more")

    def _path(self, now: Session, given: Given, what: str) -> str:
        machine = references.find(references.collection(now.api, self._kind), given["which"])
        return f"/v1/{self._kind.path}/{machine.id}/{what}"
