from typing import Any

import pytest

from lbaas.portal.checks import Check, place
from lbaas.wire.monitors import Monitor


def shown(**monitor: object) -> dict[str, Any]:
    """A monitor as the API answers it."""
    return Monitor.model_validate(monitor).model_dump(mode="json")


@pytest.mark.parametrize(
    "monitor",
    [
        {"kind": "tcp"},
        {"kind": "tcp", "port": 8080, "interval_s": 0.5, "timeout_s": 0.25, "target": "member"},
        {"kind": "http", "http": {"path": "/up", "host": "a.example", "statuses": [200]}},
        {"kind": "https"},
        {"kind": "dns", "dns": {"name": "example.org", "record_type": "AAAA"}},
        {"kind": "udp", "udp": {"payload": "00ff"}},
        {"kind": "icmp"},
    ],
)
def test_a_check_that_is_shown_and_sent_again_is_the_same(monitor: dict[str, Any]) -> None:
    before = shown(**monitor)
    after = Check.shown(before).monitor(before)
    assert Monitor.model_validate(after) == Monitor.model_validate(
        before if before["kind"] != "https" else {**before, "http": {"path": "/"}}
    )


def test_none_is_no_monitor() -> None:
    assert Check.shown(None).monitor() is None


def test_another_kind_has_nothing_of_the_one_before() -> None:
    before = shown(kind="http", http={"path": "/up"}, port=8080)
    after = Check(check="icmp").monitor(before)
    assert after is not None
    assert Monitor.model_validate(after).http is None


@pytest.mark.parametrize(
    ("pointer", "field"),
    [
        ("", "check"),
        ("/kind", "check"),
        ("/port", "check_port"),
        ("/timeout_s", "timeout_s"),
        ("/http/path", "path"),
        ("/dns", "dns_name"),
    ],
)
def test_what_is_wrong_with_a_monitor_stands_beside_its_field(pointer: str, field: str) -> None:
    assert place(pointer) == field
