"""Steps as nftables commands. Pure; the same text is checked by ``nft -c`` in the tests."""

from collections.abc import Iterable, Iterator, Sequence

from lbaas.dataplane.marks.commands import OWN, no_drops, of_drops, of_flow, of_policy, of_vip
from lbaas.dataplane.marks.desired import MarkTable
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
from lbaas.dataplane.marks.policy import Policy
from lbaas.dataplane.marks.rules import limit_chain


def transaction(steps: Sequence[MarkStep], declaration: str) -> str:
    """The commands of all *steps*; *declaration* is what a replaced table is made of.

    A limit's chain is made before the first mark goes to it.
    """
    lines: list[str] = []
    if any(isinstance(step, ReplaceTable) for step in steps):
        lines += _replace(declaration)
    return _text(lines) + limits(steps) + _text(line for step in steps for line in _commands(step))


def limits(steps: Iterable[MarkStep]) -> str:
    """The commands that make the chain of every limit that *steps* need; they change none that is there."""
    return _text(
        line for per_second in sorted(_limits(steps)) for line in limit_chain(OWN, per_second)
    )


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _replace(declaration: str) -> Iterator[str]:
    # "add" first, so that "delete" finds a table in any case.
    yield f"add table {OWN}"
    yield f"delete table {OWN}"
    yield f"table {OWN} {{\n{declaration}}}"


def _limits(steps: Iterable[MarkStep]) -> set[int]:
    policies = (policy for step in steps for policy in _set_by(step))
    return {each.per_second for each in policies if each.per_second is not None}


def _set_by(step: MarkStep) -> Iterable[Policy]:
    match step:
        case ReplaceTable(content=content):
            return content.policies.values()
        case SetPolicy(policy=policy):
            return (policy,)
        case _:
            return ()


def _commands(step: MarkStep) -> Iterator[str]:
    match step:
        case ReplaceTable(content=content):
            yield from _fill(content)
        case AddVip(address=address):
            yield of_vip("add", address)
        case RemoveVip(address=address):
            yield of_vip("delete", address)
        case SetFlow(flow=flow, mark=mark, replaced=replaced):
            for old, old_mark in replaced:
                yield from of_flow("delete", old, old_mark)
            yield from of_flow("add", flow, mark)
        case RemoveFlow(flow=flow, mark=mark):
            yield from of_flow("delete", flow, mark)
        case _:
            yield from _policy_commands(step)


def _policy_commands(step: SetPolicy | RemovePolicy | ForgetDrops) -> Iterator[str]:
    match step:
        case SetPolicy(mark=mark, policy=policy, replaced=replaced):
            if replaced is not None:
                yield from of_policy("delete", mark, replaced)
            yield from of_policy("add", mark, policy)
        case RemovePolicy(mark=mark, policy=policy):
            yield from of_policy("delete", mark, policy)
        case ForgetDrops(cause=cause, mark=mark):
            yield no_drops(cause, mark)


def _fill(content: MarkTable) -> Iterator[str]:
    yield from of_drops(content.drops)
    for mark, policy in content.policies.items():
        yield from of_policy("add", mark, policy)
    for address in content.vips:
        yield of_vip("add", address)
    for flow, flow_mark in content.flows.items():
        yield from of_flow("add", flow, flow_mark)
