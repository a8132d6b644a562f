"""A count as it was read."""

from dataclasses import dataclass

from lbaas.wire.usage import Point


@dataclass(frozen=True, slots=True)
class Reading:
    """What flowed of one subject, as it was on the wire: to or from the prefix at *client*, of *bits*.

    *client* is empty where there was no room for prefixes, or none are counted.
    """

    point: Point
    subject: bytes
    client: bytes
    bits: int
    packets: int
    size: int
