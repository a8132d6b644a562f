"""What ``lbaas usage`` asks for, and the lines under its comparison."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import UUID

import pytest

from lbaas.cli.usage import findings, period, troubles
from lbaas.cli.values import BadValue
from lbaas.wire.ledger import AgentAccount, Finding, MissingReports, ReconciledVip, Volume

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
SOME = Volume(packets=5, bytes=500)


def said(**other: str) -> dict[str, str | None]:
    return {"begin": None, "end": None, "last": None, **other}


def test_a_time_without_a_zone_is_utc() -> None:
    begin, end = period(said(begin="2026-11-01", end="2026-11-02T01:00+01:00"), NOW)

    assert (begin, end) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))


def test_the_last_hours_or_days_end_now() -> None:
    assert period(said(last="6h"), NOW) == (NOW - timedelta(hours=6), None)
    assert period(said(last="30d"), NOW) == (NOW - timedelta(days=30), None)


@pytest.mark.parametrize(
    "wrong", [{"last": "6"}, {"last": "6h", "end": "2026-11-01"}, {"begin": "yesterday"}]
)
def test_what_is_no_time_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(BadValue):
        period(said(**wrong), NOW)


@pytest.mark.parametrize(("host", "who"), [("host-7", "host-7"), (None, "10.0.20.7")])
def test_a_host_that_answers_outside_is_named_or_known_by_its_address(
    host: str | None, who: str
) -> None:
    found = Finding(
        kind="answers_outside",
        addresses=[ip_address("10.0.20.7")],
        host_id=None,
        host=host,
        volume=SOME,
    )
    vip = ReconciledVip(
        vip_id=UUID(int=1),
        vip="shop",
        address=None,
        tenant_id=UUID(int=2),
        ingress=SOME,
        received=SOME,
        egress=SOME,
        connections=1,
        lost_packets=0,
        lost_percent=0.0,
        egress_per_ingress=1.0,
        findings=[found],
    )

    (line,) = findings([vip])

    assert line == f"shop: {who} answers outside the balancer: 5 packets sent, none received"


def test_all_that_is_wrong_with_an_agent_stands_in_one_line() -> None:
    gap = MissingReports(meter=UUID(int=3), first=2, last=4, found_at=NOW)
    agent = AgentAccount(
        agent_id=UUID(int=1),
        agent="lb1",
        role="node",
        state="late",
        counted_until=NOW,
        missing=[gap],
        refused=2,
        misdated=1,
    )

    (line,) = troubles([agent])

    assert line == (
        "node lb1: reports are late, counted until 2026-11-23T06:00Z; reports 2 to 4 are missing;"
        " 2 counts of what is not its own; 1 reports from a wrong clock"
    )
