"""Elements of nftables' sets and maps, by netlink: thirty times quicker than by text where there are many.

Sets, chains and rules stay text (lbaas.dataplane.nftables); an element is only a key and a value.
Source: include/uapi/linux/netfilter/nf_tables.h, net/netfilter/nfnetlink.c.
"""

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from lbaas.dataplane.netlink import Message, NetlinkSocket, attribute, parse
from lbaas.dataplane.nftables import NftRefused

_NETFILTER = 12  # NETLINK_NETFILTER
_NFTABLES = 10  # NFNL_SUBSYS_NFTABLES
_BEGIN, _END = 0x10, 0x11  # NFNL_MSG_BATCH_*
_NEW, _GET, _DELETE = (_NFTABLES << 8 | command for command in (12, 13, 14))
_GET_SET, _GET_GENERATION = (_NFTABLES << 8 | command for command in (10, 16))
_GENERATION_ID = 1  # NFTA_GEN_ID
_CREATE = 0x400  # NLM_F_CREATE
_NESTED = 0x8000
_TABLE, _SET, _ELEMENTS = 1, 2, 3  # NFTA_SET_ELEM_LIST_*
_KEY, _DATA, _EXPRESSION, _KEY_END = 1, 2, 7, 10  # NFTA_SET_ELEM_*
_EXPRESSION_DATA = 2  # NFTA_EXPR_DATA
_BYTES, _PACKETS = 1, 2  # NFTA_COUNTER_*
_LIST_ELEM, _VALUE, _VERDICT = 1, 1, 2  # NFTA_LIST_ELEM, NFTA_DATA_*
_CODE, _CHAIN = 1, 2  # NFTA_VERDICT_*
_GOTO = -4 & 0xFFFFFFFF  # NFT_GOTO
INET = 1  # NFPROTO_INET

_HEADER = struct.Struct("!BBH")  # family, version, resource: nfgenmsg
_ATTRIBUTE = struct.Struct("=HH")

# A list of elements is one attribute, whose length has 16 bits.
_LARGEST_LIST = 60_000
# A transaction is one datagram.
_SEND_BUFFER = 256 << 20


class Element(NamedTuple):
    """One element of a set or, with a *value*, of a map; a range of keys if it has an *end*.

    The value of a verdict map is the *chain* that packets go to.

    The fields of a key follow each other, in the byte order of the network, each filled up to four bytes.
    """

    key: bytes
    value: bytes | None = None
    end: bytes | None = None
    chain: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """An element's counter."""

    key: bytes
    packets: int
    size: int  # bytes


class Placed(NamedTuple):
    """An element and the set that it belongs to."""

    set: str
    element: Element


# To add what is there changes nothing: a listing that comes while the kernel enlarges a set's hash table lacks elements
# that are there (seen: 3,477 of 100,000). To add it with another value, or to delete what is not there, is an error.
Verb: TypeAlias = Literal["add", "delete"]


class NfSocket:
    """An open socket. It belongs for good to the network namespace it was opened in."""

    def __init__(self) -> None:
        self._netlink = NetlinkSocket(_NETFILTER, _SEND_BUFFER)

    def close(self) -> None:
        """The socket is given back."""
        self._netlink.close()

    def change(self, family: int, table: str, changes: Iterable[tuple[Verb, Placed]]) -> None:
        """All *changes* were made in order, in one transaction, or none: then NftRefused says why."""
        messages = [_batch(_BEGIN), *_messages(family, table, changes), _batch(_END)]
        last = len(messages) - 2
        errors = self._netlink.exchange(messages, last, one=True)
        if code := next(filter(None, errors.values()), 0):
            raise NftRefused(f"elements of {table}: {os.strerror(code)}")

    def generation(self) -> int:
        """A number that every transaction of anybody changes. Raises OSError."""
        answer = self._netlink.ask(Message(_GET_GENERATION, _HEADER.pack(0, 0, 0)))
        return int.from_bytes(parse(answer[_HEADER.size :])[_GENERATION_ID], "big")

    def elements(self, family: int, table: str, name: str) -> Iterator[Element]:
        """All elements of a set. Raises OSError where there is none of that name."""
        head = _HEADER.pack(family, 0, 0) + _named(table, name)
        for payload in self._netlink.dump(Message(_GET, head)):
            fields = parse(payload[_HEADER.size :])
            yield from _decoded(fields.get(_ELEMENTS, b""))

    def counters(self, family: int, table: str, name: str) -> Iterator[Counted]:
        """As ``elements``, of a set whose elements count."""
        head = _HEADER.pack(family, 0, 0) + _named(table, name)
        for payload in self._netlink.dump(Message(_GET, head)):
            fields = parse(payload[_HEADER.size :])
            for element in _attributes(fields.get(_ELEMENTS, b"")):
                yield _counted(parse(element))

    def sets(self, family: int, table: str) -> list[str]:
        """The names of a table's sets and maps; none without a table."""
        head = _HEADER.pack(family, 0, 0) + attribute(_TABLE, table.encode() + b"\0")
        try:
            payloads = self._netlink.dump(Message(_GET_SET, head))
        except FileNotFoundError:
            return []
        found = (parse(payload[_HEADER.size :]) for payload in payloads)
        return [each[_SET].rstrip(b"\0").decode() for each in found]


def _batch(kind: int) -> Message:
    return Message(kind, _HEADER.pack(0, 0, _NFTABLES))


_VERBS: Mapping[Verb, tuple[int, int]] = {
    "add": (_NEW, _CREATE),
    "delete": (_DELETE, 0),
}


def _messages(family: int, table: str, changes: Iterable[tuple[Verb, Placed]]) -> Iterator[Message]:
    for name, lists in _lists(changes).items():
        head = _HEADER.pack(family, 0, 0) + _named(table, name)
        for verb, elements in lists:
            kind, flags = _VERBS[verb]
            yield Message(kind, head + attribute(_ELEMENTS | _NESTED, bytes(elements)), flags)


def _lists(changes: Iterable[tuple[Verb, Placed]]) -> dict[str, list[tuple[Verb, bytearray]]]:
    """Sets know nothing of each other: set by set there are few messages, whose lists are long.

    An element is bytes as soon as it is seen: what many of them take as objects costs more than their encoding.
    """
    lists: dict[str, list[tuple[Verb, bytearray]]] = {}
    for verb, (name, element) in changes:
        encoded = _encoded(element)
        of_set = lists.setdefault(name, [])
        if not of_set or of_set[-1][0] != verb or len(of_set[-1][1]) + len(encoded) > _LARGEST_LIST:
            of_set.append((verb, bytearray()))
        of_set[-1][1].extend(encoded)
    return lists


def _named(table: str, name: str) -> bytes:
    return attribute(_TABLE, table.encode() + b"\0") + attribute(_SET, name.encode() + b"\0")


def _encoded(element: Element) -> bytes:
    body = _nest(_KEY, element.key)
    if element.end is not None:
        body += _nest(_KEY_END, element.end)
    if element.value is not None:
        body += _nest(_DATA, element.value)
    if element.chain is not None:
        body += attribute(_DATA | _NESTED, attribute(_VERDICT | _NESTED, _goto(element.chain)))
    return _head(_LIST_ELEM, len(body)) + body


def _goto(chain: str) -> bytes:
    return attribute(_CODE, struct.pack("!I", _GOTO)) + attribute(_CHAIN, chain.encode() + b"\0")


def _nest(kind: int, value: bytes) -> bytes:
    """A value inside its NFTA_DATA_VALUE; all our values fill their four bytes."""
    return _value_head(kind, len(value)) + value


# Elements are many, and the lengths of their parts few.
@lru_cache
def _value_head(kind: int, length: int) -> bytes:
    return _head(kind, 4 + length) + _ATTRIBUTE.pack(4 + length, _VALUE)


@lru_cache
def _head(kind: int, length: int) -> bytes:
    return _ATTRIBUTE.pack(4 + length, kind | _NESTED)


def chain_of(verdict: bytes) -> str | None:
    """The chain that an element of a verdict map sends packets to, by the value that was read of it."""
    fields = parse(verdict)
    if fields.get(_CODE) != struct.pack("!I", _GOTO):
        return None
    return fields[_CHAIN].rstrip(b"\0").decode()


def _decoded(elements: bytes) -> Iterator[Element]:
    """Parsed by hand: this is where the time of an observation goes."""
    offset = 0
    unpack = _ATTRIBUTE.unpack_from
    while offset + 4 <= len(elements):
        length, _ = unpack(elements, offset)
        place, end = offset + 4, offset + length
        found: dict[int, bytes] = {}
        while place + 4 <= end:
            size, kind = unpack(elements, place)
            # Of a key, an end or a value, what is inside its NFTA_DATA_VALUE.
            found[kind & 0x3FFF] = elements[place + 8 : place + size]
            place += (size + 3) & ~3
        yield Element(found[_KEY], found.get(_DATA), found.get(_KEY_END))
        offset += (length + 3) & ~3


def _attributes(attributes: bytes) -> Iterator[bytes]:
    """What is inside of each, whatever its type."""
    offset = 0
    while offset + 4 <= len(attributes):
        length, _ = _ATTRIBUTE.unpack_from(attributes, offset)
        yield attributes[offset + 4 : offset + length]
        offset += (length + 3) & ~3


def _counted(element: dict[int, bytes]) -> Counted:
    key = parse(element[_KEY])[_VALUE]
    counter = parse(parse(element[_EXPRESSION])[_EXPRESSION_DATA])
    packets, size = (int.from_bytes(counter[kind], "big") for kind in (_PACKETS, _BYTES))
    return Counted(key, packets, size)
