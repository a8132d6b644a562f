"""A call to a gRPC server on a Unix socket: one message there, one back. A connection each, since calls are rare.

Source: the gRPC protocol over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md).
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from lbaas.errors import LbaasError

_HEAD = struct.Struct(">BI")  # compressed, length
_PLAIN = 0
_TIMEOUT_S = 5.0
_CHUNK = 65536


class CallFailed(LbaasError):
    """The server could not be reached, or says that the call failed. *code* is gRPC's, None without an answer."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class _Answer:
    """What has come so far."""

    body: bytearray = field(default_factory=bytearray)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    over: bool = False


def call(server: Path, method: str, message: bytes, timeout_s: float = _TIMEOUT_S) -> bytes:
    """What *server* answers to *message* at *method*, as in ``/package.Service/Method``. Raises CallFailed."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(server))
            return _message(_converse(connection, method, message))
    except (OSError, ProtocolError) as error:
        raise CallFailed(f"{server}: {method}: {error}") from error


def _converse(connection: socket.socket, method: str, message: bytes) -> _Answer:
    http = H2Connection(H2Configuration(header_encoding=None))
    http.initiate_connection()
    stream = http.get_next_available_stream_id()
    http.send_headers(stream, _headers(method))
    http.send_data(stream, _HEAD.pack(_PLAIN, len(message)) + message, end_stream=True)
    answer = _Answer()
    while not answer.over:
        connection.sendall(http.data_to_send())
        received = connection.recv(_CHUNK)
        if not received:
            raise CallFailed(f"{method}: the server hung up")
        for event in http.receive_data(received):
            _take(http, answer, event)
    return answer


def _headers(method: str) -> list[tuple[bytes, bytes]]:
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", method.encode()),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    ]


def _take(http: H2Connection, answer: _Answer, event: Event) -> None:
    match event:
        case DataReceived():
            answer.body += event.data
            http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        case ResponseReceived() | TrailersReceived():
            answer.headers |= dict(event.headers)
        case StreamEnded() | StreamReset() | ConnectionTerminated():
            answer.over = True


def _message(answer: _Answer) -> bytes:
    code = int(answer.headers.get(b"grpc-status", b"2"))  # 2 is UNKNOWN
    if code:
        words = unquote(answer.headers.get(b"grpc-message", b"no status").decode())
        raise CallFailed(words, code)
    messages = list(_messages(bytes(answer.body)))
    if len(messages) != 1:
        raise CallFailed(f"{len(messages)} messages where one should be")
    return messages[0]


def _messages(body: bytes) -> Iterator[bytes]:
    while body:
        compressed, length = _HEAD.unpack_from(body)
        if compressed:
            raise CallFailed("a compressed message, which nobody asked for")
        yield body[_HEAD.size : _HEAD.size + length]
        body = body[_HEAD.size + length :]
