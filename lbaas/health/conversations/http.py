"""HTTP/1.1, as much of it as a check needs: one request, the status line, and some of the body.

Source: RFC 9112.
"""

from lbaas.domain.addresses import Address
from lbaas.health.conversations.conversation import LISTENING, Reply, failed
from lbaas.health.verdicts import PASSED
from lbaas.wire.state import HttpProbe

# An answer whose head is longer, or that says the wanted words only later, fails.
LONGEST_ANSWER = 64 * 1024
_LONGEST_STATUS_LINE = 1024


class Http:
    """One request. Without ``body_contains`` the status line decides, and the rest is not waited for."""

    def __init__(self, probe: HttpProbe, address: Address, port: int) -> None:
        self._probe = probe
        self._host = probe.host or _authority(address, port)
        self._heard = bytearray()

    def open(self) -> bytes:
        """The request."""
        return (
            f"{self._probe.method} {self._probe.path} HTTP/1.1\r\nHost: {self._host}\r\n"
            "User-Agent: lbaas\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        ).encode()

    def hear(self, said: bytes) -> Reply:
        """Passed or failed as soon as that can be told."""
        self._heard += said
        line, end, _ = self._heard.partition(b"\r\n")
        if not end:
            if said and len(line) < _LONGEST_STATUS_LINE:
                return LISTENING
            return failed("no HTTP answer" if line else "closed without an answer")
        status = _status(bytes(line))
        if status is None:
            return failed("no HTTP answer")
        if not any(first <= status <= last for first, last in self._probe.statuses):
            return failed(f"status {status}")
        return self._body(ended=not said)

    def _body(self, *, ended: bool) -> Reply:
        words = self._probe.body_contains
        if not words:
            return Reply(result=PASSED)
        _, _, body = self._heard.partition(b"\r\n\r\n")
        if words.encode() in body:
            return Reply(result=PASSED)
        if ended or len(self._heard) >= LONGEST_ANSWER:
            return failed(f"the body does not contain {words!r}")
        return LISTENING


def _status(line: bytes) -> int | None:
    version, _, rest = line.partition(b" ")
    code = rest[:3]
    if not version.startswith(b"HTTP/1.") or len(code) != 3 or not code.isdigit():
        return None
    return int(code)


def _authority(address: Address, port: int) -> str:
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"{host}:{port}"
