"""The node agent's real program, on a machine where nothing else is ours: bad answers, a full disk, a spoilt file."""

import base64
import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest

from lbaas.client.api import Json
from lbaas.dataplane.link.netlink import ROUTE_PROTOCOL
from lbaas.lab.handles import Process
from lbaas.lab.site import Site
from lbaas.node_agent.missing import UNTRIED
from lbaas.wire.body import Update, encode
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Delta, Entries
from lbaas.wire.lineage import EPOCH, MADE_AT
from tests.e2e.balanced import CLIENT, eventually

AGENT = UUID(int=7)
FIRST_MARK = 0x20000000
FIRST_VIP = IPv4Address("203.0.113.1")
PORT = 8099
SERVER = Path(__file__).with_name("bad_server.py")


def entries(vips: int) -> dict[str, bytes]:
    """A cluster of one node, without routers, and so many VIPs."""
    marks = {"first": FIRST_MARK, "last": FIRST_MARK + 0xFF}
    cluster = {"cluster": str(UUID(int=1)), "as_number": 65001, "marks": marks}
    node = canonical_json({"name": CLIENT, "admin_state": "active"})
    return {
        "cluster": canonical_json(cluster),
        f"node/{AGENT}": node,
        **{f"vip/{UUID(int=100 + number)}": vip(number) for number in range(vips)},
    }


def vip(number: int) -> bytes:
    listener = {
        "mark": FIRST_MARK + number,
        "protocol": "tcp",
        "ports": [{"first": 80, "last": 80}],
        "scheduler": "mh",
        "forwarding": "tunnel",
        "backends": [{"address": "10.0.20.11", "weight": 1}],
    }
    return canonical_json({"address": str(FIRST_VIP + number), "listeners": [listener]})


def state(revision: int, vips: int) -> tuple[bytes, str]:
    """Body and digest of a whole state."""
    values = entries(vips)
    return encode(Update("cluster", None, revision, Delta(values))), Entries.of(values).digest


def answer(name: str, body: bytes, digest: str, status: int = 200) -> dict[str, object]:
    headers = {"LBaaS-Agent": str(AGENT), "LBaaS-Digest": digest}
    encoded = base64.b64encode(body).decode()
    return {"name": name, "status": status, "headers": headers, "body": encoded}


def made(said: dict[str, object], epoch: UUID, made_at_us: int) -> dict[str, object]:
    """The answer *said*, of an epoch and a moment; of what the agent held before, the server knows nothing."""
    headers = {EPOCH: str(epoch), MADE_AT: str(made_at_us)}
    return said | {"headers": {**cast("dict[str, str]", said["headers"]), **headers}}


@dataclass
class Machine:
    """The client's machine, with an agent and a server of its own."""

    site: Site
    directory: Path
    running: list[Process] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.directory / "served.log"

    def serve(self, *answers: dict[str, object]) -> None:
        script = self.directory / "answers.json"
        script.write_text(json.dumps(answers))
        argv = [sys.executable, str(SERVER), str(PORT), str(script), str(self.log)]
        self._spawn(argv, {})

    def agent(self, state_dir: str) -> Process:
        token = self.directory / "token"
        token.write_text("any")
        environment = {
            "LBAAS_SERVER_URL": f"http://127.0.0.1:{PORT}",
            "LBAAS_TOKEN_FILE": str(token),
            "LBAAS_STATE_DIR": state_dir,
            "LBAAS_BIRD_SOCKET": "/run/no-bird.ctl",
            "LBAAS_BIRD_INCLUDE": "/run/no-bird.conf",
            "LBAAS_FINDINGS": "/run/no-findings",
            "LBAAS_CYCLE_S": "1",
        }
        return self._spawn([sys.executable, "-m", "lbaas", "node-agent"], environment)

    def _spawn(self, argv: list[str], environment: dict[str, str]) -> Process:
        started = self.site.lab.spawn(CLIENT, argv, env=environment)
        self.running.append(started)
        return started

    def stop(self, process: Process) -> None:
        process.kill(signal.SIGKILL)
        process.wait()

    def served(self, line: str) -> bool:
        return self.log.exists() and line in self.log.read_text()

    def reports(self) -> list[Json]:
        """What the agent has reported, oldest first."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [
            json.loads(line.removeprefix("report ")) for line in lines if line.startswith("report ")
        ]

    def sh(self, command: str) -> str:
        ran = self.site.lab.run(CLIENT, ["sh", "-c", command])
        assert ran.status == 0, ran.stderr
        return ran.stdout

    def services(self) -> int:
        return self.sh("ipvsadm -Sn").count("-A -f")

    def end(self) -> None:
        for process in self.running:
            if process.alive:
                self.stop(process)
        self.sh(
            "ipvsadm -C; nft delete table inet lbaas; nft delete table inet lbaas_probes;"
            f"ip route flush table local proto {ROUTE_PROTOCOL}; true"
        )


@pytest.fixture
def machine(site: Site, tmp_path: Path) -> Iterator[Machine]:
    directory = site.lab.share / tmp_path.name
    directory.mkdir()
    machine = Machine(site, directory)
    yield machine
    machine.end()


def test_bad_answers_change_nothing_and_the_next_good_one_counts(machine: Machine) -> None:
    good, digest = state(7, vips=2)
    newer, newer_digest = state(9, vips=5)
    older, older_digest = state(5, vips=1)
    machine.serve(
        answer("good", good, digest),
        answer("garbage", b"<html>a captive portal</html>", newer_digest),
        answer("truncated", newer[:-40], newer_digest),
        answer("wrong digest", newer, digest),
        answer("older", older, older_digest),
        answer("broken", b"bad gateway", digest, status=502),
        answer("better", newer, newer_digest),
    )
    agent = machine.agent("/run/lbaas-bad-answers")
    seen: set[int] = set()

    def better() -> bool:
        seen.add(machine.services())
        return machine.served("better") and machine.services() == 5

    eventually(better)
    assert seen <= {0, 2, 5}
    assert agent.alive
    eventually(lambda: machine.served('"revision":9'))
    # It does not try the kernel itself, and says that nobody did.
    assert machine.served(UNTRIED)
    said = agent.log.read_text()
    assert said.count("not a state to hold") >= 4, said


def test_a_database_restored_to_the_past_takes_nothing_away_until_an_operators_word(
    machine: Machine,
) -> None:
    before, after = UUID(int=1), UUID(int=2)
    held, digest = state(7, vips=3)
    past, past_digest = state(5, vips=1)
    machine.serve(
        made(answer("present", held, digest), before, 700),
        made(answer("restored", past, past_digest), before, 500),
    )
    agent = machine.agent("/run/lbaas-restored")
    eventually(lambda: machine.served('"subsystem":"epoch"'))  # reported
    machine.stop(agent)
    machine.stop(machine.running[0])  # the server
    assert machine.services() == 3

    machine.serve(made(answer("the word", past, past_digest), after, 500))
    machine.agent("/run/lbaas-restored")  # which holds on its disk what the server does not know
    eventually(lambda: machine.services() == 1)


def test_a_full_disk_keeps_nothing_from_the_kernel_and_a_spoilt_file_is_not_believed(
    machine: Machine,
) -> None:
    machine.sh("mkdir /run/full && mount -t tmpfs -o size=16k tmpfs /run/full")
    machine.sh("dd if=/dev/zero of=/run/full/fill bs=4k count=3 status=none")
    try:
        good, digest = state(7, vips=40)
        machine.serve(answer("good", good, digest))
        agent = machine.agent("/run/full")
        eventually(lambda: machine.services() == 40)
        eventually(lambda: "state not saved" in agent.log.read_text())
        machine.stop(agent)
        machine.sh("rm /run/full/fill; echo 7 spoilt >/run/full/last-good-state")
        machine.stop(machine.running[0])  # the server
        blind = machine.agent("/run/full")
        eventually(lambda: "state on disk not used" in blind.log.read_text())
        eventually(lambda: "no state from the server" in blind.log.read_text())
        assert blind.alive
        assert machine.services() == 40
        machine.stop(blind)
    finally:
        machine.sh("umount /run/full")
