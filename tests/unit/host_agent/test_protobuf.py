"""Protobuf's wire format, as far as we speak it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbaas.host_agent.protobuf import (
    Malformed,
    fields,
    message_field,
    number_field,
    parts,
    text_field,
)

NUMBERS = st.integers(1, 2**20)


@given(number=NUMBERS, value=st.integers(0, 2**63 - 1), text=st.text())
def test_what_is_written_is_read(number: int, value: int, text: str) -> None:
    inner = text_field(number, text)
    message = number_field(number, value) + inner + message_field(number, inner)
    assert list(fields(message)) == [(number, value), (number, text.encode()), (number, inner)]
    assert list(parts(message, number)) == [text.encode(), inner]


def test_the_encoding_is_that_of_the_documentation() -> None:
    """Its examples: ``a = 150`` and ``b = "testing"``."""
    assert number_field(1, 150) == bytes.fromhex("089601")
    assert text_field(2, "testing") == bytes.fromhex("120774657374696e67")


def test_fields_of_fixed_width_are_passed_over() -> None:
    fixed = bytes([1 << 3 | 1, *range(8)]) + bytes([2 << 3 | 5, *range(4)])
    assert list(parts(fixed + text_field(3, "a"), 3)) == [b"a"]


@pytest.mark.parametrize("message", ["08", "0a05ab", "0b", "09ff", "80"])
def test_bytes_that_are_no_message_are_refused(message: str) -> None:
    with pytest.raises(Malformed):
        list(fields(bytes.fromhex(message)))


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    with suppress(Malformed):
        assert all(number >= 0 for number, _ in fields(message))
