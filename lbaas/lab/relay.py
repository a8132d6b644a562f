"""A running lab's control socket: other terminals speak through it to the same fabric."""

import os
import socket
import socketserver
import threading
import time
from pathlib import Path

from lbaas.errors import LabError
from lbaas.lab.messages import Description, Done, Hello, Message, encode_answer, encode_error
from lbaas.lab.remote import Remote
from lbaas.lab.requests import Describe, TearDown, decode_request

ANSWER_TIMEOUT_S = 3600  # a command that someone runs by hand may take its time


def socket_path() -> Path:
    """Where this user's lab listens."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or ("/run" if os.geteuid() == 0 else None)
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime, "lbaas-lab.sock")
    return Path.home() / ".cache/lbaas/lab.sock"


def connect() -> socket.socket:
    """A connection to this user's running lab. Raises LabError if there is none."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(socket_path()))
    except OSError:
        connection.close()
        raise LabError("no lab is running: start one with lbaas lab up") from None
    return connection


class Relay:
    """Passes requests on to the fabric, but for two: who the lab is, and that it shall end."""

    def __init__(self, remote: Remote, description: Description) -> None:
        self.remote = remote
        self.description = description
        self.ending = threading.Event()
        self._path = socket_path()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _claim(self._path)
        # Whoever may connect may run commands as us.
        mask = os.umask(0o177)
        try:
            self._server = _Server(str(self._path), _Conversation)
        finally:
            os.umask(mask)
        self._server.relay = self
        threading.Thread(target=self._server.serve_forever, name="lab-relay", daemon=True).start()

    def close(self) -> None:
        """Nobody can connect any more."""
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.server_close()

    def answer(self, line: bytes) -> bytes:
        """The answer to one line of a conversation."""
        number, request = decode_request(line)
        answer: Message
        try:
            match request:
                case Describe():
                    answer = self.description
                case TearDown():
                    self.ending.set()
                    answer = Done()
                case _:
                    answer = self.remote.ask(request, ANSWER_TIMEOUT_S)
        except LabError as error:
            return encode_error(number, str(error))
        return encode_answer(number, answer)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    relay: Relay


class _Conversation(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        relay = self.server.relay
        hello = Hello(clock_s=time.monotonic(), kernel=relay.remote.hello.kernel)
        self.wfile.write(encode_answer(0, hello))
        for line in self.rfile:
            self.wfile.write(relay.answer(line))


def _claim(path: Path) -> None:
    """The socket's name is free: whoever had it is gone. Raises LabError if a lab is running."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise LabError("you have a lab running already: lbaas lab down ends it")
