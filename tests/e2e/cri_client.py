"""What a kubelet asks of a container runtime: SOCKET run, SOCKET remove ID. Source: as lbaas.host_agent.sandboxes."""

import json
import sys
from pathlib import Path
from uuid import uuid4

from lbaas.host_agent.grpc import call
from lbaas.host_agent.protobuf import message_field, parts, text_field
from lbaas.host_agent.sandboxes import Sandboxes

_SERVICE = "/runtime.v1.RuntimeService"
_PATIENCE_S = 100.0


def run(socket: Path) -> dict[str, str]:
    """There is a pod: its sandbox's id, and the file of its network namespace if it is the only one."""
    metadata = text_field(1, "web") + text_field(2, str(uuid4())) + text_field(3, "default")
    request = message_field(1, message_field(1, metadata))
    (sandbox,) = parts(call(socket, f"{_SERVICE}/RunPodSandbox", request, _PATIENCE_S), 1)
    (namespace,) = Sandboxes(socket).files()
    return {"id": sandbox.decode(), "namespace": str(namespace)}


def remove(socket: Path, sandbox: str) -> None:
    """It is gone."""
    for each in ("StopPodSandbox", "RemovePodSandbox"):
        call(socket, f"{_SERVICE}/{each}", text_field(1, sandbox), _PATIENCE_S)


if __name__ == "__main__":
    server, verb, *of = sys.argv[1:]
    if verb == "run":
        print(json.dumps(run(Path(server))))
    else:
        remove(Path(server), *of)
