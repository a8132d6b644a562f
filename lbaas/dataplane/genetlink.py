"""Generic netlink: families of the kernel's modules, found by name.

Source: include/uapi/linux/genetlink.h.
"""

import errno
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from lbaas.dataplane import netlink
from lbaas.dataplane.netlink import NetlinkSocket, attribute, parse
from lbaas.errors import ToolMissing

_GENERIC = 16  # NETLINK_GENERIC
_CONTROLLER = 16  # GENL_ID_CTRL
_GET_FAMILY = 3  # CTRL_CMD_GETFAMILY
_FAMILY_ID, _FAMILY_NAME = 1, 2  # CTRL_ATTR_*
_HEADER = struct.Struct("=BBH")  # command, version


class Command(NamedTuple):
    """One command with its encoded attributes."""

    number: int
    body: bytes = b""


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

    def send(self, commands: Sequence[Command]) -> list[int]:
        """All *commands* were carried out in order; the errno of each, 0 where it succeeded."""
        return self._netlink.send([_message(self._family, each) for each in commands])

    def ask(self, command: Command) -> dict[int, bytes]:
        """The attributes of the one answer. Raises OSError."""
        return _attributes(self._netlink.ask(_message(self._family, command)))

    def dump(self, command: Command) -> Iterator[dict[int, bytes]]:
        """The attributes of all answers, one after the other. Raises OSError."""
        return map(_attributes, self._netlink.dump(_message(self._family, command)))

    def _find(self, name: str, without: str) -> int:
        wanted = Command(_GET_FAMILY, attribute(_FAMILY_NAME, name.encode() + b"\0"))
        try:
            answer = self._netlink.ask(_message(_CONTROLLER, wanted))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            raise ToolMissing(without) from error
        return int.from_bytes(_attributes(answer)[_FAMILY_ID], "little")


def _attributes(payload: bytes) -> dict[int, bytes]:
    return parse(payload[_HEADER.size :])


def _message(kind: int, command: Command) -> netlink.Message:
    return netlink.Message(kind, _head(command.number) + command.body)


@lru_cache
def _head(number: int) -> bytes:
    return _HEADER.pack(number, 1, 0)
