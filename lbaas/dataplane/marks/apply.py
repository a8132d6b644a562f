"""Steps, sent to nftables."""

from collections.abc import Iterable, Iterator, Sequence

from lbaas.dataplane.marks.desired import TABLE
from lbaas.dataplane.marks.elements import of_drops, of_flow, of_policy, of_vip
from lbaas.dataplane.marks.plan import (
    AddVip,
    ForgetDrops,
    MarkStep,
    RemoveFlow,
    RemovePolicy,
    RemoveVip,
    ReplaceTable,
    SetFlow,
    SetPolicy,
)
from lbaas.dataplane.marks.render import limits, transaction
from lbaas.dataplane.nfnetlink import INET, NfSocket, Placed, Verb
from lbaas.dataplane.nftables import Nft, NftRefused
from lbaas.dataplane.steps import Outcome, try_each


def apply(
    nft: Nft, netfilter: NfSocket, steps: Sequence[MarkStep], declaration: str
) -> Outcome[MarkStep]:
    """All *steps* at once; where nftables refuses that, each by itself, so that one stops no other.

    A new table is one transaction, the elements are another.
    """
    tables = [step for step in steps if isinstance(step, ReplaceTable)]
    made = try_each(
        "marks", tables, lambda step: nft.run(transaction([step], declaration)), NftRefused
    )
    rest = [step for step in steps if not isinstance(step, ReplaceTable)]
    placed = _place(nft, netfilter, rest, declaration)
    return Outcome(made.applied + placed.applied, made.failed + placed.failed)


def _place(
    nft: Nft, netfilter: NfSocket, steps: Sequence[MarkStep], declaration: str
) -> Outcome[MarkStep]:
    if not steps:
        return Outcome()
    try:
        if chains := limits(steps):
            nft.run(chains)
        netfilter.change(INET, TABLE, (each for step in steps for each in _changes(step)))
    except NftRefused:
        # By text, since nftables then says why.
        return try_each(
            "marks", steps, lambda step: nft.run(transaction([step], declaration)), NftRefused
        )
    return Outcome(applied=tuple(steps))


def _changes(step: MarkStep) -> Iterator[tuple[Verb, Placed]]:
    match step:
        case AddVip(address=address):
            yield "add", of_vip(address)
        case RemoveVip(address=address):
            yield "delete", of_vip(address)
        case SetFlow(flow=flow, mark=mark, replaced=replaced):
            for old, old_mark in replaced:
                yield from _each("delete", of_flow(old, old_mark))
            yield from _each("add", of_flow(flow, mark))
        case RemoveFlow(flow=flow, mark=mark):
            yield from _each("delete", of_flow(flow, mark))
        case SetPolicy(mark=number, policy=policy, replaced=old_policy):
            if old_policy is not None:
                yield from _each("delete", of_policy(number, old_policy))
            yield from _each("add", of_policy(number, policy))
        case RemovePolicy(mark=number, policy=policy):
            yield from _each("delete", of_policy(number, policy))
        case ForgetDrops(cause=cause, mark=number):
            yield "delete", of_drops(cause, number)


def _each(verb: Verb, placed: Iterable[Placed]) -> Iterator[tuple[Verb, Placed]]:
    return ((verb, each) for each in placed)
