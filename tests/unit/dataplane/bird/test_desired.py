"""What the include file says. The goldens are fed to the real BIRD in tests/integration/programs."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from uuid import UUID

import pytest

from lbaas.dataplane.bird.desired import (
    TEXT,
    Announcement,
    announcement,
    declared,
    declared_count,
    identity,
    render,
)
from lbaas.domain.addresses import Prefix
from lbaas.domain.terms import NodeAdminState
from lbaas.errors import BadState
from lbaas.wire.state import ClusterState, MarkRange, NodeSettings, Peer
from tests.golden_files import assert_golden

ROUTER4 = Peer(
    name="tor-a",
    address=IPv4Address("10.0.10.1"),
    as_number=65000,
    password=None,
    bfd=True,
    multihop=False,
)
ROUTER6 = Peer(
    name="tor-a-v6",
    address=IPv6Address("fd00:10::1"),
    as_number=4200000000,
    password="s3cret, with blanks",
    bfd=False,
    multihop=True,
    graceful_restart=True,
)
# Not on the segment, so that it must be known from which address to speak.
FAR = ROUTER4.model_copy(
    update={
        "name": "core",
        "address": IPv4Address("192.0.2.1"),
        "password": "s3cret",
        "multihop": True,
    }
)
SEVEN: Prefix = IPv4Network("198.51.100.7/32")
PREFIXES: frozenset[Prefix] = frozenset(
    {
        SEVEN,
        IPv4Network("198.51.100.10/32"),
        IPv6Network("2001:db8:100::1/128"),
    }
)


def test_a_cluster_with_two_peers() -> None:
    communities = {SEVEN: ("65001:20", "65001:1:2")}
    wanted = Announcement(65001, (ROUTER4, ROUTER6), PREFIXES, communities)
    assert_golden("bird-two-peers.conf", render(wanted))


def test_a_router_beyond_the_segment_is_spoken_to_from_the_address_by_which_it_knows_the_node() -> (
    None
):
    own = (IPv6Address("fd00:10::11"), IPv4Address("10.0.10.11"))
    wanted = Announcement(65001, (ROUTER4, FAR), PREFIXES, addresses=own)
    assert_golden("bird-far-peer.conf", render(wanted))


def test_where_no_address_is_known_bfd_is_left_out_for_what_is_beyond_the_segment() -> None:
    """BIRD would refuse the whole file for it."""
    own = (IPv6Address("fd00:10::11"),)
    wanted = Announcement(65001, (FAR,), PREFIXES, addresses=own)
    assert_golden("bird-far-peer-without-bfd.conf", render(wanted))


@pytest.mark.parametrize("community", ["65536:1", "1:65536", "1:2:4294967296"])
def test_a_community_that_bgp_has_no_room_for_is_left_out(community: str) -> None:
    """BIRD would refuse the whole file for it."""
    with_it = Announcement(1, (), PREFIXES, {SEVEN: (community,)})
    assert render(with_it) == render(Announcement(1, (), PREFIXES))


def test_nothing_to_announce_and_nobody_to_tell() -> None:
    assert_golden("bird-empty.conf", render(Announcement(65001, (), frozenset())))


def test_equal_sets_give_equal_text() -> None:
    backwards = frozenset(sorted(PREFIXES, key=str, reverse=True))
    assert render(Announcement(1, (), PREFIXES)) == render(Announcement(1, (), backwards))


def test_a_text_names_itself_and_says_what_it_announces() -> None:
    text = render(Announcement(1, (ROUTER4,), PREFIXES, {SEVEN: ("1:2",)}))
    assert f'define {TEXT} = "{identity(text)}";' in text
    assert frozenset(declared(text)) == PREFIXES
    assert declared_count(text) == len(PREFIXES)
    assert list(declared(text, first=1, most=1)) == [IPv4Network("198.51.100.10/32")]


def test_a_text_that_somebody_changed_is_not_what_it_says_it_is() -> None:
    text = render(Announcement(1, (), PREFIXES))
    changed = text.replace("198.51.100.7/32", "198.51.100.8/32")
    assert identity(changed) not in changed
    assert identity("") != identity(text)


@pytest.mark.parametrize("password", ['with"quote', "with\nline"])
def test_a_password_that_would_break_out_of_its_quotes_is_refused(password: str) -> None:
    peer = ROUTER4.model_copy(update={"password": password})
    with pytest.raises(BadState, match="tor-a"):
        render(Announcement(65001, (peer,), frozenset()))


@pytest.mark.parametrize("admin_state", [NodeAdminState.DRAINED, NodeAdminState.MAINTENANCE])
def test_a_node_that_is_not_active_keeps_its_sessions_and_announces_nothing(
    admin_state: NodeAdminState,
) -> None:
    settings = NodeSettings(name="lb1", admin_state=admin_state)
    state = ClusterState(
        cluster=UUID(int=1),
        revision=1,
        as_number=65001,
        marks=MarkRange(first=1, last=9),
        nodes={UUID(int=2): settings},
        peers=(ROUTER4,),
        vips=(IPv4Address("198.51.100.7"),),
        announced=(SEVEN,),
        services=(),
        flows=(),
    )
    prefixes = {SEVEN: ("65001:20",)}
    assert announcement(state, settings, prefixes) == Announcement(65001, (ROUTER4,), frozenset())
