"""Where the host and the lab meet: a network namespace in which nobody lives.

A short-lived child makes a namespace with a pair of virtual interfaces, opens in it what the two sides
need, hands the descriptors over and exits. The sockets keep the namespace alive; when they are closed
it is gone. Needs no root and no /dev/net/tun: an ordinary user gets a user namespace of his own.
"""

import array
import fcntl
import os
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lbaas.errors import LabError
from lbaas.lab.machine import demand
from lbaas.lab.topology import API_ADDRESS, API_PORT

HOST_END = "lab0"
LAB_END = "lab1"
BACKLOG = 512

SIOCETHTOOL = 0x8946  # linux/sockios.h
ETH_P_ALL = 3
# linux/ethtool.h: ETHTOOL_STXCSUM, _STSO, _SGSO, _SGRO. The guest reads frames from the wire as they
# are: a checksum left to hardware that is not there, or a frame longer than the MTU, would be lost.
OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)


@dataclass(frozen=True)
class Meeting:
    """Open descriptors into the shared namespace.

    *api* and *control* listen on the host's address there, *wire* is the lab's end of the cable as a
    packet socket, *namespace_fd* the namespace itself for a fabric that runs on the host.
    """

    api: socket.socket
    control: socket.socket
    wire: socket.socket
    namespace_fd: int

    def close(self) -> None:
        """Our hold on the namespace is gone; it vanishes with its last user."""
        for end in (self.api, self.control, self.wire):
            end.close()
        os.close(self.namespace_fd)


def meet() -> Meeting:
    """The namespace stands. Raises ToolMissing if this machine lacks anything that a lab needs."""
    demand()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = subprocess.run(
            [*_unshare(), sys.executable, "-m", __name__, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            capture_output=True,
            text=True,
            check=False,
        )
        if child.returncode:
            raise LabError(f"host and lab could not be joined:\n{child.stderr}")
        _, fds, _, _ = socket.recv_fds(ours, 1, 4)
    api, control, wire, namespace = fds
    return Meeting(
        socket.socket(fileno=api),
        socket.socket(fileno=control),
        socket.socket(fileno=wire),
        namespace,
    )


def _unshare() -> list[str]:
    if os.getuid() == 0:
        return ["unshare", "--net"]
    return ["unshare", "--user", "--map-root-user", "--net"]


def _furnish(messenger: socket.socket) -> None:
    """In the child: interfaces, listeners and packet socket stand, and the parent has them."""
    _lay_cable()
    api, control = _listener(API_PORT), _listener(0)
    _plain_frames(api)
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.bind((LAB_END, ETH_P_ALL))
    namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
    socket.send_fds(messenger, [b"."], [api.fileno(), control.fileno(), wire.fileno(), namespace])


def _lay_cable() -> None:
    from pyroute2 import IPRoute

    for interface in ("all", "default"):  # management is IPv4 only: no router solicitations on it
        switch = Path(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6")
        if switch.exists():  # else this kernel has no IPv6 at all
            switch.write_text("1")
    with IPRoute() as ip:
        ip.link("add", ifname=HOST_END, kind="veth", peer={"ifname": LAB_END})
        for name in ("lo", HOST_END, LAB_END):
            ip.link("set", index=ip.link_lookup(ifname=name)[0], state="up")
        index = ip.link_lookup(ifname=HOST_END)[0]
        length = API_ADDRESS.network.prefixlen
        ip.addr("add", index=index, address=str(API_ADDRESS.ip), mask=length)


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((str(API_ADDRESS.ip), port))
    listener.listen(BACKLOG)
    return listener


def _plain_frames(any_socket: socket.socket) -> None:
    for offload in OFFLOADS:
        value = array.array("B", struct.pack("II", offload, 0))
        request = struct.pack("16sP16x", HOST_END.encode(), value.buffer_info()[0])
        fcntl.ioctl(any_socket.fileno(), SIOCETHTOOL, request)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _messenger:
        _furnish(_messenger)
