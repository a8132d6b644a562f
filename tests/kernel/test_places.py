"""One meter in several network namespaces: what flowed in each is told once, whoever ends meanwhile."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import pytest

from lbaas.dataplane.namespaces import Namespace
from lbaas.dataplane.usage.desired import HOST_TABLE
from lbaas.domain.addresses import Address
from lbaas.metering.buffer import Buffer
from lbaas.metering.counter import Counter
from lbaas.metering.places import Place
from lbaas.metering.sources import HostSource
from lbaas.metering.table import Table
from lbaas.wire.entries import Entries
from tests.kernel.answering import VIP, Pod

ENTRIES = Entries.of(
    {"vip/1": json.dumps({"address": VIP, "vip": str(UUID(int=1)), "tunnels": [{}]}).encode()}
)


@pytest.fixture
def pods() -> Iterator[list[Pod]]:
    made = [Pod(VIP), Pod(VIP)]
    yield made
    for pod in made:
        pod.namespace.close()


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[Buffer]:
    with closing(Buffer(tmp_path / "usage.db")) as opened:
        yield opened


@contextmanager
def counting(buffer: Buffer, *places: Place) -> Iterator[Counter]:
    """An agent that starts, finds these *places*, and is killed."""
    counter = Counter(HostSource(), buffer, lambda place: Table.at(HOST_TABLE, place))
    counter.attend(places)
    counter.hear(ENTRIES)
    yield counter
    for generations in counter._at.values():
        generations.close()


def told(buffer: Buffer) -> list[int]:
    """Packets of each report that tells of any."""
    reports = buffer.next_reports(60)
    return [sum(each.packets for each in report.totals) for report in reports if report.totals]


def test_what_namespaces_counted_is_one_report_and_an_agents_successor_finds_the_rest(
    pods: list[Pod], buffer: Buffer
) -> None:
    one, other = pods
    with counting(buffer, one.place, other.place) as counter:
        one.answer(1)
        other.answer(2)
        counter.close()
        assert told(buffer) == [3]
        one.answer(4)
        other.answer(5)
    with counting(buffer, one.place) as successor:
        successor.attend([one.place, other.place])
    assert told(buffer) == [3, 4, 5]


def test_a_namespace_that_nothing_else_keeps_alive_is_read_before_it_ends(
    pods: list[Pod], buffer: Buffer
) -> None:
    one, other = pods
    with counting(buffer, one.place, other.place) as counter:
        other.answer(7)
        other.namespace.close()
        other.namespace = Namespace.current()
        counter.attend([one.place])
        counter.leave()
    assert told(buffer) == [7]


def test_a_namespace_that_is_left_has_nothing_of_ours(pods: list[Pod], buffer: Buffer) -> None:
    with counting(buffer, *(pod.place for pod in pods)) as counter:
        assert [pod.tables() for pod in pods] == [{HOST_TABLE}, {HOST_TABLE}]
        counter.attend([])
        counter.leave()
    assert [pod.tables() for pod in pods] == [set(), set()]


def test_a_file_that_leads_to_another_namespace_by_now_is_not_entered(pods: list[Pod]) -> None:
    one, other = pods
    mixed = Place(one.place.name, other.place.file)
    with pytest.raises(FileNotFoundError), mixed.inside():
        raise AssertionError("entered")


def test_of_a_hosts_vips_those_of_a_place_are_counted_there(
    pods: list[Pod], buffer: Buffer
) -> None:
    one, other = pods
    some, none = frozenset({ip_address(VIP)}), frozenset[Address]()
    with counting(
        buffer, replace(one.place, vips=some), replace(other.place, vips=none)
    ) as counter:
        one.answer(2)
        other.answer(3)
        counter.attend([replace(one.place, vips=none), replace(other.place, vips=some)])
        one.answer(5)
        other.answer(7)
        counter.close()
    assert told(buffer) == [2 + 7]
