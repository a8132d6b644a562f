"""What a backend serves: says who it is and whom it sees, over HTTP, lines and datagrams.

A client that sends ``LINES`` first gets the backend's name and then every line back. Anything else is
HTTP: ``GET /bytes/N`` answers N bytes, a POST is read to its end, each answer names backend, client and
the address that was asked. The server closes first, so that a client may use a source port again.
"""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv6Address

from lbaas.dataplane.namespaces import Namespace

HELLO = b"LINES\n"
BACKLOG = 512
CHUNK = b"x" * 65536

IP_FREEBIND = 15  # linux/in.h: an address may be bound before the machine has it
PKTINFO = struct.Struct("16sI")  # struct in6_pktinfo


@dataclass(frozen=True)
class _Seen:
    """Both ends of a conversation as the backend sees them."""

    backend: str
    client: str
    client_port: int
    vip: str

    def said(self, **more: object) -> bytes:
        return json.dumps(vars(self) | more).encode()


class WebServer:
    """Serves on *port* of every address of a namespace, present and future, or of *address* only."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._server: asyncio.Server | None = None

    async def serve(self, namespace: Namespace, address: str | None, port: int) -> None:
        """It answers from now on."""
        with namespace.inside():
            stream = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        for each in (stream, datagrams):
            _bind(each, address, port)
        datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        stream.listen(BACKLOG)
        self._server = await asyncio.start_server(self._converse, sock=stream, backlog=BACKLOG)
        asyncio.get_running_loop().add_reader(datagrams, self._answer_datagram, datagrams)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client, vip = writer.get_extra_info("peername"), writer.get_extra_info("sockname")
        seen = _Seen(self._name, _plain(client[0]), client[1], _plain(vip[0]))
        try:
            first = await reader.readline()
            if first == HELLO:
                await _echo(seen, reader, writer)
            elif first:
                await _http(seen, first, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away, which is its own affair
        finally:
            writer.close()

    def _answer_datagram(self, datagrams: socket.socket) -> None:
        """From the address that was asked: the default would be an address of the interface."""
        _, ancillary, _, client = datagrams.recvmsg(2048, socket.CMSG_SPACE(PKTINFO.size))
        asked, _ = PKTINFO.unpack(ancillary[0][2])
        seen = _Seen(self._name, _plain(client[0]), client[1], _plain(asked))
        source = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, PKTINFO.pack(asked, 0))
        datagrams.sendmsg([seen.said()], [source], 0, client)


async def _echo(seen: _Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(seen.backend.encode() + b"\n")
    while line := await reader.readline():
        writer.write(line)


async def _http(
    seen: _Seen, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    method, path, _ = first.decode("latin-1").split(" ", 2)
    uploading = await _content_length(reader)
    received = await _discard(reader, uploading)
    if method == "GET" and path.startswith("/bytes/"):
        await _send_bytes(writer, int(path.removeprefix("/bytes/")))
        return
    body = seen.said(received=received)
    writer.write(_head("application/json", len(body)) + body)
    await writer.drain()


async def _content_length(reader: asyncio.StreamReader) -> int:
    length = 0
    while (line := await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return length


async def _discard(reader: asyncio.StreamReader, length: int) -> int:
    left = length
    while left:
        chunk = await reader.read(min(left, len(CHUNK)))
        if not chunk:
            break
        left -= len(chunk)
    return length - left


async def _send_bytes(writer: asyncio.StreamWriter, length: int) -> None:
    writer.write(_head("application/octet-stream", length))
    while length:
        chunk = CHUNK[:length]
        writer.write(chunk)
        await writer.drain()
        length -= len(chunk)


def _head(kind: str, length: int) -> bytes:
    return (
        "HTTP/1.1 200 OK\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode()


def _bind(endpoint: socket.socket, address: str | None, port: int) -> None:
    """IPv4 arrives on the same socket, as mapped addresses."""
    endpoint.setblocking(False)  # noqa: FBT003 - the socket module's own signature
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    endpoint.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    endpoint.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    endpoint.bind((_mapped(address) if address else "::", port))


def _mapped(address: str) -> str:
    return address if ":" in address else f"::ffff:{address}"


def _plain(address: str | bytes) -> str:
    """``10.0.0.1`` for ``::ffff:10.0.0.1``."""
    parsed = IPv6Address(address)
    return str(parsed.ipv4_mapped or parsed)
