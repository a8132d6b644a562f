"""The lab's web server in several named network namespaces, each by its name: PORT NAME …"""

import asyncio
import sys
from pathlib import Path

from lbaas.dataplane.namespaces import Namespace
from lbaas.lab.fabric.web import WebServer


async def serve(port: int, names: list[str]) -> None:
    servers = [WebServer(name) for name in names]
    for name, server in zip(names, servers, strict=True):
        await server.serve(Namespace.at(Path("/run/netns") / name), None, port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2:]))
