"""A health check, as a form has it: the wizard's, and a pool's settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from lbaas.portal.typed import Json, number
from lbaas.portal.visits import Form

NONE = "none"
TIMES = ("interval_s", "timeout_s", "rise", "fall")

# JSON pointers into the monitor, and the field that each is about.
PLACES = (
    (r"/http(/.*)?", "path"),
    (r"/dns(/.*)?", "dns_name"),
    (r"/port", "check_port"),
    (r"/(interval_s|timeout_s|rise|fall)", None),  # the field has the same name
    (r"(/.*)?", "check"),
)


@dataclass(frozen=True)
class Check:
    """What was typed, as text; a *check* of none is no monitor at all."""

    check: str = NONE
    check_port: str = ""
    interval_s: str = "5"
    timeout_s: str = "2"
    rise: str = "2"
    fall: str = "3"
    path: str = "/"
    dns_name: str = ""

    @classmethod
    def of(cls, form: Form) -> Self:
        """The check in *form*; what it does not say is as at the beginning."""
        return cls(**{name: form[name].strip() for name in FIELDS if name in form})

    @classmethod
    def shown(cls, monitor: Mapping[str, Any] | None) -> Self:
        """*monitor*, which the API answered, to be changed."""
        if monitor is None:
            return cls()
        return cls(
            check=monitor["kind"],
            check_port=str(monitor["port"] or ""),
            **{name: f"{monitor[name]:g}" for name in TIMES},
            path=(monitor["http"] or {}).get("path", "/"),
            dns_name=(monitor["dns"] or {}).get("name", ""),
        )

    def monitor(self, before: Mapping[str, Any] | None = None) -> Json | None:
        """The monitor, with those fields of the one *before* that no form has."""
        if self.check == NONE:
            return None
        same = before if before is not None and before["kind"] == self.check else {}
        monitor: Json = {**same, "kind": self.check, "port": None}
        for name in TIMES:
            monitor[name] = number(getattr(self, name))
        if self.check_port:
            monitor["port"] = number(self.check_port)
        if self.check in ("http", "https"):
            monitor["http"] = {**(same.get("http") or {}), "path": self.path}
        if self.check == "dns":
            monitor["dns"] = {**(same.get("dns") or {}), "name": self.dns_name}
        return monitor


FIELDS = frozenset(field.name for field in fields(Check))


def place(pointer: str) -> str:
    """The field that is to blame for what a problem says of *pointer*, from the monitor on."""
    name = next(name for pattern, name in PLACES if re.fullmatch(pattern, pointer))
    return name or pointer.removeprefix("/")
