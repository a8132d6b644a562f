"""What a machine with pods lets through. tests/e2e sends packets by it."""

from ipaddress import ip_address

import pytest

from lbaas.dataplane.passage.apply import transaction
from lbaas.dataplane.passage.desired import (
    ALL,
    Way,
    declaration,
    opened,
    settings_of,
    shut_by_all,
)
from lbaas.dataplane.passage.plan import DeleteTable, ReplaceTable, plan
from tests.golden_files import assert_golden

OWN = "net.ipv4.conf.veth1.rp_filter"


def test_what_vips_say_is_not_tracked() -> None:
    text = declaration([ip_address("2001:db8:100::1"), ip_address("198.51.100.1")])
    assert_golden("passage.nft", transaction(ReplaceTable(text)))


def test_the_table_is_made_once_and_goes_with_the_last_vip() -> None:
    assert plan(None, "listing", "text").establish == (ReplaceTable("text"),)
    assert not plan("listing", "listing", "text")
    assert plan("listing", None, "text").withdraw == (DeleteTable(),)


@pytest.mark.parametrize(
    ("everywhere", "own", "addressed", "expected"),
    [
        ("0", "0", False, {}),
        ("0", "1", False, {OWN: "0"}),
        ("0", "2", False, {OWN: "0"}),
        ("0", "1", True, {OWN: "2"}),
        ("1", "0", True, {OWN: "2"}),
        ("0", "2", True, {}),
        ("2", "0", True, {}),
    ],
)
def test_a_device_is_opened_no_further_than_it_must_be(
    everywhere: str, own: str, addressed: bool, expected: dict[str, str]
) -> None:
    assert opened([Way("veth1", addressed)], {ALL: everywhere, OWN: own}) == expected


def test_a_device_without_address_is_shut_by_a_filter_on_all() -> None:
    ways = [Way("veth1", addressed=False), Way("cni0", addressed=True)]
    assert shut_by_all(ways, {ALL: "1"}) == ["veth1"]
    assert shut_by_all(ways, {ALL: "0"}) == []


def test_on_a_node_a_reply_from_an_address_of_the_machine_is_no_martian() -> None:
    accept = "net.ipv4.conf.veth1.accept_local"
    ways = [Way("veth1", addressed=False, of_node=True)]
    assert opened(ways, {ALL: "0", OWN: "1"}) == {accept: "1", OWN: "0"}
    assert accept in settings_of(ways)
