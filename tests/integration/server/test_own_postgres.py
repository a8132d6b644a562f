import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from lbaas.client.api import ApiClient

from .conftest import LiveServer, listener, make_site, start_server


def postgres_processes(data_dir: Path) -> list[int]:
    """The postmasters that serve *data_dir*, read from the process table."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if command.startswith(b"/") and f"{data_dir}/postgres\0".encode() in command:
                found.append(int(entry.name))
    return found


def socket_directories() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("lbaas-" + "[0-9a-f]" * 12))


def wait_until(condition: Callable[[], bool], timeout_s: float = 20) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_killed_server_leaves_no_postgres_and_the_next_one_finds_the_data(
    short_dir: Callable[[], Path],
) -> None:
    data_dir = short_dir()
    first = start_server(data_dir)
    with ApiClient(first.url, first.admin_token) as admin:
        tenant = admin.post("/v1/tenants", {"name": "kept"})
    assert postgres_processes(data_dir)

    first.stop(signal.SIGKILL)
    assert wait_until(lambda: not postgres_processes(data_dir))

    second = start_server(data_dir)
    with ApiClient(second.url, second.admin_token) as admin:
        assert admin.get(f"/v1/tenants/{tenant['id']}") == tenant
    assert second.stop() == 0
    assert not postgres_processes(data_dir)


def test_a_stale_pid_file_of_a_living_stranger_is_survived(short_dir: Callable[[], Path]) -> None:
    data_dir = short_dir()
    first = start_server(data_dir)
    pid_file = data_dir / "postgres" / "postmaster.pid"
    stale = pid_file.read_text().splitlines()
    first.stop()
    stale[0] = str(os.getpid())
    pid_file.write_text("\n".join(stale) + "\n")
    owner = (data_dir / "postgres").stat()
    os.chown(pid_file, owner.st_uid, owner.st_gid)

    assert start_server(data_dir).stop() == 0


def test_a_deep_data_directory_gets_its_socket_elsewhere(short_dir: Callable[[], Path]) -> None:
    data_dir = short_dir() / ("deep-" * 12) / ("deeper-" * 8)
    data_dir.mkdir(parents=True)

    before = socket_directories()
    server = start_server(data_dir)
    elsewhere = socket_directories() - before
    assert len(elsewhere) == 1
    assert not (data_dir / "run").exists()

    assert server.stop() == 0
    assert not socket_directories() & elsewhere


def test_postgres_does_not_run_as_root(server: LiveServer) -> None:
    [postmaster] = postgres_processes(server.data_dir)

    assert Path(f"/proc/{postmaster}").stat().st_uid != 0


def test_a_stopping_server_answers_those_who_wait(short_dir: Callable[[], Path]) -> None:
    server = start_server(short_dir())
    with ApiClient(server.url, server.admin_token) as admin:
        site = make_site(server, admin)
        body = {"name": "web", "tenant_id": site.tenant["id"], "listeners": [listener()]}
        vip = admin.post("/v1/vips", body)
        token = admin.post(
            "/v1/tokens", {"name": "n", "role": "node", "node_id": site.nodes[0]["id"]}
        )["token"]
    node = {"Authorization": f"Bearer {token}"}
    operator = {"Authorization": f"Bearer {server.admin_token}"}
    state = httpx.get(f"{server.url}/v1/agent/state", headers=node)
    since = state.headers["LBaaS-Revision"]
    answers: dict[str, int] = {}

    def ask(name: str, path: str, headers: dict[str, str]) -> None:
        answers[name] = httpx.get(server.url + path, headers=headers, timeout=60).status_code

    asked = [
        ("state", f"/v1/agent/state?since={since}&timeout_s=50", node),
        ("status", f"/v1/vips/{vip['id']}/status?wait_for=programmed&timeout_s=50", operator),
    ]
    threads = [threading.Thread(target=ask, args=args) for args in asked]
    for thread in threads:
        thread.start()
    time.sleep(0.5)

    assert server.stop() == 0
    for thread in threads:
        thread.join(10)
    assert answers == {"state": 304, "status": 200}
