"""How a pool's flows are spread and forwarded, as a form has it: the wizard's, and a pool's settings."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from lbaas.portal.typed import Json, number, number_or_none
from lbaas.portal.visits import Form

YES, NO = "true", "false"
NUMBERS = ("gue_port", "persistence_s", "drain_deadline_s")


@dataclass(frozen=True)
class Tuning:
    """What was typed, as text. A choice rather than a tick where there are two ways: a form says it in any case."""

    scheduler: str = "mh"
    forwarding: str = "tunnel"
    encapsulation: str = ""
    gue_port: str = ""
    hash_ports: str = YES
    persistence_s: str = ""
    one_packet: str = NO
    drain_deadline_s: str = ""
    quorum: str = "1"

    @classmethod
    def of(cls, form: Form) -> Self:
        """The settings in *form*; what it does not say is as at the beginning."""
        return cls(**{name: form[name].strip() for name in FIELDS if name in form})

    @classmethod
    def shown(cls, pool: Mapping[str, Any]) -> Self:
        """Those of *pool*, which the API answered, to be changed."""
        return cls(**{name: _text(pool[name]) for name in FIELDS})

    def body(self) -> Json:
        """The pool's fields."""
        return {
            "scheduler": self.scheduler,
            "forwarding": self.forwarding,
            "encapsulation": self.encapsulation or None,
            "hash_ports": self.hash_ports == YES,
            "one_packet": self.one_packet == YES,
            "quorum": number(self.quorum),
            **{name: number_or_none(getattr(self, name)) for name in NUMBERS},
        }


FIELDS = frozenset(field.name for field in fields(Tuning))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return YES if value else NO
    return "" if value is None else str(value)
