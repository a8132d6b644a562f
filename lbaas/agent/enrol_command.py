"""``lbaas node-agent enrol`` and ``lbaas host-agent enrol``: this machine's first certificate."""

from pathlib import Path
from typing import Annotated

import typer

from lbaas.agent.enrolment import Introduction, enrol
from lbaas.agent.options import ServerUrl
from lbaas.client.credentials import Files

Token = Annotated[
    str,
    typer.Option(
        envvar="LBAAS_ENROLMENT_TOKEN",
        prompt=True,
        hide_input=True,
        help="What lbaas node enrol or lbaas host enrol has printed; asked for if not given.",
    ),
]
STATE_DIR = Path("/var/lib/lbaas")

Pin = Annotated[
    str | None,
    typer.Option(
        "--ca-sha256", envvar="LBAAS_CA_SHA256", help="The pin that it has printed beside."
    ),
]
CaFile = Annotated[
    Path | None, typer.Option(help="Instead of the pin: the authorities' certificates, in PEM.")
]


def command(role: str) -> typer.Typer:
    """The command of ``node-agent`` or ``host-agent``."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    def enrol_machine(
        server_url: ServerUrl,
        token: Token,
        ca_sha256: Pin = None,
        ca_file: CaFile = None,
        state_dir: Annotated[
            Path, typer.Option(envvar="LBAAS_STATE_DIR", help="The agent's state directory.")
        ] = STATE_DIR / role,
    ) -> None:
        """Get this machine's first certificate with a one-time token.

        The key is made here and stays here. An agent that runs goes on with the new certificate by itself.
        """
        introduction = Introduction(ca_sha256, ca_file)
        issued = enrol(server_url, token.strip(), Files(state_dir), introduction)
        print(f"enrolled as {issued.agent_id}, until {issued.expires_at}; renewed by the agent")

    return app
