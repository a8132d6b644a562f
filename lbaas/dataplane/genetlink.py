"""Generic netlink: families of the kernel's modules, found by name.

Source: include/uapi/linux/genetlink.h.
"""

import errno
import struct
from collections.abc import Iterator, Sequence

from lbaas.dataplane.netlink import Message, NetlinkSocket, attribute, parse
from lbaas.errors import ToolMissing

_GENERIC = 16  # NETLINK_GENERIC
_CONTROLLER = 16  # GENL_ID_CTRL
_GET_FAMILY = 3  # CTRL_CMD_GETFAMILY
_FAMILY_ID, _FAMILY_NAME = 1, 2  # CTRL_ATTR_*
_HEADER = struct.Struct("=BBH")  # command, version


def command(number: int, attributes: bytes = b"") -> bytes:
    """One command with its encoded *attributes*."""
    return _HEADER.pack(number, 1, 0) + attributes


class GenericSocket:
    """An open socket to family *name*. It belongs for good to the network namespace it was opened in.

    Raises ToolMissing, with the advice *without*, if the kernel has no such family.
    """

    def __init__(self, name: str, without: str) -> None:
        self._netlink = NetlinkSocket(_GENERIC)
        try:
            self._family = self._find(name, without)
        except BaseException:
            self._netlink.close()
            raise

    def close(self) -> None:
        """The socket is given back."""
        self._netlink.close()

    def send(self, commands: Sequence[bytes]) -> list[int]:
        """All *commands* were carried out in order; the errno of each, 0 where it succeeded."""
        return self._netlink.send_alike(self._family, commands)

    def ask(self, asked: bytes) -> dict[int, bytes]:
        """The attributes of the one answer. Raises OSError."""
        return _attributes(self._netlink.ask(Message(self._family, asked)))

    def dump(self, asked: bytes) -> Iterator[dict[int, bytes]]:
        """The attributes of all answers, one after the other. Raises OSError."""
        return map(_attributes, self._netlink.dump(Message(self._family, asked)))

    def _find(self, name: str, without: str) -> int:
        wanted = command(_GET_FAMILY, attribute(_FAMILY_NAME, name.encode() + b"\0"))
        try:
            answer = self._netlink.ask(Message(_CONTROLLER, wanted))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            raise ToolMissing(without) from error
        return int.from_bytes(_attributes(answer)[_FAMILY_ID], "little")


def _attributes(payload: bytes) -> dict[int, bytes]:
    return parse(payload[_HEADER.size :])
