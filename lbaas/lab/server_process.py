"""``lbaas server`` as a process of the host, with a Postgres and a data directory of its own."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from lbaas.errors import LabError
from lbaas.lab.lifeline import Lifeline

READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
TAIL = 3000


class ServerProcess:
    """The API of one lab: reached over *api* from inside it, over a loopback port from outside.

    The sockets are ours, not the server's: while it is down, callers wait in their queues.
    """

    def __init__(self, api: socket.socket) -> None:
        self._api = api
        self._loopback = socket.create_server(("127.0.0.1", 0))
        self._directory = Path(tempfile.mkdtemp(prefix="lbaas-server-"))
        self._directory.chmod(0o755)  # Postgres runs as another user if we are root
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: Lifeline | None = None

    @property
    def url(self) -> str:
        """Where a person or a program of this machine reaches the API."""
        return f"http://127.0.0.1:{self._loopback.getsockname()[1]}"

    @property
    def admin_token_file(self) -> Path:
        """Holds the operator's token from the server's first start on."""
        return self._directory / "data" / "admin-token"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """The server is on its way up, with the data of its last run if there was one."""
        listeners = [self._api.fileno(), self._loopback.fileno()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lbaas", "server"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=listeners,
                start_new_session=True,
                env=os.environ
                | {
                    "LBAAS_LISTEN_FDS": json.dumps(listeners),
                    "LBAAS_PORT": "none",
                    "LBAAS_DATA_DIR": str(self._directory / "data"),
                },
            )
        self._lifeline = Lifeline(self._process.pid)

    def wait_ready(self) -> None:
        """It answers, and its database is at the newest migration. Raises LabError with its log."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if self._is_ready():
                return
            time.sleep(0.1)
        raise LabError(f"the server did not become ready:\n{self.log_tail()}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """It has ended, by SIGKILL if it did not heed *number*; its data stay."""
        if self._process is None or self._lifeline is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._lifeline.release()
        self._process, self._lifeline = None, None

    def close(self) -> None:
        """It has ended and nothing of it is left."""
        self.stop()
        self._loopback.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def log_tail(self) -> str:
        """The last of what it wrote."""
        return self.log.read_bytes()[-TAIL:].decode(errors="replace")

    @property
    def log(self) -> Path:
        """What it writes, from its first start on."""
        return self._directory / "server.log"

    def _is_ready(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", timeout=2).is_success
        return False
