"""The law of the links' plan."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from lbaas.dataplane.link.desired import DEVICE_KINDS, Alias, LinkTable, sit_device
from lbaas.dataplane.link.plan import (
    AcceptAddress,
    AddAddress,
    AddDevice,
    LinkStep,
    RefuseAddress,
    RemoveAddress,
    RemoveDevice,
    plan,
)
from tests.unit.dataplane.strategies import addresses

NAMES = [*sorted(DEVICE_KINDS), sit_device(IPv4Address("127.0.0.1"))]


@st.composite
def tables(draw: st.DrawFn) -> LinkTable:
    devices = draw(st.frozensets(st.sampled_from(NAMES)))
    accepted = draw(st.frozensets(addresses, max_size=6))
    if not devices:
        return LinkTable(accepted=accepted)
    aliases = st.builds(Alias, st.sampled_from(sorted(devices)), addresses)
    return LinkTable(devices, draw(st.frozensets(aliases, max_size=6)), accepted)


def carry_out(table: LinkTable, steps: tuple[LinkStep, ...]) -> LinkTable:
    """What the kernel holds after *steps*: an address needs its device, which keeps it."""
    devices, aliases, accepted = set(table.devices), set(table.aliases), set(table.accepted)
    for step in steps:
        match step:
            case AddDevice(name=name):
                assert name not in devices
                devices.add(name)
            case RemoveDevice(name=name):
                assert not any(alias.device == name for alias in aliases)
                devices.remove(name)
            case AddAddress(alias=alias):
                assert alias.device in devices
                assert alias not in aliases
                aliases.add(alias)
            case RemoveAddress(alias=alias):
                aliases.remove(alias)
            case AcceptAddress(address=address):
                assert address not in accepted
                accepted.add(address)
            case RefuseAddress(address=address):
                accepted.remove(address)
    return LinkTable(frozenset(devices), frozenset(aliases), frozenset(accepted))


@given(observed=tables(), desired=tables())
def test_carrying_out_the_plan_gives_the_desired_table(
    observed: LinkTable, desired: LinkTable
) -> None:
    steps = plan(observed, desired)
    assert carry_out(observed, steps.establish + steps.withdraw) == desired


@given(table=tables())
def test_a_table_needs_no_steps_to_become_itself(table: LinkTable) -> None:
    assert len(plan(table, table)) == 0


@given(observed=tables(), desired=tables())
def test_establishing_takes_nothing_away(observed: LinkTable, desired: LinkTable) -> None:
    between = carry_out(observed, plan(observed, desired).establish)
    assert between.devices == observed.devices | desired.devices
    assert between.aliases == observed.aliases | desired.aliases
    assert between.accepted == observed.accepted | desired.accepted
