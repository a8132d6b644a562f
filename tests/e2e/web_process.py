"""The lab's web server as a process of its own, so that it can be killed: NAME PORT."""

import asyncio
import sys

from lbaas.dataplane.namespaces import Namespace
from lbaas.lab.fabric.web import WebServer


async def serve(name: str, port: int) -> None:
    await WebServer(name).serve(Namespace.current(), None, port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
