"""A service's destinations beside those that it should have."""

from collections.abc import Iterator

from lbaas.dataplane.ipvs.desired import Destination, Service
from lbaas.dataplane.ipvs.plan import ORDERED_SCHEDULERS
from lbaas.explain.drift import DRIFT
from lbaas.explain.hops import Stage
from lbaas.wire.explanation import Hop


def members(stage: Stage, held: Service, wanted: Service, *, doubtful: bool) -> Hop:
    """*doubtful*: nobody told which members fail their checks, so a weight of 0 may be right."""
    desired, actual = _listed(wanted), _listed(held)
    wrong = list(_wrong(held, wanted))
    if not wrong:
        return stage.ok(desired)
    what = "; ".join(wrong)
    if doubtful and all(each.endswith(_OUT) for each in wrong):
        return stage.suspect(
            desired, actual, f"{what}: it fails its checks here, or drift", "lbaas status"
        )
    return stage.broken(desired, actual, what, DRIFT)


_OUT = "is at weight 0"


def _listed(service: Service) -> str:
    return (
        ", ".join(f"{each.address} weight {each.weight}" for each in service.destinations) or "none"
    )


def _wrong(held: Service, wanted: Service) -> Iterator[str]:
    here = {each.address: each for each in held.destinations}
    shall = {each.address: each for each in wanted.destinations}
    for address, each in shall.items():
        if address not in here:
            yield f"member {address} is missing: its flows go to others"
        else:
            yield from _unlike(here[address], each)
    for address in here.keys() - shall.keys():
        yield f"{address} is no member, and gets flows"
    if (
        here.keys() == shall.keys()
        and list(here) != list(shall)
        and held.scheduler in ORDERED_SCHEDULERS
    ):
        yield "members are in another order than on other nodes: a flow that changes nodes changes members"


def _unlike(here: Destination, shall: Destination) -> Iterator[str]:
    if here.weight != shall.weight:
        yield (
            f"member {here.address} {_OUT}"
            if not here.weight
            else f"member {here.address} has weight {here.weight}, not {shall.weight}"
        )
    if (here.forwarding, here.encapsulation, here.port) != (
        shall.forwarding,
        shall.encapsulation,
        shall.port,
    ):
        way = f"{here.forwarding or 'masquerade'} {here.encapsulation}"
        yield f"packets to {here.address} go by {way}, not {shall.forwarding} {shall.encapsulation}"
