"""Microseconds a packet on a node with and without the meter, and CPU seconds of a minute. Prints JSON."""

import ctypes
import json
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from statistics import quantiles
from uuid import UUID

from pyroute2 import IPRoute

from lbaas.dataplane.genetlink import command
from lbaas.dataplane.ipvs.netlink import (
    Command,
    IpvsSocket,
    Method,
    encode_destination,
    encode_service,
)
from lbaas.dataplane.marks.apply import apply as apply_marks
from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.observe import expected_structure
from lbaas.dataplane.marks.plan import plan as plan_marks
from lbaas.dataplane.marks.rules import declaration
from lbaas.dataplane.namespaces import Namespace
from lbaas.dataplane.nfnetlink import NfSocket
from lbaas.dataplane.nftables import Nft
from lbaas.dataplane.usage.apply import remove, turn
from lbaas.dataplane.usage.desired import NODE_TABLE, USUAL_BITS, node_meter
from lbaas.metering.buffer import Buffer
from lbaas.metering.counter import Counter
from lbaas.metering.places import HERE
from lbaas.metering.sources import NodeSource
from lbaas.metering.table import Table
from lbaas.wire.canonical import canonical_json
from lbaas.wire.entries import Entries
from lbaas.wire.state import MarkRange
from lbaas.wire.usage import UsageReports

MARKS = MarkRange(first=0x10000000, last=0x1000FFFF)
PORT, FLOWS, ROUNDS = 5000, 256, 61
# One call sends so many datagrams: what a call costs is not what is asked.
AT_ONCE, PAYLOAD = 48, 64
# Where the tunnel leads: over a cable, to a machine that drops what is not its own.
BACKEND = IPv4Address("10.99.0.2")
SINK = "02:00:00:00:00:01"
PERMANENT = 0x80  # NUD_PERMANENT
LINK, HOST = 253, 254  # RT_SCOPE_*


def vip(number: int) -> IPv4Address:
    return IPv4Address("198.18.0.0") + number


def client(number: int) -> str:
    return str(IPv4Address("10.64.0.1") + 256 * number)


def furnish(devices: IPRoute, clients: Namespace) -> None:
    """A cable from the clients, one to where backends would be, and every VIP on the loopback."""
    devices.link("add", ifname="bench0", kind="veth", peer={"ifname": "bench1"})
    devices.link("add", ifname="sink0", kind="veth", peer={"ifname": "sink1", "address": SINK})
    near, far, sink, drain = (
        devices.link_lookup(ifname=name)[0] for name in ("bench0", "bench1", "sink0", "sink1")
    )
    for index in (far, drain):
        devices.link("set", index=index, net_ns_fd=clients.fd)
    for number in range(FLOWS):
        devices.addr("add", index=1, address=str(vip(number)), prefixlen=32)
    devices.addr("add", index=sink, address="10.99.0.1", prefixlen=32)
    devices.addr("add", index=near, address="10.98.0.1", prefixlen=32)
    for index in (1, near, sink):
        devices.link("set", index=index, state="up")
    devices.route("add", dst=f"{BACKEND}/32", oif=sink, scope=LINK)
    devices.neigh("add", dst=str(BACKEND), lladdr=SINK, ifindex=sink, state=PERMANENT)
    devices.route("add", dst="10.98.0.2/32", oif=near, scope=LINK)
    devices.route("add", dst="10.64.0.0/10", gateway="10.98.0.2")
    with clients.inside(), closing(IPRoute()) as there:
        there.addr("add", index=far, address="10.98.0.2", prefixlen=32)
        for index in (1, far, drain):
            there.link("set", index=index, state="up")
        there.route("add", dst="10.98.0.1/32", oif=far, scope=LINK)
        there.route("add", dst="198.18.0.0/15", gateway="10.98.0.1")
        there.route("add", dst="10.64.0.0/10", oif=1, type="local", table=255, scope=HOST)


def mark(netfilter: NfSocket, nft: Nft) -> None:
    """The nodes' table as an agent makes it, with a listener for each VIP."""
    flows = {
        FlowKey(vip(n), 17, PORT, PORT): FlowMark(MARKS.first + n, MARKS.first + n)
        for n in range(FLOWS)
    }
    structure = expected_structure(nft, MARKS)
    wanted = MarkTable(structure, frozenset(map(vip, range(FLOWS))), flows)
    made = apply_marks(
        nft, netfilter, plan_marks(MarkTable(None), wanted).establish, declaration(MARKS)
    )
    if made.failed:
        sys.exit(str(made.failed[0][1]))


def balance(ipvs: IpvsSocket, services: range) -> None:
    """So many services of one backend."""
    names = [encode_service(4, MARKS.first + number) for number in services]
    whole = [encode_service(4, MARKS.first + number, "rr") for number in services]
    backend = encode_destination(BACKEND, Method.TUNNEL, 1)
    errors = ipvs.send(
        [
            *(command(Command.NEW_SERVICE, body) for body in whole),
            *(command(Command.NEW_DEST, name + backend) for name in names),
        ]
    )
    if any(errors):
        sys.exit(f"IPVS: {errors}")


class _Piece(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("pieces", ctypes.POINTER(_Piece)),
        ("number_of_pieces", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Datagram(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("message", _Message), ("sent", ctypes.c_uint))


_PIECE = _Piece(b"x" * PAYLOAD, PAYLOAD)
_DATAGRAMS = (_Datagram * AT_ONCE)(
    *(_Datagram(_Message(None, 0, ctypes.pointer(_PIECE), 1)) for _ in range(AT_ONCE))
)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Clients:
    """Sockets of as many clients."""

    sockets: Sequence[socket.socket]

    @classmethod
    def open(cls, opened: ExitStack, clients: Namespace) -> "Clients":
        with clients.inside():
            found = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(FLOWS)]
        for number, each in enumerate(found):
            opened.enter_context(each)
            each.bind((client(number), 0))
            each.connect((str(vip(number)), PORT))
        return cls(found)

    def packets_us(self) -> Iterator[float]:
        """What a packet takes from here to the end of its way, client by client."""
        for each in self.sockets:
            began = time.perf_counter()
            _libc.sendmmsg(each.fileno(), _DATAGRAMS, AT_ONCE, 0)
            yield (time.perf_counter() - began) / AT_ONCE * 1e6


def packet_costs(nft: Nft, clients: Clients) -> dict[str, float]:
    """Turn by turn with and without the meter, so that both see the same machine; of each the quickest tenth's end.

    Others run on this machine, too: a mean would be theirs, and the one quickest is luck. A tenth of a millisecond
    is often left alone.
    """
    meter = node_meter(MARKS, USUAL_BITS)
    spent: dict[str, list[float]] = {"uncounted": [], "counted": []}
    for round_ in range(ROUNDS):
        remove(nft, NODE_TABLE)
        list(clients.packets_us())
        spent["uncounted"] += clients.packets_us()
        turn(nft, meter, round_ + 1)
        list(
            clients.packets_us()
        )  # now every client is known, as he is but for his first packet of a minute
        spent["counted"] += clients.packets_us()
    return {name: quantiles(each, n=10)[0] for name, each in spent.items()}


def entries(listeners: int) -> Entries:
    marks = {"first": MARKS.first, "last": MARKS.last}
    cluster = {"cluster": str(UUID(int=1)), "as_number": 65001, "marks": marks}
    return Entries.of({"cluster": canonical_json(cluster), **dict(_vips(listeners))})


def _vips(listeners: int) -> Iterator[tuple[str, bytes]]:
    for number in range(listeners):
        listener = {"mark": MARKS.first + number, "id": str(UUID(int=100_000 + number))}
        entry = {"address": str(vip(number)), "listeners": [listener]}
        yield f"vip/{UUID(int=number + 1)}", canonical_json(entry)


def minute(nft: Nft, netfilter: NfSocket, listeners: int) -> dict[str, float]:
    """The whole of a period in which every listener had a client: turn, read, keep, and what is sent of it."""
    source = NodeSource()
    with (
        tempfile.TemporaryDirectory() as directory,
        closing(Buffer(Path(directory) / "usage.db")) as buffer,
    ):
        counter = Counter(source, buffer, partial(Table.at, NODE_TABLE))
        counter.attend((HERE,))
        counter.hear(entries(listeners))
        (single,) = (
            each for each in netfilter.sets(1, NODE_TABLE) if each.startswith("node4_single_24")
        )
        elements = ", ".join(
            f"{MARKS.first + n:#x} . {0x0A400000 + n % 256 * 256:#x} counter packets {n + 1} bytes {n + 1}00"
            for n in range(listeners)
        )
        nft.run(f"add element inet {NODE_TABLE} {single} {{ {elements} }}")
        began, cpu = time.monotonic(), _cpu_s()
        counter.close()
        turned = time.monotonic() - began
        body = UsageReports(reports=tuple(buffer.next_reports(60))).model_dump_json()
        spent = _cpu_s() - cpu
    return {"turn": turned, "minute": spent, "size": float(len(body))}


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _taken(ipvs: IpvsSocket) -> int:
    """Packets that IPVS took; the kernel adds up every two seconds."""
    time.sleep(4)
    return sum(service.stats.rx_packets for service in ipvs.services())


def main() -> None:
    listeners = int(sys.argv[1])
    clients = Namespace.new()
    with (
        closing(IPRoute()) as devices,
        closing(Nft()) as nft,
        closing(NfSocket()) as netfilter,
        closing(IpvsSocket()) as ipvs,
        ExitStack() as opened,
    ):
        furnish(devices, clients)
        mark(netfilter, nft)
        balance(ipvs, range(FLOWS))
        figures = packet_costs(nft, Clients.open(opened, clients))
        figures["taken"] = _taken(ipvs) / (4 * ROUNDS * FLOWS * AT_ONCE)
        remove(nft, NODE_TABLE)
        balance(ipvs, range(FLOWS, listeners))
        figures |= minute(nft, netfilter, listeners)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
