"""``lbaas usage``: what was counted, for people, spreadsheets and programs, and whether both ends agree."""

import csv
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import typer

from lbaas.cli import references, render
from lbaas.cli.completing import names_of
from lbaas.cli.render import Output
from lbaas.cli.session import Given, Session, add, group, option, session, switch
from lbaas.cli.values import BadValue
from lbaas.client.kinds import LISTENERS, TENANTS, VIPS, AnyKind
from lbaas.domain.usage import DAY, HOUR, Direction, Granularity
from lbaas.wire.ledger import AgentAccount, ReconciledVip, Usage

BEGIN = option("begin", str | None, "From then on, like 2026-11-01 or 2026-11-01T06:00Z.", "--from")
END = option("end", str | None, "Before then; now if not said.", "--to")
LAST = option("last", str | None, "The last so many hours or days, like 6h or 30d.", "--last")
STEPS = option(
    "granularity", Granularity, "In which steps.", "--granularity", default=Granularity.HOUR
)
BY = option(
    "by", str, "Told apart by these: tenant,vip,listener,direction,prefix; or total.", "--by"
)
VIP = option(
    "vip",
    str | None,
    "Of this VIP, by name, address or id; by id if it is gone.",
    "--vip",
    complete=names_of(VIPS),
)
LISTENER = option(
    "listener", str | None, "Of this listener.", "--listener", complete=names_of(LISTENERS)
)
TENANT = option(
    "tenant", str | None, "Of this tenant; for operators.", "--tenant", complete=names_of(TENANTS)
)
DIRECTION = option("direction", Direction | None, "This way only.", "--direction")
PREFIX = option("prefix", str | None, "Of clients inside, like 192.0.2.0/24.", "--prefix")
CSV = switch("csv", "As CSV with all columns.", "--csv")

_LAST = re.compile(r"(\d{1,5})([hd])")
_UNITS = {"h": HOUR, "d": DAY}


def usage_group() -> typer.Typer:
    """The commands."""
    made = group("Show what was counted, and whether nodes and hosts agree.")
    when = (BEGIN, END, LAST)
    which = (VIP, LISTENER, TENANT, DIRECTION, PREFIX)
    add(made, "show", show, "Show usage in sums.", *when, STEPS, BY, *which, CSV)
    text = "Compare what nodes counted with what hosts received and answered."
    add(made, "reconcile", reconcile, text, *when, VIP, TENANT)
    return made


def show(given: Given) -> None:
    """Usage in sums."""
    with session(given) as now:
        asked = {
            **_asked(now, given),
            "granularity": given["granularity"].value,
            "limit": 1000,
            **({} if given["by"] is None else {"group_by": given["by"]}),
        }
        sums = now.api.usage(*period(given, datetime.now(UTC)), **asked)
        if given["csv"]:
            _print_csv(sums)
        else:
            now.print(_table(list(sums), now.output))


def reconcile(given: Given) -> None:
    """Each VIP's counts side by side, then what is remarkable."""
    with session(given) as now:
        found = now.api.reconciliation(*period(given, datetime.now(UTC)), **_asked(now, given))
        if not now.for_people:
            now.print(render.object_text(found, now.output))
            return
        now.print(render.rows_text("reconciled", found.items, now.output))
        for line in [*findings(found.items), *troubles(found.agents)]:
            now.print(line)


def period(given: Mapping[str, Any], now: datetime) -> tuple[datetime | None, datetime | None]:
    """Begin and end as they were said. Raises BadValue."""
    if given["last"] is None:
        return _time(given["begin"], "--from"), _time(given["end"], "--to")
    if given["begin"] is not None or given["end"] is not None:
        raise BadValue("--last: says when already; leave out --from and --to")
    told = _LAST.fullmatch(given["last"])
    if told is None:
        raise BadValue(f"--last: {given['last']!r} is no time: write 6h or 30d")
    return now - int(told[1]) * _UNITS[told[2]], None


def findings(vips: Iterable[ReconciledVip]) -> list[str]:
    """A line for each host whose counts do not belong together."""
    says = {
        "answers_outside": "answers outside the balancer: {} packets sent, none received",
        "never_answers": "never answers: {} packets received, none sent",
    }
    return [
        f"{vip.vip or vip.vip_id}: {found.host or _addresses(found.addresses)} "
        + says[found.kind].format(found.volume.packets)
        for vip in vips
        for found in vip.findings
    ]


def troubles(agents: Iterable[AgentAccount]) -> list[str]:
    """A line for each agent whose reports are late, missing or wrong."""
    return [
        f"{each.role} {each.agent or each.agent_id}: {'; '.join(_trouble(each))}" for each in agents
    ]


def _trouble(agent: AgentAccount) -> Iterable[str]:
    if agent.state == "missing":
        yield "has never reported usage"
    if agent.state == "late":
        yield f"reports are late, counted until {agent.counted_until:%Y-%m-%dT%H:%MZ}"
    for gap in agent.missing:
        yield f"reports {gap.first} to {gap.last} are missing"
    if agent.refused:
        yield f"{agent.refused} counts of what is not its own"
    if agent.misdated:
        yield f"{agent.misdated} reports from a wrong clock"


def _asked(now: Session, given: Given) -> dict[str, Any]:
    kinds: Mapping[str, AnyKind] = {"vip": VIPS, "listener": LISTENERS, "tenant": TENANTS}
    asked = {
        f"{name}_id": references.id_of(now.api, kind, given[name])
        for name, kind in kinds.items()
        if given.get(name) is not None
    }
    plain = ("direction", "prefix")
    return asked | {name: str(given[name]) for name in plain if given.get(name) is not None}


def _time(text: str | None, flag: str) -> datetime | None:
    """UTC where nothing else is said."""
    if text is None:
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadValue(f"{flag}: {text!r} is no time: write 2026-11-01T06:00Z") from error
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


def _table(sums: list[Usage], output: Output) -> str:
    """Without the columns that nothing was told apart by, for people."""
    if output is not Output.TABLE:
        return render.rows_text("usage", sums, output)
    rows = [each.model_dump(mode="json") for each in sums]
    columns = [
        name
        for name in render.COLUMNS["usage"]
        if name in render.COUNTED or any(row[name] is not None for row in rows)
    ]
    titles = [name.upper() for name in columns]
    return render.aligned([titles, *([render.cell(row[name]) for name in columns] for row in rows)])


def _print_csv(sums: Iterable[Usage]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Usage.model_fields)
    writer.writerows(each.model_dump(mode="json").values() for each in sums)


def _addresses(addresses: Iterable[object]) -> str:
    return ", ".join(map(str, addresses)) or "a host"
