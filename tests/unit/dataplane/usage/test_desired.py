"""What bundles of segments were on the wire."""

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.usage.desired import BUNDLES, KINDS, SINGLE, Kind, on_the_wire

HEADERS = {4: 20, 6: 40}


def test_a_single_packet_is_what_it_is() -> None:
    assert on_the_wire(SINGLE, 4, 3, 300) == (3, 300)


def test_a_bundle_had_a_header_for_each_segment() -> None:
    full = 1500 - 52
    assert on_the_wire(KINDS["stamped"], 4, 1, 52 + 40 * full) == (40, 40 * 1500)
    assert on_the_wire(KINDS["plain"], 6, 1, 60 + 2 * 1440 + 1) == (3, 2 * 1500 + 61)
    assert on_the_wire(KINDS["datagram"], 4, 2, 2 * 28) == (2, 56)


@given(
    st.sampled_from(BUNDLES),
    st.sampled_from([4, 6]),
    st.lists(st.integers(2, 44), min_size=1, max_size=50),
)
def test_bundles_of_full_segments_are_counted_to_the_byte(
    kind: Kind, family: int, bundles: list[int]
) -> None:
    header = HEADERS[family] + kind.header
    seen = sum(header + segments * (1500 - header) for segments in bundles)
    assert on_the_wire(kind, family, len(bundles), seen) == (sum(bundles), 1500 * sum(bundles))
