"""One datagram there, one back: any UDP service, DNS, and ICMP echo.

What does not belong to the probe is not heard: the answer may still come. Silence ends with the probe's time.
"""

import struct
from typing import Literal

from lbaas.health.conversations.conversation import LISTENING, Reply, failed
from lbaas.health.verdicts import PASSED
from lbaas.wire.state import DnsProbe, UdpProbe

_DNS_HEADER = struct.Struct("!HHHHHH")  # id, flags, and how many questions, answers, …
_RECURSION_DESIRED, _RESPONSE = 0x0100, 0x8000
_RECORD_TYPES = {"A": 1, "NS": 2, "SOA": 6, "TXT": 16, "AAAA": 28}
_INTERNET = 1

_ECHO = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_ECHO_REQUEST: dict[int, int] = {4: 8, 6: 128}
_ECHO_REPLY: dict[int, int] = {4: 0, 6: 129}
_ECHO_BODY = b"lbaas"


class Udp:
    """A payload, and an answer that begins as wanted."""

    def __init__(self, probe: UdpProbe) -> None:
        self._payload = bytes.fromhex(probe.payload)
        self._response = bytes.fromhex(probe.response)

    def open(self) -> bytes:
        """The payload."""
        return self._payload

    def hear(self, said: bytes) -> Reply:
        """Any answer decides."""
        if said.startswith(self._response):
            return Reply(result=PASSED)
        return failed(f"answered {said[:16].hex() or 'nothing'}")


class Dns:
    """A question, and an answer without an error. Source: RFC 1035."""

    def __init__(self, probe: DnsProbe, identifier: int) -> None:
        self._probe = probe
        self._identifier = identifier

    def open(self) -> bytes:
        """The question."""
        header = _DNS_HEADER.pack(self._identifier, _RECURSION_DESIRED, 1, 0, 0, 0)
        kind = _RECORD_TYPES[self._probe.record_type]
        return header + _encoded(self._probe.name) + struct.pack("!HH", kind, _INTERNET)

    def hear(self, said: bytes) -> Reply:
        """The answer's code decides."""
        if len(said) < _DNS_HEADER.size:
            return failed("no DNS answer")
        identifier, flags, *_ = _DNS_HEADER.unpack_from(said)
        if identifier != self._identifier or not flags & _RESPONSE:
            return LISTENING
        code = flags & 0xF
        return failed(f"DNS error code {code}") if code else Reply(result=PASSED)


class Echo:
    """An ICMP echo request on a raw socket, which hears all ICMP of the member. Source: RFC 792, 4443."""

    def __init__(self, family: Literal[4, 6], identifier: int) -> None:
        self._family = family
        self._identifier = identifier

    def open(self) -> bytes:
        """The request. Over IPv6 the kernel fills the checksum in."""
        return self._request(0 if self._family == 6 else _checksum(self._request(0)))

    def hear(self, said: bytes) -> Reply:
        """The reply to this very request passes. Over IPv4 *said* begins with the IP header."""
        if self._family == 4 and said:
            said = said[(said[0] & 0xF) * 4 :]
        if len(said) < _ECHO.size:
            return LISTENING
        kind, _, _, identifier, _ = _ECHO.unpack_from(said)
        if (kind, identifier) != (_ECHO_REPLY[self._family], self._identifier):
            return LISTENING
        return Reply(result=PASSED)

    def _request(self, checksum: int) -> bytes:
        kind = _ECHO_REQUEST[self._family]
        return _ECHO.pack(kind, 0, checksum, self._identifier, 1) + _ECHO_BODY


def _encoded(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _checksum(packet: bytes) -> int:
    """The Internet checksum. Source: RFC 1071."""
    padded = packet + b"\0" * (len(packet) % 2)
    words: tuple[int, ...] = struct.unpack(f"!{len(padded) // 2}H", padded)
    total = sum(words)
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
