"""As much of protobuf's wire format as two calls need: numbers, and what has a length. Pure.

Source: protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}


class Malformed(ValueError):
    """These bytes are no message."""


def text_field(number: int, text: str) -> bytes:
    """A field that holds *text*."""
    return _head(number, _LENGTH) + _varint(len(text.encode())) + text.encode()


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number, a truth or a word of a vocabulary; *value* is not negative."""
    return _head(number, _VARINT) + _varint(value)


def message_field(number: int, message: bytes) -> bytes:
    """A field that holds a message."""
    return _head(number, _LENGTH) + _varint(len(message)) + message


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of *message* with their numbers, in their order. Raises Malformed."""
    at = 0
    while at < len(message):
        head, at = _read_varint(message, at)
        value: int | bytes
        if head & 7 == _VARINT:
            value, at = _read_varint(message, at)
        else:
            value, at = _read_bytes(message, at, head & 7)
        yield head >> 3, value


def parts(message: bytes, number: int) -> Iterator[bytes]:
    """What the fields of this *number* hold that have a length. Raises Malformed."""
    return (value for of, value in fields(message) if of == number and isinstance(value, bytes))


def _head(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise Malformed("a number that does not end")


def _read_bytes(message: bytes, at: int, kind: int) -> tuple[bytes, int]:
    if kind == _LENGTH:
        length, at = _read_varint(message, at)
    elif kind in _WIDTHS:
        length = _WIDTHS[kind]
    else:
        raise Malformed(f"a field of kind {kind}")
    if at + length > len(message):
        raise Malformed("a field that is longer than its message")
    return message[at : at + length], at + length
