"""One byte sequence for one value, whichever of the two encoders made it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lbaas.wire.canonical import canonical_json, canonical_json_of_sorted

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


def in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return [in_order(each) for each in value] if isinstance(value, list) else value


@given(VALUES)
def test_what_is_in_order_is_encoded_alike_by_both(value: Any) -> None:
    assert canonical_json_of_sorted(in_order(value)) == canonical_json(value)
