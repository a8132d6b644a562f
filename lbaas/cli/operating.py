"""Commands beyond one object's fields: several members at once, an operator's word to a node."""

from typing import Any

import typer

from lbaas.cli import references, render
from lbaas.cli.completing import names_of
from lbaas.cli.differences import between
from lbaas.cli.resources import DRY_RUN, IN_POOL, TIMEOUT, WAIT
from lbaas.cli.session import Given, Session, add, argument, option, session
from lbaas.cli.shapes import fields_of
from lbaas.cli.values import BadValue, list_of
from lbaas.cli.waiting import wait_for
from lbaas.client.kinds import MEMBERS, NODES, POOLS
from lbaas.wire.operators import Node
from lbaas.wire.tenants import MemberSet

SEVERAL = argument("members", "ADDRESS[,FIELD=VALUE]...", "Like 10.0.20.12,weight=2.", list[str])
NODE = argument("node", "NODE", "Name, CLUSTER/NAME or id.", complete=names_of(NODES))
REVISION = option(
    "revision", int, "Up to this one; the node says which it holds back.", "--revision"
)


def add_to_members(members: typer.Typer) -> None:
    """``lbaas member add`` and ``replace``."""
    add(members, "add", add_members, "Add several, all or none.", IN_POOL, SEVERAL, WAIT, TIMEOUT)
    more = [DRY_RUN, WAIT, TIMEOUT]
    text = "Make these the pool's only members; who stays keeps its flows."
    add(members, "replace", replace_members, text, IN_POOL, SEVERAL, *more)


def add_to_nodes(nodes: typer.Typer) -> None:
    """``lbaas node confirm-removal``."""
    text = "Let a node remove more services at once than its cluster's guard allows."
    add(nodes, "confirm-removal", confirm_removal, text, NODE, REVISION)


def add_members(given: Given) -> None:
    """All are in the pool, or none."""
    with session(given) as now:
        pool = references.id_of(now.api, POOLS, given["pool"])
        added = now.api.members(pool).add(_bodies(given))
        now.print(render.rows_text(MEMBERS, added, now.output))
        _wait(now, given, pool)


def replace_members(given: Given) -> None:
    """The pool has exactly these, if its set is still as it was when it was looked at."""
    with session(given) as now:
        pool = references.id_of(now.api, POOLS, given["pool"])
        members = now.api.members(pool)
        before, tag = members.tagged()
        after = members.replace(_bodies(given), tag, dry_run=given["dry_run"])
        if given["dry_run"]:
            now.print("\n".join(_moves(before, after)) or "nothing would change")
            return
        now.print(render.rows_text(MEMBERS, after, now.output))
        _wait(now, given, pool)


def confirm_removal(given: Given) -> None:
    """The node may remove what it holds back."""
    with session(given) as now:
        node = references.find(references.collection(now.api, NODES), given["node"])
        body = {"revision": _revision(given, node)}
        now.api.post(f"/v1/nodes/{node.id}/confirm-removal", body)
        now.print(render.object_text(now.api.nodes.get(node.id), now.output))


def _revision(given: Given, node: Node) -> int:
    if given["revision"] is None:
        raise BadValue(
            f"--revision: say up to which; see what lbaas node show {node.name} holds back"
        )
    return int(given["revision"])


def _bodies(given: Given) -> list[dict[str, Any]]:
    shape = fields_of(MemberSet)[0].shape
    return list(list_of(shape, given["members"]))


def _wait(now: Session, given: Given, pool: str) -> None:
    if given["wait"]:
        wait_for(now, POOLS, now.api.pools.get(pool), given["timeout"])


def _moves(before: Any, after: Any) -> list[str]:
    """Who goes, who comes, who changes."""
    old, new = ({one.address: one for one in members} for members in (before, after))
    gone = [f"- member {address}" for address in old if address not in new]
    come = [f"+ member {address}" for address in new if address not in old]
    both = [(address, between(old[address], new[address])) for address in new if address in old]
    changed = [line for address, lines in both if lines for line in (f"~ member {address}", *lines)]
    return [*gone, *come, *changed]
