"""What the API finds wrong with a form, beside the fields that are to blame."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lbaas.client.api import ApiProblem

# From a JSON pointer, or a problem's type, to the name of a form's field; None if it is none of them.
Place = Callable[[str], str | None]
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Faults:
    """By field, and *general*, what no field is to blame for."""

    by_field: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    general: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> str:
        return self.by_field.get(name, "")

    def __bool__(self) -> bool:
        return bool(self.by_field or self.general)

    @property
    def first(self) -> str:
        """The field that comes first in what the API said; empty if there is none."""
        return next(iter(self.by_field), "")


def sorted_out(error: ApiProblem, place: Place) -> Faults:
    """The faults in *error*, each where *place* puts it."""
    by_field: dict[str, str] = {}
    general: list[str] = []
    found = error.problem.get("problems") or [
        {"pointer": error.problem.get("type", ""), "detail": error.problem.get("detail", "")}
    ]
    for bad in found:
        name = place(bad.get("pointer") or f"?{bad.get('parameter')}")
        if name is None:
            general.append(_said(bad, error))
        else:
            by_field[name] = "; ".join(filter(None, (by_field.get(name), bad["detail"])))
    return Faults(by_field, tuple(general))


def _said(bad: Mapping[str, str], error: ApiProblem) -> str:
    where = bad.get("pointer", "")
    named = where and where != error.problem.get("type")
    return f"{where}: {bad['detail']}" if named else bad["detail"]
