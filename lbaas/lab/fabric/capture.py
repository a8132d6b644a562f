"""Packet capture on any interface of any namespace, inside this process."""

import asyncio
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from lbaas.dataplane.namespaces import Namespace
from lbaas.lab.fabric.packets import decode
from lbaas.lab.messages import Captured, Packet

ETH_P_ALL = 3
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
SOL_PACKET, PACKET_STATISTICS = 263, 6  # linux/if_packet.h

BUFFER_BYTES = 16 * 1024 * 1024
SNAP_BYTES = 200  # two IPv6 headers, a TCP header and some payload
BATCH = 256  # packets read before the others get their turn

PCAP_MAGIC = 0xA1B2C3D4
LINKTYPE_RAW = 101  # begins with an IP header: alike on Ethernet and on tunnel devices


@dataclass(frozen=True, slots=True)
class _Record:
    at_s: float
    interface: str
    outgoing: bool
    head: bytes
    length: int


class Capture:
    """Records the IP packets that pass *interface* (``any``: every one) from now until stopped."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        self._records: list[_Record] = []
        self._wall_clock_s = time.time() - time.monotonic()
        with namespace.inside():
            # SOCK_DGRAM: without the link layer's header, which tunnel devices don't have
            self._socket = socket.socket(
                socket.AF_PACKET,
                socket.SOCK_DGRAM | socket.SOCK_NONBLOCK,
                socket.htons(ETH_P_ALL) if interface == "any" else 0,
            )
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        if interface != "any":
            self._socket.bind((interface, ETH_P_ALL))
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def stop(self, pcap: str | None) -> Captured:
        """The record; with *pcap* it is also in that file."""
        self._read()
        statistics = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        if pcap:
            Path(pcap).write_bytes(self._pcap())
        packets = tuple(packet for record in self._records if (packet := _packet(record)))
        return Captured(packets=packets, dropped=struct.unpack("II", statistics)[1])

    def _read(self) -> None:
        for _ in range(BATCH):
            try:
                data, address = self._socket.recvfrom(65535)
            except BlockingIOError:
                return
            interface, protocol, kind = address[0], address[1], address[2]
            if protocol in (ETH_P_IP, ETH_P_IPV6):
                outgoing = kind == socket.PACKET_OUTGOING
                self._records.append(
                    _Record(time.monotonic(), interface, outgoing, data[:SNAP_BYTES], len(data))
                )

    def _pcap(self) -> bytes:
        """The format that every reader knows: draft-ietf-opsawg-pcap."""
        parts = [struct.pack("=IHHiIII", PCAP_MAGIC, 2, 4, 0, 0, SNAP_BYTES, LINKTYPE_RAW)]
        for record in self._records:
            seconds, fraction = divmod(record.at_s + self._wall_clock_s, 1)
            stamp = int(seconds), int(fraction * 1_000_000)
            parts.append(struct.pack("=IIII", *stamp, len(record.head), record.length))
            parts.append(record.head)
        return b"".join(parts)


def _packet(record: _Record) -> Packet | None:
    decoded = decode(record.head)
    if decoded is None:
        return None
    return Packet(
        at_s=record.at_s,
        interface=record.interface,
        direction="out" if record.outgoing else "in",
        length=decoded.length,
        layers=decoded.layers,
        source_port=decoded.source_port,
        destination_port=decoded.destination_port,
        tcp_flags=decoded.tcp_flags,
    )
