"""BIRD's control socket: a line in, numbered lines out."""

import socket
from pathlib import Path

from lbaas.errors import LbaasError


class BirdUnavailable(LbaasError):
    """BIRD does not answer. *running* is False if nothing listens on its socket."""

    def __init__(self, cause: str, *, running: bool) -> None:
        super().__init__(cause)
        self.running = running


class BirdRefused(LbaasError):
    """BIRD answered with an error: 8xxx at run time, 9xxx for a command it can't parse."""


class BirdControl:
    """An open control session. Raises BirdUnavailable where BIRD does not answer within *timeout_s*.

    Source: BIRD 2.0 Programmer's Guide, "Command line interface".
    """

    def __init__(self, path: Path, timeout_s: float = 3) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lines = self._socket.makefile("rb", buffering=65536)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
            self._reply()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            self.close()
            raise BirdUnavailable(f"{path}: {error.strerror}", running=False) from error
        except OSError as error:
            self.close()
            raise BirdUnavailable(f"{path}: {error}", running=True) from error

    def close(self) -> None:
        """The session is over."""
        self._lines.close()
        self._socket.close()

    def command(self, line: str) -> list[str]:
        """The answer's lines without their numbers. Raises BirdRefused for an error."""
        try:
            self._socket.sendall(line.encode() + b"\n")
            code, lines = self._reply()
        except OSError as error:
            raise BirdUnavailable(f"no answer to {line!r}: {error}", running=True) from error
        if code >= 8000:
            raise BirdRefused(f"{line}: {' '.join(lines)}")
        return lines

    def _reply(self) -> tuple[int, list[str]]:
        """``NNNN-text`` goes on, ``NNNN text`` ends; a leading blank continues, "+" is a log line."""
        lines: list[str] = []
        while True:
            line = self._line()
            if line.startswith("+"):
                continue
            if line.startswith(" "):
                lines.append(line[1:])
                continue
            lines.append(line[5:])
            if line[4:5] != "-":
                return int(line[:4]), lines

    def _line(self) -> str:
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionResetError("BIRD closed the session")
        return line[:-1].decode(errors="replace")
