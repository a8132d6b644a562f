"""What ``--wait`` and ``status`` say of each node and host, and which VIPs a change concerns."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from lbaas.cli.render import Output
from lbaas.cli.session import Session
from lbaas.cli.waiting import concerned, lines, wait, wait_for
from lbaas.client.api import ApiClient
from lbaas.client.kinds import LISTENERS, MEMBERS, NODES, POOLS, VIPS, AnyKind
from lbaas.client.problems import NotProgrammed
from lbaas.wire.fields import Resource
from lbaas.wire.report import NodeFacts
from lbaas.wire.status import HostStatus, NodeStatus, VipStatus
from tests.unit.client.recorded import Recorded
from tests.unit.client.samples import sample

VIP, DUAL, POOL = (UUID(int=number) for number in (1, 2, 3))
FAILED = {"subsystem": "ipvs", "operation": "add", "key": "k", "cause": "no memory"}


def one(kind: AnyKind, **known: object) -> Resource:
    made: Resource = kind.shown.model_validate(sample(kind.shown, **known))
    return made


def status(**known: object) -> dict[str, Any]:
    return sample(VipStatus, revision=42, **known)


def test_each_node_and_host_has_a_line_that_says_how_far_it_is() -> None:
    nodes = [
        sample(NodeStatus, name="lb1", programmed=True),
        sample(NodeStatus, name="lb2", programmed=False, applied_revision=41, stale=True),
        sample(NodeStatus, name="lb3", programmed=False, applied_revision=42, failures=[FAILED]),
    ]
    hosts = [sample(HostStatus, name="rack7", programmed=False)]
    found = VipStatus.model_validate(status(nodes=nodes, hosts=hosts))
    assert [line.split(maxsplit=1) for line in lines(found)] == [
        ["lb1", "programmed"],
        ["lb2", "at revision 41 of 42, stale"],
        ["lb3", "failed: no memory"],
        ["rack7", "never reported"],
    ]


@pytest.mark.parametrize(
    ("kind", "known", "vips"),
    [
        (VIPS, {"id": str(VIP)}, [VIP]),
        (LISTENERS, {"vip_id": str(VIP), "dual_vip_id": str(DUAL)}, [VIP, DUAL]),
        (POOLS, {"id": str(POOL)}, [VIP, DUAL]),
        (MEMBERS, {"pool_id": str(POOL)}, [VIP, DUAL]),
    ],
)
def test_a_change_concerns_the_vips_whose_listeners_lead_to_it(
    kind: AnyKind, known: dict[str, object], vips: list[UUID]
) -> None:
    listeners = [sample(LISTENERS.shown, vip_id=str(vip)) for vip in (VIP, DUAL, VIP)]
    page = httpx.Response(200, json={"items": listeners, "next_cursor": None})
    recorded = Recorded([page])
    asked = recorded.sync(lambda api: concerned(api, kind, one(kind, **known)))
    assert asked == vips
    assert all(dict(request.url.params) == {"pool_id": str(POOL)} for request in recorded.asked)


def test_waiting_tells_on_how_much_it_is_programmed(capsys: pytest.CaptureFixture[str]) -> None:
    done = status(programmed=True, nodes=[sample(NodeStatus, programmed=True)], hosts=[])

    def waits(api: ApiClient) -> None:
        wait(Session(api, Output.TABLE), [VIP], 5)

    Recorded([httpx.Response(200, json=done)]).sync(waits)
    assert capsys.readouterr().err == "programmed on 1 nodes and 0 backend hosts\n"
    late = httpx.Response(200, json=status(programmed=False))
    with pytest.raises(NotProgrammed, match="no active node"):
        Recorded([late]).sync(lambda api: wait(Session(api, Output.TABLE), [VIP], 0))


def test_waiting_for_a_node_tells_that_it_may_be_stopped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = sample(NODES.shown, name="lb1", facts=sample(NodeFacts, safe_to_stop=True))
    before = one(NODES, reported_at=None)

    def waits(api: ApiClient) -> None:
        wait_for(Session(api, Output.TABLE), NODES, before, 5)

    later = told | {"reported_at": "2026-11-01T00:00:00Z"}
    Recorded([httpx.Response(200, json=later)]).sync(waits)
    assert capsys.readouterr().err == "nothing arrives at lb1 any more: it may be stopped\n"
