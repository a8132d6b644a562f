"""What a service manager is told: that the agent is ready, what it is at, and that it still turns.

Source: sd_notify(3), systemd.service(5) on WatchdogSec.
"""

import contextlib
import os
import socket
from collections.abc import Mapping


class Supervisor:
    """Speaks to whatever started this process and asked for it; to nobody if nobody did."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_us = int(environ.get("WATCHDOG_USEC", "0")) if ours else 0

    @property
    def patience_s(self) -> float | None:
        """How long a turn of the agent may wait for news; None if nobody watches."""
        return self._watchdog_us / 2_000_000 or None

    def ready(self) -> None:
        """The agent is up."""
        self._tell("READY=1")

    def alive(self, status: str) -> None:
        """The agent has gone through another turn, and *status* says with what result."""
        self._tell("WATCHDOG=1", f"STATUS={status}")

    def stopping(self) -> None:
        """The agent ends by itself."""
        self._tell("STOPPING=1")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # "@" stands for the NUL of an abstract address.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        # Whether somebody listens changes nothing for the data plane.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened,
        ):
            opened.sendto("\n".join(lines).encode(), address)
