"""Asking a container runtime for its pods: the real gRPC and protobuf libraries answer in the runtime's stead."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # ships no type information
import pytest
from google.protobuf import (  # type: ignore[import-untyped]  # ships no type information
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)

from lbaas.host_agent.grpc import CallFailed, call
from lbaas.host_agent.sandboxes import Sandboxes

_STRING, _BOOL, _ENUM, _MESSAGE = 9, 8, 14, 11
_SERVICE = "runtime.v1.RuntimeService"
_LARGE = "x" * 200_000  # more than HTTP/2 lets anybody send unasked

# Of k8s.io/cri-api/pkg/apis/runtime/v1/api.proto what matters here: name, number, type, message; and repeated ones.
_SCHEMA: dict[str, list[tuple[str, int, int, str]]] = {
    "PodSandboxStateValue": [("state", 1, _BOOL, "")],
    "PodSandboxFilter": [("id", 1, _STRING, ""), ("state", 2, _MESSAGE, "PodSandboxStateValue")],
    "ListPodSandboxRequest": [("filter", 1, _MESSAGE, "PodSandboxFilter")],
    "PodSandbox": [("id", 1, _STRING, "")],
    "ListPodSandboxResponse": [("items", 1, _MESSAGE, "PodSandbox")],
    "PodSandboxStatusRequest": [("pod_sandbox_id", 1, _STRING, ""), ("verbose", 2, _BOOL, "")],
    "PodSandboxStatusResponse": [("info", 2, _MESSAGE, "Info")],
    "Info": [("key", 1, _STRING, ""), ("value", 2, _STRING, "")],
}
_REPEATED = {"items", "info"}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="cri.proto", package="cri", syntax="proto3")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in fields:
            label = 3 if field in _REPEATED else 1
            said = {"type_name": f".cri.{of}"} if of else {}
            message.field.add(name=field, number=number, type=kind, label=label, **said)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return dict(message_factory.GetMessageClassesForFiles(["cri.proto"], pool))


class Runtime:
    """Its sandboxes by id, with what it says of each; *asked* are the ids that it was asked about."""

    def __init__(self) -> None:
        self.sandboxes: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()
        self.asked: list[str] = []
        self._of = _classes()

    def list(self, request: Any, _: grpc.ServicerContext) -> Any:
        assert request.HasField("filter"), "those that are not ready must be left out"
        assert request.filter.HasField("state")
        ids = [self._of["cri.PodSandbox"](id=each) for each in (*self.sandboxes, *self.gone)]
        return self._of["cri.ListPodSandboxResponse"](items=ids)

    def status(self, request: Any, context: grpc.ServicerContext) -> Any:
        assert request.verbose
        self.asked.append(request.pod_sandbox_id)
        if request.pod_sandbox_id not in self.sandboxes:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such sandbox: é")
        value = json.dumps({**self.sandboxes[request.pod_sandbox_id], "config": _LARGE})
        info = [self._of["cri.Info"](key="info", value=value)]
        return self._of["cri.PodSandboxStatusResponse"](info=info)

    def handlers(self) -> dict[str, grpc.RpcMethodHandler]:
        return {
            name: grpc.unary_unary_rpc_method_handler(
                answer,
                request_deserializer=self._of[f"cri.{name}Request"].FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
            for name, answer in (("ListPodSandbox", self.list), ("PodSandboxStatus", self.status))
        }


@contextmanager
def serving(runtime: Runtime, socket: Path) -> Iterator[None]:
    server = grpc.server(ThreadPoolExecutor(2))
    handlers = runtime.handlers()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(_SERVICE, handlers)])
    server.add_insecure_port(f"unix://{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait(60)


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "runtime.sock"


@pytest.fixture
def runtime(socket: Path) -> Iterator[Runtime]:
    made = Runtime()
    with serving(made, socket):
        yield made


def at(path: str) -> dict[str, Any]:
    return {"runtimeSpec": {"linux": {"namespaces": [{"type": "network", "path": path}]}}}


def test_the_namespaces_are_those_of_the_runtimes_sandboxes(runtime: Runtime, socket: Path) -> None:
    found = Sandboxes(socket)
    assert list(found.files()) == []
    runtime.sandboxes = {"a": at("/run/netns/a"), "b": {"pid": 7}}
    assert set(found.files()) == {Path("/run/netns/a"), Path("/proc/7/ns/net")}
    del runtime.sandboxes["a"]
    assert list(found.files()) == [Path("/proc/7/ns/net")]


def test_a_sandbox_is_looked_up_once(runtime: Runtime, socket: Path) -> None:
    runtime.sandboxes = {"a": at("/run/netns/a")}
    found = Sandboxes(socket)
    for _ in range(2):
        assert list(found.files()) == [Path("/run/netns/a")]
    assert runtime.asked == ["a"]


def test_a_sandbox_that_has_just_gone_is_none(runtime: Runtime, socket: Path) -> None:
    runtime.gone = {"a"}
    assert list(Sandboxes(socket).files()) == []


def test_one_that_can_not_be_read_does_not_hide_the_others(runtime: Runtime, socket: Path) -> None:
    runtime.sandboxes = {"a": {}, "b": at("/run/netns/b")}
    assert list(Sandboxes(socket).files()) == [Path("/run/netns/b")]


def test_what_the_server_refuses_is_said_in_its_words(runtime: Runtime, socket: Path) -> None:
    with pytest.raises(CallFailed, match="no such sandbox: é") as refused:
        call(socket, f"/{_SERVICE}/PodSandboxStatus", bytes.fromhex("0a01611001"))
    assert (refused.value.code, runtime.asked) == (grpc.StatusCode.NOT_FOUND.value[0], ["a"])
    with pytest.raises(CallFailed) as unknown:
        call(socket, f"/{_SERVICE}/Nothing", b"")
    assert unknown.value.code == grpc.StatusCode.UNIMPLEMENTED.value[0]


def test_a_runtime_that_is_not_there_is_told_from_one_without_pods(socket: Path) -> None:
    with pytest.raises(CallFailed) as failed:
        Sandboxes(socket).files()
    assert failed.value.code is None
