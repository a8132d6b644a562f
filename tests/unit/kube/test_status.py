"""What a Service's status says, and when a pod's gate opens."""

from ipaddress import ip_address
from uuid import UUID

from lbaas.domain.addresses import Address
from lbaas.kube.records import PROGRAMMED, Condition, Key, Pod
from lbaas.kube.status import answering, opening, present, refused, released, served
from lbaas.wire.status import HostStatus, VipStatus
from tests.unit.kube.samples import endpoint, service

VIPS = [ip_address("198.51.100.7")]
OTHERS = Condition("example.org/other", "True", since="then")
TRUE = Condition(PROGRAMMED, "True", "Programmed", "every node and host has applied it", "then")


def test_a_new_service_shows_its_address_at_once_and_is_programmed_later() -> None:
    first = served(service(conditions=(OTHERS,)), VIPS, programmed=False, now="now")
    assert first.ingress == (("198.51.100.7", "Proxy"),)
    assert [each.status for each in first.conditions] == ["True", "False"]
    then = service(ingress=first.ingress, conditions=first.conditions)
    assert served(then, VIPS, programmed=True, now="later").conditions[-1].status == "True"


def test_what_was_programmed_stays_so_while_pods_come_and_go() -> None:
    one = service(ingress=(("198.51.100.7", "Proxy"),), conditions=(OTHERS, TRUE))
    for programmed in (True, False):
        assert served(one, VIPS, programmed=programmed, now="later") == present(one)


def test_another_address_is_programmed_anew() -> None:
    one = service(ingress=(("198.51.100.9", "Proxy"),), conditions=(TRUE,))
    assert served(one, VIPS, programmed=False, now="later").conditions[-1].status == "False"


def test_a_refusal_keeps_the_address_and_says_why() -> None:
    one = service(ingress=(("198.51.100.7", "Proxy"),), conditions=(TRUE,))
    shown = refused(one, "PortTranslation", "no", "later")
    assert shown.ingress == one.ingress
    assert (shown.conditions[-1].status, shown.conditions[-1].since) == ("False", "later")
    again = service(ingress=shown.ingress, conditions=shown.conditions)
    assert refused(again, "PortTranslation", "no", "much later") == present(again)


def test_a_service_that_is_let_go_says_nothing_of_ours() -> None:
    shown = released(service(ingress=(("198.51.100.7", "Proxy"),), conditions=(OTHERS, TRUE)))
    assert (shown.ingress, shown.conditions) == ((), (OTHERS,))


def host(number: int, *addresses: Address, programmed: bool = True) -> HostStatus:
    return HostStatus(
        host_id=UUID(int=number),
        name="rack7",
        addresses=list(addresses),
        applied_revision=1,
        programmed=programmed,
        stale=False,
        certificate_expires_at=None,
    )


def vip(*hosts: HostStatus) -> VipStatus:
    return VipStatus(
        vip_id=UUID(int=9), revision=1, programmed=True, nodes=[], hosts=list(hosts), dropped=[]
    )


ONE, TWO, SIX = map(ip_address, ("10.0.0.1", "10.0.0.2", "fd00::1"))


def test_a_member_answers_when_its_host_has_applied_every_vip() -> None:
    assert answering([vip(host(1, ONE), host(2, TWO, programmed=False))]) == {ONE}
    assert answering([vip(host(1, ONE)), vip(host(1, SIX, programmed=False))]) == frozenset()


def test_a_gate_opens_when_all_of_the_pods_addresses_answer() -> None:
    key = Key("shop", "a")
    pods = {key: Pod(key, gated=True)}
    both = [endpoint("10.0.0.1", pod=key), endpoint("fd00::1", pod=key)]
    assert opening(both, pods, {ONE}) == ((), True)
    assert opening(both, pods, {ONE, SIX}) == ((key,), False)


def test_nobody_waits_for_pods_without_gate_with_an_open_one_or_that_leave() -> None:
    key = Key("shop", "a")
    leaving = endpoint("10.0.0.1", pod=key, terminating=True)
    for pod, one in (
        (Pod(key), endpoint("10.0.0.1", pod=key)),
        (Pod(key, gated=True, passed=True), endpoint("10.0.0.1", pod=key)),
        (Pod(key, gated=True), leaving),
    ):
        assert opening([one], {key: pod}, frozenset()) == ((), False)
