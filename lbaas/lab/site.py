"""A whole datacentre under lbaas: the lab, a server, an agent on every node and backend host."""

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from lbaas.client.api import ApiClient
from lbaas.errors import LabError
from lbaas.lab.controller import Lab
from lbaas.lab.handles import Process
from lbaas.lab.kernel.cache import Progress, silent
from lbaas.lab.meeting import meet
from lbaas.lab.messages import Description
from lbaas.lab.server_process import ServerProcess
from lbaas.lab.topology import (
    API_ADDRESS,
    API_PORT,
    NODES_AS,
    ROUTER_AS,
    SEGMENTS,
    VIPS4,
    VIPS6,
    Machine,
    Role,
    Topology,
)

AGENT_READY_TIMEOUT_S = 60
METER_PERIOD_S = 10
TENANT = "acme"


@dataclass(frozen=True)
class Inventory:
    """What the site's API was told, by id. *pools* are keyed by address family."""

    cluster: UUID
    pools: dict[int, UUID]
    tenant: UUID
    tenant_token: str
    nodes: dict[str, UUID]
    hosts: dict[str, UUID]


class Site:
    """Everything runs; *admin* and *tenant* speak to the API. Close it: nothing is left of it then."""

    def __init__(self, lab: Lab, server: ServerProcess, undo: ExitStack) -> None:
        self.lab = lab
        self.server = server
        self.admin = ApiClient(server.url, server.admin_token_file.read_text().strip())
        undo.callback(self.admin.close)
        self.inventory = _provision(self.admin, lab.topology)
        self.tenant = ApiClient(server.url, self.inventory.tenant_token)
        undo.callback(self.tenant.close)
        self.agents: dict[str, Process] = {}
        self._undo = undo

    @classmethod
    def start(cls, topology: Topology | None = None, progress: Progress = silent) -> Self:
        """The datacentre stands, the API knows it, and every agent has reported once.

        Raises ToolMissing if this machine lacks something, LabError with logs if it won't start.
        """
        with ExitStack() as undo:
            meeting = meet()
            server = ServerProcess(meeting.api)
            undo.callback(server.close)
            progress("starting the server and its Postgres")
            server.start()  # it sets its database up while the lab boots
            lab = Lab.start(topology, progress, meeting)
            undo.callback(lab.close)
            progress("waiting for the server")
            server.wait_ready()
            progress("telling the API about cluster, nodes, peers, pools and hosts")
            site = cls(lab, server, undo)
            progress("starting the agents")
            site.start_agents()
            site._undo = undo.pop_all()
        return site

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """No process, namespace or file of the site is left."""
        self._undo.close()

    def describe(self) -> Description:
        """What another terminal has to know, the API included."""
        return self.lab.describe().model_copy(
            update={
                "api_url": self.server.url,
                "admin_token_file": str(self.server.admin_token_file),
                "tenant_token_file": str(
                    _write_token(self.lab, TENANT, self.inventory.tenant_token)
                ),
            }
        )

    def start_agents(self) -> None:
        """An agent runs on each node and backend host, and each has reported to the API."""
        for role in (Role.NODE, Role.BACKEND):
            for machine in self.lab.topology.of(role):
                self._issue_token(machine)
                self.start_agent(machine.name)
        self._await_reports()

    def start_agent(self, name: str, **environment: str) -> Process:
        """The machine's agent runs, with the state that its last run left on disk, in *environment* besides its own."""
        role = "node-agent" if self._machine(name).role is Role.NODE else "host-agent"
        argv = [sys.executable, "-m", "lbaas", role]
        env = self.agent_environment(name) | environment
        process = self.lab.spawn(name, argv, env=env, name=role)
        self.agents[name] = process
        return process

    def kill_node(self, name: str) -> None:
        """The node loses its power: no carrier, no BIRD, no agent. The router is told nothing."""
        self.lab.kill_node(name)

    def revive_node(self, name: str) -> None:
        """The node has carrier again, and BIRD and its agent run."""
        self.lab.revive_node(name)
        self.start_agent(name)

    def agent_environment(self, name: str) -> dict[str, str]:
        """What the agent of the machine *name* is told."""
        machine = self._machine(name)
        environment = {
            "LBAAS_SERVER_URL": f"http://{API_ADDRESS.ip}:{API_PORT}",
            "LBAAS_TOKEN_FILE": str(_token_file(self.lab, name)),
            "LBAAS_STATE_DIR": str(self.lab.directory(name) / "state"),
            # Nobody in a lab waits a minute to see what flowed.
            "LBAAS_METER_PERIOD_S": str(METER_PERIOD_S),
        }
        if machine.role is Role.NODE:
            environment["LBAAS_BIRD_SOCKET"] = str(self.lab.bird_socket(name))
            environment["LBAAS_BIRD_INCLUDE"] = str(self.lab.bird_include(name))
        return environment

    def _machine(self, name: str) -> Machine:
        return next(each for each in self.lab.topology.machines if each.name == name)

    def _issue_token(self, machine: Machine) -> None:
        if machine.role is Role.NODE:
            bearer = {"role": "node", "node_id": str(self.inventory.nodes[machine.name])}
        else:
            bearer = {"role": "host", "host_id": str(self.inventory.hosts[machine.name])}
        token = self.admin.post("/v1/tokens", {"name": machine.name, **bearer})["token"]
        _write_token(self.lab, machine.name, token)

    def _await_reports(self) -> None:
        deadline = time.monotonic() + AGENT_READY_TIMEOUT_S
        while silent_ones := self._not_reported():
            for name in silent_ones:
                if not self.agents[name].alive:
                    raise LabError(f"the agent of {name} ended:\n{self.agents[name].log_tail()}")
            if time.monotonic() > deadline:
                logs = "\n".join(self.agents[name].log_tail() for name in silent_ones)
                raise LabError(f"no report from {', '.join(silent_ones)}:\n{logs}")
            time.sleep(0.2)

    def _not_reported(self) -> list[str]:
        agents = [
            *self.admin.get("/v1/nodes", limit=1000)["items"],
            *self.admin.get("/v1/backend-hosts", limit=1000)["items"],
        ]
        return [agent["name"] for agent in agents if agent["reported_at"] is None]


def _provision(admin: ApiClient, topology: Topology) -> Inventory:
    """The API knows everything of *topology*, and one tenant that may use all of it."""

    def create(path: str, **body: Any) -> UUID:
        return UUID(admin.post(f"/v1/{path}", body)["id"])

    cluster = create("clusters", name="lab", as_number=NODES_AS)
    segment = SEGMENTS[Role.NODE]
    for name, gateway in (("router-v4", segment.gateway4), ("router-v6", segment.gateway6)):
        peer = {"address": str(gateway), "as_number": ROUTER_AS, "bfd": True}
        create("peers", cluster_id=str(cluster), name=name, **peer)
    pools = {
        int(vips.version): create(
            "address-pools", name=f"vips-v{vips.version}", cluster_id=str(cluster), prefix=str(vips)
        )
        for vips in (VIPS4, VIPS6)
    }
    backends = SEGMENTS[Role.BACKEND]
    tenant = create(
        "tenants",
        name=TENANT,
        backend_prefixes=[str(backends.prefix4), str(backends.prefix6)],
    )
    return Inventory(
        cluster=cluster,
        pools=pools,
        tenant=tenant,
        tenant_token=_tenant_token(admin, tenant),
        nodes={
            node.name: create(
                "nodes", cluster_id=str(cluster), name=node.name, addresses=_addresses(node)
            )
            for node in topology.of(Role.NODE)
        },
        hosts={
            host.name: create("backend-hosts", name=host.name, addresses=_addresses(host))
            for host in topology.of(Role.BACKEND)
        },
    )


def _tenant_token(admin: ApiClient, tenant: UUID) -> str:
    body = {"name": TENANT, "role": "member", "tenant_id": str(tenant)}
    return str(admin.post("/v1/tokens", body)["token"])


def _addresses(machine: Machine) -> list[str]:
    return [str(machine.address4), str(machine.address6)]


def _token_file(lab: Lab, name: str) -> Path:
    return lab.share / f"{name}-token"


def _write_token(lab: Lab, name: str, token: str) -> Path:
    file = _token_file(lab, name)
    file.touch(mode=0o600)
    file.write_text(token)
    return file
