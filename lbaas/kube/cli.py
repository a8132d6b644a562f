"""``lbaas kube-controller``."""

import asyncio
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from lbaas.errors import LbaasError
from lbaas.kube.records import DEFAULT_CLASS, Key
from lbaas.kube.running import LeadershipLost, Settings, run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _option(variable: str, words: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(envvar=variable, help=words)
    return option


@app.command()
def kube_controller(
    server_url: Annotated[str, _option("LBAAS_SERVER_URL", "lbaas, as in https://lbaas.example.")],
    token_file: Annotated[Path, _option("LBAAS_TOKEN_FILE", "A file with a tenant's token.")],
    kubeconfig: Annotated[
        Path | None, _option("LBAAS_KUBECONFIG", "Which cluster; that in which we run if left out.")
    ] = None,
    cluster_name: Annotated[
        str | None,
        _option("LBAAS_CLUSTER_NAME", "Its name in lbaas; the uid of kube-system if left out."),
    ] = None,
    load_balancer_class: Annotated[
        str, _option("LBAAS_LOAD_BALANCER_CLASS", "The loadBalancerClass that we serve.")
    ] = DEFAULT_CLASS,
    namespace: Annotated[
        str, _option("LBAAS_NAMESPACE", "Where the lease of the leader is.")
    ] = "lbaas",
    address_pool_v4: Annotated[
        str | None,
        _option("LBAAS_ADDRESS_POOL_V4", "Id of the pool of IPv4 VIPs; any if left out."),
    ] = None,
    address_pool_v6: Annotated[
        str | None,
        _option("LBAAS_ADDRESS_POOL_V6", "Id of the pool of IPv6 VIPs; any if left out."),
    ] = None,
    workers: Annotated[
        int, typer.Option(envvar="LBAAS_WORKERS", min=1, help="Services worked on at a time.")
    ] = 4,
) -> None:
    """Give the Services of a Kubernetes cluster VIPs that their pods answer for directly, until stopped.

    Stopping it changes nothing: VIPs go on being served.
    """
    pools = {4: address_pool_v4, 6: address_pool_v6}
    settings = Settings(
        server_url=server_url,
        token=token_file.read_text().strip(),
        identity=f"{os.environ.get('POD_NAME') or socket.gethostname()}_{uuid4()}",
        lease=Key(namespace, "lbaas-kube-controller"),
        kubeconfig=kubeconfig,
        cluster_name=cluster_name,
        balancer_class=load_balancer_class,
        address_pools={family: pool for family, pool in pools.items() if pool},
        workers=workers,
    )
    lost = False
    try:
        asyncio.run(_until_stopped(settings))
    except* LeadershipLost:
        lost = True
    if lost:
        raise LbaasError(f"lease {settings.lease} could not be renewed: another leads by now")


async def _until_stopped(settings: Settings) -> None:
    running = asyncio.create_task(run(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with suppress(asyncio.CancelledError):
        await running
