"""The kernel's foo-over-UDP ports, of which GUE is one type.

Source: include/uapi/linux/fou.h, net/ipv4/fou.c.
"""

import socket
import struct
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from lbaas.dataplane.genetlink import GenericSocket, command
from lbaas.dataplane.gue.desired import Opening
from lbaas.dataplane.gue.plan import GueStep, OpenPort
from lbaas.dataplane.netlink import attribute

_ADD, _DELETE, _GET = 1, 2, 3  # FOU_CMD_*
_PORT, _FAMILY, _TYPE, _LOCAL4, _LOCAL6 = 1, 2, 4, 6, 7  # FOU_ATTR_*
_GUE = bytes([2])  # FOU_ENCAP_GUE


class FouSocket:
    """An open socket. It belongs for good to the network namespace it was opened in.

    Raises ToolMissing if the kernel has no such ports.
    """

    def __init__(self) -> None:
        self._generic = GenericSocket("fou", "the kernel has no GUE: load it with `modprobe fou`")

    def close(self) -> None:
        """The socket is given back."""
        self._generic.close()

    def openings(self) -> Iterator[Opening]:
        """Every GUE port that is bound to an address."""
        for fields in self._generic.dump(command(_GET)):
            local = fields.get(_LOCAL4) or fields.get(_LOCAL6)
            if local is not None and fields.get(_TYPE) == _GUE:
                yield Opening(ip_address(local), int.from_bytes(fields[_PORT], "big"))

    def send(self, steps: Sequence[GueStep]) -> list[int]:
        """All *steps* were tried, in order; the errno of each, 0 where it succeeded."""
        return self._generic.send([_command(step) for step in steps])


def _command(step: GueStep) -> bytes:
    endpoint = step.opening.endpoint
    v6 = endpoint.version == 6
    family = socket.AF_INET6 if v6 else socket.AF_INET
    body = attribute(_PORT, struct.pack("!H", step.opening.port))
    body += attribute(_FAMILY, bytes([family]))
    body += attribute(_LOCAL6 if v6 else _LOCAL4, endpoint.packed)
    if isinstance(step, OpenPort):
        return command(_ADD, body + attribute(_TYPE, _GUE))
    return command(_DELETE, body)
