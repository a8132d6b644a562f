"""Network namespaces that answer, as pods do."""

import socket
import subprocess
from contextlib import closing
from pathlib import Path

from lbaas.dataplane.namespaces import Namespace
from lbaas.dataplane.nftables import Nft
from lbaas.metering.places import Place

VIP, _CLIENT = "198.51.100.9", "192.0.2.33"


class Pod:
    """A namespace that has *address*, and sends into nothing. Its file leads there as long as it is open."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.namespace = Namespace.new()
        self.place = Place.at(Path(f"/proc/self/fd/{self.namespace.fd}"))
        up = (
            "ip link set lo up; ip link add out type dummy; ip link set out up; "
            f"ip address add {address}/32 dev out; ip route add default dev out"
        )
        with self.namespace.inside():
            subprocess.run(["sh", "-ec", up], check=True)

    def answer(self, packets: int) -> None:
        """So many leave in the name of its address."""
        with (
            self.namespace.inside(),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            sender.bind((self.address, 0))
            for _ in range(packets):
                sender.sendto(b"x" * 100, (_CLIENT, 9))

    def tables(self) -> set[str]:
        """The names of nftables' there."""
        with self.namespace.inside(), closing(Nft()) as nft:
            return {table for _, table in nft.structures()}
