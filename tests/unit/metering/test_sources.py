"""What a state says of marks and addresses, and what is counted under it."""

import json
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from lbaas.dataplane.usage.desired import USUAL_BITS, node_meter
from lbaas.metering.names import NameBook
from lbaas.metering.periods import Named
from lbaas.metering.sources import HostSource, NodeSource
from lbaas.wire.entries import Delta, Entries
from lbaas.wire.state import MarkRange

VIP, WEB, DNS = UUID(int=1), UUID(int=2), UUID(int=3)
MARKS = {"first": 0x10000000, "last": 0x1000FFFF}


def entry(**fields: object) -> bytes:
    return json.dumps(fields).encode()


NODE = Entries.of(
    {
        "cluster": entry(cluster=str(UUID(int=9)), as_number=65001, marks=MARKS),
        f"vip/{VIP}": entry(
            address="198.51.100.1",
            listeners=[{"mark": 0x10000001, "id": str(WEB)}, {"mark": 0x10000002, "id": str(DNS)}],
        ),
    }
)
HOST = Entries.of(
    {
        "host": entry(host=str(UUID(int=8)), endpoints=[]),
        "vip/198.51.100.1": entry(
            address="198.51.100.1", vip=str(VIP), tunnels=[{"encapsulation": "ipip"}]
        ),
        "vip/2001:db8:100::1": entry(address="2001:db8:100::1", vip=str(WEB), tunnels=[]),
        "node/10.0.10.11": entry(address="10.0.10.11"),
    }
)


def test_a_node_counts_its_clusters_marks_and_knows_them_by_listener() -> None:
    source = NodeSource()
    book = NameBook(source.says, None)
    book.turn_to(NODE)
    assert source.meter(NODE) == node_meter(MarkRange.model_validate(MARKS), USUAL_BITS)
    assert book.names == {
        b"\x01\0\0\x10": Named(VIP, WEB),
        b"\x02\0\0\x10": Named(VIP, DNS),
    }


def test_a_host_counts_its_vips_and_not_what_its_nodes_ask() -> None:
    source = HostSource()
    book = NameBook(source.says, None)
    book.turn_to(HOST)
    assert book.names == {
        IPv4Address("198.51.100.1").packed: Named(VIP),
        IPv6Address("2001:db8:100::1").packed: Named(WEB),
    }
    addresses = source.meter(HOST).addresses
    assert addresses["vips4"] == (IPv4Address("198.51.100.1"),)
    assert addresses["nodes4"] == (IPv4Address("10.0.10.11"),)
    assert addresses["direct4"] == ()
    assert addresses["direct6"] == (IPv6Address("2001:db8:100::1"),)


def test_a_server_that_does_not_say_ids_names_nobody() -> None:
    listeners = [{"mark": 1}]
    told = NodeSource().says(f"vip/{VIP}", entry(address="198.51.100.1", listeners=listeners))
    assert list(told) == []


def test_a_name_outlives_its_object_and_a_restart_until_another_has_its_mark() -> None:
    book = NameBook(NodeSource().says, None)
    book.turn_to(NODE)
    without = NODE.after(Delta({}, frozenset({f"vip/{VIP}"})))
    book.turn_to(without)
    saved = book.news()
    assert saved is not None
    again = NameBook(NodeSource().says, saved)
    again.turn_to(without)
    assert again.names == book.names
    another = entry(address="198.51.100.2", listeners=[{"mark": 0x10000001, "id": str(DNS)}])
    again.turn_to(without.after(Delta({f"vip/{WEB}": another})))
    assert again.names[b"\x01\0\0\x10"] == Named(WEB, DNS)


def test_names_are_saved_only_when_there_are_new_ones() -> None:
    book = NameBook(NodeSource().says, None)
    assert book.news() is None
    book.turn_to(NODE)
    assert book.news() is not None
    book.saved()
    book.turn_to(NODE.after(Delta({"cluster": NODE.values["cluster"]})))
    assert book.news() is None
