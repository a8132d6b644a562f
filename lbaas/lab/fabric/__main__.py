"""``python -m lbaas.lab.fabric``: started by the lab, not by people."""

import argparse
import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from lbaas.dataplane.namespaces import Namespace
from lbaas.lab.fabric.executor import Executor, serve
from lbaas.lab.fabric.network import Network

WAITING_COMMANDS = 64  # each Run waits in a thread; the default of five on one CPU would queue them


def main() -> None:
    """The uplink stands and the controller is obeyed until it goes away."""
    options = _options()
    if options.namespace_fd is not None:
        Namespace(options.namespace_fd).enter()
    network = Network(Namespace.current())
    network.uplink(options.uplink, options.address)
    asyncio.run(_serve(network, *options.controller.split(":")))
    os._exit(0)  # threads that still wait for commands must not hold us


async def _serve(network: Network, host: str, port: str) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(WAITING_COMMANDS))
    await serve(Executor(network), host, int(port))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lbaas.lab.fabric")
    parser.add_argument("--controller", required=True, help="HOST:PORT to connect to")
    parser.add_argument("--uplink", required=True, help="interface that leads to the host")
    parser.add_argument("--address", help="ADDRESS/LENGTH of the fabric on the management segment")
    parser.add_argument("--namespace-fd", type=int, help="network namespace to work from")
    return parser.parse_args()


if __name__ == "__main__":
    main()
