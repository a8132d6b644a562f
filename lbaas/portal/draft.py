"""A VIP that somebody is about to order: what the form says, as the body of ``POST /v1/vips``."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from lbaas.portal import checks, tuning
from lbaas.portal.checks import Check
from lbaas.portal.tuning import Tuning
from lbaas.portal.typed import Json, labels, number, ports
from lbaas.portal.visits import Form


@dataclass(frozen=True)
class Step:
    """One page of the wizard, and the fields on it."""

    key: str
    title: str
    fields: frozenset[str]


STEPS = (
    Step("name", "Name", frozenset({"name", "labels", "tenant_id"})),
    Step("address", "Address", frozenset({"family", "address", "address_pool_id"})),
    Step("ports", "Ports", frozenset({"protocol", "ports"})),
    Step("members", "Members", frozenset({"members"}) | tuning.FIELDS),
    Step(
        "health",
        "Health",
        checks.FIELDS,
    ),
    Step("review", "Review", frozenset()),
)
KEYS = tuple(step.key for step in STEPS)

# Of a draft: what is no text of its own.
PARTS = ("check", "tuning", "rows")
BOTH = "46"  # of the families: a VIP of each, and one listener for the two
MONITOR = "/listeners/0/pool/monitor"

# JSON pointers into the body, most special first, and problems that name no field.
PLACES = (
    (r"/listeners/0/pool/members/(?P<row>\d+)(/(?P<part>address|weight))?(/.*)?", "members"),
    (r"/listeners/0/pool/members", "members"),
    (rf"/listeners/0/pool/(?P<same>{'|'.join(sorted(tuning.FIELDS))})", "scheduler"),
    (r"/listeners/0/ports(/.*)?", "ports"),
    (r"/listeners/0/(name|protocol)", "protocol"),
    (r"/(?P<same>name|labels|tenant_id|family|address|address_pool_id)(/.*)?", "name"),
    (r"/errors/name-taken", "name"),
    (r"/errors/(address-taken|pool-exhausted)", "address"),
    (r"/errors/ports-overlap", "ports"),
)


@dataclass(frozen=True)
class Row:
    """A member, as typed."""

    address: str = ""
    weight: str = "1"


@dataclass(frozen=True)
class Draft:
    """What was typed so far, as text. :meth:`of` a form and back as :meth:`pairs`, nothing is lost.

    *id* tells two drafts that say the same apart.
    """

    id: str = ""
    name: str = ""
    labels: str = ""
    tenant_id: str = ""
    family: str = "4"
    address: str = ""
    address_pool_id: str = ""
    protocol: str = "tcp"
    ports: str = ""
    tuning: Tuning = field(default_factory=Tuning)
    check: Check = field(default_factory=Check)
    rows: tuple[Row, ...] = field(default=(Row(), Row()))

    @classmethod
    def of(cls, form: Form) -> Self:
        """The draft in *form*; what it does not say is as at the beginning."""
        texts: dict[str, Any] = {name: form[name].strip() for name in cls._texts() if name in form}
        addresses, weights = form.getlist("member_address"), form.getlist("member_weight")
        rows = tuple(Row(*pair) for pair in zip(addresses, weights, strict=False))
        draft = replace(cls(), **texts)
        draft = replace(draft, check=Check.of(form), tuning=Tuning.of(form))
        return replace(draft, rows=rows) if rows else draft

    @classmethod
    def _texts(cls) -> tuple[str, ...]:
        return tuple(name for name in cls.__dataclass_fields__ if name not in PARTS)

    def pairs(self, without: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
        """The fields of a form that says the same, but those of *without*."""
        for name in self._texts():
            if name not in without:
                yield name, getattr(self, name)
        for name in sorted(checks.FIELDS - without):
            yield name, getattr(self.check, name)
        for name in sorted(tuning.FIELDS - without):
            yield name, getattr(self.tuning, name)
        if "members" not in without:
            for row in self.rows:
                yield "member_address", row.address
                yield "member_weight", row.weight

    @property
    def dual(self) -> bool:
        """True if two VIPs are ordered, one of each family."""
        return self.family == BOTH

    def second(self, address_pool_id: str | None = None) -> Json:
        """The order of the other family's VIP, which is made without a listener of its own."""
        family = 4 if ":" in self.address else 6
        body = {**self._named(f"{self.name}-v{family}"), "family": family}
        return body | ({"address_pool_id": address_pool_id} if address_pool_id else {})

    def body(self, upto: str = "review") -> Json:
        """The order, as far as the steps before *upto* have it."""
        done = KEYS[: KEYS.index(upto)]
        body = self._named(self.name)
        if "address" in done:
            body |= self._address()
        if "ports" in done:
            body["listeners"] = [self._listener(done)]
        return body

    def key(self, body: Json | None = None) -> str:
        """The same for the same order out of the same draft, so that it is done once however often it is sent."""
        order = json.dumps(self.body() if body is None else body, sort_keys=True)
        return hashlib.sha256(f"{self.id}\n{order}".encode()).hexdigest()

    def place(self, pointer: str) -> str | None:
        """The field that is to blame for what a problem says of *pointer*; of a member, with its row."""
        if pointer.startswith(MONITOR):
            return checks.place(pointer.removeprefix(MONITOR))
        for pattern, name in PLACES:
            if match := re.fullmatch(pattern, pointer):
                parts = match.groupdict()
                if parts.get("row") is not None:
                    return (
                        f"member.{self._filled()[int(parts['row'])]}.{parts['part'] or 'address'}"
                    )
                return parts.get("same") or name
        return None

    def _named(self, name: str) -> Json:
        owner = {"tenant_id": self.tenant_id} if self.tenant_id else {}
        return {"name": name, "labels": labels(self.labels), **owner}

    def _address(self) -> Json:
        if self.address:
            return {"address": self.address, **self._pool()}
        return {"family": 4 if self.dual else number(self.family), **self._pool()}

    def _pool(self) -> Json:
        return {"address_pool_id": self.address_pool_id} if self.address_pool_id else {}

    def _listener(self, done: Sequence[str]) -> Json:
        pool: Json = {}
        if "members" in done:
            pool = self.tuning.body()
            pool["members"] = [self._member(self.rows[index]) for index in self._filled()]
        if "health" in done and (monitor := self.check.monitor()) is not None:
            pool["monitor"] = monitor
        name = f"{self.protocol}-{re.split('[^0-9]', self.ports)[0] or 'all'}"
        listener = {"name": name, "protocol": self.protocol, "pool": pool}
        return listener | ports(self.ports)

    def _filled(self) -> list[int]:
        return [index for index, row in enumerate(self.rows) if row.address]

    def _member(self, row: Row) -> Json:
        return {"address": row.address, "weight": number(row.weight)}


def step_of(name: str) -> str | None:
    """The step on which the field is; None if on none."""
    name = "members" if name.startswith("member.") else name
    return next((step.key for step in STEPS if name in step.fields), None)
