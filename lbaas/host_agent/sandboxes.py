"""The pods' network namespaces as the container runtime names them: containerd and CRI-O, by the CRI's own socket.

Source: k8s.io/cri-api/pkg/apis/runtime/v1/api.proto. What a sandbox is made of is in the ``info`` that both runtimes
give when asked for more words: containerd's and CRI-O's SandboxInfo hold the process id and the runtime spec.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog

from lbaas.host_agent.grpc import CallFailed, call
from lbaas.host_agent.protobuf import Malformed, message_field, number_field, parts, text_field

log = structlog.get_logger()

_SERVICE = "/runtime.v1.RuntimeService"
_NOT_FOUND = 5

# ListPodSandboxRequest.filter.state.state is READY: a sandbox that is not has lost its namespace, or will.
_READY = message_field(1, message_field(2, number_field(1, 0)))
_ITEMS, _ID = 1, 1  # of the answer, of each PodSandbox
_SANDBOX, _VERBOSE = 1, 2  # of PodSandboxStatusRequest
_INFO, _KEY, _VALUE = 2, 1, 2  # of the answer, of each entry of its map


class Sandboxes:
    """Asks the runtime at *server*; of a sandbox that it knows already it does not ask again."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._paths: dict[str, Path | None] = {}

    def files(self) -> Iterator[Path]:
        """A file for each pod's namespace. Those of pods that have the machine's own are among them.

        Raises CallFailed if the runtime does not answer: nobody knows then which pods there are.
        """
        ids = self._ids()
        for gone in self._paths.keys() - ids:
            del self._paths[gone]
        for each in ids - self._paths.keys():
            self._look_up(each)
        return (path for path in self._paths.values() if path is not None)

    def _ids(self) -> frozenset[str]:
        answer = call(self._server, f"{_SERVICE}/ListPodSandbox", _READY)
        try:
            found = [_first(item, _ID) for item in parts(answer, _ITEMS)]
        except Malformed as error:
            raise CallFailed(f"{self._server}: ListPodSandbox: {error}") from error
        return frozenset(each.decode() for each in found)

    def _look_up(self, sandbox: str) -> None:
        """The sandbox is known. One that has just gone is not."""
        request = text_field(_SANDBOX, sandbox) + number_field(_VERBOSE, 1)
        try:
            answer = call(self._server, f"{_SERVICE}/PodSandboxStatus", request)
            self._paths[sandbox] = network_namespace(_info(answer))
        except CallFailed as error:
            if error.code != _NOT_FOUND:
                raise
        except ValueError as error:
            self._paths[sandbox] = None
            log.warning("a pod's sandbox can't be read", sandbox=sandbox, error=str(error))


def network_namespace(info: Any) -> Path | None:
    """Where the runtime keeps the sandbox's network namespace, else that of its process; None if it says neither."""
    spec = info.get("runtimeSpec") or {}
    for namespace in (spec.get("linux") or {}).get("namespaces") or ():
        if namespace.get("type") == "network" and namespace.get("path"):
            return Path(namespace["path"])
    pid = info.get("pid")
    return Path(f"/proc/{pid}/ns/net") if pid else None


def _info(answer: bytes) -> Any:
    """Raises ValueError."""
    for entry in parts(answer, _INFO):
        if _first(entry, _KEY) == b"info":
            return json.loads(_first(entry, _VALUE))
    raise Malformed("no info about the sandbox")


def _first(message: bytes, number: int) -> bytes:
    for value in parts(message, number):
        return value
    raise Malformed(f"field {number} is missing")
