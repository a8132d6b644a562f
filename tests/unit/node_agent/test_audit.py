"""What an audit finds is believed as far as nothing changed meanwhile."""

import threading
from ipaddress import IPv4Address
from typing import Any

import pytest

from lbaas.agent.rounds import Round, Subsystem
from lbaas.dataplane.bird.plan import Observed
from lbaas.dataplane.ipvs.desired import Service, ServiceKey
from lbaas.dataplane.ipvs.plan import CreateService, RemoveService
from lbaas.dataplane.link.plan import AcceptAddress
from lbaas.dataplane.marks.desired import FlowKey, FlowMark, MarkTable
from lbaas.dataplane.marks.plan import RemoveFlow, RemovePolicy, RemoveVip, ReplaceTable
from lbaas.dataplane.marks.policy import Policy
from lbaas.dataplane.steps import Outcome, Plan
from lbaas.domain.addresses import Address
from lbaas.node_agent.audit import Audit, Findings, subject
from lbaas.node_agent.picture import Change, VipTables

A, B = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
ONE, TWO = ServiceKey(4, 1), ServiceKey(4, 2)
BIRD = Observed("text", frozenset())


def found(*steps: Any) -> Findings:
    plan: Plan[Any] = Plan(steps, (RemoveService(TWO),))
    subsystem = Subsystem("any", lambda: plan, lambda some: Outcome(tuple(some)))
    return Findings(Round(plans=[(subsystem, plan)]), BIRD)


def change(vip: Address, key: ServiceKey) -> Change:
    return Change({}, {vip: VipTables({key: Service("mh", 0x18, ())})})


class Looking:
    """An audit whose look ends when the test says so."""

    def __init__(self, findings: Findings | Exception) -> None:
        self._end, self._over = threading.Event(), threading.Event()
        self._findings = findings
        self.audit = Audit(self._over.set)
        self.audit.start(self._look)

    def _look(self) -> Findings:
        self._end.wait(60)
        if isinstance(self._findings, Exception):
            raise self._findings
        return self._findings

    def end(self) -> None:
        self._end.set()
        assert self._over.wait(60)


def test_nothing_is_found_while_the_look_goes_on() -> None:
    looking = Looking(found())
    assert looking.audit.take() is None
    assert looking.audit.under_way
    assert not looking.audit.over
    looking.end()
    assert looking.audit.over
    assert looking.audit.take() is not None
    assert not looking.audit.under_way


def test_what_changed_meanwhile_is_not_believed_and_all_else_is() -> None:
    fine, stale = AcceptAddress(A), AcceptAddress(B)
    whole = ReplaceTable(MarkTable("rules"))
    looking = Looking(found(fine, stale, CreateService(ONE), whole))
    looking.audit.note(change(B, TWO))
    looking.end()
    findings = looking.audit.take()
    assert findings is not None
    ((_, plan),) = findings.round.plans
    assert plan == Plan((fine, CreateService(ONE)), ())
    assert findings.bird is None
    assert findings.unsure == {B, TWO, TWO.mark}


def test_without_a_change_all_is_believed() -> None:
    looking = Looking(found(CreateService(ONE)))
    looking.end()
    findings = looking.audit.take()
    assert findings is not None
    assert len(findings.round.plans[0][1]) == 2
    assert findings.bird == BIRD


def test_a_look_that_is_forgotten_gives_nothing_but_ends_before_the_next() -> None:
    looking = Looking(found())
    looking.audit.forget()
    assert looking.audit.under_way  # its sockets are in use
    looking.end()
    assert looking.audit.take() is None
    assert not looking.audit.under_way


def test_what_broke_a_look_off_is_raised_where_it_is_taken() -> None:
    looking = Looking(OSError("no sockets left"))
    looking.end()
    with pytest.raises(OSError, match="no sockets left"):
        looking.audit.take()
    assert not looking.audit.under_way


@pytest.mark.parametrize(
    ("step", "about"),
    [
        (AcceptAddress(A), A),
        (RemoveVip(B), B),
        (RemoveFlow(FlowKey(A, 6, 80, 80), FlowMark(1, 1)), A),
        (CreateService(ONE), ONE),
        (RemovePolicy(7, Policy()), 7),
        (ReplaceTable(MarkTable("rules")), None),
    ],
)
def test_a_step_is_about_one_vip_or_one_service_or_about_more(step: Any, about: object) -> None:
    assert subject(step) == about
