"""A host's whole side: in another namespace, and by the commands that ``host-agent print`` writes."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from uuid import UUID

import pytest

from lbaas.dataplane.namespaces import Namespace
from lbaas.host_agent.commands import command, whole
from lbaas.host_agent.inspection import differences
from lbaas.host_agent.reconcile import Host
from tests.unit.host_agent.test_commands import EVERY

OURS = "lbtun4"


@pytest.fixture
def host() -> Iterator[Host]:
    """Of a namespace that has the endpoints and nothing else."""
    namespace = Namespace.new()
    with namespace.inside():
        subprocess.run(["ip", "link", "set", "dev", "lo", "up"], check=True)
        for endpoint in EVERY.endpoints:
            subprocess.run(["ip", "address", "add", str(endpoint), "dev", "lo"], check=True)
    with closing(Host(namespace)) as made:
        yield made


def wrong(host: Host) -> list[str]:
    return [f"{line.what}: {line.wrong}" for line in differences(EVERY, host) if line.wrong]


def test_it_works_in_the_namespace_that_it_was_given_and_in_no_other(host: Host) -> None:
    first, second = (host.reconcile(EVERY, UUID(int=1)) for _ in range(2))
    assert [*first.failures, *second.failures] == []
    assert first.changes > 0
    assert wrong(host) == []
    assert OURS not in {name for _, name in socket.if_nameindex()}


def test_the_printed_commands_do_what_the_agent_does(host: Host) -> None:
    script = "\n".join(map(command, whole(EVERY, host.mtus(EVERY))))
    assert wrong(host) != []
    with host._inside():
        subprocess.run(["sh", "-eu", "-c", script], check=True)
    assert wrong(host) == []


def test_what_is_wrong_can_be_mended_by_the_commands_that_the_check_names(host: Host) -> None:
    host.reconcile(EVERY, UUID(int=1))
    with host._inside():
        subprocess.run(["ip", "link", "delete", "dev", OURS], check=True)
        subprocess.run(["nft", "flush", "table", "inet", "lbaas_host"], check=True)
    found = [line for line in differences(EVERY, host) if line.wrong]
    assert {line.what.partition(":")[0] for line in found} >= {"guard", "link"}
    with host._inside():
        for line in found:
            subprocess.run(["sh", "-eu", "-c", line.mend], check=True)
    assert wrong(host) == []


def test_a_pod_without_vips_has_nothing_of_ours_when_the_last_one_has_lingered() -> None:
    with closing(Host(Namespace.new(), shut_without_vips=True)) as host:
        host.reconcile(EVERY.model_copy(update={"vips": ()}), UUID(int=1))
        assert not host.prepared()
