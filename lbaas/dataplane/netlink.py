"""A netlink socket that sends many messages at once.

What costs is the answer to each message, so many go in one datagram and only the last asks for an
acknowledgement: the kernel reports errors unasked, by sequence number. Where thousands of services or addresses
are set, that is a hundred times faster than a library that waits for each.
Source: netlink(7), include/uapi/linux/netlink.h.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from lbaas.dataplane.turns import by_turns

_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_SOL_NETLINK, _CAP_ACK, _GET_STRICT_CHK = 270, 10, 12
_SNDBUFFORCE = 32  # SO_SNDBUFFORCE: beyond net.core.wmem_max, with CAP_NET_ADMIN

_ATTRIBUTE = struct.Struct("=HH")
_HEADER = struct.Struct("=IHHII")

# Some 32 KB: a larger datagram gains nothing, a smaller one costs calls (60,000 messages, in the lab's guest: 64 at a
# time 1.1 s, 400 at a time 0.7 s). The errors of one must fit the receive buffer, of which each takes 768 bytes.
_BATCH = 320
_RECEIVE_BUFFER = 4 << 20
_LARGEST_DATAGRAM = 1 << 20

# The kernel answers within the call; a silence of this length is a defect, and must not hang the agent.
_SILENCE_S = 30


class Message(NamedTuple):
    """One request: its type, its flags besides NLM_F_REQUEST, and what follows the header."""

    kind: int
    payload: bytes
    flags: int = 0


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def parse(attributes: bytes) -> dict[int, bytes]:
    """Attributes by their type, without the bits that say nested or big-endian."""
    fields: dict[int, bytes] = {}
    offset = 0
    while offset + 4 <= len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, offset)
        if length < 4:
            break
        fields[kind & 0x3FFF] = attributes[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return fields


class NetlinkSocket:
    """An open socket. It belongs for good to the network namespace it was opened in.

    *send_buffer* bytes hold the largest datagram that is sent at once. *strict*: where the kernel can (Linux 4.20),
    a dump holds only what the request's header names.
    """

    def __init__(self, protocol: int, send_buffer: int = 0, *, strict: bool = False) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._sequence = 0
        # Of memory, it has as much as was ever written into it.
        self._buffer = bytearray(_LARGEST_DATAGRAM)
        try:
            self._socket.settimeout(_SILENCE_S)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            if send_buffer:
                self._socket.setsockopt(socket.SOL_SOCKET, _SNDBUFFORCE, send_buffer)
            self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
            if strict:
                with contextlib.suppress(OSError):
                    self._socket.setsockopt(_SOL_NETLINK, _GET_STRICT_CHK, 1)
            self._socket.bind((0, 0))
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """The socket is given back."""
        self._socket.close()

    def send(self, messages: Sequence[Message]) -> list[int]:
        """All *messages* were carried out in order; the errno of each, 0 where it succeeded."""
        results: list[int] = []
        for start in range(0, len(messages), _BATCH):
            some = messages[start : start + _BATCH]
            results += _codes(self.exchange(some, len(some) - 1), len(some))
        return results

    def send_alike(self, kind: int, payloads: Sequence[bytes]) -> list[int]:
        """As ``send``, of messages of one *kind* whose payloads fill their four bytes."""
        results: list[int] = []
        for start in range(0, len(payloads), _BATCH):
            some = payloads[start : start + _BATCH]
            first, last = self._sequence + 1, len(some) - 1
            self._sequence += len(some)
            size, pack = _HEADER.size, _HEADER.pack
            heads = [
                pack(size + len(payload), kind, _REQUEST, sequence, 0)
                for sequence, payload in enumerate(some, first)
            ]
            heads[-1] = pack(size + len(some[-1]), kind, _REQUEST | _ACK, self._sequence, 0)
            self._socket.send(b"".join(chain.from_iterable(zip(heads, some, strict=True))))
            results += _codes(self._errors(first, last), len(some))
        return results

    def ask(self, message: Message) -> bytes:
        """The payload of the one answer. Raises OSError."""
        self._socket.send(self._encode(message, 0))
        while True:
            for kind, sequence, payload in self._receive():
                if sequence != self._sequence:
                    continue  # the rest of an answer that overran the buffer
                if kind == _ERROR:
                    _raise(payload)
                return payload

    def dump(self, message: Message) -> Iterator[bytes]:
        """The payloads of all answers. Raises OSError."""
        self._socket.send(self._encode(message, _DUMP))
        payloads: list[bytes] = []
        while True:
            for kind, sequence, payload in by_turns(self._receive()):
                if sequence != self._sequence:
                    continue
                if kind == _DONE:
                    return by_turns(payloads)
                if kind == _ERROR:
                    _raise(payload)
                payloads.append(payload)

    def exchange(
        self, messages: Sequence[Message], acknowledged: int, *, one: bool = False
    ) -> dict[int, int]:
        """All *messages* went in one datagram; by place, the errno of the one *acknowledged* and of each that failed.

        If *one*, they are one transaction: an error of its first is an error of all, and nothing follows.
        """
        first = self._sequence + 1
        self._socket.send(
            b"".join(
                self._encode(message, _ACK if place == acknowledged else 0)
                for place, message in enumerate(messages)
            )
        )
        return self._errors(first, acknowledged, one=one)

    def _errors(self, first: int, acknowledged: int, *, one: bool = False) -> dict[int, int]:
        errors: dict[int, int] = {}
        while acknowledged not in errors and not (one and errors.get(0)):
            for kind, sequence, payload in self._receive():
                if kind == _ERROR:
                    errors[sequence - first] = _errno(payload)
        return errors

    def _encode(self, message: Message, flags: int) -> bytes:
        self._sequence += 1
        flags |= _REQUEST | message.flags
        length = _HEADER.size + len(message.payload)
        padding = b"\0" * (-length % 4)
        header = _HEADER.pack(length, message.kind, flags, self._sequence, 0)
        return header + message.payload + padding

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        size = self._socket.recv_into(self._buffer)
        with memoryview(self._buffer) as received:
            datagram = bytes(received[:size])
        offset = 0
        while offset + _HEADER.size <= len(datagram):
            length, kind, _, sequence, _ = _HEADER.unpack_from(datagram, offset)
            yield kind, sequence, datagram[offset + _HEADER.size : offset + length]
            offset += (length + 3) & ~3


def _codes(errors: dict[int, int], count: int) -> list[int]:
    """Those of *count* messages, in order."""
    return [errors.get(place, 0) for place in range(count)] if any(errors.values()) else [0] * count


def _errno(payload: bytes) -> int:
    return -int(struct.unpack_from("=i", payload)[0])


def _raise(payload: bytes) -> None:
    code = _errno(payload)
    raise OSError(code, os.strerror(code))
